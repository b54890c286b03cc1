/* Inside the mint: its book of orders (mint.c), what one has (mint_order.c), and how
 * it is asked for (mint_ask.c, mint_command.c). */
#ifndef PROXY_MINT_PARTS_H
#define PROXY_MINT_PARTS_H

#include "base/table.h"
#include "proxy/helper.h"
#include "proxy/lineage.h"
#include "proxy/mint.h"
#include "proxy/outpost.h"
#include "proxy/revocation.h"

/* Asked for at a time: the others wait for their turn. Of one credential no more than a
 * few, so that its server, when it says nothing, keeps nobody from another's. */
enum { MINT_AT_ONCE = 64, MINT_OF_ONE = 16, ORDER_PAST = 2 };

/* A token with the moment from which it is worth nothing (monotonic). */
struct coin {
    struct token *token; /* NULL: none */
    int64_t ends_ms;
};

/* What gets the tokens of one name for one task, until the task ends. */
struct order {
    struct mint *mint;
    struct table_node by_task; /* unless it is an orphan, … */
    struct list in_all;        /* … likewise */
    struct list in_queue;      /* it waits for its turn */
    struct list in_asking;     /* it is under way */
    struct task *task;         /* a reference */
    struct token_name name;
    bool is_orphan; /* its task is over, or its credential another: whatever comes is
                       revoked … */
    bool is_late;   /* … and comes after its task's end was told of */

    struct dpop_key *key; /* of FORM_DPOP: its tokens', all its life */
    struct dpop_signer *signer;
    struct coin now, past[ORDER_PAST]; /* those before, that are good still */
    struct token_news news;            /* as it was told; its reference is `now`'s */

    struct plea plea;       /* under way; … */
    struct helper_run *run; /* … of a program, while it is; else NULL */
    struct wake over;
    int64_t began_ms, end_ms; /* monotonic */
    bool is_second;           /* with another nonce */
    int64_t rest_ms;          /* after the next failure; 0: the last try went well */
    unsigned char details[SHA256_SIZE]; /* of the authorization_details asked for */
};

struct mint {
    struct mint_needs needs;
    struct outpost *at;             /* NULL: not begun */
    struct table orders;            /* by task */
    struct list all, queue, asking; /* of orders */
    size_t n_asking;
    struct list lineages;
    struct mint_figures figures;
};

/* ---- mint_order.c */

/* The credential of this name in the config in force; NULL: there is none. */
const struct conf_credential *order_credential(const struct order *o);

struct order *order_new(struct mint *m, struct task *k, const struct token_name *name);
bool order_is_under_way(const struct order *o);
/* What it has is as good as anything that it could ask for now. */
bool order_is_fresh(const struct order *o, int64_t now_ms);
/* Every worker, what there is to tell. */
void order_tell(const struct order *o);

/* The answer's token is the task's from now on; but where the ledger does not take it
 * (REASON_LEDGER_…), nobody's. */
MUST_USE enum reason order_take(struct order *o, const struct oauth_answer *answer);
/* There is none, and none is asked for until it has rested. answer: NULL: there was
 * none. */
void order_fail(struct order *o, enum reason why, const struct oauth_answer *answer);
/* What was answered is nobody's: if it is a token, it is revoked. */
void order_give_back(struct order *o, const struct oauth_answer *answer);

/* What it has is revoked; it is freed, unless it is under way. Off the table. */
void order_end(struct order *o, int64_t in_ms);
void order_free(struct order *o);

/* ---- mint_command.c */

/* Its program is run; the bell rings when it is over. */
void order_run(struct order *o, const struct conf_credential *c);
MUST_USE enum reason order_read_run(struct order *o, struct oauth_answer *answer);
struct log_line;
void order_tell_run(const struct order *o, struct log_line *l);

/* ---- mint_ask.c */

/* Takes its turn, or a place among those who wait for one. */
void order_ask(struct order *o);
/* Those who wait take what turns there are. */
void orders_go_on(struct mint *m);
void order_leave_turn(struct order *o);
void order_hear(void *order); /* its plea is over */
/* Its grant leads elsewhere than when it asked. */
bool order_has_other_details(const struct order *o);

#endif
