#include "proxy/run.h"

#include "base/log.h"
#include "proxy/builder.h"
#include "proxy/faults.h"
#include "proxy/privilege.h"
#include "proxy/worker.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, ALIVE_POLL_MS = 20, ALIVE_PATIENCE = 50 };

struct holdfast {
    const char *path;
    struct generation *generation; /* the one in force */
    struct identity who;
    struct ca *ca;
    struct authority_key *authority;
    struct bound_door *doors;
    size_t n_doors;
    struct worker *worker;
    struct event_base *base;
    struct event *signals[6];
    struct builder *builder;
    struct event
        *patience; /* waits for an old generation to end before the next is built */
    unsigned waited;
    bool stopping;
    bool log_is_old; /* the log that the config names could not be opened */
};

/* ---- config */

static void
log_report(const struct buf *report)
{
    struct text rest = buf_text(report), line;

    while (text_split(&rest, '\n', &line))
        if (!text_is_empty(line))
            log_error("%.*s", TEXT_ARG(line));
}

static enum reason
open_log(const struct conf *conf)
{
    return log_open(conf->log.path, (enum log_format)conf->log.format,
                    (enum log_level)conf->log.level);
}

static bool
has_forward_door(const struct conf *conf)
{
    const struct conf_door *doors = conf->doors.at;

    for (size_t i = 0; i < conf->doors.n; i++)
        if (doors[i].kind == DOOR_FORWARD)
            return true;
    return false;
}

/* ---- start: keys */

static enum reason
own_directories(const struct holdfast *h, const struct conf *conf)
{
    enum reason why;

    if ((why = identity_own_directory(&h->who, conf->ca.keep, 0700)) != REASON_OK ||
        (why = identity_own_directory(&h->who, conf->ca.publish, 0755)) != REASON_OK)
        return why;
    return identity_own_directory(&h->who, conf->authority.keep, 0700);
}

static enum reason
open_keys(struct holdfast *h, const struct conf *conf)
{
    enum reason why;

    if ((why = ca_open(conf->ca.keep, conf->ca.valid_ms, &h->ca)) != REASON_OK ||
        (why = ca_publish(h->ca, conf->ca.publish)) != REASON_OK ||
        (why = authority_open(conf->authority.keep, conf->authority.name,
                              &h->authority)) != REASON_OK)
        return why;
    return authority_publish(h->authority, conf->ca.publish);
}

/* ---- start: doors */

static enum reason
bind_door(const struct conf_door *door, struct bound_door *out)
{
    struct sockaddr_storage at;
    socklen_t n = address_to_sockaddr(&door->listen.address, door->listen.port, &at);
    int one = 1;

    out->fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (out->fd < 0)
        return REASON_CANNOT_BIND;
    (void)setsockopt(out->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (at.ss_family == AF_INET6)
        (void)setsockopt(out->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(out->fd, (struct sockaddr *)&at, n) != 0 ||
        listen(out->fd, BACKLOG) != 0 ||
        getsockname(out->fd, (struct sockaddr *)&at, &n) != 0)
        return REASON_CANNOT_BIND;
    address_from_sockaddr((struct sockaddr *)&at, &out->address, &out->port);
    return REASON_OK;
}

static enum reason
bind_doors(struct holdfast *h, const struct conf *conf)
{
    const struct conf_door *doors = conf->doors.at;
    char address[ADDRESS_PRINT_SIZE];

    h->doors = calloc(conf->doors.n + 1, sizeof *h->doors);
    assert(h->doors != NULL);
    h->n_doors = conf->doors.n;
    for (size_t i = 0; i < h->n_doors; i++)
        h->doors[i].fd = -1;
    for (size_t i = 0; i < h->n_doors; i++) {
        if (bind_door(&doors[i], &h->doors[i]) == REASON_OK)
            continue;
        address_print(&doors[i].listen.address, address);
        return log_reason(REASON_CANNOT_BIND,
                          "%s:%u: doors: cannot listen on %s port %u: %s",
                          doors[i].place.file, doors[i].place.line, address,
                          doors[i].listen.port, strerror(errno));
    }
    return REASON_OK;
}

static void
tell_doors(const struct holdfast *h)
{
    char address[ADDRESS_PRINT_SIZE], at[ADDRESS_PRINT_SIZE + 10];

    for (size_t i = 0; i < h->n_doors; i++) {
        const struct bound_door *d = &h->doors[i];
        struct log_line *l = log_line_begin(LOG_INFO, "door open");

        address_print(&d->address, address);
        snprintf(at, sizeof at, d->address.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
                 address, d->port);
        log_line_z(l, "kind",
                   generation_door(h->generation, i)->kind == DOOR_GATE ? "gate"
                                                                        : "forward");
        log_line_z(l, "address", at);
        log_line_end(l);
    }
}

/* Two descriptors an exchange, and some of our own. */
static enum reason
raise_descriptors(const struct conf *conf)
{
    rlim_t need = (rlim_t)conf->limits.connections * 2 + 64;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return log_reason(REASON_PRIVILEGES, "getrlimit: %s", strerror(errno));
    if (limit.rlim_cur >= need)
        return REASON_OK;
    limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return log_reason(REASON_PRIVILEGES, "setrlimit: %s", strerror(errno));
    if (limit.rlim_cur < need)
        log_warn("limits.connections needs %ju descriptors, the hard limit is %ju: "
                 "accepting will pause when they are "
                 "used up",
                 (uintmax_t)need, (uintmax_t)limit.rlim_max);
    return REASON_OK;
}

/* The order is DESIGN.md section 13's; each step is fatal when it fails. */
static enum reason
start(struct holdfast *h)
{
    const struct conf *conf = generation_conf(h->generation);
    enum reason why;

    if (has_forward_door(conf) && (why = open_keys(h, conf)) != REASON_OK)
        return why;
    if ((why = identity_resume_root()) != REASON_OK ||
        (why = raise_descriptors(conf)) != REASON_OK ||
        (why = bind_doors(h, conf)) != REASON_OK)
        return why;
    if ((why = identity_assume(&h->who)) != REASON_OK ||
        (why = open_log(conf)) != REASON_OK ||
        (why = identity_resume_root()) != REASON_OK)
        return why;
    return identity_drop(&h->who);
}

/* The identity is chosen from a first reading as root; everything after is read as the
 * one who will read it at a reload. */
static enum reason
load(struct holdfast *h)
{
    struct buf report = { 0 };
    struct conf *conf = NULL;
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);
    enum reason why;

    if ((why = conf_load(h->path, tables, n, &report, &conf)) != REASON_OK ||
        (why = identity_choose(conf, &h->who)) != REASON_OK)
        goto done;
    if (has_forward_door(conf) && (why = own_directories(h, conf)) != REASON_OK)
        goto done;
    if ((why = identity_assume(&h->who)) != REASON_OK)
        goto done;
    why = generation_build(h->path, 1, &report, &h->generation);
done:
    log_report(&report);
    buf_free(&report);
    conf_free(conf);
    return why;
}

/* ---- reload */

static bool
logs_alike(const struct conf_log *a, const struct conf_log *b)
{
    return a->format == b->format && a->level == b->level &&
           strcmp(a->path != NULL ? a->path : "-", b->path != NULL ? b->path : "-") ==
               0;
}

static void
adopt(struct holdfast *h, struct generation *next)
{
    const struct conf *conf = generation_conf(next);

    /* Where it cannot be opened the old one goes on, which is said in it, and the next
     * reload tries again. */
    if (h->log_is_old || !logs_alike(&conf->log, &generation_conf(h->generation)->log))
        h->log_is_old = open_log(conf) != REASON_OK;
    (void)(raise_descriptors(conf) == REASON_OK);
    generation_unref(h->generation);
    h->generation = next;
    generation_ref(next);
    worker_adopt(h->worker, next);
}

static void
tell_reload(const struct holdfast *h, enum reason why)
{
    struct log_line *l = why == REASON_OK
                             ? log_line_begin(LOG_INFO, "config reloaded")
                             : log_line_begin(LOG_ERROR, "config rejected");
    char kept[64];

    log_line_number(l, "generation", (int64_t)generation_number(h->generation));
    if (why != REASON_OK) {
        snprintf(kept, sizeof kept, "kept generation %" PRIu64,
                 generation_number(h->generation));
        log_line_z(l, "reason", reason_token(why));
        log_line_z(l, "note", kept);
    }
    log_line_end(l);
}

static void ask_again(struct holdfast *h);

static void
on_built(void *arg, const struct built *b)
{
    struct holdfast *h = arg;
    enum reason why = b->why;

    if (why == REASON_OK &&
        !generation_may_follow(b->generation, h->generation, b->report))
        why = REASON_CONFIG;
    log_report(b->report);
    if (why == REASON_OK)
        adopt(h, b->generation);
    else
        generation_unref(b->generation);
    tell_reload(h, why);
    if (b->again)
        ask_again(h);
}

static void
build(struct holdfast *h)
{
    h->waited = 0;
    builder_build(h->builder, generation_number(h->generation) + 1);
}

/* A storm of signals must not push generations out that exchanges are still living
 * under: wait a moment for them. */
static void
on_patience(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval pause = { 0, ALIVE_POLL_MS * 1000 };
    struct holdfast *h = arg;

    (void)fd;
    (void)what;
    if (h->stopping)
        return;
    if (generations_alive() <
            (unsigned)generation_conf(h->generation)->limits.generations ||
        ++h->waited > ALIVE_PATIENCE)
        build(h);
    else
        event_add(h->patience, &pause);
}

static void
ask_again(struct holdfast *h)
{
    if (!event_pending(h->patience, EV_TIMEOUT, NULL))
        on_patience(-1, 0, h);
}

static void
on_hup(evutil_socket_t signal_number, short what, void *arg)
{
    (void)signal_number;
    (void)what;
    ask_again(arg);
}

/* ---- the other signals */

static void
on_term(evutil_socket_t signal_number, short what, void *arg)
{
    struct holdfast *h = arg;

    (void)what;
    if (signal_number == SIGTERM && !h->stopping) {
        worker_drain(h->worker);
    } else {
        log_info("stopping now");
        worker_stop(h->worker);
    }
    h->stopping = true;
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
    worker_dump(h->worker);
}

static void
watch_signals(struct holdfast *h)
{
    static const struct {
        int number;
        event_callback_fn answer;
    } table[] = {
        { SIGHUP, on_hup },   { SIGTERM, on_term }, { SIGINT, on_term },
        { SIGQUIT, on_term }, { SIGUSR1, on_usr1 }, { SIGUSR2, on_usr2 },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        h->signals[i] = evsignal_new(h->base, table[i].number, table[i].answer, h);
        assert(h->signals[i] != NULL);
        event_add(h->signals[i], NULL);
    }
}

/* ---- main */

static void
on_worker_end(void *arg)
{
    struct holdfast *h = arg;

    event_base_loopbreak(h->base); /* the base has locks: this is another thread */
}

static enum reason
serve(struct holdfast *h)
{
    struct worker_start with = { .generation = h->generation,
                                 .doors = h->doors,
                                 .n_doors = h->n_doors,
                                 .ca = h->ca,
                                 .authority = h->authority,
                                 .on_end = on_worker_end,
                                 .arg = h };
    struct log_line *l;
    enum reason why;

    h->base = event_base_new();
    assert(h->base != NULL);
    watch_signals(h);
    h->patience = event_new(h->base, -1, 0, on_patience, h);
    h->builder = builder_new(h->base, h->path, on_built, h);
    if ((why = worker_start(&with, &h->worker)) != REASON_OK)
        return why;
    tell_doors(h);
    l = log_line_begin(LOG_INFO, "ready");
    log_line_number(l, "generation", (int64_t)generation_number(h->generation));
    log_line_z(l, "version", HOLDFAST_VERSION);
    log_line_number(l, "pid", getpid());
    log_line_end(l);
    event_base_dispatch(h->base);
    worker_join(h->worker);
    log_info("ended");
    return REASON_OK;
}

static void
tear_down(struct holdfast *h)
{
    builder_free(h->builder);
    for (size_t i = 0; i < sizeof h->signals / sizeof *h->signals; i++)
        if (h->signals[i] != NULL)
            event_free(h->signals[i]);
    if (h->patience != NULL)
        event_free(h->patience);
    if (h->base != NULL)
        event_base_free(h->base);
    for (size_t i = 0; i < h->n_doors; i++)
        if (h->doors[i].fd >= 0)
            close(h->doors[i].fd);
    free(h->doors);
    generation_unref(h->generation);
    authority_free(h->authority);
    ca_free(h->ca);
    libevent_global_shutdown();
    log_close();
}

static int
exit_code(enum reason why)
{
    switch (why) {
    case REASON_OK:
        return EXIT_OK;
    case REASON_CANNOT_BIND:
        return EXIT_BIND;
    case REASON_CONFIG:
    case REASON_EQUAL_UID:
    case REASON_FILE_UNREADABLE:
    case REASON_FILE_UNSAFE:
    case REASON_FILE_CONTENT:
        return EXIT_CONFIG;
    default:
        return EXIT_RUNTIME;
    }
}

int
holdfast_run(const char *path)
{
    struct holdfast h = { .path = path };
    enum reason why;

    signal(SIGPIPE, SIG_IGN);
    evthread_use_pthreads();
    faults_read();
    if ((why = load(&h)) == REASON_OK && (why = start(&h)) == REASON_OK)
        why = serve(&h);
    if (why != REASON_OK)
        log_reason(why, "did not start: %s", reason_sentence(why));
    tear_down(&h);
    return exit_code(why);
}
