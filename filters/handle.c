/* handle: one pass over the fields, one over the query; nothing is hashed that does not
 * stand where a credential can. */
#include "filters/handle.h"

#include "base/log.h"
#include "filters/parameter.h"
#include "filters/strip.h"

#include <string.h>

/* ---- alarms */

static void
alarm_about(const struct view *v, const struct handle *h, const char *kind)
{
    struct log_line *l = log_line_begin(LOG_WARN, "alarm");
    char to[AUTHORITY_PRINT_SIZE];

    log_line_z(l, "kind", kind);
    if (v->caller->has_uid)
        log_line_number(l, "uid", v->caller->uid);
    log_line_z(l, "credential", h->credential);
    log_line_text(l, "to", authority_print(&v->target, 0, to));
    log_line_end(l);
}

static enum reason
refuse(struct view *v, const struct handle *h, enum reason why)
{
    v->alarmed = h->credential;
    alarm_about(v, h, reason_token(why));
    return why;
}

/* ---- what stands in one place */

/* A search through one request: `why` stays REASON_OK until something is wrong. */
struct search {
    struct view *v;
    const struct handle *found;
    enum reason why;
};

static void
look_at(struct search *s, struct text t)
{
    const struct handle *h;

    if (s->why != REASON_OK || (h = handles_find(s->v->handles, t)) == NULL)
        return;
    if (h->ended)
        s->why = refuse(s->v, h, REASON_ENDED_HANDLE);
    else if (!handle_is_for(h, s->v->caller, h->credential))
        s->why = refuse(s->v, h, REASON_FOREIGN_HANDLE);
    else if (s->found != NULL && s->found != h)
        s->why = refuse(s->v, h, REASON_SEVERAL_HANDLES);
    else
        s->found = h;
}

static bool
is_separator(char c)
{
    return c == ' ' || c == '\t' || c == ',' || c == ';' || c == '"' || c == '\'';
}

/* "name=handle" and "user:handle" as well; a handle may hold either mark itself. */
static void
look_at_piece(struct search *s, struct text piece)
{
    static const char marks[] = { '=', ':' };

    look_at(s, piece);
    for (size_t i = 0; i < sizeof marks; i++) {
        const char *mark = memchr(piece.at, marks[i], piece.n);

        if (mark != NULL)
            look_at(s, text_of(mark + 1, piece.n - (size_t)(mark + 1 - piece.at)));
    }
}

/* Each run of bytes that no handle holds ends a piece: "Bearer X", "a=X; b=Y",
 * "Token token=\"X\"". */
static void
look_through(struct search *s, struct text t)
{
    size_t i = 0;

    while (i < t.n) {
        size_t start = i;

        while (i < t.n && !is_separator(t.at[i]))
            i++;
        if (i > start)
            look_at_piece(s, text_of(t.at + start, i - start));
        else
            i++;
    }
}

static void
look_through_escaped(struct search *s, struct text t)
{
    struct text once, twice;

    look_through(s, t);
    once = parameter_decode(s->v->arena, t);
    if (once.at == t.at)
        return;
    look_through(s, once);
    twice = parameter_decode(s->v->arena, once);
    if (twice.at != once.at)
        look_through(s, twice);
}

/* ---- Basic */

static int
sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* As the most careless service reads it: either alphabet, and what belongs to neither
 * is skipped. */
static struct text
decode_base64(struct arena *a, struct text t)
{
    char *out = arena_alloc(a, t.n * 3 / 4 + 1);
    unsigned bits = 0, held = 0;
    size_t n = 0;

    for (size_t i = 0; i < t.n; i++) {
        int six = sextet(t.at[i]);

        if (six < 0)
            continue;
        held = held << 6 | (unsigned)six;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        out[n++] = (char)(held >> bits & 0xff);
    }
    return text_of(out, n);
}

static bool
is_basic(struct text value)
{
    return value.n > 6 && text_equals_nocase(text_of(value.at, 5), TEXT("Basic")) &&
           (value.at[5] == ' ' || value.at[5] == '\t');
}

static void
look_into_basic(struct search *s, struct text value)
{
    struct text plain = decode_base64(s->v->arena, text_of(value.at + 6, value.n - 6));
    const char *colon = plain.n > 0 ? memchr(plain.at, ':', plain.n) : NULL;

    look_at(s, plain);
    if (colon == NULL)
        return;
    look_through_escaped(s, text_of(plain.at, (size_t)(colon - plain.at)));
    look_through_escaped(s,
                         text_of(colon + 1, plain.n - (size_t)(colon + 1 - plain.at)));
}

/* ---- the passes */

static bool
has_any(const struct view *v)
{
    return v->handles != NULL && !handles_is_empty(v->handles);
}

static bool
may_hold_one(enum position position)
{
    return position == POSITION_CREDENTIAL || position == POSITION_COOKIE ||
           position == POSITION_SIGNED;
}

static void
search_fields(struct search *s, const struct positions *p, const struct headers *h)
{
    for (size_t i = 0; i < h->n && s->why == REASON_OK; i++) {
        if (!may_hold_one(positions_header(p, h->at[i].name)))
            continue;
        look_through_escaped(s, h->at[i].value);
        if (is_basic(h->at[i].value))
            look_into_basic(s, h->at[i].value);
    }
}

static void
search_query(struct search *s, const struct positions *p)
{
    struct text rest = s->v->query;
    struct parameter one = { 0 };

    while (s->why == REASON_OK && parameter_next(&rest, &one))
        if (may_hold_one(positions_parameter(p, one.name)))
            look_through_escaped(s, one.value);
}

static struct verdict
handle_find(void *state, struct view *v)
{
    struct search s = { .v = v, .why = REASON_OK };

    v->handle = NULL;
    if (!has_any(v))
        return pass();
    search_fields(&s, state, &v->request->headers);
    if (s.why == REASON_OK)
        search_query(&s, state);
    if (s.why != REASON_OK)
        return deny(s.why);
    v->handle = s.found;
    return pass();
}

/* ---- the second half */

static struct verdict
handle_judge_use(void *state, struct view *v)
{
    (void)state;
    if (v->handle == NULL)
        return pass();
    if (v->rule != NULL && v->rule->credential != NULL &&
        handle_is_for(v->handle, v->caller, v->rule->credential))
        return pass();
    return deny(refuse(v, v->handle, REASON_HANDLE_MISPLACED));
}

/* The credential went with the head: whatever this one is, it comes too late. */
static struct verdict
handle_judge_trailers(void *state, struct view *v, struct headers *trailers)
{
    struct search s = { .v = v, .why = REASON_OK };

    if (!has_any(v))
        return pass();
    search_fields(&s, state, trailers);
    if (s.why == REASON_OK && s.found != NULL)
        s.why = refuse(v, s.found, REASON_HANDLE_MISPLACED);
    return s.why == REASON_OK ? pass() : deny(s.why);
}

/* ---- life */

static enum reason
handle_open(const struct conf *conf, const void *settings, struct buf *report,
            void **state)
{
    (void)settings;
    (void)report;
    *state = strip_positions(conf);
    return REASON_OK;
}

static void
handle_close(void *state)
{
    positions_free(state);
}

const struct filter handle_filter = {
    .name = "handle",
    .open = handle_open,
    .on_request = handle_find,
    .close = handle_close,
};

const struct filter handle_use_filter = {
    .name = "handle",
    .open = handle_open,
    .on_request = handle_judge_use,
    .on_trailers = handle_judge_trailers,
    .close = handle_close,
};
