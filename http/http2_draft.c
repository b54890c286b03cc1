/* Heads are written from values, as in HTTP/1: a byte in one that must not be there is
 * our own mistake, and an assert. */
#include "http/http2_head.h"
#include "http/octet.h"

#include <assert.h>

enum { FIELDS_OF_OURS = 10 }; /* at most: pseudo-fields, and what is said once */

/* Room for n fields in all. It is never committed: they are borrowed, and no secret is
 * among pointers. */
static void
begin(struct http2_draft *d, size_t n)
{
    buf_reserve(&d->fields, n * sizeof(struct field));
}

static void
add(struct http2_draft *d, struct text name, struct text value, bool never_index)
{
    /* HTTP/1 readers take white space off a value's ends; here it would stay. */
    if (!octet_is_value(value)) {
        value = text_trim(value);
        assert(octet_is_value(value));
    }
    assert(buf_room(&d->fields) >= (d->n + 1) * sizeof(struct field));
    ((struct field *)(void *)d->fields.mem)[d->n++] = (struct field){ name, value,
                                                                      never_index };
}

static void
add_number(struct http2_draft *d, int slot, struct text name, uint64_t n)
{
    char *end = d->digits[slot] + sizeof d->digits[slot], *at = end;

    do {
        *--at = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    add(d, name, text_of(at, (size_t)(end - at)), false);
}

static void
add_fields(struct http2_draft *d, const struct headers *h)
{
    for (size_t i = 0; i < h->n; i++) {
        assert(octet_is_all(h->at[i].name, OCTET_TOKEN));
        add(d, h->at[i].name, h->at[i].value, h->at[i].never_index);
    }
}

static struct text
join_path(struct http2_draft *d, struct text path, struct text query)
{
    if (query.at == NULL)
        return path;
    buf_reserve(&d->path, path.n + 1 + query.n);
    buf_add(&d->path, path);
    buf_add_byte(&d->path, '?');
    buf_add(&d->path, query);
    return buf_text(&d->path);
}

static void
add_target(struct http2_draft *d, const struct request *r, struct text path,
           struct text query, struct text host)
{
    bool is_websocket = r->upgrade == UPGRADE_WEBSOCKET;

    assert(octet_is_all(r->method, OCTET_TOKEN) && octet_is_all(host, OCTET_TARGET));
    add(d, TEXT(":method"), is_websocket ? TEXT("CONNECT") : r->method, false);
    if (is_websocket)
        add(d, TEXT(":protocol"), TEXT("websocket"), false);
    add(d, TEXT(":authority"), host, false);
    if (r->form == TARGET_AUTHORITY)
        return;
    path = join_path(d, path, query);
    assert(octet_is_all(path, OCTET_TARGET));
    add(d, TEXT(":scheme"), r->scheme.n > 0 ? r->scheme : TEXT("https"), false);
    add(d, TEXT(":path"), path, false);
}

void
http2_draft_request(struct http2_draft *d, const struct request *r, struct text path,
                    struct text query, struct text host)
{
    begin(d, r->headers.n + FIELDS_OF_OURS);
    add_target(d, r, path, query, host);
    add_fields(d, &r->headers);
    if (r->upgrade == UPGRADE_WEBSOCKET)
        add(d, TEXT("sec-websocket-version"), TEXT("13"), false);
    if (r->body.kind == BODY_LENGTH)
        add_number(d, 0, TEXT("content-length"), r->body.length);
    if (r->expect_continue)
        add(d, TEXT("expect"), TEXT("100-continue"), false);
    if (r->takes_trailers)
        add(d, TEXT("te"), TEXT("trailers"), false);
}

void
http2_draft_response(struct http2_draft *d, const struct response *r,
                     const uint64_t *told)
{
    int status = r->status == 101 ? 200 : r->status;

    assert(status >= 100 && status <= 599);
    begin(d, r->headers.n + FIELDS_OF_OURS);
    add_number(d, 0, TEXT(":status"), (uint64_t)status);
    add_fields(d, &r->headers);
    if (told != NULL)
        add_number(d, 1, TEXT("content-length"), *told);
}

void
http2_draft_section(struct http2_draft *d, struct text section, size_t n)
{
    struct field f;

    begin(d, n);
    while (section_next(&section, &f))
        add(d, f.name, f.value, f.never_index);
}

void
http2_draft_free(struct http2_draft *d)
{
    buf_free(&d->fields);
    buf_free(&d->path);
}
