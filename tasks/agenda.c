/* A binary heap. */
#include "tasks/agenda.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static void
put(struct agenda *a, struct appointment *m, size_t place)
{
    a->at[place - 1] = m;
    m->place = place;
}

static void
rise(struct agenda *a, struct appointment *m)
{
    size_t place = m->place;

    while (place > 1 && a->at[place / 2 - 1]->due_ms > m->due_ms) {
        put(a, a->at[place / 2 - 1], place);
        place /= 2;
    }
    put(a, m, place);
}

static void
sink(struct agenda *a, struct appointment *m)
{
    size_t place = m->place, child;

    while ((child = 2 * place) <= a->n) {
        if (child < a->n && a->at[child]->due_ms < a->at[child - 1]->due_ms)
            child++;
        if (a->at[child - 1]->due_ms >= m->due_ms)
            break;
        put(a, a->at[child - 1], place);
        place = child;
    }
    put(a, m, place);
}

static void
grow(struct agenda *a)
{
    struct appointment **old = a->at;

    a->room = a->room == 0 ? 64 : 2 * a->room;
    a->at = memory_new_array(a->room, sizeof(struct appointment *));
    if (a->n > 0)
        memcpy(a->at, old, a->n * sizeof(struct appointment *));
    free(old);
}

void
agenda_clear(struct agenda *a)
{
    free(a->at);
    *a = (struct agenda){ .n = 0 };
}

void
agenda_set(struct agenda *a, struct appointment *m, int64_t due_ms)
{
    m->due_ms = due_ms;
    if (m->place == 0) {
        if (a->n == a->room)
            grow(a);
        put(a, m, ++a->n);
    }
    rise(a, m);
    sink(a, m);
}

void
agenda_remove(struct agenda *a, struct appointment *m)
{
    struct appointment *last;

    if (m->place == 0)
        return;
    last = a->at[--a->n];
    if (last != m) {
        put(a, last, m->place);
        rise(a, last);
        sink(a, last);
    }
    m->place = 0;
}

struct appointment *
agenda_first(const struct agenda *a)
{
    return a->n > 0 ? a->at[0] : NULL;
}
