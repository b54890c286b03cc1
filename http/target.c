#include "http/target.h"

static bool
starts_nocase(struct text t, struct text prefix)
{
    return t.n >= prefix.n && text_equals_nocase(text_of(t.at, prefix.n), prefix);
}

static struct text
cut_front(struct text t, size_t n)
{
    return text_of(t.at + n, t.n - n);
}

/* http://authority/path?query. An empty path is "/", or "*" for OPTIONS (RFC 9112
 * section 3.2.4). */
static enum reason
take_absolute(struct text whole, struct arena *a, struct request *out)
{
    size_t n = 0, scheme;

    if (starts_nocase(whole, TEXT("http://")))
        scheme = 4;
    else if (starts_nocase(whole, TEXT("https://")))
        scheme = 5;
    else
        return REASON_TARGET;
    out->form = TARGET_ABSOLUTE;
    out->scheme = text_of(whole.at, scheme);
    whole = cut_front(whole, scheme + 3);
    while (n < whole.n && whole.at[n] != '/' && whole.at[n] != '?')
        n++;
    if (n == 0)
        return REASON_TARGET;
    out->authority = text_of(whole.at, n);
    out->target = cut_front(whole, n);
    if (out->target.n == 0)
        out->target = text_equals(out->method, TEXT("OPTIONS")) ? TEXT("*") : TEXT("/");
    else if (out->target.at[0] == '?')
        out->target = arena_printf(a, "/%.*s", TEXT_ARG(out->target));
    return REASON_OK;
}

/* CONNECT has authority-form and no other method has (RFC 9112 section 3.2.3). */
static enum reason
take_authority(struct text whole, struct request *out)
{
    if (text_has_byte(whole, '/') || text_has_byte(whole, '?') ||
        text_has_byte(whole, '@'))
        return REASON_TARGET;
    out->form = TARGET_AUTHORITY;
    out->authority = whole;
    return REASON_OK;
}

enum reason
target_read(struct text whole, struct arena *a, struct request *out)
{
    if (text_equals(out->method, TEXT("CONNECT")))
        return take_authority(whole, out);
    out->target = whole;
    if (whole.at[0] == '/') {
        out->form = TARGET_ORIGIN;
        return REASON_OK;
    }
    if (text_equals(whole, TEXT("*"))) {
        out->form = TARGET_ASTERISK;
        return text_equals(out->method, TEXT("OPTIONS")) ? REASON_OK : REASON_TARGET;
    }
    return take_absolute(whole, a, out);
}
