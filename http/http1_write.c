/* Heads are written from values, never copied: no byte of a stranger's framing goes on.
 * What stands in the values came through the lexer or from ourselves, so a CR, LF or
 * NUL in one is our own mistake, and an assert. */
#include "http/http1.h"

#include <assert.h>
#include <string.h>

enum { PUNCTUATION = 4 }; /* ": " and CR LF round a field */

/* Eight bytes at a time: none is below `least`. */
static bool
is_clean(struct text t, unsigned char least)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t eight, low = 0;
    size_t i = 0;

    for (; t.n - i >= sizeof eight; i += sizeof eight) {
        memcpy(&eight, t.at + i, sizeof eight);
        low |= (eight - ones * least) & ~eight & tops;
    }
    for (; i < t.n && low == 0; i++)
        low = (unsigned char)t.at[i] < least;
    return low == 0;
}

static bool
is_clean_value(struct text t)
{
    if (is_clean(t, ' '))
        return true;
    /* Perhaps only tabs. */
    return memchr(t.at, '\r', t.n) == NULL && memchr(t.at, '\n', t.n) == NULL &&
           memchr(t.at, '\0', t.n) == NULL;
}

static bool
is_clean_word(struct text t)
{
    return is_clean(t, '!');
}

static char *
put(char *at, struct text t)
{
    if (t.n > 0)
        memcpy(at, t.at, t.n);
    return at + t.n;
}

static char *
put_line(char *at, struct text name, struct text value)
{
    assert(name.n > 0 && is_clean_word(name) && is_clean_value(value));
    at = put(at, name);
    *at++ = ':';
    *at++ = ' ';
    at = put(at, value);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

static size_t
fields_size(const struct headers *h)
{
    size_t n = 0;

    for (size_t i = 0; i < h->n; i++)
        n += h->at[i].name.n + h->at[i].value.n + PUNCTUATION;
    return n;
}

static char *
put_fields(char *at, const struct headers *h)
{
    for (size_t i = 0; i < h->n; i++)
        at = put_line(at, h->at[i].name, h->at[i].value);
    return at;
}

static void
add_length(struct http1 *h, uint64_t n)
{
    buf_add(h->out, TEXT("Content-Length: "));
    buf_add_u64(h->out, n);
    buf_add(h->out, TEXT("\r\n"));
}

static void
add_body_frame(struct http1 *h, enum writing writing, uint64_t length)
{
    h->place.writing = writing;
    h->place.write_left = 0;
    if (writing == WRITE_LENGTH) {
        h->place.write_left = length;
        add_length(h, length);
    } else if (writing == WRITE_CHUNKS) {
        buf_add(h->out, TEXT("Transfer-Encoding: chunked\r\n"));
    }
}

/* ---- requests */

static void
add_request_head(struct buf *out, const struct request *r, struct text path,
                 struct text query, struct text host)
{
    static const size_t fixed = sizeof "  HTTP/1.1\r\nHost: \r\n?";
    size_t size = r->method.n + path.n + query.n + host.n + fixed +
                  fields_size(&r->headers);
    char *begin = buf_reserve(out, size), *at = begin;

    assert(is_clean_word(r->method) && is_clean_word(path) && is_clean_word(query));
    at = put(at, r->method);
    *at++ = ' ';
    at = put(at, path);
    if (query.at != NULL) {
        *at++ = '?';
        at = put(at, query);
    }
    at = put(at, TEXT(" HTTP/1.1\r\n"));
    at = put_line(at, TEXT("Host"), host);
    at = put_fields(at, &r->headers);
    buf_commit(out, (size_t)(at - begin));
}

/* RFC 9110 section 8.6: these methods mean a body to their readers, so that there is
 * none must be said. */
static bool
expects_body(struct text method)
{
    return text_equals(method, TEXT("POST")) || text_equals(method, TEXT("PUT")) ||
           text_equals(method, TEXT("PATCH"));
}

/* With a key of our own: the client's is between it and us. */
static void
ask_websocket(struct http1 *h)
{
    struct place *p = &h->place;

    websocket_make_key(p->asked.key);
    p->asked.is_websocket = true;
    p->writing = WRITE_TUNNEL;
    buf_add(h->out, TEXT("Connection: Upgrade\r\nUpgrade: websocket\r\n"
                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "));
    buf_add(h->out, text_of(p->asked.key, sizeof p->asked.key));
    buf_add(h->out, TEXT("\r\n\r\n"));
}

void
http1_write_request(struct stream *s, const struct request *r, struct text path,
                    struct text query, struct text host)
{
    struct http1 *h = http1_of(s);
    enum writing writing = WRITE_NOTHING;

    assert(h->role == WIRE_CLIENT && h->place.writing == WRITE_HEAD);
    h->place.version = 11;
    h->place.asked.is_head = text_equals(r->method, TEXT("HEAD"));
    h->place.asked.is_connect = text_equals(r->method, TEXT("CONNECT"));
    add_request_head(h->out, r, path, query, host);
    if (r->upgrade == UPGRADE_WEBSOCKET) {
        ask_websocket(h);
        return;
    }
    if (r->body.kind == BODY_STREAM)
        writing = WRITE_CHUNKS;
    else if (r->body.kind == BODY_LENGTH || expects_body(r->method))
        writing = WRITE_LENGTH;
    add_body_frame(h, writing, r->body.kind == BODY_LENGTH ? r->body.length : 0);
    if (r->expect_continue)
        buf_add(h->out, TEXT("Expect: 100-continue\r\n"));
    buf_add(h->out, TEXT("\r\n"));
}

/* ---- responses */

static void
add_response_head(struct buf *out, const struct response *r)
{
    static const size_t fixed = sizeof "HTTP/1.1 200 \r\n";
    size_t size = r->reason_phrase.n + fixed + fields_size(&r->headers);
    char *begin = buf_reserve(out, size), *at = begin;

    assert(r->status >= 100 && r->status <= 599 && is_clean_value(r->reason_phrase));
    at = put(at, TEXT("HTTP/1.1 "));
    *at++ = (char)('0' + r->status / 100);
    *at++ = (char)('0' + r->status / 10 % 10);
    *at++ = (char)('0' + r->status % 10);
    *at++ = ' ';
    at = put(at, r->reason_phrase);
    at = put(at, TEXT("\r\n"));
    at = put_fields(at, &r->headers);
    buf_commit(out, (size_t)(at - begin));
}

static bool
is_tunnel(const struct place *p, int status)
{
    return p->asked.is_connect && status >= 200 && status < 300;
}

/* What an answer without a body tells of the one it would have (RFC 9110 section 8.6);
 * 204 must tell nothing. */
static void
add_told_length(struct http1 *h, const struct response *r)
{
    h->place.writing = WRITE_NOTHING;
    if (r->status == 204 || is_tunnel(&h->place, r->status))
        return;
    if (r->has_length)
        add_length(h, r->told_length);
    else if (r->body.kind == BODY_LENGTH)
        add_length(h, r->body.length);
}

static void
add_response_frame(struct http1 *h, const struct response *r)
{
    const struct place *p = &h->place;

    if (r->status == 204 || r->status == 304 || p->asked.is_head ||
        is_tunnel(p, r->status))
        add_told_length(h, r);
    else if (r->body.kind != BODY_STREAM)
        add_body_frame(h, WRITE_LENGTH,
                       r->body.kind == BODY_LENGTH ? r->body.length : 0);
    else
        add_body_frame(h, p->version == 10 ? WRITE_UNTIL_CLOSE : WRITE_CHUNKS, 0);
}

static void
add_connection(struct http1 *h, int status)
{
    if (is_tunnel(&h->place, status)) {
        h->is_ending = true; /* as HTTP */
        return;
    }
    /* Between a final answer and the next request there may or may not be the body that
     * waits for its 100. */
    if (h->place.writing == WRITE_UNTIL_CLOSE || h->place.awaits_100)
        h->is_ending = true;
    /* And the client may have sent what is no HTTP, behind a handshake that failed. */
    if (h->place.asked.is_websocket)
        h->is_ending = true;
    if (h->is_ending)
        buf_add(h->out, TEXT("Connection: close\r\n"));
    else if (h->place.keeps_alive && h->place.version == 10)
        buf_add(h->out, TEXT("Connection: keep-alive\r\n"));
}

static void
accept_websocket(struct http1 *h, const struct response *r)
{
    struct place *p = &h->place;
    char accept[WEBSOCKET_ACCEPT_SIZE];

    assert(p->asked.is_websocket);
    websocket_accept(p->asked.key, accept);
    add_response_head(h->out, r);
    buf_add(h->out, TEXT("Connection: Upgrade\r\nUpgrade: websocket\r\n"
                         "Sec-WebSocket-Accept: "));
    buf_add(h->out, text_of(accept, sizeof accept));
    buf_add(h->out, TEXT("\r\n\r\n"));
    p->writing = WRITE_TUNNEL;
    p->is_tunnel = h->is_ending = true;
}

void
http1_write_response(struct stream *s, const struct response *r)
{
    struct http1 *h = http1_of(s);

    assert(h->role == WIRE_SERVER && h->place.writing == WRITE_HEAD);
    if (r->status == 101) {
        accept_websocket(h, r);
        return;
    }
    /* Interim answers are not for those who do not know them (RFC 9110 section 15.2).
     */
    if (r->status < 200 && h->place.version == 10)
        return;
    if (r->status == 100)
        h->place.awaits_100 = false;
    add_response_head(h->out, r);
    if (r->status >= 200) {
        add_response_frame(h, r);
        add_connection(h, r->status);
    }
    buf_add(h->out, TEXT("\r\n"));
}

/* ---- bodies */

void
http1_write_body(struct stream *s, struct text piece)
{
    struct http1 *h = http1_of(s);
    struct place *p = &h->place;

    assert(p->writing != WRITE_HEAD && p->writing != WRITE_ALL);
    if (piece.n == 0) /* as a chunk it would end the body */
        return;
    switch (p->writing) {
    case WRITE_LENGTH:
        assert(piece.n <= p->write_left);
        p->write_left -= piece.n;
        buf_add(h->out, piece);
        break;
    case WRITE_CHUNKS:
        buf_add_hex(h->out, piece.n);
        buf_add(h->out, TEXT("\r\n"));
        buf_add(h->out, piece);
        buf_add(h->out, TEXT("\r\n"));
        break;
    case WRITE_TUNNEL:
        assert(p->is_tunnel);
        buf_add(h->out, piece);
        break;
    case WRITE_UNTIL_CLOSE:
        buf_add(h->out, piece);
        break;
    case WRITE_NOTHING:
        assert(h->role == WIRE_SERVER);
        break;
    case WRITE_HEAD:
    case WRITE_ALL:
        break;
    }
}

bool
http1_writes_plain(const struct stream *s)
{
    enum writing writing = http1_of(s)->place.writing;

    return writing == WRITE_LENGTH || writing == WRITE_UNTIL_CLOSE ||
           writing == WRITE_TUNNEL;
}

void
http1_pass_body(struct stream *s, size_t n)
{
    struct place *p = &http1_of(s)->place;

    assert(http1_writes_plain(s));
    if (p->writing != WRITE_LENGTH)
        return;
    assert(n <= p->write_left);
    p->write_left -= n;
}

static void
add_last_chunk(struct buf *out, const struct headers *trailers)
{
    buf_add(out, TEXT("0\r\n"));
    if (trailers != NULL && trailers->n > 0) {
        char *begin = buf_reserve(out, fields_size(trailers));
        char *at = put_fields(begin, trailers);

        buf_commit(out, (size_t)(at - begin));
    }
    buf_add(out, TEXT("\r\n"));
}

void
http1_write_end(struct stream *s, const struct headers *trailers)
{
    struct http1 *h = http1_of(s);
    struct place *p = &h->place;

    assert(p->writing != WRITE_HEAD && p->writing != WRITE_ALL);
    /* A body cut short and called whole would have the peer take our next message for
     * the rest of it. */
    assert(p->write_left == 0);
    if (p->writing == WRITE_CHUNKS)
        add_last_chunk(h->out, trailers);
    p->writing = WRITE_ALL;
}
