/* An opaque rule: what is passed on unopened cannot be judged by what is inside, and
 * whoever writes such a key believes in more than there is. */
#include "conf/check.h"

#include "base/host.h"
#include "conf/pattern.h"

static const char *const seen_inside[] = {
    "scheme",    "http",      "methods",         "paths",       "credential",
    "bind",      "signature", "unbound_because", "inject",      "cookies",
    "own_proof", "websocket", "encoded_slashes", "signed_urls", "upstream_trust",
};

static void
check_host(const struct check *k, const struct conf_rule *r)
{
    const char *error = pattern_host_error(k->fill->scratch, r->host);
    struct host host;

    check_value(k, r, "host", r->host, error);
    if (error == NULL && host_parse(text_z(r->host), &host) == REASON_OK &&
        host.address.family != 0)
        check_complain(k, r, "host",
                       "an opaque rule is found by the TLS server name, and no client "
                       "says an address there: write a name");
}

void
check_opaque(const struct check *k, const struct conf_rule *r)
{
    if (r->host != NULL)
        check_host(k, r);
    for (size_t i = 0; i < sizeof seen_inside / sizeof *seen_inside; i++)
        if (check_has_key(k, r, seen_inside[i]))
            check_complain(k, r, seen_inside[i],
                           "an opaque rule lets TLS through unread, and can say "
                           "nothing of what is inside: remove it, or opaque");
}
