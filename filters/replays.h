/* The gate's memory of proofs, kept for the life of the process: a generation that
 * replaces another asks for the same memory again, so a proof seen before a reload is
 * still refused after it.
 *
 * Memories go by origin, because a proof is made for one: two doors that share a name
 * share a memory (a proof used at one cannot be replayed at the other), and a door
 * keeps its memory when it moves to another address. A door with a new size keeps the
 * old one until the process starts anew. */
#ifndef FILTERS_REPLAYS_H
#define FILTERS_REPLAYS_H

#include "conf/conf.h"
#include "tokens/binding.h"
#include "tokens/nonces.h"

/* The memory of this gate door, made when none of its names has one. On loan for the
 * life of the process. Any thread. NULL for a door without names. */
struct replay_cache *replays_of(const struct conf_door *door);

/* The nonces that this process gives out, likewise: one from before a reload is as good
 * after it. */
const struct nonces *nonces_of_gates(void);

#endif
