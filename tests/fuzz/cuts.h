/* The same bytes, cut in other ways: the lengths of the pieces are bytes of `cut`. */
#ifndef TESTS_FUZZ_CUTS_H
#define TESTS_FUZZ_CUTS_H

#include "tests/fuzz/fuzz.h"
#include "tests/unit/http/client.h"

/* One byte at a time. */
#define CUT_BYTES TEXT("\0")

/* Takes the next piece off the front of rest, copied so that a sanitizer sees a byte
 * too far: free_copy it. */
static inline struct text
take_piece(struct text *rest, struct text cut, size_t nth)
{
    size_t n = 1 + (unsigned char)cut.at[nth % cut.n] % 64u;
    struct text piece;

    n = n < rest->n ? n : rest->n;
    piece = copy_exactly(text_of(rest->at, n));
    *rest = text_of(rest->at + n, rest->n - n);
    return piece;
}

/* Small, so that inputs reach them. */
static const struct wire_limits narrow_limits = { .head_bytes = 512,
                                                  .fields = 8,
                                                  .target_bytes = 96,
                                                  .ceiling = 64 << 10,
                                                  .streams = 100 };

static inline void
driver_give_cut(struct driver *d, struct text t, struct text cut)
{
    driver_init_within(d, &narrow_limits);
    for (size_t i = 0; t.n > 0; i++) {
        struct text piece = take_piece(&t, cut, i);

        driver_give(d, piece.at, piece.n);
        free_copy(piece);
    }
    driver_end(d);
}

static inline void
driver_give_whole(struct driver *d, struct text t)
{
    driver_init_within(d, &narrow_limits);
    driver_give(d, t.at, t.n);
    driver_end(d);
}

static inline void
client_give_cut(struct client *c, const char *method, struct text t, struct text cut)
{
    client_init_within(c, method, &narrow_limits);
    for (size_t i = 0; t.n > 0; i++) {
        struct text piece = take_piece(&t, cut, i);

        client_give(c, piece.at, piece.n);
        free_copy(piece);
    }
    client_end(c);
}

static inline void
client_give_whole(struct client *c, const char *method, struct text t)
{
    client_init_within(c, method, &narrow_limits);
    client_give(c, t.at, t.n);
    client_end(c);
}

static inline bool
client_heard_same(const struct client *a, const struct client *b)
{
    return text_equals(buf_text(&a->heard), buf_text(&b->heard)) && a->why == b->why &&
           a->is_whole == b->is_whole && a->n_interim == b->n_interim;
}

#endif
