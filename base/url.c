#include "base/url.h"

#include <string.h>

enum { HTTPS_PORT = 443 };

/* '?' right behind the host: the path is "/". */
static void
split_target(struct text target, struct url *out)
{
    const char *mark = target.n == 0 ? NULL : memchr(target.at, '?', target.n);
    size_t n = mark != NULL ? (size_t)(mark - target.at) : target.n;

    out->path = n > 0 ? text_of(target.at, n) : TEXT("/");
    if (mark != NULL)
        out->query = text_of(mark + 1, target.n - n - 1);
}

enum reason
url_split(const char *z, struct url *out)
{
    static const char scheme[] = "https://";
    size_t n = sizeof scheme - 1, host;
    enum reason why;

    memset(out, 0, sizeof *out);
    if (strncmp(z, scheme, n) != 0 || strchr(z, '#') != NULL)
        return REASON_TARGET;
    z += n;
    host = strcspn(z, "/?");
    if ((why = authority_parse(text_of(z, host), HTTPS_PORT, &out->to)) == REASON_OK)
        split_target(text_z(z + host), out);
    else
        memset(out, 0, sizeof *out);
    return why;
}
