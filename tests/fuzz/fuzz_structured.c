/* Structured fields. What is taken has one spelling, which says the same: read again it
 * is written as it was. An input is a byte that says what kind of field, and the field.
 */
#include "tests/fuzz/fuzz.h"

#include "http/structured.h"

PREPARE_NOTHING

static void
promise_one_spelling(enum sf_type type, const struct sf_field *f, struct arena *a)
{
    struct buf first = { 0 }, second = { 0 };
    struct sf_field again;

    PROMISE(sf_write(type, f, &first));
    PROMISE(sf_parse(type, buf_text(&first), a, &again));
    PROMISE(!again.repeated && again.n == f->n);
    PROMISE(sf_write(type, &again, &second));
    PROMISE(text_equals(buf_text(&first), buf_text(&second)));
    buf_free(&first);
    buf_free(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = input_of(data, size);
    enum sf_type type = take_byte(&in) % 3;
    struct text t = copy_exactly(in);
    struct arena *a = arena_new();
    struct sf_field f;

    if (sf_parse(type, t, a, &f))
        promise_one_spelling(type, &f, a);
    else
        PROMISE(f.n == 0 && f.at == NULL);
    arena_free(a);
    free_copy(t);
    return 0;
}
