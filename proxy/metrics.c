#include "proxy/metrics.h"

#include "base/memory.h"
#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>

/* Larger than a line: the processor fetches them in pairs. */
enum { APART = 128 };

const uint32_t histogram_bounds_us[HISTOGRAM_BOUNDS] = {
    250,    500,    1000,   2500,    5000,    10000,   25000,    50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000,
};

struct metrics *
metrics_new(void)
{
    size_t size = (sizeof(struct metrics) + APART - 1) / APART * APART;
    struct metrics *m = aligned_alloc(APART, size);

    if (m == NULL)
        memory_exhausted();
    memset(m, 0, size);
    return m;
}

void
metrics_free(struct metrics *m)
{
    free(m);
}

/* Most requests fall into the first few. */
void
histogram_add(struct histogram *h, int64_t us)
{
    size_t i = 0;

    if (us < 0)
        us = 0;
    while (i < HISTOGRAM_BOUNDS && us > histogram_bounds_us[i])
        i++;
    tally_add(&h->counts[i], 1);
    tally_add(&h->sum_us, (uint64_t)us);
}

/* ---- decisions */

static bool
has_error(enum reason why, const char *error)
{
    return strcmp(reason_proxy_error(why), error) == 0;
}

enum outcome
metrics_outcome(enum reason why)
{
    if (why == REASON_OK)
        return OUTCOME_ALLOW;
    if (why == REASON_PEER_ADDRESS)
        return OUTCOME_DENY;
    if (has_error(why, "http_request_error") || has_error(why, "http_request_denied") ||
        has_error(why, "destination_ip_prohibited") ||
        has_error(why, "proxy_loop_detected"))
        return OUTCOME_DENY;
    return OUTCOME_FAIL;
}

static bool
is_of_a_proof(enum reason why)
{
    return strncmp(reason_token(why), "token_", 6) == 0 ||
           strncmp(reason_token(why), "proof_", 6) == 0 ||
           strncmp(reason_token(why), "signature_", 10) == 0 ||
           strncmp(reason_token(why), "context_", 8) == 0 ||
           why == REASON_SCOPE_MISSING;
}

static enum blocked
blocked_class(enum reason why, bool dialling)
{
    switch (why) {
    case REASON_NAME_PROHIBITED:
        return BLOCKED_METADATA;
    case REASON_ADDRESS_PROHIBITED:
        return dialling ? BLOCKED_REBIND : BLOCKED_ADDRESS;
    case REASON_PEER_ADDRESS:
        return BLOCKED_REBIND;
    case REASON_OWN_PORT:
        return BLOCKED_LOOP;
    case REASON_NAMES_DISAGREE:
    case REASON_PORT_DISAGREES:
    case REASON_SERVER_NAME_MISSING:
    case REASON_ECH:
    case REASON_NOT_OUR_NAME:
        return BLOCKED_FRONTING;
    case REASON_LINE_END:
    case REASON_FIELD_NAME:
    case REASON_FIELD_VALUE:
    case REASON_FIELD_FOLDED:
    case REASON_FIELD_UNDERSCORE:
    case REASON_CONTENT_LENGTH:
    case REASON_TRANSFER_ENCODING:
    case REASON_LENGTH_AND_CODING:
    case REASON_CHUNK:
    case REASON_TRAILER:
    case REASON_HOST_REPEATED:
    case REASON_CONNECTION_FIELD:
    case REASON_PARSERS_DISAGREE:
        return BLOCKED_SMUGGLING;
    case REASON_TARGET_TOO_LONG:
    case REASON_HEAD_TOO_LARGE:
    case REASON_TOO_MANY_FIELDS:
    case REASON_HEAD_TIMEOUT:
    case REASON_BODY_TIMEOUT:
    case REASON_LEAF_RATE:
        return BLOCKED_LIMIT;
    case REASON_RAW_CREDENTIAL:
    case REASON_PLAIN_CREDENTIAL:
    case REASON_FOREIGN_HANDLE:
    case REASON_ENDED_HANDLE:
    case REASON_SEVERAL_HANDLES:
    case REASON_HANDLE_MISPLACED:
    case REASON_PROXY_CREDENTIAL:
        return BLOCKED_CREDENTIAL;
    default:
        if (is_of_a_proof(why))
            return BLOCKED_PROOF;
        return has_error(why, "http_request_error") ? BLOCKED_MALFORMED
                                                    : BLOCKED_OFFPOLICY;
    }
}

static void
count_tripwire(struct metrics *m, enum reason why)
{
    switch (why) {
    case REASON_FOREIGN_HANDLE:
        tally_add(&m->tripwires[TRIPWIRE_FOREIGN], 1);
        break;
    case REASON_ENDED_HANDLE:
        tally_add(&m->tripwires[TRIPWIRE_ENDED], 1);
        break;
    case REASON_SEVERAL_HANDLES:
        tally_add(&m->tripwires[TRIPWIRE_SEVERAL], 1);
        break;
    case REASON_HANDLE_MISPLACED:
        tally_add(&m->tripwires[TRIPWIRE_MISPLACED], 1);
        break;
    case REASON_PROXY_CREDENTIAL:
        tally_add(&m->tripwires[TRIPWIRE_PASSWORD], 1);
        break;
    default:
        break;
    }
}

void
metrics_request(struct metrics *m, enum reason why, bool dialling, int64_t us)
{
    tally_add(&m->requests[why], 1);
    histogram_add(&m->duration, us);
    if (metrics_outcome(why) != OUTCOME_DENY)
        return;
    tally_add(&m->blocked[blocked_class(why, dialling)], 1);
    count_tripwire(m, why);
}

void
metrics_grant(struct metrics *m, unsigned slot, enum reason why)
{
    tally_add(&m->grants[slot < GRANT_SERIES ? slot : 0][metrics_outcome(why)], 1);
}

/* ---- what a request carried, and what it was given */

void
metrics_stripped(struct metrics *m, const char *name, size_t n)
{
    enum location at = LOCATION_HEADER;

    if (n > 0 && name[0] == '?')
        at = LOCATION_QUERY;
    else if (n == 6 && memcmp(name, "cookie", 6) == 0)
        at = LOCATION_COOKIE;
    tally_add(&m->stripped[at], 1);
}

void
metrics_presented(struct metrics *m, const char *binding)
{
    if (binding == NULL)
        return;
    for (size_t i = 0; i < BINDINGS && conf_bind_words[i] != NULL; i++)
        if (strcmp(conf_bind_words[i], binding) == 0)
            tally_add(&m->presented[i], 1);
    if (strcmp(binding, conf_bind_words[BIND_WIMSE]) == 0)
        tally_add(&m->issued[TOKEN_WPT], 1);
}

void
metrics_spoken(struct metrics *m, enum side side, bool is_http2, bool lost)
{
    tally_add(&m->spoken[side][is_http2 ? SPOKEN_HTTP2 : SPOKEN_HTTP1], 1);
    if (lost)
        tally_add(&m->lost[side], 1);
}

void
metrics_handshake(struct metrics *m, enum side side, bool done, bool resumed)
{
    struct handshakes *h = &m->handshakes[side];

    tally_add(done ? &h->done : &h->failed, 1);
    if (done && resumed)
        tally_add(&h->resumed, 1);
}

void
metrics_beat(struct metrics *m, int64_t now_ms, int64_t late_us)
{
    tally_set(&m->lag_us, late_us > 0 ? (uint64_t)late_us : 0);
    tally_set(&m->beat_ms, (uint64_t)now_ms);
    histogram_add(&m->lag, late_us);
}

void
metrics_beat_stops(struct metrics *m)
{
    tally_set(&m->beat_ms, 0);
}

/* ---- reading */

void
metrics_figures(const struct metrics *m, struct figures *out)
{
    *out = (struct figures){ .connections = tally_read(&m->connections),
                             .handshakes = tally_read(&m->shaking),
                             .idle_upstreams = tally_read(&m->idle_upstreams),
                             .leaves = tally_read(&m->leaves),
                             .tasks = tally_read(&m->tasks),
                             .served = tally_read(&m->requests[REASON_OK]),
                             .accepted = tally_read(&m->accepted),
                             .turned_away = tally_read(&m->turned_away),
                             .opaque = tally_read(&m->opaque),
                             .lag_us = (int64_t)tally_read(&m->lag_us),
                             .beat_ms = (int64_t)tally_read(&m->beat_ms) };
    for (size_t i = REASON_OK + 1; i < REASON_COUNT; i++)
        out->refused += tally_read(&m->requests[i]);
}

void
figures_add(struct figures *sum, const struct figures *one)
{
    sum->connections += one->connections;
    sum->handshakes += one->handshakes;
    sum->idle_upstreams += one->idle_upstreams;
    sum->leaves += one->leaves;
    sum->tasks += one->tasks;
    sum->served += one->served;
    sum->refused += one->refused;
    sum->accepted += one->accepted;
    sum->turned_away += one->turned_away;
    sum->opaque += one->opaque;
    if (sum->lag_us < one->lag_us)
        sum->lag_us = one->lag_us;
    if (sum->beat_ms == 0 || (one->beat_ms != 0 && sum->beat_ms > one->beat_ms))
        sum->beat_ms = one->beat_ms;
}
