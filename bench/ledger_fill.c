/* Fills a ledger by its real writer: records as a sidecar under load enters them. For
 * bench/audit.sh, and for the tests that tamper with what it wrote.
 *
 * usage: ledger_fill DIRECTORY RECORDS SEGMENT_BYTES end|die
 *
 * die: the process ends without a word, as if killed, once all is on the disk. */
#include "base/file.h"
#include "base/json_write.h"
#include "tasks/ledger.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
decide(struct buf *out, uint64_t i)
{
    bool allowed = i % 8 != 5;

    buf_printf(
        out,
        "\"x\":\"%llx.1\",\"verdict\":\"%s\",%s\"rule\":\"/etc/holdfast/"
        "holdfast.conf:41\",\"grant\":\"%s\",\"owner\":\"orders-team@example\","
        "\"approved_by\":\"security@example\",\"task\":\"task-%llu\",\"purpose\":"
        "\"nightly-export\",\"who\":\"uid 1000\",\"to\":\"orders.example:443\","
        "\"method\":\"%s\",\"path\":\"/v1/orders/%llu\",\"stripped\":[]",
        (unsigned long long)i, allowed ? "allow" : "refuse",
        allowed ? "" : "\"reason\":\"path_not_allowed\",",
        i % 3 == 0 ? "reports" : "nightly-orders", (unsigned long long)(i / 50),
        i % 2 == 0 ? "GET" : "POST", (unsigned long long)i);
    if (allowed)
        buf_printf(out,
                   ",\"credential\":\"orders\",\"binding\":\"wimse\",\"proof\":"
                   "\"pf-%016llx\",\"key\":"
                   "\"0123456789abcdefghijklmnopqrstuvwxyzABCDEFG\"",
                   (unsigned long long)i);
}

static uint64_t
enter(struct ledger *l, const char *kind, struct buf *members)
{
    uint64_t ticket;
    enum reason why;

    while ((why = ledger_enter(l, kind, buf_text(members), &ticket)) ==
           REASON_LEDGER_FULL)
        sched_yield();
    if (why != REASON_OK)
        exit(1);
    buf_truncate(members, 0);
    return ticket;
}

int
main(int argc, char **argv)
{
    struct ledger_settings settings = { .queue_records = 4096, .queue_bytes = 8 << 20 };
    struct buf members = { 0 };
    struct ledger *l;
    uint64_t ticket = 0;
    uint64_t n = argc == 5 ? strtoull(argv[2], NULL, 10) : 0;

    if (argc != 5)
        return 2;
    settings.directory = argv[1];
    settings.segment_bytes = strtoll(argv[3], NULL, 10);
    if (file_make_directory(argv[1], 0700) != REASON_OK ||
        ledger_open(&settings, &l) != REASON_OK)
        return 1;
    for (uint64_t i = 0; i < n; i++) {
        decide(&members, i);
        ticket = enter(l, "decision", &members);
    }
    if (n > 0 && ledger_await(l, ticket) != REASON_OK)
        return 1;
    if (strcmp(argv[4], "die") == 0)
        _exit(0);
    ledger_close(l);
    buf_free(&members);
    return 0;
}
