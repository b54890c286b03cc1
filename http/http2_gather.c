#include "http/http2_gather.h"

#include "http/octet.h"

enum { SPARE_FIELDS = 8 }; /* what is added to a message on its way */

static const struct {
    struct text name;
    bool of_request;
} pseudos[N_PSEUDO] = {
    [PSEUDO_METHOD] = { { ":method", 7 }, true },
    [PSEUDO_SCHEME] = { { ":scheme", 7 }, true },
    [PSEUDO_PATH] = { { ":path", 5 }, true },
    [PSEUDO_AUTHORITY] = { { ":authority", 10 }, true },
    [PSEUDO_PROTOCOL] = { { ":protocol", 9 }, true },
    [PSEUDO_STATUS] = { { ":status", 7 }, false },
};

/* Known, of this kind of message, once, and before every other field. */
static enum reason
note_pseudo(struct gathered *g, const struct field *f)
{
    for (int i = 0; i < N_PSEUDO; i++) {
        if (!text_equals(f->name, pseudos[i].name))
            continue;
        if (g->past_pseudo || g->pseudo[i].at != NULL ||
            pseudos[i].of_request != g->of_request)
            return REASON_PSEUDO_FIELD;
        g->pseudo[i] = f->value;
        return REASON_OK;
    }
    return REASON_PSEUDO_FIELD;
}

/* RFC 9113 section 8.2.2: the only field of one connection that may be sent is
 * "te: trailers". Trailer is not one, but says nothing that is passed on. */
static enum reason
note_hop(struct gathered *g, const struct field *f)
{
    if (text_equals(f->name, TEXT("trailer")))
        return REASON_OK;
    if (!text_equals(f->name, TEXT("te")) ||
        !text_equals_nocase(f->value, TEXT("trailers")))
        return REASON_CONNECTION_FIELD;
    g->takes_trailers = true;
    return REASON_OK;
}

static void
note_plain(struct gathered *g, const struct field *f)
{
    bool is_crumb = g->of_request && text_equals(f->name, TEXT("cookie"));

    if (is_crumb && g->n_cookie++ == 0)
        g->cookie_at = g->headers->n;
    else if (is_crumb) {
        g->headers->at[g->cookie_at].never_index |= f->never_index;
        return;
    }
    headers_add(g->headers, f->name, f->value);
    g->headers->at[g->headers->n - 1].never_index = f->never_index;
}

static enum reason
note_field(struct gathered *g, const struct field *f)
{
    switch (field_kind(f->name)) {
    case FIELD_PLAIN:
        if (field_is_almost_coding(f->name))
            return REASON_TRANSFER_ENCODING;
        note_plain(g, f);
        break;
    case FIELD_HOST:
        g->host = f->value;
        g->n_host++;
        break;
    case FIELD_CONTENT_LENGTH:
        g->length = f->value;
        g->n_length++;
        break;
    case FIELD_EXPECT:
        g->expect = f->value;
        g->n_expect++;
        break;
    case FIELD_HOP:
        return note_hop(g, f);
    case FIELD_TRANSFER_ENCODING:
        return REASON_TRANSFER_ENCODING;
    case FIELD_CONNECTION:
    case FIELD_UPGRADE:
        return REASON_CONNECTION_FIELD;
    }
    return REASON_OK;
}

/* The name's and the value's bytes: what HTTP/1's lines would refuse, and capitals. */
static enum reason
check_field(const struct field *f, bool of_request)
{
    if (!octet_is_value(f->value))
        return REASON_FIELD_VALUE;
    if (f->name.n > 0 && f->name.at[0] == ':')
        return REASON_OK;
    if (!octet_is_all(f->name, OCTET_LOWER_NAME))
        return REASON_FIELD_NAME;
    if (of_request && text_has_byte(f->name, '_') &&
        field_is_guarded_in_disguise(f->name))
        return REASON_FIELD_UNDERSCORE;
    return REASON_OK;
}

/* RFC 9113 section 8.2.3: a cookie's crumbs are one field to everybody else. */
static void
join_crumbs(struct gathered *g, const struct section *section, struct arena *a)
{
    struct text rest = section->bytes;
    struct field f;
    size_t n = 0;
    char *at;

    while (section_next(&rest, &f))
        if (text_equals(f.name, TEXT("cookie")))
            n += f.value.n + 2;
    at = arena_alloc(a, n);
    g->headers->at[g->cookie_at].value = text_of(at, n - 2);
    for (rest = section->bytes; section_next(&rest, &f);) {
        if (!text_equals(f.name, TEXT("cookie")))
            continue;
        memcpy(at, f.value.at, f.value.n);
        memcpy(at + f.value.n, "; ", 2);
        at += f.value.n + 2;
    }
}

enum reason
http2_gather(struct gathered *g, const struct section *section, struct arena *a)
{
    struct text rest = section->bytes;
    enum reason why = section->why;
    struct field f;

    headers_init(g->headers, a);
    headers_reserve(g->headers, section->n + SPARE_FIELDS);
    while (why == REASON_OK && section_next(&rest, &f)) {
        why = check_field(&f, g->of_request);
        if (why != REASON_OK)
            return why;
        if (f.name.n > 0 && f.name.at[0] == ':') {
            why = note_pseudo(g, &f);
        } else {
            g->past_pseudo = true;
            why = note_field(g, &f);
        }
    }
    if (why == REASON_OK && g->n_cookie > 1)
        join_crumbs(g, section, a);
    return why;
}

bool
http2_is_field(const struct field *f)
{
    return octet_is_all(f->name, OCTET_LOWER_NAME) && octet_is_value(f->value);
}
