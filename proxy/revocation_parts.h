/* Inside revocation: an account for each task that had something to take back
 * (revocation.c); and its tokens, each an item that is tried up to three times
 * (revocation_item.c). */
#ifndef PROXY_REVOCATION_PARTS_H
#define PROXY_REVOCATION_PARTS_H

#include "base/table.h"
#include "proxy/revocation.h"

struct account {
    struct table_node by_task;
    struct list in_all;
    struct revocation *owner;
    struct task *task; /* a reference */
    struct list items;
    unsigned n_revoked;
    enum reason why;        /* of the last that could not be */
    bool has_parted;        /* `parting` waits to be told */
    bool is_late;           /* … or was told as pending */
    struct parting parting; /* without a reference of its own */
    struct alarm patience;
};

struct item {
    struct list in_account;
    struct list in_queue, in_asking; /* it waits for its turn, or has it */
    struct account *account;
    struct outpost *from; /* references … */
    struct token *token;  /* … to both */
    const struct conf_credential *credential;
    struct plea plea;
    struct wake over;
    struct alarm alarm; /* it begins, or is tried again */
    unsigned tries;
    bool is_later;
};

struct revocation {
    struct revocation_needs needs;
    struct table accounts;     /* by task */
    struct list all;           /* … and of them all */
    struct list queue, asking; /* of items */
    size_t n_asking;
    struct alarm impatience; /* while Holdfast ends */
    bool is_finishing;
    struct revocation_figures figures;
};

/* Made if need be. */
struct account *account_get(struct revocation *r, struct task *k);
/* If nothing of it is left to do it is told, and freed. One whose task has not parted
 * yet keeps what came of it. */
void account_settle(struct account *a);

void item_free(struct item *i);
/* The ledger is told; REASON_OK: it was taken back. */
void item_tell_outcome(const struct item *i, enum reason why);
/* Those who wait take what turns there are. */
void items_go_on(struct revocation *r);

#endif
