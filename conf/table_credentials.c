/* The keys of a credential: who answers for it, where it comes from, what stands for
 * it.
 */
#include "conf/rows.h"

const char *const rows_grant_types[] = {
    [OAUTH_CLIENT_CREDENTIALS] = "client_credentials",
    [OAUTH_REFRESH_TOKEN] = "refresh_token",
    [OAUTH_JWT_BEARER] = "jwt_bearer",
    [OAUTH_TOKEN_EXCHANGE] = "token_exchange",
    NULL
};
const char *const rows_client_auths[] = { [CLIENT_PRIVATE_KEY_JWT] = "private_key_jwt",
                                          [CLIENT_SECRET_BASIC] = "client_secret_basic",
                                          [CLIENT_SECRET_POST] = "client_secret_post",
                                          [CLIENT_MTLS] = "mtls",
                                          [CLIENT_JWT_SVID] = "jwt_svid",
                                          [CLIENT_NONE] = "none",
                                          NULL };
static const char *const authorization_details[] = {
    [DETAILS_NONE] = "none", [DETAILS_GRANT] = "grant", NULL
};

/* clang-format off */
static const struct setting source[] = {
    CHOICE("kind", IN(conf_source, kind), MUST, NULL, conf_source_words,
           "`authority`: our own authority issues a workload identity token for the task. `file`: a file holds the secret. `key`: a file holds a private key that signs requests. `certificate`: files hold a client certificate and its key. `oauth`: an authorization server issues a token for the task. `command`: a program tells the secret."),
    STRING("path", IN(conf_source, path), 0,
           "File: the secret and one newline at most behind it. Key: a private key in PEM, P-256, Ed25519 or RSA of 2048 bits and more. An absolute path; its directory is watched: what is new there is used as soon as it is whole. Required for both."),
    STRING("key_id", IN(conf_source, key_id), 0,
           "Key: what its signatures call it, their `keyid`. Without it: its thumbprint (RFC 7638)."),
    STRING("certificate", IN(conf_source, certificate), 0,
           "Certificate: PEM file of the chain that services are shown, leaf first; watched like every file here. Required there."),
    STRING("key", IN(conf_source, key), 0,
           "Certificate: PEM file of its private key. Required there."),
    STRINGS("command", IN(conf_source, command), 0,
            "Command: the program's absolute path and its arguments; no shell reads them. It prints one JSON object with `token`, `access_token` or `secret`, and perhaps `expires_in`. Required there."),
    DURATION("refresh_every", IN(conf_source, refresh_every_ms), 0, "5m", SECOND, 30 * DAY,
             "Command: for how long its secret is good if what it printed has no `expires_in`; it is run again before that."),
    DURATION("timeout", IN(conf_source, timeout_ms), 0, "10s", 100, 5 * MINUTE,
             "Oauth: for one request to the authorization server, all of it. Command: for one run, its turn included."),
    STRING("token_endpoint", IN(conf_source, token_endpoint), 0,
           "Oauth: where tokens are asked for: an https URL. Required there."),
    STRING("issuer", IN(conf_source, issuer), 0,
           "Oauth: the authorization server's issuer identifier, which assertions are made for. Without it: `token_endpoint`."),
    STRING("trust", IN(conf_source, trust), 0,
           "Oauth: CA file for the authorization server; without it the system's roots."),
    CHOICE("grant_type", IN(conf_source, grant_type), 0, "client_credentials", rows_grant_types,
           "Oauth: what is exchanged for a token. `client_credentials`: who we are alone; `refresh_token`: the file of that name; `jwt_bearer`: `assertion` (RFC 7523); `token_exchange`: `subject_token`, and perhaps `actor_token` (RFC 8693)."),
    STRING("client_id", IN(conf_source, client_id), 0,
           "Oauth: who asks, as the authorization server calls us. Required but with `jwt_svid`."),
    CHOICE("client_auth", IN(conf_source, client_auth), 0, NULL, rows_client_auths,
           "Oauth: how it is proved. `private_key_jwt`: an assertion signed with `client_key`. `client_secret_basic`, `client_secret_post`: `client_secret`, in a header field or in the form. `mtls`: `client_certificate`. `jwt_svid`: the file `client_assertion`. `none`: not at all. Required there."),
    STRING("client_secret", IN(conf_source, client_secret), 0, "Oauth: file of the client's secret."),
    STRING("client_key", IN(conf_source, client_key), 0,
           "Oauth: PEM file of the key that signs the client's assertions."),
    STRING("client_key_id", IN(conf_source, client_key_id), 0,
           "Oauth: what those assertions call that key, their `kid`. Without it: its thumbprint (RFC 7638)."),
    STRING("client_assertion", IN(conf_source, client_assertion), 0,
           "Oauth: file of a JWT-SVID for the authorization server, which somebody renews."),
    STRING("client_certificate", IN(conf_source, client_certificate), 0,
           "Oauth: the name of a credential whose source is `certificate`: shown to the authorization server with `client_auth = \"mtls\"`, and to it and the service where a rule binds by `mtls`."),
    STRING("scope", IN(conf_source, scope), 0, "Oauth: the scopes that are asked for, with a space between them."),
    STRING("audience", IN(conf_source, audience), 0,
           "Oauth: `audience` of the request, for servers that ask for one."),
    STRINGS("resource", IN(conf_source, resource), 0,
            "Oauth: what the token is for (RFC 8707): absolute URIs without fragment."),
    CHOICE("authorization_details", IN(conf_source, authorization_details), 0, "none", authorization_details,
           "Oauth: `grant`: the token is asked for with what the task's grant allows, and no more (RFC 9396)."),
    STRING_NORMALLY("authorization_details_type", IN(conf_source, authorization_details_type), "https://holdfast.dev/rar/grant",
           "Oauth: the `type` of those, as it is registered at the authorization server."),
    STRING("subject_token", IN(conf_source, subject_token), 0,
           "Oauth: file of the token that is exchanged, such as a projected service account token. Required with `token_exchange`."),
    STRING_NORMALLY("subject_token_type", IN(conf_source, subject_token_type), "urn:ietf:params:oauth:token-type:jwt",
           "Oauth: what kind of token that is."),
    STRING("actor_token", IN(conf_source, actor_token), 0,
           "Oauth: file of the token of who acts for that subject."),
    STRING_NORMALLY("actor_token_type", IN(conf_source, actor_token_type), "urn:ietf:params:oauth:token-type:jwt",
           "Oauth: what kind of token that is."),
    STRING("requested_token_type", IN(conf_source, requested_token_type), 0,
           "Oauth: what kind of token is asked for by `token_exchange`; without it the server chooses."),
    STRING("refresh_token", IN(conf_source, refresh_token), 0,
           "Oauth: file of the refresh token. Required with `refresh_token`."),
    STRING("assertion", IN(conf_source, assertion), 0,
           "Oauth: file of the assertion. Required with `jwt_bearer`."),
    STRING("revocation_endpoint", IN(conf_source, revocation_endpoint), 0,
           "Oauth: where tokens are revoked when their task ends (RFC 7009): an https URL. Without it they live until they expire."),
    END
};

static const struct setting handle[] = {
    STRING("shape", IN(conf_handle, shape), 0,
           "What the handle looks like: text with one `{N}` in it, 16 to 128, in whose place N random letters and digits stand: `\"ghp_{36}\"`. Without shape and value: `\"hf_{32}\"`."),
    STRING("value", IN(conf_handle, value), 0,
           "The handle itself, for an environment that is written before Holdfast starts: at least 16 characters, unlike any other credential's. Instead of `shape`."),
    STRING("env", IN(conf_handle, env), 0,
           "The variable it is published as in `handles.env`. Without it: `HOLDFAST_` and the credential's name in capitals, `-` as `_`."),
    END
};

const struct setting rows_credential[] = {
    STRING("name", IN(conf_credential, name), 0, "The group's own name."),
    STRING("owner", IN(conf_credential, owner), MUST, "Who answers for it."),
    STRING("approved_by", IN(conf_credential, approved_by), MUST,
           "Who approved its use; better somebody else than the approver of the grants that use it."),
    STRING("ticket", IN(conf_credential, ticket), MUST, "Where the approval is written down."),
    DURATION("rotate_every", IN(conf_credential, rotate_every_ms), MUST, NULL, MINUTE, 3650 * DAY,
             "How often it is replaced by a new one."),
    STRING("privileges", IN(conf_credential, privileges), MUST,
           "What the upstream lets its holder do, in words for the ledger."),
    GROUP("source", IN(conf_credential, source), MUST, source, "Where it comes from."),
    GROUP("handle", IN(conf_credential, handle), 0, handle,
          "What the workload holds in its stead; only of a source that yields one: `file`, `oauth`, `command`."),
    STRING("header", IN(conf_credential, header), 0,
           "The header field it is presented in by `bind = [\"header\"]`: `\"X-Api-Key\"`. Required there."),
    STRING("prefix", IN(conf_credential, prefix), 0,
           "What stands before it in that field, with the space between them: `\"token \"`."),
    END
};
/* clang-format on */
