#include "conf/pieces.h"

static struct piece *
piece_new(struct pieces *p, size_t at, unsigned line)
{
    struct piece *new = arena_alloc(p->arena, sizeof *new);

    new->start = at;
    new->line = line;
    return new;
}

static size_t
weight(const struct piece *piece, size_t end)
{
    return end - piece->start - piece->missing;
}

void
pieces_begin(struct pieces *p, size_t n)
{
    p->whole.end = n;
    p->whole.line = 1;
    p->open = &p->whole;
}

struct pieces_list
pieces_enter(struct pieces *p, size_t at, unsigned line)
{
    struct pieces_list list = { p->open, piece_new(p, at, line) };

    p->open = list.first;
    return list;
}

void
pieces_comma(struct pieces *p, size_t end, size_t at, unsigned line)
{
    if (weight(p->open, end) < p->size)
        return;
    p->open->end = end;
    p->open->next = piece_new(p, at, line);
    p->open = p->open->next;
}

static void
append(struct piece *to, struct gap *first, struct gap *last, size_t bytes)
{
    if (first == NULL)
        return;
    if (to->last == NULL)
        to->gaps = first;
    else
        to->last->next = first;
    to->last = last;
    to->missing += bytes;
}

void
pieces_leave(struct pieces *p, struct pieces_list list, size_t end, size_t at,
             unsigned line)
{
    struct piece *first = list.first;
    struct gap *gap;

    p->open->end = end;
    p->open = list.around;
    if (first->next == NULL && weight(first, end) < p->size) {
        append(list.around, first->gaps, first->last, first->missing);
        return;
    }
    gap = arena_alloc(p->arena, sizeof *gap);
    *gap = (struct gap){ first->start, at, line - first->line, first, NULL };
    append(list.around, gap, gap, at - first->start);
}

static void
write_gap(const struct gap *gap, struct buf *out)
{
    char *at = buf_reserve(out, gap->lines);

    for (unsigned i = 0; i < gap->lines; i++)
        at[i] = '\n';
    buf_commit(out, gap->lines);
    buf_add(out, TEXT("\"" PIECES_MARK "\""));
}

void
piece_write(const struct pieces *p, const struct piece *piece, struct text all,
            struct buf *out)
{
    bool elements = piece != &p->whole;
    size_t at = piece->start;

    if (elements)
        buf_add(out, TEXT("x=("));
    for (const struct gap *gap = piece->gaps; gap != NULL; gap = gap->next) {
        buf_add(out, text_of(all.at + at, gap->start - at));
        write_gap(gap, out);
        at = gap->end;
    }
    buf_add(out, text_of(all.at + at, piece->end - at));
    if (elements)
        buf_add_byte(out, ')');
    buf_add_byte(out, '\0');
}
