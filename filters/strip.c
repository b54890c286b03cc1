/* strip: one pass over the fields, one over the query, nothing allocated unless
 * something is taken out. */
#include "filters/strip.h"

#include "base/memory.h"
#include "filters/own_proof.h"
#include "filters/parameter.h"
#include "filters/positions.h"
#include "filters/subprotocols.h"

#include <stdlib.h>
#include <string.h>

enum on_sight { ON_SIGHT_STRIP, ON_SIGHT_REFUSE };

struct strip_settings {
    struct place place;
    int on_sight;
    struct strings also, also_query;
    struct strings keep, keep_query;
};

struct strip {
    bool refuse;
    struct positions *positions;
};

static const char *const on_sight_words[] = { "strip", "refuse", NULL };

static const struct setting strip_settings[] = {
    { .name = "on_sight",
      .type = SETTING_CHOICE,
      .offset = offsetof(struct strip_settings, on_sight),
      .standard = "strip",
      .choices = on_sight_words,
      .sentence = "What happens to a request that carries a credential of its own: "
                  "the credential is removed, or the request is refused." },
    { .name = "also",
      .type = SETTING_STRINGS,
      .offset = offsetof(struct strip_settings, also),
      .flags = SETTING_ALLOW_EMPTY,
      .standard = "[]",
      .sentence = "More header fields that hold credentials." },
    { .name = "also_query",
      .type = SETTING_STRINGS,
      .offset = offsetof(struct strip_settings, also_query),
      .flags = SETTING_ALLOW_EMPTY,
      .standard = "[]",
      .sentence = "More query parameters that hold credentials." },
    { .name = "keep",
      .type = SETTING_STRINGS,
      .offset = offsetof(struct strip_settings, keep),
      .flags = SETTING_ALLOW_EMPTY,
      .standard = "[]",
      .sentence = "Header fields that end like a credential (-token, -key …) and are "
                  "none; the well-known ones cannot be kept." },
    { .name = "keep_query",
      .type = SETTING_STRINGS,
      .offset = offsetof(struct strip_settings, keep_query),
      .flags = SETTING_ALLOW_EMPTY,
      .standard = "[]",
      .sentence = "Query parameters that are called like a credential (key, auth, "
                  "token …) and are none." },
    { .name = NULL },
};

/* ---- opening */

static bool
keep(struct positions *p, const struct strip_settings *s, struct buf *report)
{
    bool fine = true;

    for (size_t i = 0; i < s->keep.n; i++) {
        if (positions_keep_header(p, s->keep.at[i]))
            continue;
        buf_printf(
            report,
            "%s:%u: filters.strip.keep: \"%s\" is never let through: remove it\n",
            s->place.file, s->place.line, s->keep.at[i]);
        fine = false;
    }
    for (size_t i = 0; i < s->keep_query.n; i++) {
        if (positions_keep_parameter(p, s->keep_query.at[i]))
            continue;
        buf_printf(report,
                   "%s:%u: filters.strip.keep_query: an empty name is no parameter\n",
                   s->place.file, s->place.line);
        fine = false;
    }
    return fine;
}

static void
strip_close(void *state)
{
    struct strip *s = state;

    positions_free(s->positions);
    free(s);
}

static void
also(struct positions *p, const struct strip_settings *s)
{
    for (size_t i = 0; i < s->also.n; i++)
        positions_also_header(p, s->also.at[i]);
    for (size_t i = 0; i < s->also_query.n; i++)
        positions_also_parameter(p, s->also_query.at[i]);
}

/* The fields that credentials of ours are presented in are credential positions too,
 * whatever they are called; none of them can be kept. */
static void
also_own_fields(struct positions *p, const struct conf *conf)
{
    const struct conf_credential *credentials = conf->credentials.at;

    for (size_t i = 0; i < conf->credentials.n; i++)
        if (credentials[i].header != NULL)
            positions_also_header(p, credentials[i].header);
}

struct positions *
strip_positions(const struct conf *conf)
{
    const struct strip_settings *given = conf_filter(conf, strip_filter.name);
    struct positions *p = positions_new();

    if (given != NULL)
        also(p, given);
    also_own_fields(p, conf);
    return p;
}

static enum reason
strip_open(const struct conf *conf, const void *settings, struct buf *report,
           void **state)
{
    const struct strip_settings *given = settings;
    struct strip *s = memory_new(sizeof *s);

    *state = NULL;
    s->positions = positions_new();
    s->refuse = given->on_sight == ON_SIGHT_REFUSE;
    also(s->positions, given);
    if (!keep(s->positions, given, report)) {
        strip_close(s);
        return REASON_CONFIG;
    }
    also_own_fields(s->positions, conf);
    *state = s;
    return REASON_OK;
}

/* ---- judging one position */

static bool
passes_cookies(const struct view *v)
{
    return v->rule != NULL && v->rule->cookies == CONF_PASS;
}

/* A signed URL is a bearer credential that the service itself gave out, for one object:
 * let through only where we present none of ours, and only for reading. */
static bool
passes_signed_urls(const struct view *v)
{
    return v->rule != NULL && v->rule->signed_urls == CONF_PASS &&
           v->rule->credential == NULL &&
           (text_equals(v->request->method, TEXT("GET")) ||
            text_equals(v->request->method, TEXT("HEAD")));
}

static bool
stays(const struct view *v, enum position position)
{
    switch (position) {
    case POSITION_PLAIN:
        return true;
    case POSITION_COOKIE:
        return passes_cookies(v);
    case POSITION_SIGNED:
        return passes_signed_urls(v);
    case POSITION_CREDENTIAL:
    case POSITION_STEERING:
    default:
        return false;
    }
}

static void
take(struct view *v, struct text name, struct text value)
{
    if (v->removed.arena == NULL)
        headers_init(&v->removed, v->arena);
    headers_add(&v->removed, name, value);
    note_stripped(v, name);
}

/* ---- the passes; each tells whether it took a credential */

static bool
strip_fields(const struct strip *s, struct view *v, struct headers *h,
             const struct own_proof *own)
{
    bool found = false;
    size_t kept = 0;

    for (size_t i = 0; i < h->n; i++) {
        enum position position = positions_header(s->positions, h->at[i].name);

        if (!stays(v, position) && !own_proof_passes(own, &h->at[i])) {
            found |= position != POSITION_STEERING;
            take(v, h->at[i].name, h->at[i].value);
            continue;
        }
        if (kept != i)
            h->at[kept] = h->at[i];
        h->at[kept++].never_index |= position != POSITION_PLAIN;
    }
    h->n = kept;
    return found;
}

static bool
strip_subprotocols(const struct strip *s, struct view *v)
{
    static const char name[] = "Sec-WebSocket-Protocol";
    struct headers *h = &v->request->headers;
    struct text kept, taken;
    bool found = false;

    for (size_t i = h->n; i-- > 0;) {
        if (!text_equals_nocase(h->at[i].name, TEXT(name)) ||
            !subprotocols_split(s->positions, v->arena, h->at[i].value, &kept, &taken))
            continue;
        found = true;
        take(v, TEXT(name), taken);
        h->at[i].value = kept;
        if (text_is_empty(kept))
            headers_remove_at(h, i);
    }
    return found;
}

static bool
query_is_clean(const struct strip *s, const struct view *v)
{
    struct text rest = v->query;
    struct parameter p = { 0 };

    while (parameter_next(&rest, &p)) {
        if (!stays(v, positions_parameter(s->positions, p.name)))
            return false;
    }
    return true;
}

/* Everything but what is taken stays byte for byte; a parameter goes with the separator
 * before it. */
static void
strip_query(const struct strip *s, struct view *v)
{
    struct text rest = v->query;
    struct parameter p = { 0 };
    char *out = arena_alloc(v->arena, v->query.n);
    size_t n = 0, kept = 0;

    while (parameter_next(&rest, &p)) {
        if (!stays(v, positions_parameter(s->positions, p.name))) {
            take(v, arena_printf(v->arena, "?%.*s", TEXT_ARG(p.name)), p.value);
            continue;
        }
        if (kept++ > 0)
            out[n++] = p.separator;
        memcpy(out + n, p.whole.at, p.whole.n);
        n += p.whole.n;
    }
    v->query = kept == 0 ? text_of(NULL, 0) : text_of(out, n);
}

static struct verdict
strip_request(void *state, struct view *v)
{
    const struct strip *s = state;
    struct own_proof own;
    enum reason why = own_proof_judge(v, &own);
    bool found;

    if (why != REASON_OK)
        return deny(why);
    found = strip_fields(s, v, &v->request->headers, &own);
    if (v->request->upgrade == UPGRADE_WEBSOCKET)
        found |= strip_subprotocols(s, v);
    if (!query_is_clean(s, v)) {
        strip_query(s, v);
        found = true;
    }
    return found && s->refuse ? deny(REASON_RAW_CREDENTIAL) : pass();
}

/* The head has gone by now: what stands behind the body is held to the same table. */
static struct verdict
strip_trailers(void *state, struct view *v, struct headers *trailers)
{
    static const struct own_proof none = { .proof = false };
    const struct strip *s = state;

    return strip_fields(s, v, trailers, &none) && s->refuse
               ? deny(REASON_RAW_CREDENTIAL)
               : pass();
}

const struct filter strip_filter = {
    .name = "strip",
    .settings = strip_settings,
    .settings_size = sizeof(struct strip_settings),
    .open = strip_open,
    .on_request = strip_request,
    .on_trailers = strip_trailers,
    .close = strip_close,
};
