/* Metrics: what is counted. Each worker has one `struct metrics` and is the only one
 * that writes it, by a plain load and a plain store: counting costs no locked
 * instruction and no cache line is fought over. Main reads them when it is asked;
 * a figure may be a moment old, never torn.
 *
 * Every label is one of ours, a reason, or a name of the config: nothing a workload
 * says makes a series. The page is written by metrics_page.c. */
#ifndef PROXY_METRICS_H
#define PROXY_METRICS_H

#include "base/reason.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally {
    _Atomic uint64_t n;
};

static inline uint64_t
tally_read(const struct tally *t)
{
    return atomic_load_explicit(&t->n, memory_order_relaxed);
}

/* For a gauge, and for a count that is kept elsewhere. */
static inline void
tally_set(struct tally *t, uint64_t n)
{
    atomic_store_explicit(&t->n, n, memory_order_relaxed);
}

static inline void
tally_add(struct tally *t, uint64_t n)
{
    tally_set(t, tally_read(t) + n);
}

static inline void
tally_take(struct tally *t, uint64_t n)
{
    tally_set(t, tally_read(t) - n);
}

/* Of microseconds. `within` are the upper bounds, the same for all histograms. */
enum { HISTOGRAM_BOUNDS = 16 };
extern const uint32_t histogram_bounds_us[HISTOGRAM_BOUNDS];

struct histogram {
    struct tally counts[HISTOGRAM_BOUNDS + 1]; /* each its own, not those below; the
                                                  last: past all bounds */
    struct tally sum_us;
};

void histogram_add(struct histogram *h, int64_t us);

/* What became of a request. */
enum outcome {
    OUTCOME_ALLOW,
    OUTCOME_DENY, /* it asked for what it may not have, or badly */
    OUTCOME_FAIL, /* it could not be done: us, the service, the client's leaving */
    OUTCOMES
};
enum outcome metrics_outcome(enum reason why);

/* What a denied request tried. */
enum blocked {
    BLOCKED_OFFPOLICY,  /* no grant says so */
    BLOCKED_METADATA,   /* a metadata or host-local service, by its name */
    BLOCKED_ADDRESS,    /* a literal address that is special */
    BLOCKED_REBIND,     /* a permitted name that stood for such an address */
    BLOCKED_LOOP,       /* Holdfast itself */
    BLOCKED_FRONTING,   /* names that disagree */
    BLOCKED_SMUGGLING,  /* framing that two readers could read in two ways */
    BLOCKED_MALFORMED,  /* bad HTTP of any other kind */
    BLOCKED_LIMIT,      /* more than may be sent */
    BLOCKED_CREDENTIAL, /* a credential where none may be, or somebody else's */
    BLOCKED_PROOF,      /* at a gate: no proof, or one that does not hold */
    BLOCKED_CLASSES
};

enum side { SIDE_CLIENT, SIDE_UPSTREAM, SIDES };
enum spoken { SPOKEN_HTTP1, SPOKEN_HTTP2, SPOKENS };
enum location { LOCATION_HEADER, LOCATION_COOKIE, LOCATION_QUERY, LOCATIONS };
enum token_kind { TOKEN_WIT, TOKEN_WPT, TOKEN_KINDS };
/* A handle in the wrong hands is a tripwire, and so is a task's password. */
enum tripwire {
    TRIPWIRE_FOREIGN,
    TRIPWIRE_ENDED,
    TRIPWIRE_SEVERAL,
    TRIPWIRE_MISPLACED,
    TRIPWIRE_PASSWORD,
    TRIPWIRES
};

enum { BINDINGS = 8, GRANT_SERIES = 256 };

/* Application bytes of one side. */
struct traffic {
    struct tally in, out;
};

struct handshakes {
    struct tally done, failed, resumed;
};

struct metrics {
    struct tally requests[REASON_COUNT];
    struct tally ended[REASON_COUNT]; /* connections that ended before any request */
    struct tally blocked[BLOCKED_CLASSES];
    struct tally tripwires[TRIPWIRES];
    struct tally stripped[LOCATIONS];
    struct tally issued[TOKEN_KINDS];
    struct tally presented[BINDINGS]; /* by index in conf_bind_words */
    struct tally grants[GRANT_SERIES][OUTCOMES];
    struct histogram duration, connect, lag;
    struct tally leaf_hits, leaf_misses;
    struct tally opened, reused, retried; /* upstream connections */
    struct handshakes handshakes[SIDES];
    struct traffic traffic[SIDES];
    struct tally spoken[SIDES][SPOKENS]; /* requests, by what they came and went in */
    struct tally lost[SIDES];            /* streams of HTTP/2 */
    struct tally accepted, turned_away;  /* client connections */
    struct tally opaque;            /* those of them whose TLS was passed on unopened */
    struct tally dns[REASON_COUNT]; /* queries, by what came of them */
    struct tally dns_dropped;

    /* gauges */
    struct tally connections, shaking, exchanges, idle_upstreams, leaves, tasks;
    struct tally dns_lookups;
    struct tally lag_us;  /* at the last heartbeat */
    struct tally beat_ms; /* when that was, monotonic; 0: the worker has ended */
};

/* Never NULL; on cache lines of its own. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

/* ---- by the worker, one line where it happens */

/* An exchange is over. `dialling`: it was refused by the address it was to go to. */
void metrics_request(struct metrics *m, enum reason why, bool dialling, int64_t us);
/* The request was a grant's: its slot (proxy/series.h). */
void metrics_grant(struct metrics *m, unsigned slot, enum reason why);
/* As the log names what was stripped: "authorization", "cookie", "?key". */
void metrics_stripped(struct metrics *m, const char *name, size_t n);
/* evidence.binding, or NULL; how many tokens that was. */
void metrics_presented(struct metrics *m, const char *binding);
/* A request is over that came, or was sent, over HTTP/2 or not. lost: its stream was
 * taken back by the other end, or went down with its connection. */
void metrics_spoken(struct metrics *m, enum side side, bool is_http2, bool lost);
void metrics_handshake(struct metrics *m, enum side side, bool done, bool resumed);
/* The loop turns: this late. */
void metrics_beat(struct metrics *m, int64_t now_ms, int64_t late_us);
/* It has ended, as it should. */
void metrics_beat_stops(struct metrics *m);

/* ---- by anyone */

/* Of one worker, or the sum of several. */
struct figures {
    uint64_t connections, handshakes, idle_upstreams, leaves, tasks;
    uint64_t served, refused; /* requests */
    uint64_t accepted, turned_away;
    uint64_t opaque;
    int64_t lag_us;  /* the worst */
    int64_t beat_ms; /* the oldest; 0: none */
};

void metrics_figures(const struct metrics *m, struct figures *out);
void figures_add(struct figures *sum, const struct figures *one);

#endif
