/* A config text, cut up for libconfig: its tree is many times as large as its text, and
 * a list that grows is copied on and on. So the elements of a long list are read a few
 * at a time, and what stands around them with a mark in their place. Where that may be
 * done is the grammar's to say: scan.c tells of lists and commas as it meets them. */
#ifndef CONF_PIECES_H
#define CONF_PIECES_H

#include "base/arena.h"
#include "base/buf.h"

/* What stands in for the elements of a list; no text that scan.c lets pass can hold it.
 */
#define PIECES_MARK "\x01"

/* Bytes from `start` to `end`: a whole file, or whole elements of one list. */
struct piece {
    size_t start, end;
    unsigned line;    /* of its start */
    struct gap *gaps; /* what is missing in it, in order */
    struct gap *last;
    size_t missing;     /* bytes of its gaps */
    struct piece *next; /* of the same list */
};

/* All between the brackets of a long list. */
struct gap {
    size_t start, end;
    unsigned lines; /* breaks in it */
    const struct piece *pieces;
    struct gap *next;
};

/* Zeroed but for the arena, where it lives, and what a piece of text is to weigh. */
struct pieces {
    struct arena *arena;
    size_t size;
    struct piece whole;
    struct piece *open;
};

struct pieces_list {
    struct piece *around, *first;
};

void pieces_begin(struct pieces *p, size_t n);
/* Behind a "(", behind a comma between two elements, and at the ")". `end` is that of
 * the element before: a comment may follow on it. */
struct pieces_list pieces_enter(struct pieces *p, size_t at, unsigned line);
void pieces_comma(struct pieces *p, size_t end, size_t at, unsigned line);
void pieces_leave(struct pieces *p, struct pieces_list list, size_t end, size_t at,
                  unsigned line);

/* The piece as libconfig is to read it, its lines where they were: the marks in its
 * gaps; elements as a list under a key, before which no line breaks; a NUL behind. */
void piece_write(const struct pieces *p, const struct piece *piece, struct text all,
                 struct buf *out);

#endif
