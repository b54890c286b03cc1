/* llhttp, another reader by other people, over the same bytes. Whatever our wire calls
 * a whole message llhttp must call one too, with the same method, target, fields, body
 * and trailers; and it must read what we write as we meant it. */
#include "base/log.h"
#include "driver.h"

#include <time.h>

#ifndef HAVE_LLHTTP

int
main(void)
{
    puts("SKIPPED: test_llhttp: node-llhttp's C sources are not in /usr/share/llhttp");
    return 77;
}

#else

#include <llhttp.h>

enum { MUTATIONS = 12000, FIELDS_MAX = 1200 };

/* ---- the partner: what it hears, told as the driver tells it */

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

static int
partner_url(llhttp_t *l, const char *at, size_t n)
{
    struct partner *p = l->data;

    buf_add(&p->url, text_of(at, n));
    return 0;
}

static int
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

static int
partner_value(llhttp_t *l, const char *at, size_t n)
{
    struct partner *p = l->data;

    p->in_value = true;
    buf_add(&p->values[p->n_fields - 1], text_of(at, n));
    return 0;
}

static int
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

static int
partner_body(llhttp_t *l, const char *at, size_t n)
{
    struct partner *p = l->data;

    buf_add(&p->body, text_of(at, n));
    return 0;
}

/* An empty path is "/", or "*" for OPTIONS: RFC 9112 section 3.2.4. */
static void
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

static bool
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
static void
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

static void
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

static int
partner_begin(llhttp_t *l)
{
    partner_forget(l->data);
    return 0;
}

static int
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

static void
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

static void
partner_free(struct partner *p)
{
    partner_forget(p);
    buf_free(&p->told);
}

/* ---- where llhttp 8.1 is known to refuse what RFC 9112 allows */

/* Section 7.1.1: another extension may follow one whose value is a token. It reads that
 * one as a size. */
static bool
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
static bool
stumbles_over_quoted_pair(const struct partner *p, const char *begin)
{
    return p->error == HPE_STRICT && p->error_at != NULL && p->error_at > begin &&
           p->error_at[-1] == '\\' &&
           strcmp(llhttp_get_error_reason(&p->parser),
                  "Invalid character in chunk extensions quoted value") == 0;
}

/* RFC 9110 section 5.6.3: HTAB is white space too. It does not see this keep-alive, so
 * HTTP/1.0 ends for it. */
static bool
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
static bool
is_known_refusal(const struct partner *p, const char *begin, struct text ours,
                 struct text theirs)
{
    return text_starts(ours, theirs) &&
           (stumbles_behind_extension_value(p, begin) ||
            stumbles_over_quoted_pair(p, begin) || misses_keep_alive_before_tab(p));
}

/* ---- rows and mutations */

static uint64_t random_state;

static size_t
random_below(size_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state >> 11) % n;
}

static void
random_begin(void)
{
    const char *given = getenv("HOLDFAST_SEED");

    random_state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    random_state += random_state == 0;
    printf("HOLDFAST_SEED=%llu\n", (unsigned long long)random_state);
}

static struct framing_rows rows;

static int
load(void **state)
{
    (void)state;
    rows = rows_load();
    random_begin();
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    rows_free(&rows);
    return 0;
}

static void
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
static bool
compare(const char *what, const char *at, size_t n)
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
    /* We stop at the first refusal; what llhttp reads behind it is not asked. */
    is_same = ours.why == REASON_OK && buf_length(&ours.in) == 0 ? text_equals(a, b)
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

static void
what_we_hear_in_each_row_llhttp_hears_too(void **state)
{
    size_t whole = 0;

    (void)state;
    for (size_t i = 0; i < rows.n; i++)
        whole += compare(rows.at[i].id, rows.at[i].raw, rows.at[i].n);
    assert_true(whole >= 20);
}

/* One that llhttp learns to read fails here, and its exemption goes. */
static void
the_known_refusals_are_still_llhttps(void **state)
{
#define CHUNKED      "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
#define OLD(options) "GET / HTTP/1.0\r\nHost: a.test\r\nConnection: " options "\r\n\r\n"
    static const struct {
        const char *bytes;
        unsigned n_ours, n_theirs;
        bool is_known;
    } known_rows[] = {
        { CHUNKED "1;a=b;c\r\nx\r\n0\r\n\r\n", 1, 0, true },
        { CHUNKED "1;a=\"\\\"\"\r\nx\r\n0\r\n\r\n", 1, 0, true },
        { OLD("keep-alive\t") OLD("close"), 2, 1, true },
        /* The same things one step away are read, or are refused by both. */
        { CHUNKED "1;a;c=b\r\nx\r\n0\r\n\r\n", 1, 1, false },
        { CHUNKED "1;a=\"b\";c\r\nx\r\n0\r\n\r\n", 1, 1, false },
        { OLD("keep-alive ") OLD("close"), 2, 2, false },
        { CHUNKED "1;a=b;;\r\nx\r\n0\r\n\r\n", 0, 0, false },
        { CHUNKED "g\r\nx\r\n0\r\n\r\n", 0, 0, false },
    };
#undef CHUNKED
#undef OLD
    static struct partner theirs;

    (void)state;
    for (size_t i = 0; i < COUNT(known_rows); i++) {
        const char *bytes = known_rows[i].bytes;
        struct driver ours;

        driver_give_all(&ours, bytes, strlen(bytes));
        partner_read(&theirs, HTTP_REQUEST, text_z(bytes));
        if (ours.n_whole != known_rows[i].n_ours ||
            theirs.n_whole != known_rows[i].n_theirs)
            fail_msg("row %zu: %u of ours, %u of theirs", i, ours.n_whole,
                     theirs.n_whole);
        if (is_known_refusal(&theirs, bytes, buf_text(&ours.told),
                             buf_text(&theirs.told)) != known_rows[i].is_known)
            fail_msg("row %zu: llhttp says %s: %s", i, llhttp_errno_name(theirs.error),
                     llhttp_get_error_reason(&theirs.parser));
        partner_free(&theirs);
        driver_free(&ours);
    }
}

/* More to start from than the innocent rows. */
static const char *const seeds[] = {
    "POST /a?b=c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"
    "3\r\nabc\r\nA;n=v\r\n0123456789\r\n0\r\nX-T: 1\r\nY-T:\r\n\r\n"
    "GET /next HTTP/1.1\r\nHost: b.test\r\n\r\n",
    "PUT /x HTTP/1.1\r\nhost:a.test\r\ncontent-length:3\r\nconnection: x-a, "
    "close\r\nx-a: 1\r\n\r\nabc",
    "GET http://a.test:80/p?q HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\nCookie: "
    "a=b\r\n\r\n"
    "DELETE /x HTTP/1.1\r\nHost: a.test\r\nX-Empty:\r\nX-Tab:\ta\tb\t \r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\nContent-Length: "
    "2\r\n\r\nab"
    "GET / HTTP/1.0\r\nHost: a.test\r\n\r\n",
    "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
    "OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\nUpgrade: h2c\r\nConnection: "
    "Upgrade\r\n\r\n"
    "HEAD /y HTTP/1.1\r\nHost: a.test\r\n\r\n",
};

/* Bytes and words on which readers have differed. */
static const char *const spice[] = {
    "\r",
    "\n",
    "\r\n",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "\v",
    "\f",
    "\x7f",
    "\x80",
    "\xff",
    "0",
    "1",
    "5",
    "F",
    "_",
    "-",
    "\"",
    "#",
    "?",
    "/",
    "@",
    "chunked",
    "Chunked",
    "identity",
    "close",
    "keep-alive",
    "\r\n ",
    "\r\n\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Host: a.test\r\n",
    "Connection: close\r\n",
    "Connection: Host\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: websocket\r\n",
    "Trailer: x\r\n",
    "HTTP/1.0",
    "HTTP/1.1",
    "GET / HTTP/1.1\r\n",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "00",
    "+",
    "0x",
    "http://",
};

static size_t
splice(char *at, size_t n, size_t from, size_t cut, const char *put, size_t put_n)
{
    memmove(at + from + put_n, at + from + cut, n - from - cut);
    memcpy(at + from, put, put_n);
    return n - cut + put_n;
}

/* at has room for four kilobytes more than a seed. */
static size_t
mutate(char *at, size_t n)
{
    for (size_t times = 1 + random_below(3); times > 0 && n > 0; times--) {
        size_t from = random_below(n), some = 1 + random_below(8);
        const char *word = spice[random_below(COUNT(spice))];
        char copy[8];

        some = some > n - from ? n - from : some;
        switch (random_below(5)) {
        case 0:
            at[from] = (char)random_below(256);
            break;
        case 1:
            n = splice(at, n, from, some, "", 0);
            break;
        case 2:
            n = splice(at, n, from, 0, word, strlen(word));
            break;
        case 3:
            n = splice(at, n, from, 1, word, strlen(word));
            break;
        default:
            memcpy(copy, at + from, some);
            n = splice(at, n, random_below(n), 0, copy, some);
            break;
        }
    }
    return n;
}

static size_t
pick_seed(char *out, size_t room)
{
    for (;;) {
        size_t i = random_below(rows.n + COUNT(seeds) * 8);
        const char *at = i < rows.n ? rows.at[i].raw : seeds[i % COUNT(seeds)];
        size_t n = i < rows.n ? rows.at[i].n : strlen(at);

        if ((i < rows.n && strcmp(rows.at[i].expect, "reject") == 0) || n > room)
            continue;
        memcpy(out, at, n);
        return n;
    }
}

static void
what_we_hear_in_mutated_requests_llhttp_hears_too(void **state)
{
    static char bytes[8192];
    size_t whole = 0;

    (void)state;
    for (size_t i = 0; i < MUTATIONS; i++) {
        size_t n = pick_seed(bytes, sizeof bytes - 4096);

        n = mutate(bytes, n);
        whole += compare("a mutation", bytes, n);
    }
    printf("%zu of %d still held a whole message\n", whole, MUTATIONS);
    assert_true(whole > MUTATIONS / 20);
}

/* ---- what we write */

struct writer {
    struct buf in, out;
    struct wire *wire;
    struct stream *stream;
    struct arena *arena;
};

static void
writer_init(struct writer *w, enum wire_role role)
{
    *w = (struct writer){ .arena = arena_new() };
    w->wire = wire_new(WIRE_HTTP1, role, &usual_limits, &w->in, &w->out);
    if (role == WIRE_CLIENT)
        w->stream = wire_open(w->wire);
}

static void
writer_free(struct writer *w)
{
    stream_close(w->stream);
    wire_free(w->wire);
    arena_free(w->arena);
    buf_free(&w->in);
    buf_free(&w->out);
}

/* "hello" as 2 and 3 bytes where there is a body. */
static void
write_hello(struct stream *s, bool has_body, const struct headers *trailers)
{
    if (has_body) {
        stream_write_body(s, TEXT("he"));
        stream_write_body(s, TEXT(""));
        stream_write_body(s, TEXT("llo"));
    }
    stream_write_end(s, trailers);
    assert_true(stream_has_written_all(s));
}

static const struct written_request {
    const char *method, *path, *query;
    struct body_frame body;
    bool has_trailer, expects;
    const char *framing; /* the field that must stand there; NULL: none may */
} written_requests[] = {
    { "GET", "/", NULL, { BODY_NONE, 0 }, false, false, NULL },
    { "GET", "/", "", { BODY_NONE, 0 }, false, false, NULL },
    { "GET", "/a/b", "c=d&e", { BODY_NONE, 0 }, false, false, NULL },
    { "GET", "/", NULL, { BODY_LENGTH, 5 }, false, false, "Content-Length" },
    { "HEAD", "/", NULL, { BODY_NONE, 0 }, false, false, NULL },
    { "POST", "/", NULL, { BODY_NONE, 0 }, false, false, "Content-Length" },
    { "POST", "/", NULL, { BODY_LENGTH, 0 }, false, false, "Content-Length" },
    { "POST", "/x", "y", { BODY_LENGTH, 5 }, false, true, "Content-Length" },
    { "PUT", "/", NULL, { BODY_STREAM, 0 }, false, true, "Transfer-Encoding" },
    { "PATCH", "/", NULL, { BODY_STREAM, 0 }, true, false, "Transfer-Encoding" },
    { "DELETE", "/", NULL, { BODY_NONE, 0 }, false, false, NULL },
    { "OPTIONS", "*", NULL, { BODY_NONE, 0 }, false, false, NULL },
    { "M-SEARCH", "/", NULL, { BODY_NONE, 0 }, false, false, NULL },
};

static void
write_request(struct writer *w, const struct written_request *row, struct buf *expected)
{
    struct request r = { .method = text_z(row->method),
                         .body = row->body,
                         .expect_continue = row->expects };
    struct text query = row->query == NULL ? text_of(NULL, 0) : text_z(row->query);
    struct headers trailers;
    bool has_body = row->body.kind == BODY_STREAM || row->body.length > 0;

    headers_init(&r.headers, w->arena);
    headers_init(&trailers, w->arena);
    headers_add(&r.headers, TEXT("X-One"), TEXT("1"));
    headers_add(&r.headers, TEXT("x-two"), TEXT("a, \t\xff b"));
    headers_add(&r.headers, TEXT("X-Empty"), TEXT(""));
    if (row->has_trailer)
        headers_add(&trailers, TEXT("X-Sum"), TEXT("7"));
    stream_write_request(w->stream, &r, text_z(row->path), query, TEXT("a.test:8080"));
    write_hello(w->stream, has_body, &trailers);
    buf_printf(expected, "%s %s%s%s\n", row->method, row->path,
               row->query == NULL ? "" : "?", row->query == NULL ? "" : row->query);
    tell_fields(expected, &r.headers);
    buf_printf(expected, "\n%s\n", has_body ? "hello" : "");
    tell_fields(expected, &trailers);
}

static size_t
partner_count(const struct partner *p, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_fields; i++)
        n += text_equals_nocase(buf_text(&p->names[i]), text_z(name));
    return n;
}

static void
llhttp_reads_the_requests_we_write(void **state)
{
    static struct partner theirs;

    (void)state;
    for (size_t i = 0; i < COUNT(written_requests); i++) {
        const struct written_request *row = &written_requests[i];
        struct buf expected = { 0 };
        struct writer w;

        writer_init(&w, WIRE_CLIENT);
        write_request(&w, row, &expected);
        partner_read(&theirs, HTTP_REQUEST, buf_text(&w.out));
        assert_int_equal(theirs.error, HPE_OK);
        assert_int_equal(theirs.n_whole, 1);
        if (!text_equals(buf_text(&theirs.told), buf_text(&expected)))
            fail_msg("row %zu: %.*s", i, TEXT_ARG(buf_text(&w.out)));
        assert_true(text_equals(buf_text(&theirs.names[0]), TEXT("Host")));
        assert_true(text_equals(buf_text(&theirs.values[0]), TEXT("a.test:8080")));
        assert_int_equal(partner_count(&theirs, "Host"), 1);
        assert_int_equal(partner_count(&theirs, "Expect"), row->expects);
        assert_int_equal(partner_count(&theirs, "Content-Length") +
                             partner_count(&theirs, "Transfer-Encoding"),
                         row->framing != NULL);
        if (row->framing != NULL)
            assert_int_equal(partner_count(&theirs, row->framing), 1);
        partner_free(&theirs);
        buf_free(&expected);
        writer_free(&w);
    }
}

static const struct written_response {
    const char *request;
    int status;
    struct body_frame body;
    bool has_trailer;
    const char *connection; /* NULL: none */
    bool is_kept;
    const char *body_read;
} written_responses[] = {
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      200,
      { BODY_LENGTH, 5 },
      false,
      NULL,
      true,
      "hello" },
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      200,
      { BODY_NONE, 0 },
      false,
      NULL,
      true,
      "" },
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      204,
      { BODY_NONE, 0 },
      false,
      NULL,
      true,
      "" },
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      304,
      { BODY_NONE, 0 },
      false,
      NULL,
      true,
      "" },
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      200,
      { BODY_STREAM, 0 },
      false,
      NULL,
      true,
      "hello" },
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      200,
      { BODY_STREAM, 0 },
      true,
      NULL,
      true,
      "hello" },
    { "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      404,
      { BODY_LENGTH, 5 },
      false,
      "close",
      false,
      "hello" },
    { "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      200,
      { BODY_STREAM, 0 },
      false,
      "close",
      false,
      "hello" },
    { "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
      200,
      { BODY_LENGTH, 5 },
      false,
      "close",
      false,
      "hello" },
    { "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
      200,
      { BODY_STREAM, 0 },
      true,
      "close",
      false,
      "hello" },
    { "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
      200,
      { BODY_LENGTH, 5 },
      false,
      "keep-alive",
      true,
      "hello" },
    { "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
      200,
      { BODY_STREAM, 0 },
      false,
      "close",
      false,
      "hello" },
};

static void
begin_answer(struct writer *w, const char *request)
{
    struct request r;
    struct text piece;
    enum reason why;

    writer_init(w, WIRE_SERVER);
    buf_add_z(&w->in, request);
    assert_int_equal(wire_next(w->wire, &w->stream), FLOW_OK);
    assert_int_equal(stream_read_request(w->stream, w->arena, &r, &why), FLOW_OK);
    assert_int_equal(stream_read_body(w->stream, w->arena, &piece, &why), FLOW_END);
}

static void
write_response(struct writer *w, const struct written_response *row,
               struct buf *expected)
{
    struct response r = { .status = row->status,
                          .reason_phrase = TEXT("Fine so far"),
                          .body = row->body };
    struct headers trailers;

    headers_init(&r.headers, w->arena);
    headers_init(&trailers, w->arena);
    headers_add(&r.headers, TEXT("Server"), TEXT("x y"));
    if (row->has_trailer)
        headers_add(&trailers, TEXT("X-Sum"), TEXT("7"));
    stream_write_response(w->stream, &r);
    write_hello(w->stream, row->body.kind != BODY_NONE, &trailers);
    buf_printf(expected, "%d\nServer:x y\n\n%s\n", row->status, row->body_read);
    if (row->has_trailer && row->is_kept)
        buf_add_z(expected, "X-Sum:7\n");
}

static void
llhttp_reads_the_answers_we_write(void **state)
{
    static struct partner theirs;

    (void)state;
    for (size_t i = 0; i < COUNT(written_responses); i++) {
        const struct written_response *row = &written_responses[i];
        struct buf expected = { 0 };
        struct writer w;

        begin_answer(&w, row->request);
        write_response(&w, row, &expected);
        assert_int_equal(wire_may_reuse(w.wire), row->is_kept);
        partner_read(&theirs, HTTP_RESPONSE, buf_text(&w.out));
        assert_int_equal(theirs.error, HPE_OK);
        assert_int_equal(theirs.n_whole, 1);
        if (!text_equals(buf_text(&theirs.told), buf_text(&expected)))
            fail_msg("row %zu: %.*s\n%.*s", i, TEXT_ARG(buf_text(&w.out)),
                     TEXT_ARG(buf_text(&theirs.told)));
        assert_int_equal(partner_count(&theirs, "Connection"), row->connection != NULL);
        for (size_t f = 0; f < theirs.n_fields && row->connection != NULL; f++)
            if (text_equals(buf_text(&theirs.names[f]), TEXT("Connection")))
                assert_true(
                    text_equals(buf_text(&theirs.values[f]), text_z(row->connection)));
        partner_free(&theirs);
        buf_free(&expected);
        writer_free(&w);
    }
}

/* ---- answers, as they are and mutated */

static const char *const answer_seeds[] = {
    "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nDate: today\r\n\r\nhello",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nVary: *\r\n\r\n"
    "3\r\nabc\r\nA;n=v\r\n0123456789\r\n0\r\nX-T: 1\r\nSet-Cookie: a\r\nY-T:\r\n\r\n",
    "HTTP/1.1 200 \r\nX: y\r\n\r\nuntil the connection closes",
    "HTTP/1.0 200 OK\r\nX-Empty:\r\nX-Tab:\ta\tb\t \r\n\r\nold",
    "HTTP/1.1 204 No Content\r\nConnection: x-a\r\nX-A: 1\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: \"x\"\r\n\r\n",
    "HTTP/1.1 500\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno",
};

/* What the client side of a wire makes of the answer to a GET; true when the final one
 * was whole. */
static bool
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

static bool
compare_answer(const char *at, size_t n)
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

static void
what_we_hear_in_answers_llhttp_hears_too(void **state)
{
    static char bytes[8192];
    size_t whole = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(answer_seeds); i++)
        assert_true(compare_answer(answer_seeds[i], strlen(answer_seeds[i])));
    /* Thousands of refusals would be thousands of log lines. */
    assert_int_equal(log_open("/dev/null", LOG_JSON, LOG_ERROR), REASON_OK);
    for (size_t i = 0; i < MUTATIONS; i++) {
        const char *seed = answer_seeds[random_below(COUNT(answer_seeds))];
        size_t n = strlen(seed);

        memcpy(bytes, seed, n);
        n = mutate(bytes, n);
        whole += compare_answer(bytes, n);
    }
    log_close();
    printf("%zu of %d were still whole\n", whole, MUTATIONS);
    assert_true(whole > MUTATIONS / 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_we_hear_in_each_row_llhttp_hears_too),
        cmocka_unit_test(the_known_refusals_are_still_llhttps),
        cmocka_unit_test(what_we_hear_in_mutated_requests_llhttp_hears_too),
        cmocka_unit_test(llhttp_reads_the_requests_we_write),
        cmocka_unit_test(llhttp_reads_the_answers_we_write),
        cmocka_unit_test(what_we_hear_in_answers_llhttp_hears_too),
    };

    return cmocka_run_group_tests(tests, load, unload);
}

#endif
