/* The order of the filters is policy, so it is written once: in chain.c. */
#ifndef FILTERS_CHAIN_H
#define FILTERS_CHAIN_H

#include "filters/answer.h"
#include "filters/filter.h"

enum chain_phase {
    CHAIN_TUNNEL, /* of a CONNECT: what of it is judged before there is a request */
    CHAIN_JUDGE,
    CHAIN_PRESENT
};

/* All filters of a generation, opened. Used by one thread at a time per exchange;
 * filter states are immutable after open except what they lock themselves. */
struct chain;

/* Opens every filter; any error closes those already open. */
MUST_USE enum reason chain_open(const struct conf *conf, struct buf *report,
                                struct chain **out);
void chain_close(struct chain *c);

/* Runs the filters of this phase for the door's kind, and for what passes unopened, in
 * order, until one denies.
 * *by: the filter that denied (its name); NULL when all passed. A judgement that denies
 * leaves no grant and no rule in the view, only nearest and rule_place, for the log.
 * CHAIN_PRESENT may be run again for a retry: what the attempt before put on the
 * request goes first.
 */
struct verdict chain_run(struct chain *c, enum chain_phase phase, struct view *v,
                         const char **by);

/* For `explain`, which asks one at a time: the name of the i-th filter of this phase
 * for such a request at its door (NULL: there are no more), and its judgement alone. */
const char *chain_name(const struct view *v, enum chain_phase phase, size_t i);
struct verdict chain_ask(struct chain *c, enum chain_phase phase, struct view *v,
                         size_t i);

/* The same filters of CHAIN_PRESENT on the request's trailers, which come when its head
 * has long been sent. */
struct verdict chain_run_trailers(struct chain *c, struct view *v,
                                  struct headers *trailers, const char **by);

/* The tables conf_load needs. */
const struct conf_filter_table *chain_tables(size_t *n);

/* The compiled grants of this chain's policy filter, for the doors (show a leaf at
 * once?). */
/* At a gate, before it is judged: who has to be asked about the token that it shows.
 * NULL: nobody. */
const struct conf_issuer *chain_inquires(const struct chain *c, struct view *v,
                                         struct text *token);
const struct grants *chain_grants(const struct chain *c);
/* By what the answer to this request is judged (answer.h); NULL: it is not. */
const struct httpsig_policy *chain_answer_policy(const struct chain *c,
                                                 const struct view *v);
/* guard's judgement on a name alone, by the rule in the view: of one that is only
 * looked up. */
enum reason chain_judge_name(struct chain *c, struct view *v);
/* guard's judgement on an address about to be dialled, by the rule in the view
 * (guard.h). */
enum reason chain_judge_addresses(struct chain *c, struct view *v,
                                  const struct address *addresses, size_t n);

#endif
