/* Reading: heads, then bodies, each piece seen by both readers before anyone above. */
#include "http/http1.h"

#include <assert.h>
#include <string.h>

/* A service that answers with nothing but interim answers holds its client for ever. */
enum { INTERIM_MAX = 16 };

/* The last piece was on loan until now. */
void
http1_take_back(struct http1 *h)
{
    if (h->lent > 0)
        buf_drop(h->in, h->lent);
    h->lent = 0;
}

/* The peer's bytes cannot be trusted to mean anything from here on. */
static enum flow
refuse(struct http1 *h, enum reason detail, enum reason *why)
{
    h->broken = codec_refusal(h->role, detail);
    h->is_ending = true;
    lexer_forget(&h->lexer);
    *why = h->broken;
    return FLOW_BROKEN;
}

static enum flow
wait_for_more(struct http1 *h, enum reason *why)
{
    if (!h->is_closed)
        return FLOW_WAIT;
    return refuse(
        h, h->role == WIRE_SERVER ? REASON_CLIENT_GONE : REASON_UPSTREAM_CLOSED, why);
}

/* ---- heads */

/* The bytes of a whole head, copied: `in` moves as it fills. */
static enum flow
read_head(struct http1 *h, struct arena *a, struct text *head, enum reason *why)
{
    struct text in = buf_text(h->in);

    switch (lexer_read(&h->lexer, in)) {
    case LEXED_HEAD:
        *head = arena_copy(a, text_of(in.at, h->lexer.at));
        return FLOW_OK;
    case LEXED_MORE:
        return wait_for_more(h, why);
    default:
        return refuse(h, h->lexer.why, why);
    }
}

static void
begin_body(struct http1 *h, const struct framing *f)
{
    struct place *p = &h->place;

    buf_drop(h->in, h->lexer.at);
    lexer_forget(&h->lexer);
    p->read_left = 0;
    if (f->chunked) {
        p->reading = READ_CHUNKS;
        lexer_begin_chunks(&h->lexer);
    } else if (f->kind == BODY_STREAM) {
        p->reading = READ_UNTIL_CLOSE;
    } else if (f->kind == BODY_TUNNEL) {
        p->reading = READ_TUNNEL;
    } else if (f->kind == BODY_LENGTH && f->length > 0) {
        p->reading = READ_LENGTH;
        p->read_left = f->length;
    } else {
        p->reading = READ_ALL;
    }
    if (f->close)
        h->is_ending = true;
}

/* Told even of a head that is refused: the refusal is an answer, and its framing
 * depends on them. */
static void
remember_request(struct place *p, const struct lexer *l, struct text in)
{
    struct text method = text_of(in.at + l->method.at, l->method.n);

    p->asked.is_head = text_equals(method, TEXT("HEAD"));
    p->asked.is_connect = text_equals(method, TEXT("CONNECT"));
    p->version = l->version;
}

static void
ask_websocket(struct place *p, struct text key)
{
    p->asked.is_websocket = true;
    memcpy(p->asked.key, key.at, sizeof p->asked.key);
}

enum flow
http1_read_request(struct stream *s, struct arena *a, struct request *out,
                   enum reason *why)
{
    struct http1 *h = http1_of(s);
    struct framing framing;
    struct text head;
    enum flow flow;

    assert(h->role == WIRE_SERVER && h->place.reading == READ_HEAD);
    *why = h->broken;
    if (h->broken != REASON_OK)
        return FLOW_BROKEN;
    flow = read_head(h, a, &head, why);
    remember_request(&h->place, &h->lexer, buf_text(h->in));
    if (flow != FLOW_OK)
        return flow;
    *why = head_read_request(&h->lexer, head, a, out, &framing);
    if (*why == REASON_OK &&
        !parser_agrees_on_head(h->parser, &h->lexer, head, &framing))
        *why = REASON_PARSERS_DISAGREE;
    if (*why != REASON_OK)
        return refuse(h, *why, why);
    if (framing.kind == BODY_TUNNEL)
        ask_websocket(&h->place, framing.key);
    h->place.keeps_alive = framing.keep_alive;
    h->place.awaits_100 = out->expect_continue;
    begin_body(h, &framing);
    return FLOW_OK;
}

static bool
is_interim(int status)
{
    return status < 200 && status != 101;
}

/* From here on the wire is no HTTP, or was asked to be none: either way it carries
 * nothing else. */
static void
end_handshake(struct http1 *h, int status)
{
    h->is_ending = true;
    h->place.is_tunnel = status == 101;
}

static enum reason
take_response(struct http1 *h, struct arena *a, struct text head, struct response *out,
              struct framing *framing)
{
    enum reason why = head_read_response(&h->lexer, head, a, h->place.asked, out,
                                         framing);

    if (why == REASON_OK && !parser_agrees_on_head(h->parser, &h->lexer, head, framing))
        why = REASON_PARSERS_DISAGREE;
    if (why == REASON_OK && is_interim(out->status) &&
        ++h->place.n_interim > INTERIM_MAX)
        why = REASON_UPSTREAM_MALFORMED;
    return why;
}

enum flow
http1_read_response(struct stream *s, struct arena *a, struct response *out,
                    enum reason *why)
{
    struct http1 *h = http1_of(s);
    struct framing framing;
    struct text head;
    enum flow flow;

    assert(h->role == WIRE_CLIENT && h->place.reading == READ_HEAD);
    *why = h->broken;
    if (h->broken != REASON_OK)
        return FLOW_BROKEN;
    if ((flow = read_head(h, a, &head, why)) != FLOW_OK)
        return flow;
    if ((*why = take_response(h, a, head, out, &framing)) != REASON_OK)
        return refuse(h, *why, why);
    begin_body(h, &framing);
    if (is_interim(out->status)) {
        h->place.reading = READ_HEAD;
        lexer_begin_head(&h->lexer);
    } else if (h->place.asked.is_websocket) {
        end_handshake(h, out->status);
    } else if (h->place.asked.is_connect && out->status < 300) {
        h->is_ending = true; /* a tunnel from here on */
    }
    return FLOW_OK;
}

/* ---- bodies */

/* Lends the piece that ends `framing` bytes and piece->n further from the front of
 * `in`. */
static enum flow
lend(struct http1 *h, size_t framing, const struct text *piece, uint64_t left,
     enum reason *why)
{
    struct text bytes = text_of(buf_text(h->in).at, framing + piece->n);

    if (bytes.n > 0 && !parser_agrees_on_body(h->parser, bytes, *piece, left))
        return refuse(h, REASON_PARSERS_DISAGREE, why);
    h->lent = bytes.n;
    return piece->n > 0 ? FLOW_OK : wait_for_more(h, why);
}

static enum flow
read_length(struct http1 *h, struct text *piece, enum reason *why)
{
    struct place *p = &h->place;
    enum flow flow;

    *piece = buf_text(h->in);
    if (piece->n > p->read_left)
        piece->n = (size_t)p->read_left;
    p->read_left -= piece->n;
    flow = lend(h, 0, piece, p->read_left, why);
    if (flow == FLOW_OK && p->read_left == 0)
        p->reading = READ_ALL;
    return flow;
}

static enum flow
read_until_close(struct http1 *h, struct text *piece, enum reason *why)
{
    *piece = buf_text(h->in);
    if (piece->n > 0)
        return lend(h, 0, piece, UINT64_MAX, why);
    if (!h->is_closed)
        return FLOW_WAIT;
    if (!parser_agrees_on_close(h->parser))
        return refuse(h, REASON_PARSERS_DISAGREE, why);
    h->place.reading = READ_ALL;
    return FLOW_END;
}

/* What came before the acceptance waits for it: it was meant for a WebSocket, and is
 * nothing else if there is none. */
static enum flow
read_tunnel(struct http1 *h, struct text *piece)
{
    if (!h->place.is_tunnel)
        return FLOW_WAIT;
    *piece = buf_text(h->in);
    h->lent = piece->n;
    if (piece->n > 0)
        return FLOW_OK;
    if (!h->is_closed)
        return FLOW_WAIT;
    h->place.reading = READ_ALL;
    return FLOW_END;
}

static enum flow
end_chunks(struct http1 *h, struct arena *a, enum reason *why)
{
    struct text section = text_of(buf_text(h->in).at, h->lexer.at);

    section = arena_copy(a, section);
    *why = head_read_trailers(&h->lexer, section, a, &h->place.trailers);
    if (*why == REASON_OK && !parser_agrees_on_end(h->parser, &h->lexer, section))
        *why = REASON_PARSERS_DISAGREE;
    if (*why != REASON_OK)
        return refuse(h, *why, why);
    buf_drop(h->in, section.n);
    lexer_forget(&h->lexer);
    h->place.reading = READ_ALL;
    return FLOW_END;
}

static enum flow
read_chunks(struct http1 *h, struct arena *a, struct text *piece, enum reason *why)
{
    struct place *p = &h->place;
    struct text in = buf_text(h->in);
    size_t framing = 0;

    if (p->read_left == 0) {
        switch (lexer_read(&h->lexer, in)) {
        case LEXED_CHUNK:
            framing = h->lexer.at;
            p->read_left = h->lexer.chunk_size;
            lexer_take_chunk(&h->lexer);
            break;
        case LEXED_END:
            return end_chunks(h, a, why);
        case LEXED_MORE:
            return wait_for_more(h, why);
        default:
            return refuse(h, h->lexer.why, why);
        }
    }
    *piece = text_of(in.at + framing, in.n - framing);
    if (piece->n > p->read_left)
        piece->n = (size_t)p->read_left;
    p->read_left -= piece->n;
    return lend(h, framing, piece, p->read_left, why);
}

enum flow
http1_read_body(struct stream *s, struct arena *a, struct text *piece, enum reason *why)
{
    struct http1 *h = http1_of(s);

    assert(h->place.reading != READ_HEAD || h->broken != REASON_OK);
    http1_take_back(h);
    if (buf_length(h->in) > 0)
        h->place.awaits_100 = false; /* the client did not wait */
    *piece = text_of("", 0);
    *why = h->broken;
    if (h->broken != REASON_OK)
        return FLOW_BROKEN;
    switch (h->place.reading) {
    case READ_LENGTH:
        return read_length(h, piece, why);
    case READ_CHUNKS:
        return read_chunks(h, a, piece, why);
    case READ_UNTIL_CLOSE:
        return read_until_close(h, piece, why);
    case READ_TUNNEL:
        return read_tunnel(h, piece);
    case READ_HEAD:
    case READ_ALL:
        break;
    }
    return FLOW_END;
}
