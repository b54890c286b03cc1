/* The builder: makes generations, their handles included, on a thread of its own, so
 * that main never blocks on a file. One at a time. */
#ifndef PROXY_BUILDER_H
#define PROXY_BUILDER_H

#include "proxy/generation.h"
#include "tasks/registry.h"

struct event_base;
struct builder;

struct built {
    enum reason why;
    struct generation *generation; /* REASON_OK: a reference to take over, or NULL when
                                      nothing has changed; else NULL */
    struct prepared *tasks;        /* with a generation: its tasks, likewise */
    struct buf *report;            /* on loan */
};

/* on_built runs on the thread of `base`. authority, on loan: whose tasks are begun;
 * NULL: there are none. */
struct builder *builder_new(struct event_base *base, const char *path,
                            struct authority_key *authority,
                            void (*on_built)(void *owner, const struct built *b),
                            void *owner);
void builder_free(struct builder *b);
/* The bytes that this is the digest of were read before there was a builder. */
void builder_knows(struct builder *b, const unsigned char tried[SHA256_SIZE]);
/* Not while one is being built. `number` is what the new generation is called; it must
 * be one that may follow `now`, the one in force, and keeps its handles. Unless
 * `always`, nothing is made of the bytes that were read last, be they good or not.
 * REASON_INTERNAL, logged, when no thread can be started: nothing will come then. */
MUST_USE enum reason builder_build(struct builder *b, struct generation *now,
                                   uint64_t number, bool always);

#endif
