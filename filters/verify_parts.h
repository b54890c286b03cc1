/* What the files behind verify.h ask of each other. */
#ifndef FILTERS_VERIFY_PARTS_H
#define FILTERS_VERIFY_PARTS_H

#include "filters/verify.h"

/* A gate, as its generation opened it: immutable. */
struct gate {
    const struct conf_door *door; /* NULL: the door is none */
    struct trust_anchors *anchors;
    struct verifier verifier;
};

/* ---- verify_open.c */

/* Everything that is wrong with the door goes into the report, the number-th of its
 * config. gate_close in either case. */
MUST_USE enum reason gate_open(const struct conf_door *door, size_t number,
                               struct buf *report, struct gate *g);
void gate_close(struct gate *g);

/* ---- verify_rules.c */

/* The first rule of the door that takes what v->facts say and the request asks becomes
 * v->gate_rule. */
MUST_USE enum reason gate_rules_judge(struct view *v);

#endif
