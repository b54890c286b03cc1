#include "http/parser.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/shelf.h"

#include <http_parser.h>
#include <pthread.h>
#include <string.h>

struct parser {
    struct http_parser hp;
    enum wire_role role;

    /* What we found, to hold it against. */
    const struct lexer *ours;
    struct text section;
    bool has_no_body;

    /* What it found. */
    size_t n_fields;
    struct text url, piece;
    bool is_head_whole, is_whole, is_chunked;
    uint64_t length; /* UINT64_MAX: none */
};

static _Thread_local struct shelf spares = { .size = sizeof(struct parser),
                                             .keep = 64 };

static int
on_url(http_parser *hp, const char *at, size_t n)
{
    struct parser *p = hp->data;

    p->url = text_of(at, n);
    return 0;
}

/* The very same bytes, not only equal ones. */
static int
on_name(http_parser *hp, const char *at, size_t n)
{
    struct parser *p = hp->data;
    struct span name;

    if (p->n_fields == p->ours->n_fields)
        return 1;
    name = lexer_field(p->ours, p->n_fields)->name;
    p->n_fields++;
    return at != p->section.at + name.at || n != name.n;
}

/* http-parser leaves the white space behind a value to its caller, and points behind
 * the line of an empty one. */
static int
on_value(http_parser *hp, const char *at, size_t n)
{
    struct parser *p = hp->data;
    struct span value;

    if (p->n_fields == 0)
        return 1;
    value = lexer_field(p->ours, p->n_fields - 1)->value;
    if (n == 0 || value.n == 0)
        return n != value.n;
    return at != p->section.at + value.at || n < value.n || at[n] != '\r';
}

static int
on_head(http_parser *hp)
{
    struct parser *p = hp->data;

    p->is_head_whole = true;
    p->is_chunked = (hp->flags & F_CHUNKED) != 0;
    p->length = hp->content_length;
    return p->has_no_body ? 1 : 0;
}

static int
on_body(http_parser *hp, const char *at, size_t n)
{
    struct parser *p = hp->data;

    if (p->piece.n > 0)
        return 1;
    p->piece = text_of(at, n);
    return 0;
}

static int
on_end(http_parser *hp)
{
    struct parser *p = hp->data;

    p->is_whole = true;
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_end,
};

/* Our limits are held by the lexer, before it sees a byte. */
static void
lift_its_limit(void)
{
    http_parser_set_max_header_size(INT32_MAX);
}

struct parser *
parser_new(enum wire_role role)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct parser *p = shelf_take(&spares);

    if (p == NULL)
        p = memory_new_raw(sizeof *p);
    memset(p, 0, sizeof *p);
    pthread_once(&once, lift_its_limit);
    p->role = role;
    return p;
}

void
parser_free(struct parser *p)
{
    if (p != NULL)
        shelf_give(&spares, p);
}

static bool
disagree(const struct parser *p, const char *about)
{
    log_warn("http-parser and our lexer disagree on %s (%s, %s)", about,
             p->role == WIRE_SERVER ? "request" : "answer",
             http_errno_name(HTTP_PARSER_ERRNO(&p->hp)));
    return false;
}

static bool
takes_all(struct parser *p, const struct lexer *l, struct text section)
{
    size_t n;

    p->ours = l;
    p->section = section;
    p->piece = text_of(NULL, 0);
    n = http_parser_execute(&p->hp, &settings, section.at, section.n);
    return n == section.n && HTTP_PARSER_ERRNO(&p->hp) == HPE_OK;
}

static bool
is_same_start(const struct parser *p, const struct lexer *l, struct text head)
{
    struct text method;

    if (p->hp.http_major != 1 || p->hp.http_minor != l->version - 10)
        return false;
    if (p->role == WIRE_CLIENT)
        return p->hp.status_code == l->status;
    method = text_z(http_method_str((enum http_method)p->hp.method));
    return text_equals(method, text_of(head.at + l->method.at, l->method.n)) &&
           p->url.at == head.at + l->target.at && p->url.n == l->target.n;
}

static bool
is_same_framing(const struct parser *p, const struct framing *f)
{
    uint64_t length = f->has_length ? f->told_length : UINT64_MAX;
    bool is_over = f->kind == BODY_NONE || f->kind == BODY_TUNNEL ||
                   (f->kind == BODY_LENGTH && f->length == 0);

    return p->is_head_whole && p->is_chunked == f->has_coding && p->length == length &&
           p->is_whole == is_over;
}

bool
parser_agrees_on_head(struct parser *p, const struct lexer *l, struct text head,
                      const struct framing *framing)
{
    http_parser_init(&p->hp, p->role == WIRE_SERVER ? HTTP_REQUEST : HTTP_RESPONSE);
    p->hp.data = p;
    p->has_no_body = p->role == WIRE_CLIENT &&
                     (framing->kind == BODY_NONE || framing->kind == BODY_TUNNEL);
    p->n_fields = 0;
    p->url = text_of(NULL, 0);
    p->is_head_whole = p->is_whole = false;
    if (!takes_all(p, l, head))
        return disagree(p, "whether this is a head");
    if (!is_same_start(p, l, head))
        return disagree(p, "the first line");
    if (p->n_fields != l->n_fields)
        return disagree(p, "the number of fields");
    if (!is_same_framing(p, framing))
        return disagree(p, "the body's framing");
    return true;
}

bool
parser_agrees_on_body(struct parser *p, struct text bytes, struct text piece,
                      uint64_t left)
{
    if (!takes_all(p, NULL, bytes) || p->piece.n != piece.n ||
        (piece.n > 0 && p->piece.at != piece.at))
        return disagree(p, "a piece of body");
    if (p->is_chunked ? p->is_whole || p->hp.content_length != left
                      : p->is_whole != (left == 0))
        return disagree(p, "how much body is left");
    return true;
}

bool
parser_agrees_on_end(struct parser *p, const struct lexer *l, struct text section)
{
    p->n_fields = 0;
    if (!takes_all(p, l, section) || p->n_fields != l->n_fields || p->piece.n != 0)
        return disagree(p, "the trailers");
    return p->is_whole || disagree(p, "where the body ends");
}

bool
parser_agrees_on_close(struct parser *p)
{
    bool ends = takes_all(p, NULL, text_of("", 0));

    return (ends && p->is_whole) || disagree(p, "where the body ends");
}
