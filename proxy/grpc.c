#include "proxy/grpc.h"

#include <assert.h>

/* By the numbers of gRPC's doc/statuscodes.md. */
enum {
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14, /* what clients try again */
    GRPC_UNAUTHENTICATED = 16
};

static bool
starts_nocase(struct text t, struct text prefix)
{
    return t.n >= prefix.n && text_equals_nocase(text_of(t.at, prefix.n), prefix);
}

bool
request_is_grpc(const struct request *r)
{
    static const struct text grpc = { "application/grpc", 16 };
    const struct field *type;

    if (!text_equals(r->method, TEXT("POST")))
        return false;
    type = headers_get(&r->headers, TEXT("content-type"));
    if (type == NULL || !starts_nocase(type->value, grpc))
        return false;
    return type->value.n == grpc.n || type->value.at[grpc.n] == '+' ||
           type->value.at[grpc.n] == ';' || type->value.at[grpc.n] == ' ';
}

/* ---- statuses */

/* What was asked and not answered in time is not to be tried again as if it had never
 * arrived; and what the service cannot do, it cannot do next time. */
static const struct {
    enum reason why;
    int status;
} of_reasons[] = {
    { REASON_UPSTREAM_TIMEOUT, GRPC_DEADLINE_EXCEEDED },
    { REASON_IDLE, GRPC_DEADLINE_EXCEEDED },
    { REASON_UPSTREAM_PROTOCOL, GRPC_UNIMPLEMENTED },
    { REASON_GRPC_NEEDS_HTTP2, GRPC_UNIMPLEMENTED },
};

/* gRPC's own mapping of HTTP statuses (doc/http-grpc-status-mapping.md), and what it
 * leaves open. */
static const struct {
    int http, status;
} of_statuses[] = {
    { 401, GRPC_UNAUTHENTICATED },   { 403, GRPC_PERMISSION_DENIED },
    { 407, GRPC_UNAUTHENTICATED },   { 408, GRPC_DEADLINE_EXCEEDED },
    { 421, GRPC_PERMISSION_DENIED }, { 501, GRPC_UNIMPLEMENTED },
    { 429, GRPC_UNAVAILABLE },       { 502, GRPC_UNAVAILABLE },
    { 503, GRPC_UNAVAILABLE },       { 504, GRPC_UNAVAILABLE },
};

/* A gate says 400 of a token or a proof that proves nothing. */
static bool
is_unproved(enum reason why)
{
    return reason_status(why) == 400 &&
           text_equals(text_z(reason_proxy_error(why)), TEXT("http_request_denied"));
}

int
grpc_status(enum reason why)
{
    int http = reason_status(why);

    assert(http != 0);
    for (size_t i = 0; i < sizeof of_reasons / sizeof *of_reasons; i++)
        if (of_reasons[i].why == why)
            return of_reasons[i].status;
    if (is_unproved(why))
        return GRPC_UNAUTHENTICATED;
    for (size_t i = 0; i < sizeof of_statuses / sizeof *of_statuses; i++)
        if (of_statuses[i].http == http)
            return of_statuses[i].status;
    return GRPC_INTERNAL;
}

/* ---- the answer */

/* Percent-encoded but for printable ASCII (gRPC's doc/PROTOCOL-HTTP2.md). */
static struct text
escape(struct arena *a, struct text words)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = arena_alloc(a, 3 * words.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < words.n; i++) {
        unsigned char b = (unsigned char)words.at[i];

        if (b >= ' ' && b <= '~' && b != '%') {
            out[n++] = (char)b;
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[b >> 4];
        out[n++] = digits[b & 15];
    }
    return text_of(out, n);
}

void
grpc_write_trailers_only(struct response *r, int status, struct text words)
{
    struct arena *a = r->headers.arena;

    r->status = 200;
    r->body = (struct body_frame){ .kind = BODY_NONE };
    r->has_length = false;
    headers_add(&r->headers, TEXT("content-type"), TEXT("application/grpc"));
    headers_add(&r->headers, TEXT("grpc-status"), arena_printf(a, "%d", status));
    headers_add(&r->headers, TEXT("grpc-message"), escape(a, words));
}
