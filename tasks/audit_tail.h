/* What stands behind a segment's last newline: the piece of a record that a crash tore.
 * The next segment seals it, by its length and hash; one that nobody sealed, that is
 * not the one that was sealed, or that no crash leaves, is told. */
#ifndef TASKS_AUDIT_TAIL_H
#define TASKS_AUDIT_TAIL_H

#include "tasks/audit_chain.h"
#include "tasks/audit_opening.h"

struct audit_tail {
    struct audit_place at;
    size_t bytes; /* 0: there is none, or it was told of */
    bool is_told; /* it stands where none may, sealed or not */
    char hash[SHA256_BASE64URL_SIZE];
};

/* The next segment, in its place, opens like this. */
void audit_tail_judge(struct audit_tail *t, struct audit_chain *c,
                      const struct audit_segment *s, const struct audit_opening *o);
/* A segment's end; is_closed: by records that close it. */
void audit_tail_note(struct audit_tail *t, struct audit_chain *c,
                     const struct audit_segment *s, bool is_closed);
/* No segment comes that could have sealed it. */
void audit_tail_finish(struct audit_tail *t, struct audit_chain *c);

#endif
