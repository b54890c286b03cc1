#include "tasks/batch.h"

#include <assert.h>
#include <string.h>

/* Before its kind and its members. */
struct label {
    int64_t wall_ms;
    uint32_t kind_n, members_n;
};

void
batch_free(struct batch *b)
{
    spool_free(&b->bytes);
    *b = (struct batch){ 0 };
}

size_t
batch_size_of(struct text kind, struct text members)
{
    return sizeof(struct label) + kind.n + members.n;
}

void
batch_add(struct batch *b, const struct queued *e)
{
    struct label label = { e->wall_ms, (uint32_t)e->kind.n, (uint32_t)e->members.n };
    size_t n = batch_size_of(e->kind, e->members);
    char *at = spool_reserve(&b->bytes, n);

    assert(e->kind.n <= UINT32_MAX && e->members.n <= UINT32_MAX);
    memcpy(at, &label, sizeof label);
    memcpy(at + sizeof label, e->kind.at, e->kind.n);
    if (e->members.n > 0)
        memcpy(at + sizeof label + e->kind.n, e->members.at, e->members.n);
    b->bytes.n += n;
    b->records++;
}

bool
batch_first(const struct batch *b, struct queued *out)
{
    const char *at = b->bytes.at + b->taken;
    struct label label;

    if (b->records == 0)
        return false;
    memcpy(&label, at, sizeof label);
    out->wall_ms = label.wall_ms;
    out->kind = text_of(at + sizeof label, label.kind_n);
    out->members = text_of(out->kind.at + label.kind_n, label.members_n);
    return true;
}

void
batch_take(struct batch *b)
{
    struct queued e;
    bool is_there = batch_first(b, &e);

    assert(is_there);
    b->taken += batch_size_of(e.kind, e.members);
    b->records--;
}

void
batch_clear(struct batch *b)
{
    spool_clear(&b->bytes);
    b->taken = b->records = 0;
}
