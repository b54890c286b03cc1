/* Sources: the keys that each kind takes and those it does not, and what their values
 * may be. */
#include "conf/check.h"

#include "conf/pattern.h"
#include "conf/rows.h"
#include "conf/suggest.h"

#include <string.h>

enum { COMMAND_MAX_BYTES = 8 * 1024, COMMAND_MAX_WORDS = 64 };

/* ---- keys that belong to one choice of another key */

/* With the choice `of`, the key is taken; sample: and must be written, like this. */
struct need {
    int of;
    const char *key;
    const char *sample;
};

struct needs {
    const char *key; /* whose choices they are of */
    const char *const *words;
    const struct need *at;
    size_t n;
};

static const struct need kind_needs[] = {
    { SOURCE_FILE, "path", "path = \"/run/secrets/github-token\";" },
    { SOURCE_KEY, "path", "path = \"/run/secrets/signing-key.pem\";" },
    { SOURCE_KEY, "key_id", NULL },
    { SOURCE_CERTIFICATE, "certificate", "certificate = \"/run/secrets/client.pem\";" },
    { SOURCE_CERTIFICATE, "key", "key = \"/run/secrets/client.key\";" },
    { SOURCE_COMMAND, "command", "command = [\"/usr/local/bin/token-helper\"];" },
    { SOURCE_COMMAND, "refresh_every", NULL },
    { SOURCE_OAUTH, "timeout", NULL },
    { SOURCE_COMMAND, "timeout", NULL },
    { SOURCE_OAUTH, "token_endpoint",
      "token_endpoint = \"https://idp.example/token\";" },
    { SOURCE_OAUTH, "issuer", NULL },
    { SOURCE_OAUTH, "trust", NULL },
    { SOURCE_OAUTH, "grant_type", NULL },
    { SOURCE_OAUTH, "client_id", NULL },
    { SOURCE_OAUTH, "client_auth", "client_auth = \"private_key_jwt\";" },
    { SOURCE_OAUTH, "client_secret", NULL },
    { SOURCE_OAUTH, "client_key", NULL },
    { SOURCE_OAUTH, "client_key_id", NULL },
    { SOURCE_OAUTH, "client_assertion", NULL },
    { SOURCE_OAUTH, "client_certificate", NULL },
    { SOURCE_OAUTH, "scope", NULL },
    { SOURCE_OAUTH, "audience", NULL },
    { SOURCE_OAUTH, "resource", NULL },
    { SOURCE_OAUTH, "authorization_details", NULL },
    { SOURCE_OAUTH, "authorization_details_type", NULL },
    { SOURCE_OAUTH, "subject_token", NULL },
    { SOURCE_OAUTH, "subject_token_type", NULL },
    { SOURCE_OAUTH, "actor_token", NULL },
    { SOURCE_OAUTH, "actor_token_type", NULL },
    { SOURCE_OAUTH, "requested_token_type", NULL },
    { SOURCE_OAUTH, "refresh_token", NULL },
    { SOURCE_OAUTH, "assertion", NULL },
    { SOURCE_OAUTH, "revocation_endpoint", NULL },
};

static const struct need grant_type_needs[] = {
    { OAUTH_REFRESH_TOKEN, "refresh_token",
      "refresh_token = \"/run/secrets/refresh\";" },
    { OAUTH_JWT_BEARER, "assertion", "assertion = \"/run/secrets/assertion.jwt\";" },
    { OAUTH_TOKEN_EXCHANGE, "subject_token",
      "subject_token = \"/var/run/secrets/tokens/subject\";" },
    { OAUTH_TOKEN_EXCHANGE, "subject_token_type", NULL },
    { OAUTH_TOKEN_EXCHANGE, "actor_token", NULL },
    { OAUTH_TOKEN_EXCHANGE, "actor_token_type", NULL },
    { OAUTH_TOKEN_EXCHANGE, "requested_token_type", NULL },
};

#define CLIENT_ID "client_id = \"builder\";"
static const struct need client_auth_needs[] = {
    { CLIENT_PRIVATE_KEY_JWT, "client_id", CLIENT_ID },
    { CLIENT_SECRET_BASIC, "client_id", CLIENT_ID },
    { CLIENT_SECRET_POST, "client_id", CLIENT_ID },
    { CLIENT_MTLS, "client_id", CLIENT_ID },
    { CLIENT_NONE, "client_id", CLIENT_ID },
    { CLIENT_JWT_SVID, "client_id", NULL },
    { CLIENT_SECRET_BASIC, "client_secret", "client_secret = \"/run/secrets/idp\";" },
    { CLIENT_SECRET_POST, "client_secret", "client_secret = \"/run/secrets/idp\";" },
    { CLIENT_PRIVATE_KEY_JWT, "client_key", "client_key = \"/run/secrets/idp.pem\";" },
    { CLIENT_PRIVATE_KEY_JWT, "client_key_id", NULL },
    { CLIENT_JWT_SVID, "client_assertion",
      "client_assertion = \"/run/secrets/svid.jwt\";" },
};

#define NEEDS(key, words, table)                                                       \
    {                                                                                  \
        key, words, table, sizeof table / sizeof *table                                \
    }
static const struct needs of_kind = NEEDS("kind", conf_source_words, kind_needs);
static const struct needs of_grant_type = NEEDS("grant_type", rows_grant_types,
                                                grant_type_needs);
static const struct needs of_client_auth = NEEDS("client_auth", rows_client_auths,
                                                 client_auth_needs);

static bool
is_taken(const struct needs *needs, int chosen, const char *key)
{
    for (size_t i = 0; i < needs->n; i++)
        if (needs->at[i].of == chosen && strcmp(needs->at[i].key, key) == 0)
            return true;
    return false;
}

/* A key that several choices take stands in as many rows. */
static bool
is_first(const struct needs *needs, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (strcmp(needs->at[j].key, needs->at[i].key) == 0)
            return false;
    return true;
}

static void
check_needs(const struct check *k, const struct conf_source *s,
            const struct needs *needs, int chosen)
{
    for (size_t i = 0; i < needs->n; i++) {
        const struct need *need = &needs->at[i];
        bool written = check_has_key(k, s, need->key);

        if (need->of == chosen && need->sample != NULL && !written)
            check_complain(k, s, need->key, "is missing with %s = \"%s\": write %s",
                           needs->key, needs->words[chosen], need->sample);
        if (written && is_first(needs, i) && !is_taken(needs, chosen, need->key))
            check_complain(k, s, need->key,
                           "means nothing with %s = \"%s\": remove it, or write %s = "
                           "\"%s\"",
                           needs->key, needs->words[chosen], needs->key,
                           needs->words[need->of]);
    }
}

/* ---- values */

static void
check_files(const struct check *k, const struct conf_source *s)
{
    const struct {
        const char *key, *path;
    } files[] = {
        { "path", s->path },
        { "certificate", s->certificate },
        { "key", s->key },
        { "client_secret", s->client_secret },
        { "client_key", s->client_key },
        { "client_assertion", s->client_assertion },
        { "subject_token", s->subject_token },
        { "actor_token", s->actor_token },
        { "refresh_token", s->refresh_token },
        { "assertion", s->assertion },
    };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i].path != NULL)
            check_secret_file(k, s, files[i].key, files[i].path);
    if (s->trust != NULL)
        check_value(k, s, "trust", s->trust, pattern_file_error(s->trust));
}

static void
check_words(const struct check *k, const struct conf_source *s)
{
    const struct {
        const char *key, *value;
        const char *(*error_of)(const char *z);
    } words[] = {
        { "key_id", s->key_id, pattern_visible_error },
        { "client_id", s->client_id, pattern_visible_error },
        { "client_key_id", s->client_key_id, pattern_visible_error },
        { "audience", s->audience, pattern_visible_error },
        { "authorization_details_type", s->authorization_details_type,
          pattern_visible_error },
        { "issuer", s->issuer, pattern_issuer_error },
        { "scope", s->scope, pattern_scopes_error },
        { "subject_token_type", s->subject_token_type, pattern_uri_error },
        { "actor_token_type", s->actor_token_type, pattern_uri_error },
        { "requested_token_type", s->requested_token_type, pattern_uri_error },
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].value != NULL)
            check_value(k, s, words[i].key, words[i].value,
                        words[i].error_of(words[i].value));
}

static const char *
uri_error(struct arena *a, const char *z)
{
    (void)a;
    return pattern_uri_error(z);
}

/* All of it goes to the process that runs it in one packet. */
static bool
is_too_long(const struct strings *command)
{
    size_t bytes = 0;

    for (size_t i = 0; i < command->n; i++)
        bytes += strlen(command->at[i]) + 1;
    return bytes > COMMAND_MAX_BYTES || command->n > COMMAND_MAX_WORDS;
}

/* No shell looks for it, and nobody's PATH. */
static void
check_command(const struct check *k, const struct conf_source *s)
{
    const char *program = s->command.n > 0 ? s->command.at[0] : NULL;
    const char *error = program != NULL ? pattern_file_error(program) : NULL;

    if (error != NULL)
        check_complain_element(k, s, "command", program, error);
    else if (is_too_long(&s->command))
        check_complain(k, s, "command",
                       "is longer than 8192 bytes or 64 words: write the rest into a "
                       "file that the program reads");
    else if (program != NULL && check_is_published(k, program))
        check_complain_element(k, s, "command", program,
                               "lies in ca.publish, which is the workload's to read: "
                               "write another directory");
}

/* ---- oauth */

static void
check_client_certificate(const struct check *k, const struct conf_source *s)
{
    const struct conf_credential *named = conf_credential(k->conf,
                                                          s->client_certificate);

    if (named == NULL)
        check_credential_name(k, s, "client_certificate", s->client_certificate);
    else if (named->source.kind != SOURCE_CERTIFICATE)
        check_complain(k, s, "client_certificate",
                       "\"%.80s\" has another kind of source: name a credential with "
                       "source = { kind = \"certificate\"; ... };",
                       s->client_certificate);
}

/* A key that only says more of another. */
static void
check_companions(const struct check *k, const struct conf_source *s)
{
    if (check_has_key(k, s, "authorization_details_type") &&
        s->authorization_details == DETAILS_NONE)
        check_complain(k, s, "authorization_details_type",
                       "is the type of what is not asked for: write "
                       "authorization_details = \"grant\"; or remove it");
    if (check_has_key(k, s, "actor_token_type") && !check_has_key(k, s, "actor_token"))
        check_complain(k, s, "actor_token_type",
                       "is the type of a token that is not there: write actor_token = "
                       "\"/run/secrets/actor.jwt\"; or remove it");
}

static void
check_oauth(const struct check *k, const struct conf_source *s)
{
    int type = (int)s->grant_type, auth = (int)s->client_auth;

    if (type >= 0)
        check_needs(k, s, &of_grant_type, type);
    if (auth >= 0)
        check_needs(k, s, &of_client_auth, auth);
    if (auth == CLIENT_MTLS && !check_has_key(k, s, "client_certificate"))
        check_complain(k, s, "client_certificate",
                       "is missing with client_auth = \"mtls\": write "
                       "client_certificate = \"NAME\"; of a credential whose source is "
                       "a certificate");
    if (s->client_certificate != NULL)
        check_client_certificate(k, s);
    check_url(k, s, "token_endpoint", s->token_endpoint);
    check_url(k, s, "revocation_endpoint", s->revocation_endpoint);
    check_each(k, s, "resource", &s->resource, uri_error);
    check_companions(k, s);
}

/* ---- a source */

void
check_source(const struct check *k, const struct conf_source *s)
{
    int kind = (int)s->kind;

    if (kind < 0 || !check_has_key(k, s, "kind"))
        return;
    check_needs(k, s, &of_kind, kind);
    check_files(k, s);
    check_words(k, s);
    if (kind == SOURCE_COMMAND)
        check_command(k, s);
    if (kind == SOURCE_OAUTH)
        check_oauth(k, s);
}
