/* What a refused client is told: RFC 9457 problem details, or gRPC's trailers where it
 * reads nothing else, and RFC 9209 Proxy-Status.
 * Nothing in it that the workload does not know already, unless the operator asked for
 * a hint. */
#include "proxy/exchange.h"

#include "base/json.h"
#include "proxy/grpc.h"

#include <inttypes.h>

enum { HINT_PATH_MAX = 256 };

bool
exchange_is_grpc(const struct exchange *x)
{
    return conn_is_shared(x->conn) && request_is_grpc(&x->request);
}

static bool
tells_reason(const struct exchange *x)
{
    return x->view.conf == NULL || x->view.conf->deny_detail != DETAIL_NONE;
}

static bool
tells_hint(const struct exchange *x)
{
    return x->view.conf != NULL && x->view.conf->deny_detail == DETAIL_HINT;
}

/* One that can stand in the config as it is, and is no page long. */
static bool
is_quotable(struct text path)
{
    return !text_is_empty(path) && path.n <= HINT_PATH_MAX &&
           !text_has_byte(path, '"') && !text_has_byte(path, '\\') &&
           !text_has_byte(path, '*'); /* which would allow more than this */
}

/* As an operator would write it. */
static void
write_rule(const struct view *v, struct buf *out)
{
    char name[AUTHORITY_PRINT_SIZE];
    bool plain = text_equals(v->scheme, TEXT("http"));
    struct text host = authority_print(&v->target, v->target.port, name);

    buf_printf(out, ": add { host = \"%.*s\"; ", TEXT_ARG(host));
    if (plain)
        buf_add_z(out, "scheme = \"http\"; ");
    if (v->target.port != (plain ? 80 : 443))
        buf_printf(out, "port = %u; ", v->target.port);
    buf_printf(out, "methods = [\"%.*s\"]; paths = [\"%.*s\"]; }",
               TEXT_ARG(v->request->method), TEXT_ARG(v->path));
}

static void
write_hint(const struct exchange *x, struct buf *out)
{
    const struct view *v = &x->view;

    if (v->rule_place.file != NULL) {
        buf_printf(out, "nearest rule: %s:%u", v->rule_place.file, v->rule_place.line);
        return;
    }
    buf_printf(out, "no rule names %s port %u", v->target.host.name, v->target.port);
    if (x->why == REASON_HOST_NOT_ALLOWED && is_quotable(v->path))
        write_rule(v, out);
}

static void
add_hint(const struct exchange *x, struct buf *out)
{
    struct buf hint = { 0 };

    write_hint(x, &hint);
    buf_add_z(out, ",\"hint\":");
    json_write_string(out, buf_text(&hint));
    buf_free(&hint);
}

/* Whoever can be told how to prove himself is told so (RFC 9110 section 11.6.1). */
static int
status_of(const struct exchange *x)
{
    int status = reason_status(x->why);

    return status == 400 && !text_is_empty(x->view.challenge) ? 401 : status;
}

static void
write_problem(const struct exchange *x, struct buf *out)
{
    const char *token = reason_token(x->why);
    bool tell = tells_reason(x);

    buf_printf(out,
               "{\"type\":\"https://holdfast.dev/p/%s\",\"title\":\"Refused by "
               "Holdfast\",\"status\":%d",
               tell ? token : "refused", status_of(x));
    if (tell) {
        buf_printf(out, ",\"reason\":\"%s\",\"detail\":", token);
        json_write_string(out, text_z(reason_sentence(x->why)));
        if (tells_hint(x))
            add_hint(x, out);
    }
    buf_printf(out, ",\"request_id\":\"%" PRIx64 ".%" PRIu64 "\"}\n", x->conn->id,
               x->number);
}

static struct text
proxy_status(const struct exchange *x)
{
    const char *error = reason_proxy_error(x->why);

    if (*error == '\0')
        return text_of(NULL, 0);
    if (!tells_reason(x))
        return arena_printf(x->arena, "holdfast; error=%s", error);
    return arena_printf(x->arena, "holdfast; error=%s; details=\"%s\"", error,
                        reason_token(x->why));
}

/* HTTP/1 has a place for it, and people read it. */
static struct text
phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } table[] = {
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 407, "Proxy Authentication Required" },
        { 408, "Request Timeout" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 417, "Expectation Failed" },
        { 421, "Misdirected Request" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].status == status)
            return text_z(table[i].phrase);
    return TEXT("Refused");
}

static void
write_words(const struct exchange *x, struct buf *out)
{
    buf_add_z(out, "Refused by Holdfast");
    if (tells_reason(x))
        buf_printf(out, ": %s: %s", reason_token(x->why), reason_sentence(x->why));
    if (tells_hint(x)) {
        buf_add_z(out, " (");
        write_hint(x, out);
        buf_add_byte(out, ')');
    }
    buf_printf(out, " [%" PRIx64 ".%" PRIu64 "]", x->conn->id, x->number);
}

/* A client of gRPC looks at no body and at no HTTP status but to guess. */
static void
refuse_call(struct exchange *x, struct response *r)
{
    struct buf words = { 0 };

    x->grpc_status = grpc_status(x->why);
    write_words(x, &words);
    grpc_write_trailers_only(r, x->grpc_status, buf_text(&words));
    buf_free(&words);
}

static void
refuse_request(const struct exchange *x, struct response *r, struct buf *body)
{
    write_problem(x, body);
    if (r->status == 407)
        headers_add(&r->headers, TEXT("Proxy-Authenticate"),
                    TEXT("Basic realm=\"holdfast\""));
    if (x->why == REASON_WEBSOCKET_VERSION) /* RFC 6455 section 4.4 */
        headers_add(&r->headers, TEXT("Sec-WebSocket-Version"), TEXT("13"));
    headers_add(&r->headers, TEXT("Content-Type"), TEXT("application/problem+json"));
    headers_add(&r->headers, TEXT("Cache-Control"), TEXT("no-store"));
    if (text_equals(x->request.method, TEXT("HEAD"))) {
        r->has_length = true;
        r->told_length = buf_length(body);
    } else {
        r->body = (struct body_frame){ BODY_LENGTH, buf_length(body) };
    }
}

/* The service's own would be for proofs that never reach it. */
void
offer_nonce(const struct exchange *x, struct headers *h)
{
    if (text_is_empty(x->view.offered_nonce))
        return;
    headers_remove(h, TEXT("DPoP-Nonce"));
    headers_add(h, TEXT("DPoP-Nonce"), x->view.offered_nonce);
}

static void
add_challenge(const struct exchange *x, struct response *r)
{
    if (!text_is_empty(x->view.challenge))
        headers_add(&r->headers, TEXT("WWW-Authenticate"), x->view.challenge);
    offer_nonce(x, &r->headers);
}

void
refusal_write(struct exchange *x)
{
    int refused = status_of(x);
    struct response r = { .status = refused, .reason_phrase = phrase(refused) };
    struct text status = proxy_status(x);
    struct buf body = { 0 };

    headers_init(&r.headers, x->arena);
    if (!text_is_empty(status))
        headers_add(&r.headers, TEXT("Proxy-Status"), status);
    add_challenge(x, &r);
    if (exchange_is_grpc(x))
        refuse_call(x, &r);
    else
        refuse_request(x, &r, &body);
    x->status = r.status;
    if (!stream_has_read_all(x->down))
        stream_close_after(x->down);
    stream_write_response(x->down, &r);
    if (r.body.kind == BODY_LENGTH)
        stream_write_body(x->down, buf_text(&body));
    stream_write_end(x->down, NULL);
    buf_free(&body);
}

void
refusal_bare(enum reason why, struct buf *out)
{
    buf_printf(
        out,
        "HTTP/1.1 %d Refused\r\nProxy-Status: holdfast; error=%s; details=\"%s\"\r\n"
        "Content-Length: 0\r\nConnection: close\r\n\r\n",
        reason_status(why), reason_proxy_error(why), reason_token(why));
}
