/* Requests as a hostile client sends them, one after the other on a connection: head,
 * names and body. However the bytes are cut, our wire hears the same; it stays within
 * its limits, and http-parser disagrees with our lexer only on the bytes of an
 * authority, which are judged later and would be refused then. */
#include "tests/fuzz/cuts.h"

PREPARE_NOTHING

static void
promise_limits(const struct driver *d)
{
    struct authority named;

    PROMISE(d->n_fields <= narrow_limits.fields);
    PROMISE(d->request.target.n <= narrow_limits.target_bytes);
    PROMISE(d->why != REASON_INTERNAL);
    if (d->why == REASON_PARSERS_DISAGREE)
        PROMISE(authority_parse(d->request.authority, 80, &named) != REASON_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = input_of(data, size);
    struct driver whole, bytes, pieces;

    if (size == 0)
        return 0;
    driver_give_whole(&whole, t);
    driver_give_cut(&bytes, t, CUT_BYTES);
    driver_give_cut(&pieces, t, t);
    promise_limits(&whole);
    PROMISE(driver_heard_same(&whole, &bytes));
    PROMISE(driver_heard_same(&whole, &pieces));
    driver_free(&whole);
    driver_free(&bytes);
    driver_free(&pieces);
    return 0;
}
