/* What a reload may not change. */
#include "proxy/generation.h"

#include "proxy/privilege.h"

#include <string.h>
#include <unistd.h>

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
compare_text(const char *key, const char *next, const char *now, struct buf *report)
{
    if (!same_text(next, now))
        buf_printf(report,
                   "%s: \"%s\" cannot become \"%s\" by a reload: restart for that\n",
                   key, now != NULL ? now : "", next != NULL ? next : "");
}

static void
compare_number(const char *key, int64_t next, int64_t now, struct buf *report)
{
    if (next != now)
        buf_printf(report, "%s: it cannot change by a reload: restart for that\n", key);
}

static bool
same_door(const struct conf_door *a, const struct conf_door *b)
{
    return a->kind == b->kind && a->intercept == b->intercept &&
           a->listen.port == b->listen.port &&
           address_equals(&a->listen.address, &b->listen.address) &&
           same_text(a->name, b->name) && same_text(a->path, b->path) &&
           same_text(a->mode, b->mode) && same_text(a->group, b->group);
}

static void
compare_doors(const struct conf *next, const struct conf *now, struct buf *report)
{
    const struct conf_door *a = next->doors.at, *b = now->doors.at;

    if (next->doors.n != now->doors.n) {
        buf_add_z(report,
                  "doors: their number cannot change by a reload: restart for that\n");
        return;
    }
    for (size_t i = 0; i < now->doors.n; i++)
        if (!same_door(&a[i], &b[i]))
            buf_printf(report,
                       "%s:%u: doors: kind, intercept, name and place cannot change by "
                       "a reload: "
                       "restart for that\n",
                       a[i].place.file, a[i].place.line);
}

bool
generation_may_follow(const struct generation *next_g, const struct generation *now_g,
                      struct buf *report)
{
    const struct conf *next = generation_conf(next_g), *now = generation_conf(now_g);
    size_t before = buf_length(report);

    compare_doors(next, now, report);
    compare_text("user", next->user, now->user, report);
    compare_text("workload.id", next->workload.id, now->workload.id, report);
    compare_text("ca.keep", next->ca.keep, now->ca.keep, report);
    compare_text("ca.publish", next->ca.publish, now->ca.publish, report);
    compare_text("authority.keep", next->authority.keep, now->authority.keep, report);
    compare_text("authority.name", next->authority.name, now->authority.name, report);
    compare_text("control.socket", next->control.socket, now->control.socket, report);
    compare_text("ledger.keep", next->ledger.keep, now->ledger.keep, report);
    compare_number("ledger.segment", next->ledger.segment_bytes,
                   now->ledger.segment_bytes, report);
    compare_number("limits.ledger_queue", next->limits.ledger_queue,
                   now->limits.ledger_queue, report);
    compare_number("limits.ledger_queue_bytes", next->limits.ledger_queue_bytes,
                   now->limits.ledger_queue_bytes, report);
    compare_number("workers", next->workers, now->workers, report);
    compare_number("limits.leaves", next->limits.leaves, now->limits.leaves, report);
    compare_number("limits.refusal_leaves", next->limits.refusal_leaves,
                   now->limits.refusal_leaves, report);
    compare_number("ca.valid", next->ca.valid_ms, now->ca.valid_ms, report);
    (void)identity_fears_nobody(next, geteuid(), report);
    if (next->workload.uid != now->workload.uid)
        buf_add_z(report,
                  "workload.uid: it cannot change by a reload: restart for that\n");
    return buf_length(report) == before;
}
