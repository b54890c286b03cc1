/* A run, as main has it: what is asked, and what came of it. */
#include "proxy/helper_parts.h"

#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* For the helper to say itself that a time is over. */
enum { GRACE_MS = 1000 };

/* ---- its end */

void
run_end(struct helper_run *r, enum reason why)
{
    assert(!r->is_over);
    r->is_over = true;
    r->why = why;
    alarm_clear(&r->alarm);
    list_remove(&r->in_queue);
    wake_ring(r->helper->loop, r->bell);
}

static enum reason
reason_of(const struct helper_report *report)
{
    switch (report->end) {
    case HELPER_EXITED:
        return report->status == 0 ? REASON_OK : REASON_COMMAND_FAILED;
    case HELPER_LATE:
        return REASON_COMMAND_TIMEOUT;
    case HELPER_TOO_LARGE:
        return REASON_COMMAND_TOO_LARGE;
    case HELPER_KILLED:
    case HELPER_STOPPED:
    case HELPER_NOT_RUN:
        break;
    }
    return REASON_COMMAND_FAILED;
}

void
run_take(struct helper_run *r, const struct helper_report *report, const char *behind)
{
    r->n_said = report->n_output + report->n_hint;
    r->said = memory_new_raw(r->n_said);
    memcpy(r->said, behind, r->n_said);
    r->output = text_of(r->said, report->n_output);
    r->hint = text_of(r->said + report->n_output, report->n_hint);
    if (report->end == HELPER_EXITED)
        r->status = report->status;
    else if (report->end == HELPER_KILLED)
        r->signal = report->status;
    else if (report->end == HELPER_NOT_RUN)
        r->hint = text_z(strerror(report->status));
    run_end(r, reason_of(report));
}

static struct place_of_run *
place_with(struct helper *h, const struct helper_run *r)
{
    for (size_t i = 0; i < HELPER_AT_ONCE; i++)
        if (h->places[i].run == r)
            return &h->places[i];
    return NULL;
}

/* Its place is free when the helper has said so. */
static void
let_go(struct helper_run *r)
{
    struct helper *h = r->helper;
    struct helper_order o = { .verb = HELPER_STOP };
    struct place_of_run *p = place_with(h, r);

    if (p == NULL)
        return;
    o.number = p->number;
    p->run = NULL;
    if (!helper_is_gone(h)) /* if this does not reach it, its time ends the program */
        (void)helper_send(h, &o, text_of(NULL, 0));
}

static void
on_late(void *owner)
{
    struct helper_run *r = owner;

    let_go(r);
    run_end(r, REASON_COMMAND_TIMEOUT);
}

/* ---- its beginning */

static void
put(struct buf *order, const char *name, struct text value)
{
    buf_add_z(order, name);
    buf_add(order, value);
    buf_add_byte(order, '\0');
}

/* What every program finds, and what this one is run for. */
static void
write_order(const struct helper_ask *ask, struct buf *order)
{
    const struct {
        const char *name;
        struct text value;
    } variables[] = {
        { "PATH=",
          TEXT("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") },
        { "HOME=", TEXT("/") },
        { "LANG=", TEXT("C.UTF-8") },
        { "HOLDFAST_CREDENTIAL=", text_z(ask->credential) },
        { "HOLDFAST_GRANT=", text_z(ask->grant) },
        { "HOLDFAST_PURPOSE=", text_z(ask->purpose) },
        { "HOLDFAST_TASK=", ask->task },
    };
    const struct helper_order o = { .verb = HELPER_RUN,
                                    .n_words = (uint32_t)ask->command->n,
                                    .n_variables = sizeof variables /
                                                   sizeof *variables };

    buf_add(order, text_of((const char *)&o, sizeof o));
    for (size_t i = 0; i < ask->command->n; i++)
        put(order, "", text_z(ask->command->at[i]));
    for (size_t i = 0; i < o.n_variables; i++)
        put(order, variables[i].name, variables[i].value);
}

bool
run_begin(struct place_of_run *p, struct helper_run *r)
{
    struct helper *h = r->helper;
    struct text t = buf_text(&r->order);
    struct helper_order o;

    memcpy(&o, t.at, sizeof o);
    o.number = h->last + 1;
    o.timeout_ms = r->ends_ms - clock_monotonic_ms();
    if (o.timeout_ms <= 0) {
        run_end(r, REASON_COMMAND_TIMEOUT);
        return true;
    }
    if (!helper_send(h, &o, text_of(t.at + sizeof o, t.n - sizeof o)))
        return false;
    *p = (struct place_of_run){ ++h->last, r };
    list_remove(&r->in_queue);
    return true;
}

struct helper_run *
helper_run_new(struct helper *h, const struct helper_ask *ask, struct wake *bell)
{
    struct helper_run *r = memory_new(sizeof *r);

    assert(ask->command->n > 0);
    r->helper = h;
    r->bell = bell;
    r->alarm = (struct alarm){ .on_due = on_late, .owner = r };
    r->ends_ms = clock_monotonic_ms() + ask->timeout_ms;
    write_order(ask, &r->order);
    list_add_last(&h->queue, &r->in_queue);
    if (helper_is_gone(h)) {
        run_end(r, REASON_COMMAND_UNAVAILABLE);
    } else if (ask->command->n > HELPER_WORDS_MAX ||
               buf_length(&r->order) > HELPER_ORDER_MAX) {
        run_end(r, REASON_COMMAND_FAILED);
    } else {
        alarm_set(h->loop, &r->alarm, ask->timeout_ms + GRACE_MS);
        helper_go_on(h);
    }
    return r;
}

void
helper_run_free(struct helper_run *r)
{
    if (r == NULL)
        return;
    let_go(r);
    list_remove(&r->in_queue);
    alarm_clear(&r->alarm);
    buf_free(&r->order);
    if (r->said != NULL)
        explicit_bzero(r->said, r->n_said);
    free(r->said);
    free(r);
}

bool
helper_run_is_over(const struct helper_run *r)
{
    return r->is_over;
}

enum reason
helper_run_why(const struct helper_run *r)
{
    return r->why;
}

struct text
helper_run_output(const struct helper_run *r)
{
    return r->output;
}

int
helper_run_status(const struct helper_run *r)
{
    return r->status;
}

int
helper_run_signal(const struct helper_run *r)
{
    return r->signal;
}

struct text
helper_run_hint(const struct helper_run *r)
{
    return r->hint;
}
