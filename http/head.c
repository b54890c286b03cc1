#include "http/head.h"

#include "http/target.h"

#include <string.h>

enum {
    SPARE_FIELDS = 8,         /* what is added to a request on its way */
    CONNECTION_LINES_MAX = 4, /* each name in Connection is compared with each field: */
    CONNECTION_TOKENS_MAX = 32 /* bound what one head can cost */
};
static const uint64_t LENGTH_MAX = INT64_MAX;

/* The fields that are about the message or the connection, gathered while the others
 * are listed. */
struct facts {
    struct text host, length, coding, expect, upgrade;
    unsigned n_host, n_length, n_coding, n_expect, n_upgrade, n_connection;
    struct text connection[CONNECTION_LINES_MAX];
};

static struct text
slice(struct text section, struct span s)
{
    return text_of(section.at + s.at, s.n);
}

static enum reason
note_connection(struct facts *f, struct text value)
{
    if (f->n_connection == CONNECTION_LINES_MAX)
        return REASON_CONNECTION_FIELD;
    f->connection[f->n_connection++] = value;
    return REASON_OK;
}

static enum reason
note_field(struct facts *f, struct headers *h, struct text name, struct text value)
{
    switch (field_kind(name)) {
    case FIELD_PLAIN:
        if (field_is_almost_coding(name))
            return REASON_TRANSFER_ENCODING;
        headers_add(h, name, value);
        break;
    case FIELD_HOST:
        f->host = value;
        f->n_host++;
        break;
    case FIELD_CONTENT_LENGTH:
        f->length = value;
        f->n_length++;
        break;
    case FIELD_TRANSFER_ENCODING:
        f->coding = value;
        f->n_coding++;
        break;
    case FIELD_CONNECTION:
        return note_connection(f, value);
    case FIELD_UPGRADE:
        f->upgrade = value;
        f->n_upgrade++;
        break;
    case FIELD_EXPECT:
        f->expect = value;
        f->n_expect++;
        break;
    case FIELD_HOP:
        break;
    }
    return REASON_OK;
}

static enum reason
gather(const struct lexer *l, struct text head, struct arena *a, struct headers *h,
       struct facts *f)
{
    enum reason why = REASON_OK;

    *f = (struct facts){ .n_host = 0 };
    headers_init(h, a);
    headers_reserve(h, l->n_fields + SPARE_FIELDS);
    for (size_t i = 0; i < l->n_fields && why == REASON_OK; i++) {
        const struct lexed_field *field = lexer_field(l, i);
        struct text name = slice(head, field->name);

        if (field->has_underscore && l->role == WIRE_SERVER &&
            field_is_guarded_in_disguise(name))
            return REASON_FIELD_UNDERSCORE;
        why = note_field(f, h, name, slice(head, field->value));
    }
    return why;
}

/* RFC 9110 section 7.6.1. Framing fields have done their work, and whoever names one in
 * Connection hopes that the next reader frames the message without it. Guarded fields
 * stay, so that no one can make Holdfast lose what it judges by. */
static enum reason
obey_option(struct text option, struct headers *h, struct framing *framing)
{
    enum field_kind kind = field_kind(option);

    if (kind == FIELD_CONTENT_LENGTH || kind == FIELD_TRANSFER_ENCODING)
        return REASON_CONNECTION_FIELD;
    if (text_equals_nocase(option, TEXT("close")))
        framing->close = true;
    else if (text_equals_nocase(option, TEXT("keep-alive")))
        framing->keep_alive = true;
    else if (kind == FIELD_UPGRADE)
        framing->upgrade = true;
    else if (!field_is_guarded(option))
        headers_remove(h, option);
    return REASON_OK;
}

static enum reason
obey_connection(const struct facts *f, struct headers *h, struct framing *framing)
{
    enum reason why = REASON_OK;
    unsigned options = 0;
    struct text option;

    for (unsigned i = 0; i < f->n_connection; i++) {
        struct text rest = f->connection[i];

        while (why == REASON_OK && text_split(&rest, ',', &option)) {
            option = text_trim(option);
            if (option.n == 0)
                continue;
            if (++options > CONNECTION_TOKENS_MAX)
                return REASON_CONNECTION_FIELD;
            why = obey_option(option, h, framing);
        }
    }
    return why;
}

/* Content-Length once and a plain decimal; Transfer-Encoding once and exactly
 * "chunked"; never both; no coding in HTTP/1.0, whose readers do not know it (RFC 9112
 * section 6.1). */
static enum reason
frame(const struct facts *f, unsigned version, struct framing *framing)
{
    *framing = (struct framing){ .kind = BODY_NONE };
    if (f->n_length > 0 && f->n_coding > 0)
        return REASON_LENGTH_AND_CODING;
    if (f->n_coding > 0) {
        if (f->n_coding > 1 || version == 10 ||
            !text_equals_nocase(f->coding, TEXT("chunked")))
            return REASON_TRANSFER_ENCODING;
        framing->kind = BODY_STREAM;
        framing->has_coding = framing->chunked = true;
    }
    if (f->n_length > 0) {
        if (f->n_length > 1 ||
            !text_to_u64(f->length, LENGTH_MAX, &framing->told_length))
            return REASON_CONTENT_LENGTH;
        framing->kind = BODY_LENGTH;
        framing->has_length = true;
        framing->length = framing->told_length;
    }
    return REASON_OK;
}

/* One Host; HTTP/1.0 may have none. Its grammar is base/host's, but a list is refused
 * at once: it is two Hosts to whoever joins and splits lines. */
static enum reason
take_host(const struct facts *f, unsigned version, struct request *out)
{
    if (f->n_host > 1)
        return REASON_HOST_REPEATED;
    if (f->n_host == 0 && version == 10)
        return REASON_OK;
    if (f->n_host == 0 || f->host.n == 0)
        return REASON_HOST_MISSING;
    if (text_has_byte(f->host, ',') || text_has_byte(f->host, ' ') ||
        text_has_byte(f->host, '\t'))
        return REASON_HOST_MALFORMED;
    out->host = f->host;
    return REASON_OK;
}

/* An HTTP/1.0 client cannot have meant it, and without a body there is nothing to wait
 * for (RFC 9110 section 10.1.1). */
static enum reason
take_expect(const struct facts *f, unsigned version, const struct framing *framing,
            struct request *out)
{
    bool has_body = framing->kind == BODY_STREAM || framing->length > 0;

    if (f->n_expect == 0)
        return REASON_OK;
    if (f->n_expect > 1 || !text_equals_nocase(f->expect, TEXT("100-continue")))
        return REASON_EXPECT;
    out->expect_continue = has_body && version == 11;
    return REASON_OK;
}

/* What follows a CONNECT is the tunnel's. A length of zero, which some clients send,
 * says nothing else. */
static enum reason
check_connect(const struct framing *framing)
{
    if (framing->has_coding)
        return REASON_TRANSFER_ENCODING;
    return framing->length > 0 ? REASON_CONTENT_LENGTH : REASON_OK;
}

/* A list is nobody's handshake: which of them would it be? */
static bool
names_websocket(const struct facts *f)
{
    return f->n_upgrade == 1 && text_equals_nocase(f->upgrade, TEXT("websocket"));
}

/* RFC 6455 section 4.2.1. What follows it is no body, so there may be none that some
 * reader behind us could take the rest for. */
static enum reason
take_upgrade(const struct facts *f, unsigned version, struct framing *framing,
             struct request *out)
{
    enum reason why;

    if (f->n_upgrade == 0)
        return REASON_OK;
    out->upgrade = UPGRADE_OTHER;
    if (!names_websocket(f))
        return REASON_OK;
    if (version != 11 || !framing->upgrade || framing->kind != BODY_NONE ||
        out->form == TARGET_ASTERISK || !text_equals(out->method, TEXT("GET")))
        return REASON_WEBSOCKET_HANDSHAKE;
    if ((why = websocket_take_version(&out->headers)) != REASON_OK ||
        (why = websocket_take_key(&out->headers, &framing->key)) != REASON_OK)
        return why;
    websocket_forget(&out->headers);
    out->upgrade = UPGRADE_WEBSOCKET;
    framing->kind = BODY_TUNNEL;
    return REASON_OK;
}

enum reason
head_read_request(const struct lexer *l, struct text head, struct arena *a,
                  struct request *out, struct framing *framing)
{
    struct facts f;
    enum reason why;

    *out = (struct request){ .method = slice(head, l->method) };
    if ((why = gather(l, head, a, &out->headers, &f)) != REASON_OK ||
        (why = frame(&f, l->version, framing)) != REASON_OK ||
        (why = target_read(slice(head, l->target), a, out)) != REASON_OK ||
        (why = take_host(&f, l->version, out)) != REASON_OK ||
        (why = take_expect(&f, l->version, framing, out)) != REASON_OK ||
        (why = obey_connection(&f, &out->headers, framing)) != REASON_OK ||
        (why = take_upgrade(&f, l->version, framing, out)) != REASON_OK)
        return why;
    if (out->form == TARGET_AUTHORITY) {
        why = check_connect(framing);
        framing->kind = BODY_NONE;
    }
    framing->close = framing->close || (l->version == 10 && !framing->keep_alive);
    out->body = (struct body_frame){ framing->kind, framing->length };
    return why;
}

/* No body whatever the fields say: answers to HEAD and CONNECT, 304, and 1xx and 204,
 * which may not even speak of one (RFC 9112 section 6.3, RFC 9110 section 8.6). */
static enum reason
frame_answer(unsigned status, struct asked asked, struct framing *framing)
{
    bool never = status < 200 || status == 204;

    /* The answer proper is still to come, and this says that nothing more will (also by
     * being HTTP/1.0, which has no interim answers): readers differ on whether what
     * follows is one. */
    if (status < 200 && framing->close)
        return REASON_CONNECTION_FIELD;
    if (never && (framing->has_coding || framing->length > 0))
        return framing->has_coding ? REASON_TRANSFER_ENCODING : REASON_CONTENT_LENGTH;
    if (never || status == 304 || asked.is_head ||
        (asked.is_connect && status >= 200 && status < 300)) {
        framing->kind = BODY_NONE;
        framing->length = 0;
        framing->chunked = false;
    } else if (framing->kind == BODY_NONE) {
        framing->kind = BODY_STREAM;
        framing->close = true;
    }
    return REASON_OK;
}

/* The only one we ask for, and only by the key that was asked with (RFC 6455 section
 * 4.1): what follows is not HTTP, and nobody reads it any more. */
static enum reason
take_switch(const struct facts *f, const struct asked *asked, struct framing *framing,
            struct response *out)
{
    enum reason why;

    if (!asked->is_websocket)
        return REASON_UPSTREAM_UPGRADE;
    if (!names_websocket(f) || !framing->upgrade)
        return REASON_UPSTREAM_WEBSOCKET;
    why = websocket_take_accept(&out->headers, asked->key);
    websocket_forget(&out->headers);
    framing->kind = BODY_TUNNEL;
    return why;
}

enum reason
head_read_response(const struct lexer *l, struct text head, struct arena *a,
                   struct asked asked, struct response *out, struct framing *framing)
{
    struct facts f;
    enum reason why;

    *out = (struct response){ .status = (int)l->status,
                              .reason_phrase = slice(head, l->phrase) };
    if ((why = gather(l, head, a, &out->headers, &f)) != REASON_OK ||
        (why = frame(&f, l->version, framing)) != REASON_OK ||
        (why = obey_connection(&f, &out->headers, framing)) != REASON_OK)
        return why;
    framing->close = framing->close || l->version == 10;
    if ((why = frame_answer(l->status, asked, framing)) != REASON_OK)
        return why;
    if (l->status == 101 && (why = take_switch(&f, &asked, framing, out)) != REASON_OK)
        return why;
    out->body = (struct body_frame){ framing->kind, framing->length };
    out->has_length = framing->has_length;
    out->told_length = framing->told_length;
    return REASON_OK;
}

enum reason
head_read_trailers(const struct lexer *l, struct text section, struct arena *a,
                   struct headers *out)
{
    headers_init(out, a);
    for (size_t i = 0; i < l->n_fields; i++) {
        const struct lexed_field *field = lexer_field(l, i);
        struct text name = slice(section, field->name);
        bool forbidden = field_is_forbidden_in_trailer(name) ||
                         (field->has_underscore && field_is_guarded_in_disguise(name));

        if (!forbidden)
            headers_add(out, name, slice(section, field->value));
        else if (l->role == WIRE_SERVER)
            return REASON_TRAILER;
    }
    return REASON_OK;
}
