#include "proxy/sources.h"

#include "base/memory.h"
#include "tokens/oauth.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sources {
    const struct groups *credentials;
    struct source {
        bool yields_tokens;
        unsigned char digest[SHA256_SIZE];
    } at[];
};

struct sources *
sources_new(const struct conf *conf)
{
    const struct conf_credential *c = conf->credentials.at;
    size_t n = conf->credentials.n;
    struct sources *s = memory_new(sizeof *s + n * sizeof s->at[0]);

    s->credentials = &conf->credentials;
    for (size_t i = 0; i < n; i++) {
        s->at[i].yields_tokens = c[i].source.kind == SOURCE_OAUTH ||
                                 c[i].source.kind == SOURCE_COMMAND;
        if (s->at[i].yields_tokens)
            oauth_digest(conf, &c[i], s->at[i].digest);
    }
    return s;
}

void
sources_free(struct sources *s)
{
    free(s);
}

const unsigned char *
sources_digest(const struct sources *s, const struct conf_credential *c)
{
    const struct conf_credential *first = s->credentials->at;

    assert(c >= first && c < first + s->credentials->n);
    return s->at[c - first].yields_tokens ? s->at[c - first].digest : NULL;
}

const struct conf_credential *
sources_find(const struct sources *s, const unsigned char digest[SHA256_SIZE])
{
    const struct conf_credential *c = s->credentials->at;

    for (size_t i = 0; i < s->credentials->n; i++)
        if (s->at[i].yields_tokens && memcmp(s->at[i].digest, digest, SHA256_SIZE) == 0)
            return &c[i];
    return NULL;
}
