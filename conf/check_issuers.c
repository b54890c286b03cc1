/* Issuers of access tokens that a gate believes: one way to know what a token is worth,
 * and never by an algorithm that anybody could sign with. */
#include "conf/check.h"

#include "conf/pattern.h"
#include "conf/suggest.h"

#include <string.h>

static const char *
algorithm_error(struct arena *a, const char *z)
{
    static const char *const known[] = { "ES256", "ES384", "EdDSA", "PS256", "RS256" };
    struct suggestion near = { 0 };

    if (strcmp(z, "none") == 0 || strncmp(z, "HS", 2) == 0)
        return "proves nothing that this gate could not have written itself: remove it";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(z, known[i]) == 0)
            return NULL;
        suggest(&near, z, known[i]);
    }
    if (near.word != NULL)
        return arena_copy_z(
            a,
            arena_printf(a, "is not verified here, did you mean \"%s\"?", near.word));
    return "is not verified here: write \"ES256\", \"ES384\", \"EdDSA\", \"PS256\" or "
           "\"RS256\"";
}

static const char *
visible_error(struct arena *a, const char *z)
{
    (void)a;
    return pattern_visible_error(z);
}

/* ---- where the verdict comes from */

static void
check_one_way(const struct check *k, const struct conf_issuer *i)
{
    static const char *const ways[] = { "jwks_file", "jwks_url", "introspection" };
    const char *written[3];
    size_t n = 0;

    for (size_t w = 0; w < 3; w++)
        if (check_has_key(k, i, ways[w]))
            written[n++] = ways[w];
    if (n == 0)
        check_complain(k, i, "jwks_url",
                       "is missing, and so are jwks_file and introspection: write "
                       "jwks_url = \"https://idp.example/jwks\";");
    if (n > 1)
        check_complain(k, i, written[1],
                       "stands beside %s, and a token is judged in one way: remove one",
                       written[0]);
}

static void
check_introspection(const struct check *k, const struct conf_introspection *s)
{
    static const struct {
        const char *key, *sample;
    } keys[] = { { "url", "url = \"https://idp.example/introspect\";" },
                 { "client_id", "client_id = \"orders-gate\";" },
                 { "client_secret", "client_secret = \"/run/secrets/introspect\";" } };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!check_has_key(k, s, keys[i].key))
            check_complain(k, s, keys[i].key, "is missing: write %s", keys[i].sample);
    check_url(k, s, "url", s->url);
    if (s->client_id != NULL)
        check_value(k, s, "client_id", s->client_id,
                    pattern_visible_error(s->client_id));
    if (s->client_secret != NULL)
        check_secret_file(k, s, "client_secret", s->client_secret);
}

/* What is only read of tokens, or only of answers. */
static void
check_use(const struct check *k, const struct conf_issuer *i)
{
    bool asks = check_has_key(k, i, "introspection");

    if (check_has_key(k, i, "algorithms") && asks)
        check_complain(k, i, "algorithms",
                       "are of tokens that are read, and here the issuer is asked: "
                       "remove them");
    if (check_has_key(k, i, "trust") && !asks && !check_has_key(k, i, "jwks_url"))
        check_complain(k, i, "trust",
                       "verifies whom nothing is fetched from: remove it, or write "
                       "jwks_url");
}

static void
check_issuer(const struct check *k, const struct conf_issuer *i)
{
    const char *const files[] = { i->jwks_file, i->trust };
    static const char *const keys[] = { "jwks_file", "trust" };

    if (i->issuer != NULL)
        check_value(k, i, "issuer", i->issuer, pattern_issuer_error(i->issuer));
    if (i->audience != NULL)
        check_value(k, i, "audience", i->audience, pattern_visible_error(i->audience));
    check_one_way(k, i);
    check_use(k, i);
    check_url(k, i, "jwks_url", i->jwks_url);
    for (size_t f = 0; f < sizeof files / sizeof *files; f++)
        if (files[f] != NULL)
            check_value(k, i, keys[f], files[f], pattern_file_error(files[f]));
    check_each(k, i, "subjects", &i->subjects, visible_error);
    check_each(k, i, "algorithms", &i->algorithms, algorithm_error);
    check_no_repeats(k, i, "algorithms", &i->algorithms);
    if (check_has_key(k, i, "introspection"))
        check_introspection(k, &i->introspection);
}

/* A token's `iss` says by which of them it is judged. */
void
check_issuers(const struct check *k, const struct conf_door *door)
{
    const struct conf_issuer *all = door->issuers.at;

    for (size_t i = 0; i < door->issuers.n; i++) {
        check_issuer(k, &all[i]);
        for (size_t j = 0; j < i && all[i].issuer != NULL; j++)
            if (all[j].issuer != NULL && strcmp(all[i].issuer, all[j].issuer) == 0) {
                check_complain(k, &all[i], "issuer",
                               "\"%.80s\" is an issuer of this door already: write "
                               "another, or one entry",
                               all[i].issuer);
                break;
            }
    }
}
