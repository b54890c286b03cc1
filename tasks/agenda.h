/* What is due when: the earliest first. A member knows its place, so that it can be
 * moved or taken off; adding one allocates only when the agenda grows. */
#ifndef TASKS_AGENDA_H
#define TASKS_AGENDA_H

#include <stddef.h>
#include <stdint.h>

struct appointment {
    int64_t due_ms;
    size_t place; /* from 1; 0: on no agenda */
};

/* A zeroed one is empty. */
struct agenda {
    struct appointment **at; /* a heap */
    size_t n, room;
};

void agenda_clear(struct agenda *a);
/* Or moves it. */
void agenda_set(struct agenda *a, struct appointment *m, int64_t due_ms);
/* Nothing to one that is not on it. */
void agenda_remove(struct agenda *a, struct appointment *m);
/* NULL: nothing is due, ever. */
struct appointment *agenda_first(const struct agenda *a);

#endif
