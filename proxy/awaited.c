#include "proxy/awaited.h"

#include "base/memory.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct party {
    struct list member;
    uint64_t number;
    size_t n, room, left;
    struct item {
        uint64_t ticket;
        bool is_done;
    } * items; /* by ticket */
};

void
awaited_init(struct awaited *a)
{
    *a = (struct awaited){ 0 };
    list_init(&a->parties);
}

static void
party_free(struct party *p)
{
    free(p->items);
    free(p);
}

void
awaited_clear(struct awaited *a)
{
    while (!list_is_empty(&a->parties)) {
        struct party *p = LIST_OWNER(a->parties.next, struct party, member);

        list_remove(&p->member);
        party_free(p);
    }
}

void
awaited_begin(struct awaited *a)
{
    assert(a->open == NULL);
    a->open = memory_new(sizeof *a->open);
}

static void
make_room(struct party *p)
{
    struct item *wider;

    p->room = p->room > 0 ? p->room * 2 : 16;
    wider = memory_new_array(p->room, sizeof *wider);
    if (p->n > 0)
        memcpy(wider, p->items, p->n * sizeof *wider);
    free(p->items);
    p->items = wider;
}

void
awaited_tell(struct awaited *a, uint64_t ticket)
{
    struct party *p = a->open;

    if (p == NULL)
        return;
    if (p->n == p->room)
        make_room(p);
    p->items[p->n++] = (struct item){ .ticket = ticket };
}

static int
compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return (x->ticket > y->ticket) - (x->ticket < y->ticket);
}

uint64_t
awaited_end(struct awaited *a)
{
    struct party *p = a->open;

    a->open = NULL;
    if (p->n == 0) {
        party_free(p);
        return 0;
    }
    qsort(p->items, p->n, sizeof *p->items, compare);
    p->left = p->n;
    p->number = ++a->last;
    list_add_last(&a->parties, &p->member);
    return p->number;
}

static bool
is_last(struct party *p, uint64_t ticket)
{
    struct item wanted = { .ticket = ticket };
    struct item *found = bsearch(&wanted, p->items, p->n, sizeof wanted, compare);

    if (found == NULL || found->is_done)
        return false;
    found->is_done = true;
    return --p->left == 0;
}

void
awaited_done(struct awaited *a, uint64_t ticket,
             void (*over)(void *owner, uint64_t number), void *owner)
{
    for (struct list *m = a->parties.next, *next; m != &a->parties; m = next) {
        struct party *p = LIST_OWNER(m, struct party, member);

        next = m->next;
        if (!is_last(p, ticket))
            continue;
        list_remove(&p->member);
        over(owner, p->number);
        party_free(p);
    }
}
