/* Strings of which a config holds the same ones again and again: keys, and most values
 * of a large one. One copy serves until another with the same hash takes its place, so
 * that it costs a comparison however many there are. */
#ifndef CONF_WORDS_H
#define CONF_WORDS_H

#include "base/arena.h"

/* Zeroed but for the arena, where the copies live. */
struct words {
    struct arena *arena;
    const char *at[256];
};

const char *words_keep(struct words *w, const char *z);

#endif
