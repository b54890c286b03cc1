/* What one ledger record costs, producers and writer together: enters N records of a
 * decision's size and closes. Run it twice with different N, under callgrind or a
 * counter, and divide the difference (bench/README.md).
 *
 *   ledger DIRECTORY N [THREADS [ready]]
 *
 * ready: a record's members are written once, not for each.
 */
#include "base/clock.h"
#include "base/json_write.h"
#include "tasks/ledger.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct ledger *ledger;
static atomic_size_t size;
static bool is_ready;

/* As long as those of a request with a proof. */
static void
describe(struct buf *out)
{
    json_put_z(out, "x", "7f3a.12");
    json_put_z(out, "verdict", "allow");
    json_put_z(out, "rule", "holdfast.conf:41");
    json_put_z(out, "grant", "orders-write");
    json_put_z(out, "owner", "orders-team@example.com");
    json_put_z(out, "approved_by", "iam@example.com");
    json_put_z(out, "task", "t-q6urq6urq6urq6urq6urqw");
    json_put_z(out, "purpose", "nightly-export");
    json_put_z(out, "who", "uid=1000");
    json_put_z(out, "to", "orders.prod.example:443");
    json_put_z(out, "method", "POST");
    json_put_z(out, "path", "/v1/tenants/7/orders");
    json_open(out, "stripped", '[');
    json_put_z(out, NULL, "authorization");
    json_close(out, ']');
    json_put_z(out, "credential", "orders");
    json_put_z(out, "binding", "wimse");
    json_put_z(out, "proof", "q6urq6urq6urq6urq6urqw");
    json_put_z(out, "key", "clItJ2iEBT8Bm8QIxLKBMhEIXdRSXo95KS4SkQGfyy4");
}

static void *
enter_all(void *owner)
{
    struct buf members = { 0 };

    for (long left = *(long *)owner; left > 0; left--) {
        enum reason why;

        if (!is_ready)
            buf_free(&members);
        if (buf_length(&members) == 0)
            describe(&members);
        while ((why = ledger_enter(ledger, "decision", buf_text(&members), NULL)) ==
               REASON_LEDGER_FULL)
            (void)sched_yield();
        if (why != REASON_OK)
            exit(1);
    }
    size = buf_length(&members);
    buf_free(&members);
    return NULL;
}

int
main(int argc, char **argv)
{
    long n = argc > 2 ? atol(argv[2]) : 0, threads = argc > 3 ? atol(argv[3]) : 1;
    struct ledger_settings settings = { argc > 1 ? argv[1] : "", 64 << 20, 16384,
                                        16 << 20 };
    pthread_t ids[64];
    int64_t start;

    is_ready = argc > 4;
    if (n <= 0 || threads < 1 || threads > 64)
        return 2;
    if (ledger_open(&settings, &ledger) != REASON_OK)
        return 1;
    start = clock_monotonic_us();
    n /= threads;
    for (long i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, enter_all, &n) != 0)
            return 1;
    for (long i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    ledger_close(ledger);
    printf("%ld records of %zu bytes and their frame, %.0f a second\n", n * threads,
           (size_t)size,
           (double)(n * threads) * 1e6 / (double)(clock_monotonic_us() - start));
    return 0;
}
