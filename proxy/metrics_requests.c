#include "proxy/metrics_sections.h"

#include "conf/conf.h"
#include "proxy/metrics_page.h"
#include "proxy/sums.h"

#define COUNT(words) (sizeof(words) / sizeof *(words))

/* ---- what became of them */

static const char *const decisions[OUTCOMES] = { "allow", "deny", "fail" };

/* One that may be an exchange's: told to a client, or that the client left. */
static bool
is_of_a_request(enum reason why)
{
    return reason_status(why) != 0 || why == REASON_CLIENT_GONE;
}

static void
write_requests(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; i < REASON_COUNT; i++) {
        uint64_t n = SUM_AT(w, requests, i);

        if (n == 0 && !is_of_a_request((enum reason)i))
            continue;
        sample_begin(w, f, "_total");
        sample_label(w, "decision", decisions[metrics_outcome((enum reason)i)]);
        sample_label(w, "reason", reason_token((enum reason)i));
        sample_value(w, n);
    }
}

static void
write_grant(struct exposition *w, const struct family *f, size_t slot)
{
    const char *name = series_name(w->page->series, slot);

    for (size_t d = 0; name != NULL && d < OUTCOMES; d++) {
        uint64_t before = series_before(w->page->series, slot, (enum outcome)d);

        sample_begin(w, f, "_total");
        sample_label(w, "grant", name);
        sample_label(w, "decision", decisions[d]);
        sample_value(w, SUM_AT(w, grants, slot * OUTCOMES + d) - before);
    }
}

static void
write_grants(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; w->page->series != NULL && i < GRANT_SERIES; i++)
        write_grant(w, f, i);
}

static void
write_blocked(struct exposition *w, const struct family *f)
{
    static const char *const words[BLOCKED_CLASSES] = {
        [BLOCKED_OFFPOLICY] = "offpolicy", [BLOCKED_METADATA] = "metadata",
        [BLOCKED_ADDRESS] = "address",     [BLOCKED_REBIND] = "rebind",
        [BLOCKED_LOOP] = "loop",           [BLOCKED_FRONTING] = "fronting",
        [BLOCKED_SMUGGLING] = "smuggling", [BLOCKED_MALFORMED] = "malformed",
        [BLOCKED_LIMIT] = "limit",         [BLOCKED_CREDENTIAL] = "credential",
        [BLOCKED_PROOF] = "proof",
    };

    sums_each(w, f, "class", words, COUNT(words));
}

static void
write_alarms(struct exposition *w, const struct family *f)
{
    static const char *const words[TRIPWIRES] = {
        [TRIPWIRE_FOREIGN] = "foreign",           [TRIPWIRE_ENDED] = "ended",
        [TRIPWIRE_SEVERAL] = "several",           [TRIPWIRE_MISPLACED] = "misplaced",
        [TRIPWIRE_PASSWORD] = "proxy_credential",
    };

    sums_each(w, f, "kind", words, COUNT(words));
}

static void
write_stripped(struct exposition *w, const struct family *f)
{
    static const char *const words[LOCATIONS] = { "header", "cookie", "query" };

    sums_each(w, f, "location", words, COUNT(words));
}

static void
write_issued(struct exposition *w, const struct family *f)
{
    static const char *const words[TOKEN_KINDS] = { "wit", "wpt" };

    sums_each(w, f, "kind", words, COUNT(words));
}

static void
write_presented(struct exposition *w, const struct family *f)
{
    size_t n = 0;

    while (n < BINDINGS && conf_bind_words[n] != NULL)
        n++;
    sums_each(w, f, "binding", conf_bind_words, n);
}

/* ---- HTTP/1 and HTTP/2 */

static const char *const sides[SIDES] = { "client", "upstream" };

static void
write_spoken(struct exposition *w, const struct family *f)
{
    static const char *const versions[SPOKENS] = { "1.1", "2" };

    for (size_t i = 0; i < SIDES; i++)
        for (size_t v = 0; v < SPOKENS; v++) {
            sample_begin(w, f, "_total");
            sample_label(w, "side", sides[i]);
            sample_label(w, "version", versions[v]);
            sample_value(w, SUM_AT(w, spoken, i * SPOKENS + v));
        }
}

static void
write_lost(struct exposition *w, const struct family *f)
{
    sums_each(w, f, "side", sides, SIDES);
}

/* ---- credentials whose secrets lie in files */

static void
write_credentials(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; i < w->page->n_credentials; i++) {
        sample_begin(w, f, "");
        sample_label(w, "credential", w->page->credentials[i].credential);
        sample_value(w, w->page->credentials[i].is_readable);
    }
}

/* Of what cannot be read nobody knows how old it is. */
static void
write_ages(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; i < w->page->n_credentials; i++) {
        const struct secret_file *c = &w->page->credentials[i];
        int64_t age = w->page->now_wall_s - c->written_s;

        if (!c->is_readable)
            continue;
        sample_begin(w, f, "");
        sample_label(w, "credential", c->credential);
        sample_value(w, age > 0 ? (uint64_t)age : 0);
    }
}

static void
write_expiries(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; i < w->page->n_credentials; i++) {
        const struct secret_file *c = &w->page->credentials[i];
        int64_t left = c->expires_s - w->page->now_wall_s;

        if (c->expires_s == 0)
            continue;
        sample_begin(w, f, "");
        sample_label(w, "credential", c->credential);
        sample_value(w, left > 0 ? (uint64_t)left : 0);
    }
}

static void
write_rotations(struct exposition *w, const struct family *f)
{
    for (size_t i = 0; i < w->page->n_credentials; i++) {
        sample_begin(w, f, "");
        sample_label(w, "credential", w->page->credentials[i].credential);
        sample_value(w, (uint64_t)w->page->credentials[i].rotate_every_ms / 1000);
    }
}

/* ---- docs/OPERATING.md has the same rows */

/* clang-format off */
static const struct family families[] = {
    { "holdfast_requests", COUNTER, "Requests that are over, by what became of them and why.", write_requests, 0 },
    { "holdfast_requests_in_progress", GAUGE, "Requests that are not over yet.", sums_one, AT(exchanges) },
    { "holdfast_http_requests", COUNTER, "Requests that are over, by the HTTP in which they came (client) and were sent on (upstream).", write_spoken, 0 },
    { "holdfast_http2_streams_lost", COUNTER, "Requests of HTTP/2 that their client took back, or their service, or that went down with the connection.", write_lost, AT(lost) },
    { "holdfast_grant_requests", COUNTER, "Requests that a grant allowed or came nearest to; the grant \"\" is all beyond the first 255.", write_grants, 0 },
    { "holdfast_request_duration_seconds", HISTOGRAM, "From a request's first byte to the end of its answer.", sums_histogram, AT(duration) },
    { "holdfast_blocked", COUNTER, "Denied requests by what they tried.", write_blocked, AT(blocked) },
    { "holdfast_alarms", COUNTER, "Handles in the wrong hands: another caller's, one that has ended, several at once, one out of its place; and, as proxy_credential, passwords of tasks: another caller's, of one that has ended, or wrong.", write_alarms, AT(tripwires) },
    { "holdfast_credentials_stripped", COUNTER, "Credentials and steering fields taken out of requests.", write_stripped, AT(stripped) },
    { "holdfast_tokens_issued", COUNTER, "Tokens that were signed.", write_issued, AT(issued) },
    { "holdfast_presented", COUNTER, "Requests that were given a credential, by its binding.", write_presented, AT(presented) },
    { "holdfast_credential_readable", GAUGE, "1 while the secret of this credential can be presented.", write_credentials, 0 },
    { "holdfast_credential_age_seconds", GAUGE, "Since the file of this credential was written, while it can be read.", write_ages, 0 },
    { "holdfast_credential_expires_seconds", GAUGE, "Until the client certificate of this credential expires; 0: it has.", write_expiries, 0 },
    { "holdfast_credential_rotate_every_seconds", GAUGE, "How old it may grow: its rotate_every.", write_rotations, 0 },
};
/* clang-format on */

const struct section metrics_of_requests = { families,
                                             sizeof families / sizeof families[0] };
