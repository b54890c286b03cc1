/* What a refused client is told: RFC 9457 problem details, and RFC 9209 Proxy-Status.
 * Nothing in it that the workload does not know already, unless the operator asked for
 * a hint. */
#include "proxy/exchange.h"

#include "base/json.h"

#include <inttypes.h>

static void
add_hint(const struct exchange *x, struct buf *out)
{
    struct buf hint = { 0 };

    if (x->view.conf == NULL || x->view.conf->deny_detail != DETAIL_HINT)
        return;
    if (x->view.rule_place.file != NULL)
        buf_printf(&hint, "nearest rule: %s:%u", x->view.rule_place.file,
                   x->view.rule_place.line);
    else
        buf_printf(&hint, "no rule names %s port %u", x->view.target.host.name,
                   x->view.target.port);
    buf_add_z(out, ",\"hint\":");
    json_write_string(out, buf_text(&hint));
    buf_free(&hint);
}

static void
write_problem(const struct exchange *x, struct buf *out)
{
    const char *token = reason_token(x->why);
    bool tell = x->view.conf == NULL || x->view.conf->deny_detail != DETAIL_NONE;

    buf_printf(out,
               "{\"type\":\"https://holdfast.dev/p/%s\",\"title\":\"Refused by "
               "Holdfast\",\"status\":%d",
               tell ? token : "refused", reason_status(x->why));
    if (tell) {
        buf_printf(out, ",\"reason\":\"%s\",\"detail\":", token);
        json_write_string(out, text_z(reason_sentence(x->why)));
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
    if (x->view.conf != NULL && x->view.conf->deny_detail == DETAIL_NONE)
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

void
refusal_write(struct exchange *x)
{
    struct response r = { .status = reason_status(x->why),
                          .reason_phrase = phrase(reason_status(x->why)) };
    struct text status = proxy_status(x);
    struct buf body = { 0 };

    headers_init(&r.headers, x->arena);
    write_problem(x, &body);
    if (r.status == 407)
        headers_add(&r.headers, TEXT("Proxy-Authenticate"),
                    TEXT("Basic realm=\"holdfast\""));
    if (!text_is_empty(status))
        headers_add(&r.headers, TEXT("Proxy-Status"), status);
    headers_add(&r.headers, TEXT("Content-Type"), TEXT("application/problem+json"));
    headers_add(&r.headers, TEXT("Cache-Control"), TEXT("no-store"));
    r.body = (struct body_frame){ BODY_LENGTH, buf_length(&body) };
    if (text_equals(x->request.method, TEXT("HEAD")))
        r = (struct response){ .status = r.status,
                               .reason_phrase = r.reason_phrase,
                               .headers = r.headers,
                               .has_length = true,
                               .told_length = buf_length(&body) };
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
