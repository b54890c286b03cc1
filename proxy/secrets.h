/* The secrets of the generation in force, kept as their files have them, and its
 * handles, published. Files are read and written on a thread of its own, and watched
 * from main's loop, so a secret is rotated without a reload: a new vault is made whole,
 * and told. */
#ifndef PROXY_SECRETS_H
#define PROXY_SECRETS_H

#include "proxy/generation.h"

struct event_base;
struct ledger;
struct secrets;

struct secrets_told {
    enum reason why; /* logged: REASON_FILE_*, the handles could not be published;
                        REASON_LEDGER_*, its grants could not be recorded */
    struct generation *generation; /* on loan, as the vault is */
    struct vault *vault;
};

/* on_read runs on the thread of `base`. */
/* ledger: may be NULL. */
struct secrets *secrets_new(struct event_base *base, struct ledger *ledger,
                            void (*on_read)(void *owner, const struct secrets_told *t),
                            void *owner);
void secrets_free(struct secrets *s);

/* From now on this generation's. Told once when its handles are published, its files
 * are read and, unless it has served already, its grants and credentials are in the
 * ledger; and again after every change of one of the files. What was followed before is
 * told no more. */
void secrets_follow(struct secrets *s, struct generation *g, bool has_served);

/* The same for a start, when there is no loop yet and nobody to keep waiting. */
MUST_USE enum reason secrets_publish(const struct generation *g);

#endif
