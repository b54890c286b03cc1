#include "http/http2_head.h"

#include "http/http2_gather.h"
#include "http/octet.h"

static const uint64_t LENGTH_MAX = INT64_MAX;

/* ---- requests */

/* Content-Length once and a plain decimal; what comes is held against it. */
static enum reason
take_length(const struct gathered *g, struct framing *framing)
{
    *framing = (struct framing){ .kind = BODY_STREAM };
    if (g->n_length == 0)
        return REASON_OK;
    if (g->n_length > 1 || !text_to_u64(g->length, LENGTH_MAX, &framing->told_length))
        return REASON_CONTENT_LENGTH;
    framing->kind = BODY_LENGTH;
    framing->has_length = true;
    framing->length = framing->told_length;
    return REASON_OK;
}

static enum reason
frame_message(bool is_last, const struct framing *framing, struct body_frame *out)
{
    *out = (struct body_frame){ framing->kind, framing->length };
    if (is_last && framing->length > 0)
        return REASON_CONTENT_LENGTH;
    /* So it is sent on: an answer of gRPC that is trailers alone stays one. */
    if (is_last && framing->kind == BODY_STREAM)
        out->kind = BODY_NONE;
    return REASON_OK;
}

static enum reason
take_method(const struct gathered *g, struct request *out)
{
    out->method = g->pseudo[PSEUDO_METHOD];
    if (out->method.at == NULL)
        return REASON_PSEUDO_FIELD;
    if (out->method.n == 0 || out->method.n > LEXER_METHOD_MAX ||
        !lexer_knows_method(out->method))
        return REASON_METHOD;
    return REASON_OK;
}

/* :authority and Host say the same, byte for byte (RFC 9113 section 8.3.1): two names
 * for one request are two requests to two readers. */
static enum reason
take_host(const struct gathered *g, struct request *out)
{
    struct text authority = g->pseudo[PSEUDO_AUTHORITY];

    if (g->n_host > 1)
        return REASON_HOST_REPEATED;
    if (authority.at != NULL && g->n_host > 0 && !text_equals(authority, g->host))
        return REASON_NAMES_DISAGREE;
    out->host = authority.at != NULL ? authority : g->host;
    if (out->host.n == 0)
        return REASON_HOST_MISSING;
    if (text_has_byte(out->host, ',') || text_has_byte(out->host, ' ') ||
        text_has_byte(out->host, '\t'))
        return REASON_HOST_MALFORMED;
    return REASON_OK;
}

/* CONNECT has :authority alone (RFC 9113 section 8.5); what follows it is a tunnel. */
static enum reason
take_connect(const struct gathered *g, const struct framing *framing,
             struct request *out)
{
    if (g->pseudo[PSEUDO_SCHEME].at != NULL || g->pseudo[PSEUDO_PATH].at != NULL ||
        g->pseudo[PSEUDO_AUTHORITY].at == NULL)
        return REASON_PSEUDO_FIELD;
    if (text_has_byte(out->host, '/') || text_has_byte(out->host, '?') ||
        text_has_byte(out->host, '@'))
        return REASON_TARGET;
    if (framing->length > 0)
        return REASON_CONTENT_LENGTH;
    out->form = TARGET_AUTHORITY;
    out->authority = out->host;
    out->body = (struct body_frame){ BODY_NONE, 0 };
    return REASON_OK;
}

static enum reason
take_path(const struct gathered *g, const struct http2_facts *facts,
          struct request *out)
{
    struct text path = g->pseudo[PSEUDO_PATH];

    if (g->pseudo[PSEUDO_SCHEME].n == 0 || path.at == NULL)
        return REASON_PSEUDO_FIELD;
    if (path.n > facts->limits->target_bytes)
        return REASON_TARGET_TOO_LONG;
    if (!octet_is_all(path, OCTET_TARGET))
        return REASON_TARGET;
    out->scheme = g->pseudo[PSEUDO_SCHEME];
    out->target = path;
    out->form = TARGET_ORIGIN;
    if (path.at[0] == '/')
        return REASON_OK;
    out->form = TARGET_ASTERISK;
    return text_equals(path, TEXT("*")) && text_equals(out->method, TEXT("OPTIONS"))
               ? REASON_OK
               : REASON_TARGET;
}

/* RFC 8441: a WebSocket is a CONNECT with a :protocol, and otherwise like a GET. */
static enum reason
take_protocol(const struct gathered *g, const struct framing *framing,
              struct request *out)
{
    enum reason why;

    if (!text_equals(out->method, TEXT("CONNECT")))
        return REASON_PSEUDO_FIELD;
    if (framing->has_length)
        return REASON_CONTENT_LENGTH;
    out->upgrade = UPGRADE_OTHER;
    if (!text_equals(g->pseudo[PSEUDO_PROTOCOL], TEXT("websocket")))
        return REASON_OK;
    out->upgrade = UPGRADE_WEBSOCKET;
    out->method = TEXT("GET");
    if (out->body.kind == BODY_NONE) /* it ended before it began */
        return REASON_PSEUDO_FIELD;
    out->body.kind = BODY_TUNNEL;
    why = websocket_take_version(&out->headers);
    websocket_forget(&out->headers);
    return why;
}

static enum reason
take_target(const struct gathered *g, const struct http2_facts *facts,
            const struct framing *framing, struct request *out)
{
    enum reason why;

    if (g->pseudo[PSEUDO_PROTOCOL].at != NULL) {
        why = take_protocol(g, framing, out);
        return why != REASON_OK ? why : take_path(g, facts, out);
    }
    if (text_equals(out->method, TEXT("CONNECT")))
        return take_connect(g, framing, out);
    return take_path(g, facts, out);
}

static enum reason
take_expect(const struct gathered *g, struct request *out)
{
    bool has_body = out->body.kind == BODY_STREAM || out->body.length > 0;

    if (g->n_expect == 0)
        return REASON_OK;
    if (g->n_expect > 1 || !text_equals_nocase(g->expect, TEXT("100-continue")))
        return REASON_EXPECT;
    out->expect_continue = has_body;
    return REASON_OK;
}

bool
http2_asks_head(const struct section *section)
{
    struct text rest = section->bytes;
    struct field f;

    while (section_next(&rest, &f))
        if (text_equals(f.name, TEXT(":method")))
            return text_equals(f.value, TEXT("HEAD"));
    return false;
}

enum reason
http2_read_request(const struct section *section, const struct http2_facts *facts,
                   struct arena *a, struct request *out)
{
    struct gathered g = { .of_request = true, .headers = &out->headers };
    struct framing framing;
    enum reason why;

    *out = (struct request){ .form = TARGET_ORIGIN };
    if ((why = http2_gather(&g, section, a)) != REASON_OK ||
        (why = take_method(&g, out)) != REASON_OK ||
        (why = take_length(&g, &framing)) != REASON_OK ||
        (why = frame_message(section->is_last, &framing, &out->body)) != REASON_OK ||
        (why = take_host(&g, out)) != REASON_OK ||
        (why = take_target(&g, facts, &framing, out)) != REASON_OK ||
        (why = take_expect(&g, out)) != REASON_OK)
        return why;
    out->takes_trailers = g.takes_trailers;
    return REASON_OK;
}

/* ---- answers */

static enum reason
take_status(const struct gathered *g, const struct http2_facts *facts, int *out)
{
    struct text t = g->pseudo[PSEUDO_STATUS];
    uint64_t status;

    if (t.n != 3 || !text_to_u64(t, 599, &status) || status < 100)
        return REASON_PSEUDO_FIELD;
    if (status == 101)
        return REASON_UPSTREAM_UPGRADE;
    *out = (int)status;
    if (facts->asked.is_websocket && status >= 200 && status < 300)
        *out = 101;
    return REASON_OK;
}

/* As HTTP/1's: no body whatever the fields say in answers to HEAD and CONNECT, 304, and
 * 1xx and 204, which may not even speak of one. */
static bool
has_no_body(int status, struct asked asked)
{
    return status < 200 || status == 204 || status == 304 || asked.is_head ||
           (asked.is_connect && status < 300);
}

static enum reason
frame_answer(bool is_last, struct asked asked, const struct framing *framing,
             struct response *out)
{
    out->has_length = framing->has_length;
    out->told_length = framing->told_length;
    /* The answer proper, or the tunnel, cannot come any more. */
    if (out->status < 200 && is_last)
        return REASON_UPSTREAM_CLOSED;
    if (out->status == 101) {
        websocket_forget(&out->headers);
        out->has_length = false;
        out->body = (struct body_frame){ BODY_TUNNEL, 0 };
        return REASON_OK;
    }
    if ((out->status < 200 || out->status == 204) && framing->length > 0)
        return REASON_CONTENT_LENGTH;
    if (!has_no_body(out->status, asked))
        return frame_message(is_last, framing, &out->body);
    out->body = (struct body_frame){ BODY_NONE, 0 };
    return REASON_OK;
}

enum reason
http2_read_response(const struct section *section, const struct http2_facts *facts,
                    struct arena *a, struct response *out)
{
    struct gathered g = { .of_request = false, .headers = &out->headers };
    struct framing framing;
    enum reason why;

    *out = (struct response){ .status = 0 };
    if ((why = http2_gather(&g, section, a)) != REASON_OK ||
        (why = take_status(&g, facts, &out->status)) != REASON_OK ||
        (why = take_length(&g, &framing)) != REASON_OK)
        return why;
    return frame_answer(section->is_last, facts->asked, &framing, out);
}

/* ---- trailers */

enum reason
http2_read_trailers(const struct section *section, enum wire_role role, struct arena *a,
                    struct headers *out)
{
    struct text rest = section->bytes;
    struct field f;

    headers_init(out, a);
    if (section->why != REASON_OK)
        return section->why;
    while (section_next(&rest, &f)) {
        bool forbidden;

        if (!http2_is_field(&f))
            return REASON_TRAILER;
        forbidden = field_is_forbidden_in_trailer(f.name) ||
                    (text_has_byte(f.name, '_') &&
                     field_is_guarded_in_disguise(f.name));
        if (forbidden && role == WIRE_SERVER)
            return REASON_TRAILER;
        if (forbidden)
            continue;
        headers_add(out, f.name, f.value);
        out->at[out->n - 1].never_index = f.never_index;
    }
    return REASON_OK;
}
