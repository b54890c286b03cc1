/* Gathers problems and prints them in the order in which an editor meets them. */
#include "conf/problem.h"

#include <stdlib.h>
#include <string.h>

void
problem_add(struct problems *p, struct place place, struct text message)
{
    if (p->n == p->room) {
        size_t room = p->room == 0 ? 16 : p->room * 2;
        struct problem *grown = arena_alloc(p->arena, room * sizeof *grown);

        if (p->n > 0)
            memcpy(grown, p->at, p->n * sizeof *grown);
        p->at = grown;
        p->room = room;
    }
    p->at[p->n] = (struct problem){ place, p->n, arena_copy(p->arena, message) };
    p->n++;
}

static int
compare(const void *left, const void *right)
{
    const struct problem *a = left, *b = right;
    int files = strcmp(a->place.file, b->place.file);

    if (files != 0)
        return files;
    if (a->place.line != b->place.line)
        return a->place.line < b->place.line ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* The report goes to a terminal, and a message repeats what was written. */
static void
print_message(struct buf *report, struct text message)
{
    for (size_t i = 0; i < message.n; i++) {
        unsigned char c = (unsigned char)message.at[i];
        bool is_control = c < 0x20 || c == 0x7f;

        buf_add_byte(report,
                     is_control && c != '\n' && c != '\t' ? '?' : message.at[i]);
    }
}

void
problems_print(struct problems *p, struct buf *report)
{
    if (p->n == 0)
        return;
    qsort(p->at, p->n, sizeof *p->at, compare);
    for (size_t i = 0; i < p->n && i < PROBLEMS_SHOWN; i++) {
        const struct problem *one = &p->at[i];

        buf_add_z(report, one->place.file);
        if (one->place.line > 0)
            buf_printf(report, ":%u", one->place.line);
        buf_add_z(report, ": ");
        print_message(report, one->message);
        buf_add_byte(report, '\n');
    }
    if (p->n > PROBLEMS_SHOWN)
        buf_printf(report, "... and %zu more errors\n", p->n - PROBLEMS_SHOWN);
}
