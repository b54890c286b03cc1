#include "tasks/audit_tail.h"

#include <inttypes.h>
#include <string.h>

void
audit_tail_finish(struct audit_tail *t, struct audit_chain *c)
{
    if (t->bytes > 0 && !t->is_told)
        audit_fault(c, &t->at, "a torn tail of %zu bytes that nobody sealed", t->bytes);
    t->bytes = 0;
}

void
audit_tail_judge(struct audit_tail *t, struct audit_chain *c,
                 const struct audit_segment *s, const struct audit_opening *o)
{
    struct audit_place at = audit_place_of_segment(s->number);

    if (!o->has_torn) {
        audit_tail_finish(t, c);
        return;
    }
    c->result->torn++;
    if (t->bytes != o->torn_bytes || memcmp(t->hash, o->torn_hash, sizeof t->hash) != 0)
        audit_fault(c, &at,
                    "segment %" PRIu64 ": changed, the torn tail before it is not the "
                    "one it sealed",
                    o->number);
    t->bytes = 0;
}

/* No crash tears what comes behind the last record: there is nothing to be written. */
void
audit_tail_note(struct audit_tail *t, struct audit_chain *c,
                const struct audit_segment *s, bool is_closed)
{
    t->bytes = s->tail.n;
    t->at = audit_place_of(s, s->n);
    t->is_told = is_closed && s->tail.n > 0;
    if (s->tail.n > 0)
        digest_sha256_base64url(s->tail, t->hash);
    if (t->is_told)
        audit_fault(c, &t->at, "%zu bytes inserted, behind the segment's end",
                    s->tail.n);
}
