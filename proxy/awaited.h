/* Several changes of tasks awaited as one: whoever has revoked is answered when the
 * last of them is done, in whatever order they are. Main's. */
#ifndef PROXY_AWAITED_H
#define PROXY_AWAITED_H

#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

struct party;

struct awaited {
    struct list parties;
    struct party *open; /* what is told now is of this one; NULL: of none */
    uint64_t last;      /* number given */
};
void awaited_init(struct awaited *a);
void awaited_clear(struct awaited *a);

/* Every ticket told between the two is of one party. Its number; 0: there was none. */
void awaited_begin(struct awaited *a);
uint64_t awaited_end(struct awaited *a);

void awaited_tell(struct awaited *a, uint64_t ticket);
/* Calls `over` for each party of which this was the last. */
void awaited_done(struct awaited *a, uint64_t ticket,
                  void (*over)(void *owner, uint64_t number), void *owner);

#endif
