/* A doubly linked list that lives inside its members: no allocation, removal without knowing the list. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

/* The struct of `type` whose `member` is at p. */
#define LIST_OWNER(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

static inline void
list_init(struct list *l)
{
    l->next = l->prev = l;
}

/* A zeroed member is on no list. */
static inline bool
list_is_linked(const struct list *m)
{
    return m->next != NULL && m->next != m;
}

static inline bool
list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void
list_add_last(struct list *head, struct list *m)
{
    m->prev = head->prev;
    m->next = head;
    head->prev->next = m;
    head->prev = m;
}

static inline void
list_add_first(struct list *head, struct list *m)
{
    list_add_last(head->next, m);
}

/* Does nothing to a member that is on no list. */
static inline void
list_remove(struct list *m)
{
    if (m->next == NULL)
        return;
    m->next->prev = m->prev;
    m->prev->next = m->next;
    m->next = m->prev = NULL;
}

/* Moves all members of `from` to the end of `to`. */
static inline void
list_splice(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    from->prev->next = to;
    to->prev->next = from->next;
    to->prev = from->prev;
    list_init(from);
}

/* By walking: for who looks seldom. */
static inline size_t
list_count(const struct list *head)
{
    size_t n = 0;

    for (const struct list *m = head->next; m != head; m = m->next)
        n++;
    return n;
}

#endif
