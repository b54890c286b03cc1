/* Signals: HUP reload, TERM drain, INT and QUIT stop, USR1 reopen the log, USR2 dump
 * the state. */
#include "proxy/holdfast.h"

#include "base/log.h"
#include "proxy/custody.h"

#include <assert.h>
#include <event2/event.h>
#include <signal.h>

/* Nothing is read anew from now on. */
static void
tell_stopping(struct holdfast *h)
{
    if (h->control != NULL)
        control_answer(
            h->control, WAIT_RELOAD, UINT64_MAX, false,
            TEXT("\"error\":\"Holdfast is stopping: nothing is read anew\""));
}

void
holdfast_drain(struct holdfast *h)
{
    h->stopping = true;
    tell_stopping(h);
    custody_stop(h->custody, generation_conf(h->generation)->limits.drain_ms);
    for (size_t i = 0; i < h->n_workers; i++)
        worker_drain(h->workers[i]);
}

void
holdfast_stop(struct holdfast *h)
{
    log_info("stopping now");
    h->stopping = h->stopped_now = true;
    tell_stopping(h);
    custody_stop(h->custody, 0);
    for (size_t i = 0; i < h->n_workers; i++)
        worker_stop(h->workers[i]);
}

static void
on_hup(evutil_socket_t signal_number, short what, void *arg)
{
    (void)signal_number;
    (void)what;
    reload_ask(arg);
}

static void
on_term(evutil_socket_t signal_number, short what, void *arg)
{
    struct holdfast *h = arg;

    (void)what;
    if (signal_number == SIGTERM && !h->stopping)
        holdfast_drain(h);
    else
        holdfast_stop(h);
}

static void
on_usr1(evutil_socket_t signal_number, short what, void *arg)
{
    (void)signal_number;
    (void)what;
    (void)arg;
    if (log_reopen() == REASON_OK)
        log_info("log reopened");
}

static void
on_usr2(evutil_socket_t signal_number, short what, void *arg)
{
    struct holdfast *h = arg;

    (void)signal_number;
    (void)what;
    for (size_t i = 0; i < h->n_workers; i++)
        worker_dump(h->workers[i]);
}

/* There are no workers any more. */
static void
on_late(evutil_socket_t signal_number, short what, void *arg)
{
    struct holdfast *h = arg;

    (void)what;
    if (signal_number == SIGTERM || signal_number == SIGINT || signal_number == SIGQUIT)
        event_base_loopbreak(h->base);
}

static const struct {
    int number;
    event_callback_fn answer;
} table[SIGNALS] = {
    { SIGHUP, on_hup },   { SIGTERM, on_term }, { SIGINT, on_term },
    { SIGQUIT, on_term }, { SIGUSR1, on_usr1 }, { SIGUSR2, on_usr2 },
};

static void
watch_one(struct holdfast *h, size_t i, event_callback_fn answer)
{
    h->signals[i] = evsignal_new(h->base, table[i].number, answer, h);
    assert(h->signals[i] != NULL);
    event_add(h->signals[i], NULL);
}

void
signals_watch(struct holdfast *h)
{
    for (size_t i = 0; i < SIGNALS; i++)
        watch_one(h, i, table[i].answer);
}

/* The new one stands before the old one goes: no signal meets its default, which ends
 * the process. */
void
signals_hurry(struct holdfast *h)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        struct event *before = h->signals[i];

        if (before == NULL)
            continue;
        watch_one(h, i, on_late);
        event_free(before);
    }
}

void
signals_forget(struct holdfast *h)
{
    for (size_t i = 0; i < SIGNALS; i++)
        if (h->signals[i] != NULL)
            event_free(h->signals[i]);
}
