/* A client and the caller above a wire, for tests: gives bytes to a server wire as a
 * socket would, judges names as the proxy does, answers each request, and writes down
 * what was heard. Two ways of giving the same bytes must be heard alike. */
#ifndef TESTS_HTTP_DRIVER_H
#define TESTS_HTTP_DRIVER_H

#include "base/host.h"
#include "http/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct wire_limits usual_limits = { .head_bytes = 32 << 10,
                                                 .fields = 100,
                                                 .target_bytes = 8 << 10,
                                                 .ceiling = 64 << 10,
                                                 .streams = 100 };

/* ---- rows of http1-framing/cases.jsonl */

struct framing_row {
    char *line;
    char *id, *expect;
    char *raw;
    size_t n;
};

struct framing_rows {
    struct framing_row *at;
    size_t n;
};

/* The value of a member that holds no escape. */
static inline char *
member(char *line, const char *name)
{
    char key[32];
    char *at;

    snprintf(key, sizeof key, "\"%s\": \"", name);
    at = strstr(line, key);
    assert_non_null(at);
    return at + strlen(key);
}

static inline unsigned
base64_value(char c)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(digits, c);

    assert_true(c != '\0' && at != NULL);
    return (unsigned)(at - digits);
}

static inline void
decode_raw(struct framing_row *row, const char *base64)
{
    size_t n = strcspn(base64, "=\"");
    unsigned bits = 0, held = 0;

    row->raw = malloc(n + 1);
    assert_non_null(row->raw);
    for (size_t i = 0; i < n; i++) {
        held = held << 6 | base64_value(base64[i]);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            row->raw[row->n++] = (char)(held >> bits);
            held &= (1u << bits) - 1;
        }
    }
}

static inline struct framing_rows
rows_load(void)
{
    FILE *file = fopen(VECTORS "/http1-framing/cases.jsonl", "r");
    struct framing_rows rows = { .n = 0 };
    char *line = NULL;
    size_t size = 0;

    if (file == NULL)
        fail_msg("%s is not there", VECTORS "/http1-framing/cases.jsonl");
    while (getline(&line, &size, file) > 0) {
        struct framing_row row = { .line = strdup(line) };

        row.id = member(row.line, "id");
        row.expect = member(row.line, "expect");
        decode_raw(&row, member(row.line, "raw_b64"));
        row.id[strcspn(row.id, "\"")] = '\0';
        row.expect[strcspn(row.expect, "\"")] = '\0';
        rows.at = realloc(rows.at, (rows.n + 1) * sizeof row);
        rows.at[rows.n++] = row;
    }
    free(line);
    fclose(file);
    return rows;
}

static inline void
rows_free(struct framing_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        free(rows->at[i].line);
        free(rows->at[i].raw);
    }
    free(rows->at);
}

/* ---- the driver */

struct driver {
    struct wire_limits limits;
    struct buf in, out;
    struct wire *wire;
    struct stream *stream;
    struct arena *arena;
    struct request request;
    bool in_body, is_tunnel;

    struct buf heard;  /* everything, as text */
    struct buf bodies; /* their bytes alone, one after the other */
    struct buf told;   /* the messages that were whole, as any reader would tell them */
    struct buf telling; /* the one that is being read */
    unsigned n_heads, n_whole;
    size_t n_fields;   /* of the last head, as passed on */
    char hosts[4][64]; /* of the first heads */
    bool is_over;
    enum reason why;
};

static inline void
driver_init_within(struct driver *d, const struct wire_limits *limits)
{
    memset(d, 0, sizeof *d);
    d->limits = *limits;
    d->arena = arena_new();
    d->wire = wire_new(WIRE_HTTP1, WIRE_SERVER, &d->limits, &d->in, &d->out);
}

static inline void
driver_init(struct driver *d)
{
    driver_init_within(d, &usual_limits);
}

static inline void
driver_free(struct driver *d)
{
    if (d->stream != NULL)
        stream_close(d->stream);
    wire_free(d->wire);
    arena_free(d->arena);
    buf_free(&d->in);
    buf_free(&d->out);
    buf_free(&d->heard);
    buf_free(&d->bodies);
    buf_free(&d->told);
    buf_free(&d->telling);
}

static inline void
hear_fields(struct driver *d, const struct headers *h)
{
    for (size_t i = 0; h != NULL && i < h->n; i++) {
        buf_add(&d->heard, TEXT(" "));
        buf_add(&d->heard, h->at[i].name);
        buf_add(&d->heard, TEXT("="));
        buf_add(&d->heard, h->at[i].value);
        buf_add(&d->heard, TEXT(";"));
    }
}

/* One field as any reader would tell it. */
static inline void
tell_field(struct buf *out, struct text name, struct text value)
{
    buf_add(out, name);
    buf_add(out, TEXT(":"));
    buf_add(out, value);
    buf_add(out, TEXT("\n"));
}

static inline void
tell_fields(struct buf *out, const struct headers *h)
{
    for (size_t i = 0; h != NULL && i < h->n; i++)
        tell_field(out, h->at[i].name, h->at[i].value);
}

static inline void
tell_head(struct buf *out, const struct request *r)
{
    buf_add(out, r->method);
    buf_add(out, TEXT(" "));
    if (r->form == TARGET_ABSOLUTE) {
        buf_add(out, r->scheme);
        buf_add(out, TEXT("://"));
    }
    buf_add(out, r->authority);
    buf_add(out, r->target);
    buf_add(out, TEXT("\n"));
    tell_fields(out, &r->headers);
    buf_add(out, TEXT("\n"));
}

static inline void
driver_refuse(struct driver *d, enum reason why)
{
    d->why = why;
    d->is_over = true;
    buf_add_z(&d->heard, " REFUSED ");
    buf_add_z(&d->heard, reason_token(why));
}

/* As the proxy does: the names' grammar, and that those of one request agree. */
static inline enum reason
judge_names(const struct request *r)
{
    struct authority host, target;
    enum reason why;

    if (r->host.n > 0 && (why = authority_parse(r->host, 80, &host)) != REASON_OK)
        return why;
    if (r->form != TARGET_ABSOLUTE && r->form != TARGET_AUTHORITY)
        return r->host.n == 0 ? REASON_HOST_MISSING : REASON_OK;
    why = authority_parse(r->authority, r->form == TARGET_AUTHORITY ? 0 : 80, &target);
    if (why != REASON_OK)
        return why;
    return r->host.n == 0 || host_equals(&host.host, &target.host)
               ? REASON_OK
               : REASON_NAMES_DISAGREE;
}

static inline void
hear_head(struct driver *d)
{
    const struct request *r = &d->request;
    enum reason why = judge_names(r);

    if (d->n_heads < COUNT(d->hosts))
        snprintf(d->hosts[d->n_heads], sizeof d->hosts[0], "%.*s", TEXT_ARG(r->host));
    d->n_heads++;
    d->n_fields = r->headers.n;
    buf_free(&d->telling);
    tell_head(&d->telling, r);
    buf_printf(&d->heard, "\n%.*s %d %.*s|%.*s|", TEXT_ARG(r->method), r->form,
               TEXT_ARG(r->scheme), TEXT_ARG(r->authority));
    buf_add(&d->heard, r->target);
    buf_printf(&d->heard, " host=%.*s body=%d,%llu%s%s", TEXT_ARG(r->host),
               r->body.kind, (unsigned long long)r->body.length,
               r->expect_continue ? " expects" : "",
               r->upgrade != UPGRADE_NONE ? " upgrades" : "");
    hear_fields(d, &r->headers);
    buf_add(&d->heard, TEXT(" BODY "));
    d->in_body = true;
    if (why != REASON_OK)
        driver_refuse(d, why);
}

static inline bool
step_head(struct driver *d)
{
    enum reason why;

    if (d->stream == NULL) {
        switch (wire_next(d->wire, &d->stream)) {
        case FLOW_WAIT:
            return false;
        case FLOW_END:
            d->is_over = true;
            return false;
        case FLOW_BROKEN:
            fail_msg("broken between two messages");
            return false;
        case FLOW_OK:
            break;
        }
    }
    switch (stream_read_request(d->stream, d->arena, &d->request, &why)) {
    case FLOW_OK:
        hear_head(d);
        return true;
    case FLOW_BROKEN:
        driver_refuse(d, why);
        return false;
    default:
        return false;
    }
}

static inline void
answer(struct driver *d)
{
    struct response r = { .status = 204 };

    headers_init(&r.headers, d->arena);
    stream_write_response(d->stream, &r);
    stream_write_end(d->stream, NULL);
    stream_close(d->stream);
    d->stream = NULL;
    d->in_body = false;
    arena_reset(d->arena);
}

/* What follows is its body, to the end of the connection. */
static inline void
accept_websocket(struct driver *d)
{
    struct response r = { .status = 101, .body.kind = BODY_TUNNEL };

    headers_init(&r.headers, d->arena);
    stream_write_response(d->stream, &r);
    d->is_tunnel = true;
}

static inline bool
step_body(struct driver *d)
{
    struct text piece;
    enum reason why;

    if (d->request.upgrade == UPGRADE_WEBSOCKET && !d->is_tunnel)
        accept_websocket(d);
    switch (stream_read_body(d->stream, d->arena, &piece, &why)) {
    case FLOW_OK:
        assert_true(piece.n > 0);
        buf_add(&d->heard, piece);
        buf_add(&d->bodies, piece);
        buf_add(&d->telling, piece);
        return true;
    case FLOW_END:
        assert_true(stream_has_read_all(d->stream));
        buf_add(&d->heard, TEXT(" TRAILERS"));
        hear_fields(d, stream_trailers(d->stream));
        buf_add(&d->heard, TEXT(" WHOLE"));
        d->n_whole++;
        buf_add(&d->telling, TEXT("\n"));
        tell_fields(&d->telling, stream_trailers(d->stream));
        if (!d->is_tunnel) /* which other readers take for something else */
            buf_add(&d->told, buf_text(&d->telling));
        if (d->request.form == TARGET_AUTHORITY || d->is_tunnel)
            d->is_over = true; /* what follows is the tunnel's */
        else
            answer(d);
        return true;
    case FLOW_BROKEN:
        driver_refuse(d, why);
        return false;
    default:
        return false;
    }
}

static inline void
driver_run(struct driver *d)
{
    bool goes_on = true;

    while (goes_on && !d->is_over)
        goes_on = d->in_body ? step_body(d) : step_head(d);
}

static inline void
driver_give(struct driver *d, const char *at, size_t n)
{
    buf_add(&d->in, text_of(at, n));
    driver_run(d);
}

static inline void
driver_end(struct driver *d)
{
    wire_read_closed(d->wire);
    driver_run(d);
    assert_true(d->is_over);
}

static inline void
driver_give_all(struct driver *d, const char *at, size_t n)
{
    driver_init(d);
    driver_give(d, at, n);
    driver_end(d);
}

static inline bool
driver_heard_same(const struct driver *a, const struct driver *b)
{
    return text_equals(buf_text(&a->heard), buf_text(&b->heard));
}

#endif
