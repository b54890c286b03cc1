#include "proxy/witness.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/memory.h"
#include "proxy/errand.h"
#include "proxy/mailbox.h"
#include "proxy/outbox.h"
#include "proxy/resolve.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MAX = 4 * 1024,
    PACE_MS = 1000,          /* between the beginnings of two requests */
    RETRY_MS = 1000,         /* after the first failure; doubled after each … */
    RETRY_MAX_MS = 60 * 1000 /* … up to this */
};

struct witness {
    struct outbox *outbox;
    struct event_base *base; /* NULL: not begun */
    struct loop *loop;
    struct mailbox *bell;
    struct generation *generation; /* names the witness; a reference */
    struct resolver *resolver;     /* of its config; NULL: there is no witness */
    struct url url;

    struct errand *errand; /* the request under way */
    uint64_t sent;         /* the newest checkpoint in it */
    struct wake over;
    struct alarm alarm; /* the next request may begin */
    struct alarm patience;
    int64_t began_ms;  /* monotonic: the last request */
    int64_t retry_ms;  /* after the next failure; 0: the last one went well */
    bool is_resting;   /* until the alarm */
    bool is_finishing; /* its own end has come */
    bool has_worked;   /* the log has been told so, and of no failure since */
    uint64_t told_passed_over;
    struct witness_state state;
};

/* ---- what the log is told: the turns, not the tries */

static const struct conf_witness *
settings_of(const struct witness *w)
{
    return &generation_conf(w->generation)->ledger.witness;
}

static struct log_line *
begin_line(const struct witness *w, enum log_level level, const char *msg)
{
    struct log_line *l = log_line_begin(level, msg);
    char printed[AUTHORITY_PRINT_SIZE];

    log_line_text(l, "to", authority_print(&w->url.to, 443, printed));
    return l;
}

static void
tell_failure(const struct witness *w, enum reason why)
{
    struct log_line *l;

    if (w->state.is_failing)
        return;
    l = begin_line(w, LOG_WARN, "witness fails");
    log_line_number(l, "seq", (int64_t)w->sent);
    if (why != REASON_OK)
        log_line_z(l, "reason", reason_token(why));
    else
        log_line_number(l, "status", errand_status(w->errand));
    log_line_end(l);
}

/* Who is passed over while it fails is told of when it works again. */
static void
tell_success(struct witness *w)
{
    struct outbox_state o;
    struct log_line *l;

    outbox_look(w->outbox, &o);
    if (w->has_worked && o.passed_over == w->told_passed_over)
        return;
    l = begin_line(w, LOG_INFO, "witness works");
    log_line_number(l, "seq", (int64_t)w->sent);
    log_line_number(l, "passed_over", (int64_t)(o.passed_over - w->told_passed_over));
    log_line_end(l);
    w->has_worked = true;
    w->told_passed_over = o.passed_over;
}

/* ---- one request after the other */

static void on_over(void *owner);

static void
begin_errand(struct witness *w, struct text body)
{
    static const struct field fields[] = {
        { .name = { "Content-Type", 12 }, .value = { "application/x-ndjson", 20 } },
        { .name = { "User-Agent", 10 },
          .value = { "holdfast/" HOLDFAST_VERSION,
                     sizeof "holdfast/" HOLDFAST_VERSION - 1 } },
    };
    const struct conf_witness *s = settings_of(w);
    struct errand_ask ask = { .url = &w->url,
                              .method = TEXT("POST"),
                              .fields = fields,
                              .n_fields = sizeof fields / sizeof *fields,
                              .body = body,
                              .client = generation_client(w->generation, s->trust),
                              .answer_max = ANSWER_MAX,
                              .timeout_ms = s->timeout_ms,
                              .is_retry = w->state.is_failing };

    w->began_ms = clock_monotonic_ms();
    w->errand = errand_new(w->loop, w->resolver, &ask, &w->over);
}

static void
send_if_any(struct witness *w)
{
    struct buf body = { 0 };

    if (w->resolver == NULL || w->errand != NULL || w->is_resting)
        return;
    w->sent = outbox_write(w->outbox, &body);
    if (w->sent > 0)
        begin_errand(w, buf_text(&body));
    buf_free(&body);
}

static void
rest(struct witness *w, int64_t ms)
{
    w->is_resting = true;
    alarm_set(w->loop, &w->alarm, ms > 0 ? ms : 0);
}

/* Half of it at least, the rest by chance: a fleet whose witness comes back does not
 * come all at once. */
static int64_t
with_jitter(int64_t ms)
{
    uint32_t chance;

    random_bytes(&chance, sizeof chance);
    return ms / 2 + (int64_t)(chance % (uint32_t)(ms / 2 + 1));
}

static void
fail(struct witness *w, enum reason why)
{
    tell_failure(w, why);
    w->state.failures++;
    w->state.is_failing = true;
    w->has_worked = false;
    w->retry_ms = w->retry_ms == 0 ? RETRY_MS : w->retry_ms * 2;
    if (w->retry_ms > RETRY_MAX_MS)
        w->retry_ms = RETRY_MAX_MS;
    rest(w, with_jitter(w->retry_ms));
}

static void
acknowledge(struct witness *w)
{
    outbox_settle(w->outbox, w->sent);
    w->state.acknowledged = w->sent;
    w->state.acknowledged_ms = clock_monotonic_ms();
    w->state.is_failing = false;
    w->retry_ms = 0;
    tell_success(w);
    rest(w, w->began_ms + PACE_MS - clock_monotonic_ms());
}

static bool
has_arrived(const struct witness *w)
{
    struct outbox_state o;

    outbox_look(w->outbox, &o);
    return o.waiting == 0;
}

static void
on_over(void *owner)
{
    struct witness *w = owner;
    enum reason why = errand_why(w->errand);

    if (why == REASON_OK && errand_status(w->errand) < 300)
        acknowledge(w);
    else
        fail(w, why);
    errand_free(w->errand);
    w->errand = NULL;
    if (w->is_finishing && has_arrived(w))
        event_base_loopbreak(w->base);
}

static void
on_rested(void *owner)
{
    struct witness *w = owner;

    w->is_resting = false;
    send_if_any(w);
}

static void
on_message(void *owner, const struct message *m)
{
    struct witness *w = owner;

    (void)m;
    outbox_heard(w->outbox);
    send_if_any(w);
}

/* ---- its life */

struct witness *
witness_new(void)
{
    struct witness *w = memory_new(sizeof *w);

    w->outbox = outbox_new();
    return w;
}

void
witness_tell(void *witness, uint64_t seq, struct text record)
{
    struct witness *w = witness;

    outbox_put(w->outbox, seq, record);
}

/* What was under way is asked again of whoever comes next. */
static void
leave_off(struct witness *w)
{
    errand_free(w->errand);
    w->errand = NULL;
    wake_cancel(&w->over);
    alarm_clear(&w->alarm);
    w->is_resting = false;
    w->retry_ms = 0;
    resolver_free(w->resolver);
    w->resolver = NULL;
    outbox_tie(w->outbox, NULL);
}

static void
take_up(struct witness *w)
{
    const struct conf *conf = generation_conf(w->generation);
    enum reason why;

    if (conf->ledger.witness.url == NULL)
        return;
    /* The config was checked: this cannot fail. */
    why = url_split(conf->ledger.witness.url, &w->url);
    assert(why == REASON_OK);
    w->resolver = resolver_new(w->loop, &conf->resolver);
    outbox_tie(w->outbox, w->bell);
    send_if_any(w);
}

static bool
is_other_place(const struct generation *a, const struct generation *b)
{
    const char *before = generation_conf(a)->ledger.witness.url;
    const char *now = generation_conf(b)->ledger.witness.url;

    return before == NULL || now == NULL || strcmp(before, now) != 0;
}

/* Another one has none of what was acknowledged. */
static void
forget(struct witness *w)
{
    uint64_t failures = w->state.failures;

    w->state = (struct witness_state){ .failures = failures };
    w->has_worked = false;
    outbox_offer_again(w->outbox);
}

void
witness_begin(struct witness *w, struct event_base *base, struct generation *g)
{
    w->base = base;
    w->loop = loop_over(base);
    w->bell = mailbox_new(base, on_message, w);
    w->over = (struct wake){ .answer = on_over, .owner = w };
    w->alarm = (struct alarm){ .on_due = on_rested, .owner = w };
    generation_ref(g);
    w->generation = g;
    take_up(w);
}

void
witness_follow(struct witness *w, struct generation *g)
{
    leave_off(w);
    if (is_other_place(w->generation, g))
        forget(w);
    generation_ref(g);
    generation_unref(w->generation);
    w->generation = g;
    take_up(w);
}

static void
on_impatient(void *owner)
{
    struct witness *w = owner;

    event_base_loopbreak(w->base);
}

static void
tell_end(const struct witness *w)
{
    bool has_all = has_arrived(w);
    struct log_line *l = begin_line(w, has_all ? LOG_INFO : LOG_WARN,
                                    has_all ? "witness has the end"
                                            : "witness lacks the end");

    log_line_number(l, "seq", (int64_t)w->state.acknowledged);
    log_line_end(l);
}

/* What is under way may be waiting for an answer that never comes: it begins anew, with
 * the last checkpoint in it. */
void
witness_finish(struct witness *w)
{
    if (w->base == NULL || w->resolver == NULL)
        return;
    leave_off(w);
    w->is_finishing = true;
    w->patience = (struct alarm){ .on_due = on_impatient, .owner = w };
    alarm_set(w->loop, &w->patience, settings_of(w)->timeout_ms);
    take_up(w);
    if (!has_arrived(w))
        event_base_dispatch(w->base);
    alarm_clear(&w->patience);
    tell_end(w);
}

void
witness_free(struct witness *w)
{
    if (w == NULL)
        return;
    if (w->base != NULL) {
        leave_off(w);
        mailbox_free(w->bell);
        loop_free(w->loop);
        generation_unref(w->generation);
    }
    outbox_free(w->outbox);
    free(w);
}

bool
witness_look(const struct witness *w, struct witness_state *out)
{
    struct outbox_state o;

    if (w == NULL || w->resolver == NULL)
        return false;
    outbox_look(w->outbox, &o);
    *out = w->state;
    out->url = settings_of(w)->url;
    out->waiting = o.waiting;
    out->since_ms = o.since_ms;
    out->passed_over = o.passed_over;
    return true;
}
