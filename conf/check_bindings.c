/* How a rule presents its credential: in a way its source can, in the order of
 * strength, and with what each way needs to be told. */
#include "conf/check.h"

#include "conf/suggest.h"

#include <string.h>

/* BIND_BEARER + 1: it is none. */
static enum conf_bind
bind_of(const char *word)
{
    enum conf_bind b = BIND_HTTPSIG;

    while (conf_bind_words[b] != NULL && strcmp(word, conf_bind_words[b]) != 0)
        b++;
    return b;
}

static bool
is_binding(const char *word)
{
    return bind_of(word) <= BIND_BEARER;
}

static const char *
bind_error(struct arena *a, const char *z)
{
    struct suggestion near = { 0 };

    if (is_binding(z))
        return NULL;
    if (is_later_word("bind", z))
        return "is not built yet: write \"header\" or \"bearer\"";
    for (size_t i = 0; conf_bind_words[i] != NULL; i++)
        suggest(&near, z, conf_bind_words[i]);
    if (near.word == NULL)
        return "is no binding: write \"httpsig\", \"dpop\", \"wimse\", \"mtls\", "
               "\"header\" or \"bearer\"";
    return arena_copy_z(
        a, arena_printf(a, "is no binding, did you mean \"%s\"?", near.word));
}

/* The secret itself leaves. */
static bool
binds_nothing(const struct conf_rule *r)
{
    return conf_names_bind(&r->bind, BIND_HEADER) ||
           conf_names_bind(&r->bind, BIND_BEARER);
}

/* What is no binding has been complained of, and whatever else it says is moot. */
static bool
has_known_binds(const struct conf_rule *r)
{
    for (size_t i = 0; i < r->bind.n; i++)
        if (!is_binding(r->bind.at[i]))
            return false;
    return r->bind.n > 0;
}

/* ---- what the source can */

static const char *const instead[] = {
    [SOURCE_AUTHORITY] = "the authority yields no such thing: write \"httpsig\" or "
                         "\"wimse\"",
    [SOURCE_FILE] = "a secret from a file cannot be bound: write \"bearer\" or "
                    "\"header\", or a credential of another source",
    [SOURCE_KEY] = "a key signs, and is never sent: write \"httpsig\"",
    [SOURCE_CERTIFICATE] = "a certificate is shown in the handshake alone: write "
                           "\"mtls\"",
    [SOURCE_OAUTH] = "a token cannot be presented so: write \"dpop\", \"mtls\" or "
                     "\"bearer\"",
    [SOURCE_COMMAND] = "a secret that a command tells cannot be bound: write "
                       "\"bearer\" or \"header\", or a credential of another source",
};

static const char *const first_choice[] = {
    [SOURCE_AUTHORITY] = "wimse", [SOURCE_FILE] = "bearer",
    [SOURCE_KEY] = "httpsig",     [SOURCE_CERTIFICATE] = "mtls",
    [SOURCE_OAUTH] = "dpop",      [SOURCE_COMMAND] = "bearer",
};

static const char *
credential_error(const struct conf_credential *c, enum conf_bind bind)
{
    if (c->source.kind == SOURCE_OAUTH && bind == BIND_MTLS)
        return "needs a certificate to be shown: write client_certificate = \"NAME\"; "
               "in the credential's source";
    return instead[c->source.kind];
}

/* False: one of them it cannot, which was said. */
static bool
check_can(const struct check *k, const struct conf_rule *r,
          const struct conf_credential *c)
{
    for (size_t i = 0; i < r->bind.n; i++) {
        enum conf_bind bind = bind_of(r->bind.at[i]);

        if (conf_can_bind(c, bind))
            continue;
        check_complain_element(k, r, "bind", r->bind.at[i], credential_error(c, bind));
        return false;
    }
    return true;
}

/* The first is taken: whoever writes another before it believes in more than there is.
 */
static void
check_order(const struct check *k, const struct conf_rule *r)
{
    if (r->bind.n > 1 && binds_nothing(r)) {
        check_complain(k, r, "bind",
                       "one of them would be presented and the others never: write "
                       "one");
        return;
    }
    check_no_repeats(k, r, "bind", &r->bind);
    for (size_t i = 1; i < r->bind.n; i++)
        if (bind_of(r->bind.at[i]) < bind_of(r->bind.at[i - 1]))
            check_complain(k, r, "bind",
                           "is written the strongest first: write \"%s\" before \"%s\"",
                           r->bind.at[i], r->bind.at[i - 1]);
}

static void
check_bind_of(const struct check *k, const struct conf_rule *r,
              const struct conf_credential *c)
{
    if (!check_can(k, r, c))
        return;
    check_order(k, r);
    if (conf_names_bind(&r->bind, BIND_HEADER) && !check_has_key(k, c, "header"))
        check_complain_element(k, r, "bind", conf_bind_words[BIND_HEADER],
                               "its credential does not say in which: write header = "
                               "\"X-Api-Key\"; there");
}

/* Whoever lets a secret out as it is says why, and nobody else does. */
static void
check_unbound_because(const struct check *k, const struct conf_rule *r)
{
    bool said = check_has_key(k, r, "unbound_because");

    if (binds_nothing(r) && !said)
        check_complain(k, r, "unbound_because",
                       "is missing where the secret itself leaves: write "
                       "unbound_because = \"why nothing better is taken\";");
    if (!binds_nothing(r) && said)
        check_complain(k, r, "unbound_because",
                       "nothing leaves unbound here: remove it");
}

/* A source whose kind was refused has none to speak of. */
static bool
has_kind(const struct conf_credential *c)
{
    return c != NULL && (int)c->source.kind >= 0;
}

static void
check_bind(const struct check *k, const struct conf_rule *r,
           const struct conf_credential *c)
{
    if (!check_has_key(k, r, "bind"))
        check_complain(k, r, "bind",
                       "is missing beside a credential: write bind = [\"%s\"];",
                       has_kind(c) ? first_choice[c->source.kind] : "wimse");
    if (!has_known_binds(r))
        return;
    if (has_kind(c))
        check_bind_of(k, r, c);
    check_unbound_because(k, r);
}

static void
check_inject(const struct check *k, const struct conf_rule *r,
             const struct conf_credential *c)
{
    if (!has_kind(c) || conf_has_handle(c) || r->inject != INJECT_ON_HANDLE)
        return;
    if (c->source.kind == SOURCE_AUTHORITY)
        check_complain(k, r, "inject",
                       "the authority has no handle that could be shown, and "
                       "\"on_handle\" is the default: write inject = \"always\";");
    else
        check_complain(k, r, "inject",
                       "a %s has no handle that could be shown, and \"on_handle\" is "
                       "the default: write inject = \"always\";",
                       conf_source_words[c->source.kind]);
}

/* ---- rules */

static void
check_with_credential(const struct check *k, const struct conf_rule *r)
{
    const struct conf_credential *c = conf_credential(k->conf, r->credential);

    if (c == NULL)
        check_credential_name(k, r, "credential", r->credential);
    else
        check_inject(k, r, c);
    check_bind(k, r, c);
    check_signature(k, r, c);
    if (r->scheme == SCHEME_HTTP)
        check_complain(k, r, "credential",
                       "a credential is never presented over plain http: remove it, or "
                       "write scheme = \"https\"");
    if (r->signed_urls == CONF_PASS)
        check_complain(k, r, "signed_urls",
                       "signed URLs pass only in a rule without credential: remove one "
                       "of the two");
    if (r->own_proof == CONF_PASS)
        check_complain(k, r, "own_proof",
                       "the workload's own token passes only in a rule without "
                       "credential: remove one of the two");
}

static void
check_without_credential(const struct check *k, const struct conf_rule *r)
{
    static const struct {
        const char *key, *what;
    } keys[] = { { "bind", "bind" }, { "signature", "sign" }, { "inject", "inject" } };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (check_has_key(k, r, keys[i].key))
            check_complain(
                k, r, keys[i].key,
                "there is nothing to %s: write credential = \"...\"; or remove it",
                keys[i].what);
    if (check_has_key(k, r, "unbound_because"))
        check_complain(k, r, "unbound_because",
                       "nothing leaves unbound here: remove it");
    if (r->own_proof == CONF_PASS && r->scheme == SCHEME_HTTP)
        check_complain(k, r, "own_proof",
                       "a token never goes over plain http: remove it, or write scheme "
                       "= \"https\"");
}

void
check_bindings(const struct check *k, const struct conf_rule *r)
{
    check_each(k, r, "bind", &r->bind, bind_error);
    if (r->credential != NULL)
        check_with_credential(k, r);
    else if (!check_has_key(k, r, "credential"))
        check_without_credential(k, r);
}
