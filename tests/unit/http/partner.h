/* llhttp over the bytes that our wire read, or wrote: what it hears is told as driver.h
 * tells it, so that the two can be held against each other. Also the list of where it
 * is known to refuse what RFC 9112 allows. */
#ifndef TESTS_HTTP_PARTNER_H
#define TESTS_HTTP_PARTNER_H

#include "driver.h"

#include <llhttp.h>

enum { FIELDS_MAX = 1200 };

struct partner {
    llhttp_t parser;
    struct buf told, telling, url, body;
    struct buf names[FIELDS_MAX], values[FIELDS_MAX];
    size_t n_fields, n_head_fields;
    bool in_value, is_head_whole;
    unsigned n_whole;
    const char *method;
    llhttp_errno_t error;
    const char *error_at;
};

static inline int
partner_url(llhttp_t *l, const char *at, size_t n)
{
    struct partner *p = l->data;

    buf_add(&p->url, text_of(at, n));
    return 0;
}

static inline int
partner_name(llhttp_t *l, const char *at, size_t n)
{
    struct partner *p = l->data;

    if (p->in_value || p->n_fields == 0) {
        assert_true(p->n_fields < FIELDS_MAX);
        p->n_fields++;
    }
    p->in_value = false;
    buf_add(&p->names[p->n_fields - 1], text_of(at, n));
    return 0;
}

static inline int
partner_value(llhttp_t *l, const char *at, size_t n)
{
    struct partner *p = l->data;

    p->in_value = true;
    buf_add(&p->values[p->n_fields - 1], text_of(at, n));
    return 0;
}

static inline int
partner_head(llhttp_t *l)
{
    struct partner *p = l->data;

    p->method = llhttp_method_name(l->method);
    p->n_head_fields = p->n_fields;
    /* By itself llhttp waits for the body whose length a
     * 304 tells, which RFC 9112 section 6.3 says is not there. Its callers tell it so.
     */
    return l->type == HTTP_RESPONSE && l->status_code == 304;
}

static inline int
partner_body(llhttp_t *l, const char *at, size_t n)
{
    struct partner *p = l->data;

    buf_add(&p->body, text_of(at, n));
    return 0;
}

/* An empty path is "/", or "*" for OPTIONS: RFC 9112 section 3.2.4. */
static inline void
tell_target(struct partner *p)
{
    struct text url = buf_text(&p->url);
    const char *scheme = memmem(url.at, url.n, "://", 3);
    size_t n = 0;

    if (scheme == NULL || url.at[0] == '/') {
        buf_add(&p->telling, url);
        return;
    }
    n = (size_t)(scheme - url.at) + 3;
    while (n < url.n && url.at[n] != '/' && url.at[n] != '?')
        n++;
    buf_add(&p->telling, text_of(url.at, n));
    if (n == url.n)
        buf_add_z(&p->telling, strcmp(p->method, "OPTIONS") == 0 ? "*" : "/");
    else if (url.at[n] == '?')
        buf_add_z(&p->telling, "/");
    buf_add(&p->telling, text_of(url.at + n, url.n - n));
}

static inline bool
is_named_in_connection(const struct partner *p, struct text name)
{
    struct text rest, part;

    for (size_t i = 0; i < p->n_head_fields; i++) {
        if (!text_equals_nocase(buf_text(&p->names[i]), TEXT("Connection")))
            continue;
        rest = buf_text(&p->values[i]);
        while (text_split(&rest, ',', &part))
            if (text_equals_nocase(text_trim(part), name))
                return true;
    }
    return false;
}

/* Without the connection's own, as the wire tells them. */
static inline void
tell_partner_fields(struct partner *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        struct text name = buf_text(&p->names[i]);
        bool is_named = i < p->n_head_fields && is_named_in_connection(p, name);

        bool is_left_out = i >= p->n_head_fields &&
                           (field_is_forbidden_in_trailer(name) ||
                            (text_has_byte(name, '_') &&
                             field_is_guarded_in_disguise(name)));

        if (field_kind(name) == FIELD_PLAIN && !is_left_out &&
            (!is_named || field_is_guarded(name)))
            tell_field(&p->telling, name, text_trim(buf_text(&p->values[i])));
    }
}

static inline void
partner_forget(struct partner *p)
{
    for (size_t i = 0; i < p->n_fields; i++) {
        buf_free(&p->names[i]);
        buf_free(&p->values[i]);
    }
    buf_free(&p->url);
    buf_free(&p->body);
    buf_free(&p->telling);
    p->n_fields = 0;
    p->in_value = false;
}

static inline int
partner_begin(llhttp_t *l)
{
    partner_forget(l->data);
    return 0;
}

static inline int
partner_end(llhttp_t *l)
{
    struct partner *p = l->data;

    if (l->type == HTTP_REQUEST) {
        buf_add_z(&p->telling, p->method);
        buf_add_z(&p->telling, " ");
        tell_target(p);
    } else {
        buf_add_u64(&p->telling, l->status_code);
    }
    buf_add_z(&p->telling, "\n");
    tell_partner_fields(p, 0, p->n_head_fields);
    buf_add_z(&p->telling, "\n");
    buf_add(&p->telling, buf_text(&p->body));
    buf_add_z(&p->telling, "\n");
    tell_partner_fields(p, p->n_head_fields, p->n_fields);
    buf_add(&p->told, buf_text(&p->telling));
    p->n_whole++;
    return 0;
}

static llhttp_settings_t partner_settings;

static inline void
partner_read(struct partner *p, llhttp_type_t type, struct text bytes)
{
    const char *at = bytes.at;

    memset(p, 0, sizeof *p);
    llhttp_settings_init(&partner_settings);
    partner_settings.on_message_begin = partner_begin;
    partner_settings.on_url = partner_url;
    partner_settings.on_header_field = partner_name;
    partner_settings.on_header_value = partner_value;
    partner_settings.on_headers_complete = partner_head;
    partner_settings.on_body = partner_body;
    partner_settings.on_message_complete = partner_end;
    llhttp_init(&p->parser, type, &partner_settings);
    p->parser.data = p;
    p->error = llhttp_execute(&p->parser, at, bytes.n);
    /* It stops behind an upgrade request; we do not take part in upgrades and read on.
     */
    while (p->error == HPE_PAUSED_UPGRADE && strcmp(p->method, "CONNECT") != 0) {
        at = llhttp_get_error_pos(&p->parser);
        llhttp_resume_after_upgrade(&p->parser);
        p->error = llhttp_execute(&p->parser, at, bytes.n - (size_t)(at - bytes.at));
    }
    p->error_at = p->error == HPE_OK ? NULL : llhttp_get_error_pos(&p->parser);
    if (p->error == HPE_OK)
        p->error = llhttp_finish(&p->parser);
}

static inline void
partner_free(struct partner *p)
{
    partner_forget(p);
    buf_free(&p->told);
}

/* ---- where llhttp 8.1 is known to refuse what RFC 9112 allows */

/* Section 7.1.1: another extension may follow one whose value is a token. It reads that
 * one as a size. */
static inline bool
stumbles_behind_extension_value(const struct partner *p, const char *begin)
{
    const char *at = p->error_at;

    if (p->error != HPE_INVALID_CHUNK_SIZE || at == NULL || at - begin < 3 ||
        at[-1] != ';')
        return false;
    for (at -= 2; at > begin && *at != '='; at--)
        if (*at == '\n' || *at == ';')
            return false;
    return *at == '=';
}

/* RFC 9110 section 5.6.4: a quoted-pair in the value of an extension. */
static inline bool
stumbles_over_quoted_pair(const struct partner *p, const char *begin)
{
    return p->error == HPE_STRICT && p->error_at != NULL && p->error_at > begin &&
           p->error_at[-1] == '\\' &&
           strcmp(llhttp_get_error_reason(&p->parser),
                  "Invalid character in chunk extensions quoted value") == 0;
}

/* RFC 9110 section 5.6.3: HTAB is white space too. It does not see this keep-alive, so
 * HTTP/1.0 ends for it. */
static inline bool
misses_keep_alive_before_tab(const struct partner *p)
{
    for (size_t i = 0; p->error == HPE_CLOSED_CONNECTION && i < p->n_head_fields; i++) {
        struct text value = buf_text(&p->values[i]);

        if (text_equals_nocase(buf_text(&p->names[i]), TEXT("Connection")) &&
            memmem(value.at, value.n, "keep-alive\t", 11) != NULL)
            return true;
    }
    return false;
}

/* Only that it refuses: what it had read until then must still be what we read. */
static inline bool
is_known_refusal(const struct partner *p, const char *begin, struct text ours,
                 struct text theirs)
{
    return text_starts(ours, theirs) &&
           (stumbles_behind_extension_value(p, begin) ||
            stumbles_over_quoted_pair(p, begin) || misses_keep_alive_before_tab(p));
}

/* ---- requests */

static inline void
print_bytes(const char *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (at[i] >= ' ' && at[i] < 0x7f)
            fprintf(stderr, "%c", at[i]);
        else
            fprintf(stderr, "\\x%02x", (unsigned char)at[i]);
    }
    fprintf(stderr, "\n");
}

/* True when our wire found at least one whole message. */
static inline bool
partner_compares(const char *what, const char *at, size_t n)
{
    static struct partner theirs;
    struct driver ours;
    struct text a, b;
    bool is_same, any;

    driver_give_all(&ours, at, n);
    partner_read(&theirs, HTTP_REQUEST, text_of(at, n));
    a = buf_text(&ours.told);
    b = buf_text(&theirs.told);
    any = ours.n_whole > 0;
    /* We stop at the first refusal, or where HTTP does; what llhttp reads behind it is
     * not asked. */
    is_same = ours.why == REASON_OK && buf_length(&ours.in) == 0 && !ours.is_tunnel
                  ? text_equals(a, b)
                  : text_starts(b, a);
    if ((ours.n_whole > theirs.n_whole || !is_same) &&
        !is_known_refusal(&theirs, at, a, b)) {
        print_bytes(at, n);
        fail_msg("%s: llhttp says %s:\n%.*s\nours (%s):\n%.*s", what,
                 llhttp_errno_name(theirs.error), TEXT_ARG(b), reason_token(ours.why),
                 TEXT_ARG(a));
    }
    partner_free(&theirs);
    driver_free(&ours);
    return any;
}

/* ---- answers */

struct writer {
    struct buf in, out;
    struct wire *wire;
    struct stream *stream;
    struct arena *arena;
};

static inline void
writer_init(struct writer *w, enum wire_role role)
{
    *w = (struct writer){ .arena = arena_new() };
    w->wire = wire_new(WIRE_HTTP1, role, &usual_limits, &w->in, &w->out);
    if (role == WIRE_CLIENT)
        w->stream = wire_open(w->wire);
}

static inline void
writer_free(struct writer *w)
{
    stream_close(w->stream);
    wire_free(w->wire);
    arena_free(w->arena);
    buf_free(&w->in);
    buf_free(&w->out);
}

/* What the client side of a wire makes of the answer to a GET; true when the final one
 * was whole. */
static inline bool
hear_answer(struct writer *w, struct buf *told)
{
    struct response r = { .status = 0 };
    struct buf telling = { 0 };
    struct text piece;
    enum reason why;
    enum flow flow = FLOW_OK;

    while (r.status < 200 && flow == FLOW_OK) {
        flow = stream_read_response(w->stream, w->arena, &r, &why);
        if (flow == FLOW_OK) {
            buf_printf(&telling, "%d\n", r.status);
            tell_fields(&telling, &r.headers);
            buf_add_z(&telling, r.status < 200 ? "\n\n" : "\n");
        }
    }
    while (flow == FLOW_OK &&
           (flow = stream_read_body(w->stream, w->arena, &piece, &why)) == FLOW_OK)
        buf_add(&telling, piece);
    if (flow == FLOW_END) {
        buf_add_z(&telling, "\n");
        tell_fields(&telling, stream_trailers(w->stream));
        buf_add(told, buf_text(&telling));
    }
    buf_free(&telling);
    return flow == FLOW_END;
}

static inline bool
partner_compares_answer(const char *at, size_t n)
{
    static struct partner theirs;
    struct request get = { .method = TEXT("GET") };
    struct buf told = { 0 };
    struct writer w;
    bool is_whole;

    writer_init(&w, WIRE_CLIENT);
    headers_init(&get.headers, w.arena);
    stream_write_request(w.stream, &get, TEXT("/"), text_of(NULL, 0), TEXT("a.test"));
    stream_write_end(w.stream, NULL);
    buf_add(&w.in, text_of(at, n));
    wire_read_closed(w.wire);
    is_whole = hear_answer(&w, &told);
    partner_read(&theirs, HTTP_RESPONSE, text_of(at, n));
    /* llhttp goes on to answers nobody asked for. */
    if (is_whole && !text_starts(buf_text(&theirs.told), buf_text(&told)) &&
        !is_known_refusal(&theirs, at, buf_text(&told), buf_text(&theirs.told))) {
        print_bytes(at, n);
        fail_msg("llhttp says %s:\n%.*s\nours:\n%.*s", llhttp_errno_name(theirs.error),
                 TEXT_ARG(buf_text(&theirs.told)), TEXT_ARG(buf_text(&told)));
    }
    partner_free(&theirs);
    buf_free(&told);
    writer_free(&w);
    return is_whole;
}

#endif
