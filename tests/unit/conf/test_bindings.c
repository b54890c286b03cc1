/* Sources that yield tokens, keys and certificates, how rules bind by them, and what a
 * gate verifies them with: what is taken, and what is refused with which line. */
#include "folder.h"

#include "bound_config.h"
#include "linted.h"

#define GATE    "doors[1]"
#define ISSUER  GATE ".issuers[0]"
#define ASKED   GATE ".issuers[1]"
#define SIGNED  GATE ".signature"
#define PASSED  GATE ".rules[0]"
#define SOURCE  "credentials.orders.source"
#define TRADED  "credentials.traded.source"
#define SIGNER  "credentials.signer"
#define CLIENT  "credentials.client"
#define HELPER  "credentials.helper"
#define TASK    "grants[0].rules[0]"
#define KEY     "grants[0].rules[1]"
#define TLS     "grants[0].rules[2]"
#define DPOP    "grants[0].rules[3]"
#define BEARER  "grants[0].rules[5]"
#define OWN     "grants[0].rules[6]"
#define SAYS(z) " = \"" z "\""

struct row {
    const char *from, *to;
    unsigned line;
    const char *key, *fragment; /* behind a plus: the slip is rightly two errors */
};

static void
expect_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *text = spoil(bound_config, rows[i].from, rows[i].to);
        bool two = rows[i].fragment[0] == '+';

        folder_expect(&folder, text, rows[i].line, rows[i].key, rows[i].fragment + two,
                      two ? 2 : 1);
        free(text);
    }
}

#define EXPECT(rows) expect_rows(rows, sizeof(rows) / sizeof *(rows))

/* ---- sources */

#define WORDS_4  "\"a\", \"b\", \"c\", \"d\""
#define WORDS_16 WORDS_4 ", " WORDS_4 ", " WORDS_4 ", " WORDS_4
#define WORDS_64 WORDS_16 ", " WORDS_16 ", " WORDS_16 ", " WORDS_16

static void
a_source_takes_the_keys_of_its_kind_and_no_others(void **state)
{
    static const struct row rows[] = {
        { "path = \"/s/signer.pem\";", "", 29, SIGNER ".source.path",
          "is missing with kind = \"key\": write path = \"/run/secrets/signing" },
        { "key = \"/s/client.key\";", "", 30, CLIENT ".source.key",
          "write key = \"/run/secrets/client.key\";" },
        { "certificate = \"/s/client.pem\";", "", 30, CLIENT ".source.certificate",
          "write certificate = \"/run/secrets/client.pem\";" },
        { "command = [\"/usr/bin/helper\", \"-v\"];", "", 31, HELPER ".source.command",
          "write command = [\"/usr/local/bin/token-helper\"];" },
        { "token_endpoint = \"https://idp.example/token\"; issuer", "issuer", 33,
          SOURCE ".token_endpoint", "write token_endpoint = " },
        { "client_auth = \"private_key_jwt\";", "", 33, SOURCE ".client_auth",
          "write client_auth = \"private_key_jwt\";" },
        { "kind = \"authority\";", "kind = \"authority\"; key_id = \"x\";", 28,
          "credentials.task.source.key_id",
          "means nothing with kind = \"authority\": remove it, or write kind = "
          "\"key\"" },
        { "key_id = \"k-1\";", "scope = \"x\";", 29, SIGNER ".source.scope",
          "write kind = \"oauth\"" },
        { "timeout = \"2s\";", "path = \"/x\";", 31, HELPER ".source.path",
          "write kind = \"file\"" },
        { "scope = \"orders:read orders:write\";", "refresh_every = \"5m\";", 35,
          SOURCE ".refresh_every", "write kind = \"command\"" },
        { "kind = \"certificate\";", "kind = \"certificate\"; timeout = \"2s\";", 30,
          CLIENT ".source.timeout", "write kind = \"oauth\"" },
    };

    (void)state;
    EXPECT(rows);
}

static void
a_client_proves_itself_in_one_way_with_what_that_needs(void **state)
{
    static const struct row rows[] = {
        { "client_id = \"builder\"; client_auth", "client_auth", 33,
          SOURCE ".client_id",
          "is missing with client_auth = \"private_key_jwt\": write client_id" },
        { "client_key = \"/s/idp.pem\";", "", 33, SOURCE ".client_key",
          "is missing with client_auth = \"private_key_jwt\": write client_key = " },
        { "client_key_id = \"c-1\";", "client_secret = \"/s/x\";", 34,
          SOURCE ".client_secret",
          "means nothing with client_auth = \"private_key_jwt\": remove it, or write "
          "client_auth = \"client_secret_basic\"" },
        { "client_secret = \"/s/idp\";", "client_key = \"/s/idp\";", 39,
          TRADED ".client_secret", "+write client_secret = \"/run/secrets/idp\";" },
        { "client_auth = \"client_secret_basic\";",
          "client_auth = \"client_secret_post\"; "
          "client_assertion = \"/s/x\";",
          40, TRADED ".client_assertion", "write client_auth = \"jwt_svid\"" },
        { "client_auth = \"client_secret_basic\"; client_secret = \"/s/idp\";",
          "client_auth = \"jwt_svid\";", 39, TRADED ".client_assertion",
          "write client_assertion = \"/run/secrets/svid.jwt\";" },
        { "client_auth = \"client_secret_basic\"; client_secret = \"/s/idp\";",
          "client_auth = \"mtls\";", 39, TRADED ".client_certificate",
          "is missing with client_auth = \"mtls\"" },
        { "client_auth = \"client_secret_basic\";", "client_auth = \"none\";", 40,
          TRADED ".client_secret", "means nothing with client_auth = \"none\"" },
        { "\"client_secret_basic\"", "\"client_secret\"", 40, TRADED ".client_auth",
          "is no choice: write client_auth = \"private_key_jwt\" or" },
        { "client_certificate = \"client\"", "client_certificate = \"cleint\"", 36,
          SOURCE ".client_certificate", "did you mean \"client\"?" },
        { "client_certificate = \"client\"", "client_certificate = \"zzzzzz\"", 36,
          SOURCE ".client_certificate", "write it under credentials" },
        { "client_certificate = \"client\"", "client_certificate = \"signer\"", 36,
          SOURCE ".client_certificate", "\"signer\" has another kind of source" },
    };

    (void)state;
    EXPECT(rows);
}

static void
a_grant_type_takes_what_it_exchanges(void **state)
{
    static const struct row rows[] = {
        { "subject_token = \"/s/subject\";", "", 39, TRADED ".subject_token",
          "is missing with grant_type = \"token_exchange\": write subject_token = " },
        { "grant_type = \"token_exchange\";", "", 41, TRADED ".subject_token",
          "+means nothing with grant_type = \"client_credentials\": remove it, or "
          "write "
          "grant_type = \"token_exchange\"" },
        { "actor_token = \"/s/actor\";", "assertion = \"/s/x\";", 41,
          TRADED ".assertion", "write grant_type = \"jwt_bearer\"" },
        { "actor_token = \"/s/actor\";", "actor_token_type = \"urn:x\";", 41,
          TRADED ".actor_token_type", "is the type of a token that is not there" },
        { "grant_type = \"token_exchange\";\n      subject_token = \"/s/subject\"; "
          "actor_token = \"/s/actor\";",
          "grant_type = \"jwt_bearer\";\n", 39, TRADED ".assertion",
          "write assertion = \"/run/secrets/assertion.jwt\";" },
        { "grant_type = \"token_exchange\";\n      subject_token = \"/s/subject\"; "
          "actor_token = \"/s/actor\";",
          "grant_type = \"refresh_token\";\n", 39, TRADED ".refresh_token",
          "write refresh_token = \"/run/secrets/refresh\";" },
        { "scope = \"orders:read", "requested_token_type = \"urn:x\"; scope = \"", 35,
          SOURCE ".requested_token_type", "+write grant_type = \"token_exchange\"" },
        { "authorization_details = \"grant\";", "", 36,
          SOURCE ".authorization_details_type",
          "write authorization_details = \"grant\"; or remove it" },
    };

    (void)state;
    EXPECT(rows);
}

static void
values_of_a_source_are_what_they_should_be(void **state)
{
    static const struct row rows[] = {
        { "\"https://idp.example/token\"; issuer",
          "\"http://idp.example/token\"; issuer", 33, SOURCE ".token_endpoint",
          "begins with https://" },
        { "\"https://idp.example/token\"; issuer",
          "\"https://169.254.169.254/t\"; issuer", 33, SOURCE ".token_endpoint",
          "is a metadata service" },
        { "\"https://idp.example/revoke\"", "\"https://IDP.example/revoke\"", 37,
          SOURCE ".revocation_endpoint", "write \"https://idp.example/revoke\"" },
        { "issuer = \"https://idp.example\";\n      client_id",
          "issuer = \"idp.example\";\n      client_id", 33, SOURCE ".issuer",
          "write one like \"https://idp.example\"" },
        { "issuer = \"https://idp.example\";\n      client_id",
          "issuer = \"https://idp.example?x\";\n      client_id", 33, SOURCE ".issuer",
          "has no query and no fragment" },
        { "\"/s/idp.pem\"", "\"s/idp.pem\"", 34, SOURCE ".client_key",
          "is no absolute path" },
        { "\"/s/idp.pem\"", "\"/run/public/idp.pem\"", 34, SOURCE ".client_key",
          "lies in ca.publish" },
        { "\"/s/idp\"", "\"/run/public/idp\"", 40, TRADED ".client_secret",
          "lies in ca.publish" },
        { "\"/s/subject\"", "\"/run/public/subject\"", 41, TRADED ".subject_token",
          "lies in ca.publish" },
        { "\"/s/actor\"", "\"/run/public/actor\"", 41, TRADED ".actor_token",
          "lies in ca.publish" },
        { "\"/s/signer.pem\"", "\"/run/public/signer\"", 29, SIGNER ".source.path",
          "lies in ca.publish" },
        { "\"/s/client.pem\"", "\"/run/public/c\"", 30, CLIENT ".source.certificate",
          "lies in ca.publish" },
        { "\"/s/client.key\"", "\"/run/public/c\"", 30, CLIENT ".source.key",
          "lies in ca.publish" },
        { "\"orders:read orders:write\"", "\"a  b\"", 35, SOURCE ".scope",
          "has a space too many" },
        { "\"orders:read orders:write\"", "\"a b \"", 35, SOURCE ".scope",
          "has a space too many" },
        { "\"orders:read orders:write\"", "\"a\\\"b\"", 35, SOURCE ".scope",
          "without quote and backslash" },
        { "[\"https://orders.example/\"]", "[\"orders\"]", 35, SOURCE ".resource[0]",
          "is no absolute URI" },
        { "[\"https://orders.example/\"]", "[\"https://orders.example/#x\"]", 35,
          SOURCE ".resource[0]", "ends before \"#\"" },
        { "[\"https://orders.example/\"]", "[\"urn:a b\"]", 35, SOURCE ".resource[0]",
          "holds what no URI holds" },
        { "client_key_id = \"c-1\"", "client_key_id = \"c 1\"", 34,
          SOURCE ".client_key_id", "visible ASCII" },
        { "trust = \"/e/idp.pem\";\n      authorization",
          "trust = \"e\";\n      authorization", 35, SOURCE ".trust",
          "is no absolute path" },
        { "\"/usr/bin/helper\"", "\"helper\"", 31, HELPER ".source.command[0]",
          "is no absolute path" },
        { "\"/usr/bin/helper\"", "\"/run/public/helper\"", 31,
          HELPER ".source.command[0]", "lies in ca.publish" },
        { "[\"/usr/bin/helper\", \"-v\"]", "\"/usr/bin/helper -v\"", 31,
          HELPER ".source.command", "must be a list of strings" },
        { "\"-v\"", WORDS_64, 31, HELPER ".source.command",
          "longer than 8192 bytes or 64 words" },
        { "timeout = \"2s\"", "timeout = \"1h\"", 31, HELPER ".source.timeout",
          "\"100ms\" to \"5m\"" },
        /* what stands for a secret */
        { "source = { kind = \"key\";", "handle = { }; source = { kind = \"key\";", 29,
          SIGNER ".handle", "a source of kind \"key\" yields no secret" },
        { "source = { kind = \"certificate\";",
          "header = \"X-A\"; source = { kind = \"certificate\";", 30, CLIENT ".header",
          "a source of kind \"certificate\" yields no secret" },
        { "handle = { env = \"ORDERS\"; };", "header = \"X-A\";", 32,
          "credentials.orders.header", "a token goes into Authorization" },
        { "handle = { env = \"ORDERS\"; };", "handle = { env = \"HOLDFAST_TRADED\"; };",
          38, "credentials.traded.handle", "is the variable of credential orders" },
    };

    (void)state;
    EXPECT(rows);
}

/* ---- rules */

static void
a_rule_binds_in_ways_that_its_source_can_the_strongest_first(void **state)
{
    static const struct row rows[] = {
        { "[\"httpsig\", \"wimse\"]", "[\"wimse\", \"httpsig\"]", 48, TASK ".bind",
          "write \"httpsig\" before \"wimse\"" },
        { "[\"dpop\", \"mtls\"]; inject", "[\"mtls\", \"dpop\"]; inject", 54,
          DPOP ".bind", "write \"dpop\" before \"mtls\"" },
        { "[\"dpop\", \"mtls\"]; inject", "[\"dpop\", \"dpop\"]; inject", 54,
          DPOP ".bind", "says \"dpop\" twice" },
        { "[\"dpop\", \"mtls\"]; inject",
          "[\"dpop\", \"bearer\"]; unbound_because = \"x\"; inject", 54, DPOP ".bind",
          "one of them would be presented and the others never" },
        { "[\"dpop\", \"mtls\"]; inject", "[\"wimse\"]; inject", 54, DPOP ".bind[0]",
          "write \"dpop\", \"mtls\" or \"bearer\"" },
        { "[\"dpop\", \"mtls\"]; inject",
          "[\"header\"]; unbound_because = \"x\"; inject", 54, DPOP ".bind[0]",
          "a token cannot be presented so" },
        { "client_certificate = \"client\";", "", 54, DPOP ".bind[1]",
          "write client_certificate = \"NAME\"; in the credential's source" },
        { "[\"httpsig\", \"wimse\"]", "[\"dpop\"]", 48, TASK ".bind[0]",
          "+write \"httpsig\" or \"wimse\"" },
        { "\"signer\"; bind = [\"httpsig\"]", "\"signer\"; bind = [\"wimse\"]", 51,
          KEY ".bind[0]", "+a key signs, and is never sent: write \"httpsig\"" },
        { "\"client\"; bind = [\"mtls\"]", "\"client\"; bind = [\"dpop\"]", 53,
          TLS ".bind[0]", "is shown in the handshake alone: write \"mtls\"" },
        { "[\"bearer\"]; unbound_because = \"b\";", "[\"dpop\"];", 56,
          BEARER ".bind[0]", "a secret that a command tells cannot be bound" },
        { "[\"bearer\"]; unbound_because = \"b\";", "[\"bearer\"];", 56,
          BEARER ".unbound_because", "is missing where the secret itself leaves" },
        { "bind = [\"mtls\"]; ", "", 53, TLS ".bind", "write bind = [\"mtls\"];" },
        { "credential = \"traded\"; bind = [\"dpop\"];", "credential = \"traded\";", 55,
          "grants[0].rules[4].bind", "write bind = [\"dpop\"];" },
        { "bind = [\"mtls\"]; inject = \"always\";", "bind = [\"mtls\"];", 53,
          TLS ".inject", "a certificate has no handle that could be shown" },
        { "bind = [\"httpsig\"]; inject = \"always\";", "bind = [\"httpsig\"];", 51,
          KEY ".inject", "a key has no handle that could be shown" },
        { "[\"dpop\", \"mtls\"]; inject", "[\"dopp\"]; inject", 54, DPOP ".bind[0]",
          "did you mean \"dpop\"?" },
        /* a proof of the workload's own */
        { "own_proof = \"pass\";",
          "credential = \"orders\"; bind = [\"dpop\"]; own_proof = \"pass\";", 57,
          OWN ".own_proof", "only in a rule without credential" },
        { "own_proof = \"pass\";", "own_proof = \"pass\"; scheme = \"http\";", 57,
          OWN ".own_proof", "never goes over plain http" },
        { "own_proof = \"pass\";", "own_proof = \"keep\";", 57, OWN ".own_proof",
          "is no choice" },
    };

    (void)state;
    EXPECT(rows);
}

static void
a_signature_says_what_its_profile_leaves_open(void **state)
{
    static const struct row rows[] = {
        { "own_proof = \"pass\";", "signature = { };", 57, OWN ".signature",
          "there is nothing to sign" },
        { "\"traded\"; bind = [\"dpop\"];",
          "\"traded\"; bind = [\"dpop\"]; signature = { };", 55,
          "grants[0].rules[4].signature",
          "nothing is signed here: write bind = [\"httpsig\"]; or remove it" },
        { "audience = \"orders\";\n          response_trust",
          "profile = \"plain\";\n          response_trust", 49,
          TASK ".signature.profile",
          "write \"wimse\", or a credential whose source is a key" },
        { "nonce = false;", "profile = \"wimse\";", 52, KEY ".signature.profile",
          "write \"plain\", or a credential of the authority" },
        { "audience = \"orders\";\n          response_trust",
          "tag = \"x\";\n          response_trust", 49, TASK ".signature.tag",
          "is laid down by the WIMSE profile: remove it" },
        { "audience = \"orders\";\n          response_trust",
          "label = \"x\";\n          response_trust", 49, TASK ".signature.label",
          "is laid down by the WIMSE profile" },
        { "audience = \"orders\";\n          response_trust",
          "alg = true;\n          response_trust", 49, TASK ".signature.alg",
          "is laid down by the WIMSE profile" },
        { "audience = \"orders\";\n          response_trust",
          "nonce = false;\n          response_trust", 49, TASK ".signature.nonce",
          "is laid down by the WIMSE profile" },
        { "audience = \"orders\";\n          response_trust",
          "created = false;\n          response_trust", 49, TASK ".signature.created",
          "is laid down by the WIMSE profile" },
        { "audience = \"orders\";\n          response_trust",
          "response_jwks_file = \"/j\";\n          response_trust", 49,
          TASK ".signature.response_jwks_file", "write response_trust = ( { ... } )" },
        { "nonce = false;", "audience = \"x\";", 52, KEY ".signature.audience",
          "is the WIMSE profile's" },
        { "nonce = false;", "response = \"verify\";", 52,
          KEY ".signature.response_jwks_file",
          "is missing with response = \"verify\": write response_jwks_file = " },
        { "nonce = false;", "response_jwks_file = \"/j\";", 52,
          KEY ".signature.response", "write response = \"verify\"; or remove" },
        { "nonce = false;", "response = \"verify\"; response_jwks_file = \"j\";", 52,
          KEY ".signature.response_jwks_file", "is no absolute path" },
        { "response = \"verify\"; audience = \"orders\";", "", 49,
          TASK ".signature.response", "write response = \"verify\"; or remove" },
        { "response_trust = ( { domain = \"a\"; jwks_file = \"/e/j\"; subjects = "
          "[\"spiffe://a/b\"]; } );",
          "", 49, TASK ".signature.response_trust",
          "is missing with response = \"verify\"" },
        { "domain = \"a\"; jwks_file = \"/e/j\";", "domain = \"a\";", 50,
          TASK ".signature.response_trust[0].jwks_file", "is missing" },
        { "[\"spiffe://a/b\"]", "[\"spiffe://c/b\"]", 50,
          TASK ".signature.response_trust[0].subjects[0]", "of another trust domain" },
        { "\"x-tenant\"", "\"X-Tenant\"", 49, TASK ".signature.components[1]",
          "lower-case in a signature" },
        { "\"x-tenant\"", "\"@methods\"", 49, TASK ".signature.components[1]",
          "did you mean \"@method\"?" },
        { "\"x-tenant\"", "\"@elsewhere\"", 49, TASK ".signature.components[1]",
          "is no component: write \"@method\", " },
        { "\"x-tenant\"", "\"@query-param\"", 49, TASK ".signature.components[1]",
          "write \"@query\"" },
        { "\"x-tenant\"", "\"@query-param;name=\\\"a\\\"\"", 49,
          TASK ".signature.components[1]", "write \"@query\"" },
        { "\"x-tenant\"", "\"@status\"", 49, TASK ".signature.components[1]",
          "is an answer's" },
        { "\"x-tenant\"", "\"x-tenant;bs\"", 49, TASK ".signature.components[1]",
          "write its name alone" },
        { "\"x-tenant\"", "\"x tenant\"", 49, TASK ".signature.components[1]",
          "is no field's name" },
        { "\"x-tenant\"", "\"host\"", 49, TASK ".signature.components[1]",
          "write \"@authority\"" },
        { "\"x-tenant\"", "\"signature-input\"", 49, TASK ".signature.components[1]",
          "would sign itself" },
        { "\"x-tenant\"", "\"te\"", 49, TASK ".signature.components[1]",
          "is each hop's own" },
        { "\"x-tenant\"", "\"@method\"", 49, TASK ".signature.components",
          "says \"@method\" twice" },
        { "label = \"mine\"", "label = \"Mine\"", 52, KEY ".signature.label",
          "write \"sig1\"" },
        { "label = \"mine\"", "label = \"1\"", 52, KEY ".signature.label",
          "begins with a lower-case letter" },
        { "tag = \"bots\"; label", "tag = \"b\\\"s\"; label", 52, KEY ".signature.tag",
          "without quote" },
        { "expires = \"30s\"", "expires = \"1h\"", 52, KEY ".signature.expires",
          "\"1s\" to \"5m\"" },
        { "signature = { expires = \"30s\"; alg = true; nonce = false; tag = \"bots\"; "
          "label = \"mine\"; };",
          "signature = true;", 52, KEY ".signature", "must be a group" },
    };

    (void)state;
    EXPECT(rows);
}

/* ---- the gate */

static void
a_gate_has_what_it_verifies_with_and_nothing_that_it_does_not(void **state)
{
    static const struct row rows[] = {
        { "\"httpsig\", \"dpop\", \"wimse\", \"mtls\"]",
          "\"httpsig\", \"dpop\", \"wimes\", \"mtls\"]", 9, GATE ".accept[2]",
          "did you mean \"wimse\"?" },
        { "\"httpsig\", \"dpop\", \"wimse\", \"mtls\"]",
          "\"httpsig\", \"dpop\", \"bearer\", \"mtls\"]", 9, GATE ".accept[2]",
          "proves nothing: write \"httpsig\", \"dpop\", \"wimse\" or \"mtls\"" },
        { "\"httpsig\", \"dpop\", \"wimse\", \"mtls\"]",
          "\"httpsig\", \"dpop\", \"dpop\", \"mtls\"]", 9, GATE ".accept",
          "says \"dpop\" twice" },
        { "clients_trust = \"/e/clients.pem\";", "", 7, GATE ".clients_trust",
          "write clients_trust = \"/etc/holdfast/clients.pem\";" },
        { "\"/e/clients.pem\"", "\"clients.pem\"", 10, GATE ".clients_trust",
          "is no absolute path" },
        { "accept = [\"httpsig\", \"dpop\", \"wimse\", \"mtls\"];",
          "accept = [\"httpsig\", \"dpop\"];", 10, GATE ".clients_trust",
          "+write \"mtls\" in accept" } /* and a rule takes it */,
        { "accept = [\"httpsig\", \"dpop\", \"wimse\", \"mtls\"];",
          "accept = [\"httpsig\", \"mtls\"];", 10, GATE ".nonce",
          "+write \"dpop\" in accept" },
        { "accept = [\"httpsig\", \"dpop\", \"wimse\", \"mtls\"];",
          "accept = [\"dpop\", \"mtls\"];", 19, GATE ".signature",
          "+write \"httpsig\" in accept" } /* and a rule asks for a body's digest */,
        { "trust = ( { domain = \"prod.example\"; jwks_file = \"/e/jwks.json\"; "
          "subjects = "
          "[\"spiffe://prod.example/*\"]; } );",
          "", 7, GATE ".trust", "write trust = ( { ... } );" },
        { "jwks_file = \"/e/jwks.json\";", "", 21, GATE ".trust[0].jwks_file",
          "is missing: write jwks_file = " },
        { "kind = \"forward\";", "kind = \"forward\"; accept = [\"wimse\"];", 6,
          "doors[0].accept", "belongs to a gate" },
        { "kind = \"forward\";", "kind = \"forward\"; issuers = ( );", 6,
          "doors[0].issuers", "+is empty" } /* and belongs to a gate */,
        { "nonce = \"demand\"", "nonce = \"always\"", 10, GATE ".nonce",
          "is no choice" },
        /* signatures */
        { "\"@authority\", \"content-digest\"",
          "\"@authority\", \"@path\", \"@authority\"", 19, SIGNED ".components",
          "says \"@authority\" twice" },
        { "\"content-digest\"", "\"Content-Digest\"", 19, SIGNED ".components[2]",
          "lower-case" },
        { "[\"created\", \"keyid\"]", "[\"keyid\"]", 20, SIGNED ".parameters",
          "leaves \"created\" out" },
        { "[\"created\", \"keyid\"]", "[\"created\", \"keyids\"]", 20,
          SIGNED ".parameters[1]", "did you mean \"keyid\"?" },
        { "[\"created\", \"keyid\"]", "[\"created\", \"everything\"]", 20,
          SIGNED ".parameters[1]", "is no parameter: write \"created\"" },
        { "jwks_file = \"/e/bots.json\";", "", 20, SIGNED ".tag",
          "+is laid down by the WIMSE profile" } /* and keyid is never in one */,
        { "\"/e/bots.json\"", "\"e/bots.json\"", 20, SIGNED ".jwks_file",
          "is no absolute path" },
        /* rules */
        { "[\"dpop\", \"mtls\"]; scopes", "[\"dopp\"]; scopes", 23,
          PASSED ".bindings[0]", "did you mean \"dpop\"?" },
        { "[\"dpop\", \"mtls\"]; scopes", "[\"dpop\", \"dpop\"]; scopes", 23,
          PASSED ".bindings", "twice" },
        { "accept = [\"httpsig\", \"dpop\", \"wimse\", \"mtls\"];",
          "accept = [\"httpsig\", \"wimse\", \"mtls\"];", 23, PASSED ".bindings[0]",
          "+is not looked at by this door: add it to its accept" } /* and nonce */,
        { "[\"orders:write\"]", "[\"orders:read orders:write\"]", 23,
          PASSED ".scopes[0]", "write each on its own" },
        { "scopes = [\"orders:write\"];", "require_body_digest = true;", 23,
          PASSED ".require_body_digest",
          "nothing that is taken here covers a body: take \"wimse\" or \"httpsig\"" },
        { "\"spiffe://prod.example/*\", \"builder\"]",
          "\"spiffe://prod.example/*\", \"b r\"]", 22, PASSED ".subjects[1]",
          "visible ASCII" },
        { "\"spiffe://prod.example/*\", \"builder\"]",
          "\"spiffe://prod.example\", \"b\"]", 22, PASSED ".subjects[0]",
          "write a path behind it" },
    };

    (void)state;
    EXPECT(rows);
}

static void
an_issuer_is_believed_in_one_way(void **state)
{
    static const struct row rows[] = {
        { "jwks_url = \"https://idp.example/jwks\"; trust = \"/e/idp.pem\";\n        "
          "subjects",
          "\n        subjects", 12, ISSUER ".jwks_url",
          "is missing, and so are jwks_file and introspection" },
        { "trust = \"/e/idp.pem\";\n        subjects",
          "jwks_file = \"/j\";\n        subjects", 13, ISSUER ".jwks_url",
          "stands beside jwks_file" },
        { "audience = \"orders\";\n        introspection",
          "audience = \"orders\"; jwks_url = \"https://a.example/\";\n        "
          "introspection",
          16, ASKED ".introspection", "stands beside jwks_url" },
        { "jwks_url = \"https://idp.example/jwks\";", "jwks_file = \"/j\";", 13,
          ISSUER ".trust", "verifies whom nothing is fetched from" },
        { "\"https://idp.example/jwks\"", "\"http://idp.example/jwks\"", 13,
          ISSUER ".jwks_url", "begins with https://" },
        { "jwks_url = \"https://idp.example/jwks\"; trust = \"/e/idp.pem\";",
          "jwks_file = \"j\";", 13, ISSUER ".jwks_file", "is no absolute path" },
        { "audience = \"orders\";\n        introspection",
          "audience = \"orders\"; algorithms = [\"ES256\"];\n        introspection", 15,
          ASKED ".algorithms", "here the issuer is asked: remove them" },
        { "[\"ES256\", \"ES384\"]", "[\"ES256\", \"none\"]", 14,
          ISSUER ".algorithms[1]", "could not have written itself: remove it" },
        { "[\"ES256\", \"ES384\"]", "[\"ES256\", \"HS256\"]", 14,
          ISSUER ".algorithms[1]", "could not have written itself: remove it" },
        { "[\"ES256\", \"ES384\"]", "[\"ES256\", \"ES255\"]", 14,
          ISSUER ".algorithms[1]", "did you mean \"ES256\"?" },
        { "[\"ES256\", \"ES384\"]", "[\"ES256\", \"X\"]", 14, ISSUER ".algorithms[1]",
          "is not verified here: write \"ES256\"" },
        { "[\"ES256\", \"ES384\"]", "[\"ES256\", \"ES256\"]", 14, ISSUER ".algorithms",
          "twice" },
        { "\"https://asked.example\"; audience", "\"https://idp.example\"; audience",
          15, ASKED ".issuer", "is an issuer of this door already" },
        { "\"https://asked.example\"; audience", "\"asked\"; audience", 15,
          ASKED ".issuer", "is no issuer" },
        { "audience = \"orders\";\n        introspection", "\n        introspection",
          15, ASKED ".audience", "is missing" },
        { "url = \"https://asked.example/introspect\";", "", 16,
          ASKED ".introspection.url", "write url = " },
        { "client_id = \"gate\";", "", 16, ASKED ".introspection.client_id",
          "write client_id = " },
        { "client_secret = \"/run/secrets/gate\";", "", 16,
          ASKED ".introspection.client_secret", "write client_secret = " },
        { "\"/run/secrets/gate\"", "\"/run/public/gate\"", 17,
          ASKED ".introspection.client_secret", "lies in ca.publish" },
        { "[\"builder\"]; algorithms", "[\"b r\"]; algorithms", 14,
          ISSUER ".subjects[0]", "visible ASCII" },
    };

    (void)state;
    EXPECT(rows);
}

/* ---- what is taken */

static void
every_source_and_what_it_was_told_is_held(void **state)
{
    const struct conf *c = load(bound_config);
    const struct conf_source *orders = &conf_credential(c, "orders")->source;
    const struct conf_source *traded = &conf_credential(c, "traded")->source;
    const struct conf_source *helper = &conf_credential(c, "helper")->source;

    (void)state;
    assert_int_equal(conf_credential(c, "signer")->source.kind, SOURCE_KEY);
    assert_string_equal(conf_credential(c, "signer")->source.key_id, "k-1");
    assert_int_equal(conf_credential(c, "client")->source.kind, SOURCE_CERTIFICATE);
    assert_int_equal(helper->kind, SOURCE_COMMAND);
    assert_int_equal(helper->command.n, 2);
    assert_int_equal(helper->timeout_ms, 2000);
    assert_int_equal(helper->refresh_every_ms, 300000);
    assert_int_equal(orders->kind, SOURCE_OAUTH);
    assert_int_equal(orders->client_auth, CLIENT_PRIVATE_KEY_JWT);
    assert_int_equal(orders->grant_type, OAUTH_CLIENT_CREDENTIALS);
    assert_int_equal(orders->authorization_details, DETAILS_GRANT);
    assert_int_equal(orders->timeout_ms, 10000);
    assert_ptr_equal(conf_client_certificate(c, conf_credential(c, "orders")),
                     conf_credential(c, "client"));
    assert_int_equal(traded->grant_type, OAUTH_TOKEN_EXCHANGE);
    assert_string_equal(traded->subject_token_type,
                        "urn:ietf:params:oauth:token-type:jwt");
    assert_null(conf_client_certificate(c, conf_credential(c, "traded")));
}

static void
a_rule_signs_as_it_says_and_those_that_do_not_sign_share_one(void **state)
{
    const struct conf *c = load(bound_config);
    const struct conf_rule *r = ((const struct conf_grant *)c->grants.at)->rules.at;

    (void)state;
    assert_int_equal(conf_profile(&r[0], conf_credential(c, "task")), PROFILE_WIMSE);
    assert_int_equal(r[0].signature->components.n, 2);
    assert_int_equal(r[0].signature->response, RESPONSE_VERIFY);
    assert_int_equal(r[0].signature->response_trust.n, 1);
    assert_int_equal(conf_profile(&r[1], conf_credential(c, "signer")), PROFILE_PLAIN);
    assert_int_equal(r[1].signature->expires_ms, 30000);
    assert_true(r[1].signature->alg && r[1].signature->created);
    assert_false(r[1].signature->nonce);
    assert_ptr_equal(r[2].signature, r[3].signature);
    assert_int_equal(r[2].signature->expires_ms, 60000);
    assert_string_equal(r[2].signature->label, "sig1");
    assert_int_equal(r[6].own_proof, CONF_PASS);
    assert_int_equal(r[5].own_proof, CONF_STRIP);
}

static void
a_gate_holds_what_it_accepts_and_by_what_it_verifies(void **state)
{
    const struct conf *c = load(bound_config);
    const struct conf_door *gate = (const struct conf_door *)c->doors.at + 1;
    const struct conf_issuer *issuers = gate->issuers.at;
    const struct conf_gate_rule *rules = gate->rules.at;

    (void)state;
    assert_int_equal(gate->accept.n, 4);
    assert_int_equal(gate->nonce, NONCE_DEMAND);
    assert_int_equal(gate->issuers.n, 2);
    assert_int_equal(issuers[0].algorithms.n, 2);
    assert_int_equal(issuers[1].algorithms.n, 4);
    assert_string_equal(issuers[1].algorithms.at[3], "RS256");
    assert_null(issuers[0].introspection.url);
    assert_int_equal(issuers[1].introspection.cache_ms, 5000);
    assert_int_equal(gate->signature.parameters.n, 2);
    assert_int_equal(gate->signature.max_age_ms, 60000);
    assert_int_equal(rules[0].bindings.n, 2);
    assert_int_equal(rules[1].bindings.n, 0);
    assert_int_equal(rules[0].scopes.n, 1);
}

/* What a gate was before it could take anything else. */
static void
a_gate_that_says_nothing_of_it_accepts_wimse_alone(void **state)
{
    const struct conf *c = load(whole_config);
    const struct conf_door *gate = (const struct conf_door *)c->doors.at + 1;

    (void)state;
    assert_int_equal(gate->accept.n, 1);
    assert_true(conf_names_bind(&gate->accept, BIND_WIMSE));
    assert_int_equal(gate->nonce, NONCE_OFF);
    assert_int_equal(gate->signature.parameters.n, 3);
}

static void
a_gate_of_tokens_or_certificates_needs_no_trust_domain(void **state)
{
    static const struct {
        const char *how;
    } rows[] = {
        { "accept = [\"mtls\"]; clients_trust = \"/c\";" },
        { "accept = [\"dpop\"]; issuers = ( { issuer = \"https://i.example\"; audience "
          "= "
          "\"a\"; jwks_file = \"/j\"; } );" },
        { "accept = [\"mtls\"]; clients_trust = \"/c\"; issuers = ( { issuer = "
          "\"https://i.example\"; audience = \"a\"; jwks_file = \"/j\"; } );" },
        { "accept = [\"httpsig\"]; signature = { jwks_file = \"/j\"; };" },
        { "accept = [\"mtls\"]; clients_trust = \"/c\"; trust = ( { domain = "
          "\"a\"; subjects = [\"spiffe://a/b\"]; } );" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = spoil(
            whole_config,
            "trust = ( { domain = \"prod.example\"; jwks_file = \"/e/jwks.json\";\n"
            "                subjects = [\"spiffe://prod.example/sa/*\"]; } );",
            rows[i].how);

        load(text);
        free(text);
    }
}

static void
every_way_to_prove_a_client_and_to_exchange_is_taken(void **state)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        { "client_auth = \"client_secret_basic\"; client_secret = \"/s/idp\";",
          "client_auth = \"none\";" },
        { "client_auth = \"client_secret_basic\";",
          "client_auth = \"client_secret_post\";" },
        { "client_auth = \"client_secret_basic\"; client_secret = \"/s/idp\";",
          "client_auth = \"mtls\"; client_certificate = \"client\";" },
        { "client_id = \"builder\";\n      client_auth = \"client_secret_basic\"; "
          "client_secret = \"/s/idp\";",
          "client_auth = \"jwt_svid\"; client_assertion = \"/s/svid\";" },
        { "grant_type = \"token_exchange\";\n      subject_token = \"/s/subject\"; "
          "actor_token = \"/s/actor\";",
          "grant_type = \"jwt_bearer\"; assertion = \"/s/a\";" },
        { "grant_type = \"token_exchange\";\n      subject_token = \"/s/subject\"; "
          "actor_token = \"/s/actor\";",
          "grant_type = \"refresh_token\"; refresh_token = \"/s/r\";" },
        { "actor_token = \"/s/actor\";", "requested_token_type = \"urn:x\";" },
        { "\"traded\"; bind = [\"dpop\"];",
          "\"traded\"; bind = [\"bearer\"]; unbound_because = \"x\";" },
        { "\"https://idp.example/jwks\"; trust = \"/e/idp.pem\";",
          "\"https://idp.example/jwks\";" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = spoil(bound_config, rows[i].from, rows[i].to);

        load(text);
        free(text);
    }
}

/* The table that tells what a source can is told row by row. */
static void
what_a_source_can_do_is_what_its_kind_can(void **state)
{
    static const struct {
        enum conf_source_kind kind;
        const char *can; /* a letter for each of conf_bind_words */
        bool has_handle;
    } rows[] = {
        { SOURCE_AUTHORITY, "h.w...", false },   { SOURCE_KEY, "h.....", false },
        { SOURCE_CERTIFICATE, "...m..", false }, { SOURCE_OAUTH, ".d.m.b", true },
        { SOURCE_FILE, "....hb", true },         { SOURCE_COMMAND, "....hb", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct conf_credential c = { .source.kind = rows[i].kind,
                                     .source.client_certificate = "client" };

        for (enum conf_bind b = BIND_HTTPSIG; b <= BIND_BEARER; b++)
            assert_int_equal(conf_can_bind(&c, b), rows[i].can[b] != '.');
        assert_int_equal(conf_has_handle(&c), rows[i].has_handle);
        c.source.client_certificate = NULL;
        assert_int_equal(conf_can_bind(&c, BIND_MTLS),
                         rows[i].kind == SOURCE_CERTIFICATE);
    }
}

/* ---- lint */

/* The ledger that is off, the standing task and the bearer secret are told as well. */
static void
lint_tells_of_a_proof_that_passes_by_us(void **state)
{
    (void)state;
    assert_non_null(
        strstr(lint(bound_config, 4),
               "main.conf:57: note: grant nightly: the workload's own token "
               "and proof pass to own.example"));
}

static void
lint_tells_of_a_gate_whose_proofs_cover_no_request(void **state)
{
    char *text = spoil(whole_config, "names = [\"https://orders.example\"];",
                       "names = [\"https://orders.example\"]; accept = [\"mtls\"]; "
                       "clients_trust = \"/c\";");

    (void)state;
    assert_non_null(strstr(lint(text, 3),
                           "main.conf:6: note: the gate accepts client certificates "
                           "alone"));
    free(text);
}

/* A workload's identifier is its authority's to give; and of one kind of other names
 * there is nothing to be mixed. */
static void
lint_tells_of_a_dns_door_that_others_can_reach(void **state)
{
    char *open = spoil(whole_config, "doors = (",
                       "doors = ( { kind = \"dns\"; listen = \"0.0.0.0:15053\"; },");
    char *own = spoil(whole_config, "doors = (",
                      "doors = ( { kind = \"dns\"; listen = \"127.0.0.1:15053\"; },");

    (void)state;
    assert_non_null(strstr(lint(open, 3), "note: the dns door does not listen on "
                                          "loopback"));
    assert_null(strstr(lint(own, 2), "dns door"));
    free(open);
    free(own);
}

static void
lint_tells_of_a_name_that_several_may_give(void **state)
{
    char *open = spoil(bound_config, "bindings = [\"dpop\", \"mtls\"];", "");
    char *own = spoil(open, ", \"builder\"];", "];");
    char *signless = spoil(open,
                           "signature = { components = [\"@method\", \"@authority\", "
                           "\"content-digest\"];\n                  parameters = "
                           "[\"created\", \"keyid\"]; jwks_file = \"/e/bots.json\"; "
                           "tag = \"bots\"; };",
                           "\n");
    char *two = spoil(signless, "[\"httpsig\", \"dpop\",", "[\"dpop\",");
    char *unshown = spoil(two, "clients_trust = \"/e/clients.pem\"; ", "");
    char *one = spoil(unshown, "\"wimse\", \"mtls\"];", "\"wimse\"];");

    (void)state;
    assert_non_null(strstr(lint(open, 5),
                           "main.conf:22: warning: the gate takes several "
                           "kinds of proof here, and \"builder\""));
    assert_null(strstr(lint(own, 4), "several kinds"));
    assert_non_null(strstr(lint(two, 5), "write bindings beside subjects"));
    assert_null(strstr(lint(one, 4), "several kinds"));
    free(one);
    free(unshown);
    free(two);
    free(signless);
    free(own);
    free(open);
}

static void
lint_tells_of_a_client_that_proves_nothing_and_of_a_token_nobody_uses(void **state)
{
    char *text = spoil(bound_config,
                       "client_auth = \"client_secret_basic\"; client_secret = "
                       "\"/s/idp\";",
                       "client_auth = \"none\";");
    char *unused = spoil(text, " credential = \"traded\"; bind = [\"dpop\"];", "");
    const char *said = lint(unused, 6);

    (void)state;
    assert_non_null(strstr(said, "main.conf:38: note: credentials.traded: its "
                                 "authorization server is not shown who asks"));
    assert_non_null(strstr(said, "main.conf:38: warning: credentials.traded: no rule "
                                 "uses it"));
    free(unused);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_source_takes_the_keys_of_its_kind_and_no_others),
        TEST(a_client_proves_itself_in_one_way_with_what_that_needs),
        TEST(a_grant_type_takes_what_it_exchanges),
        TEST(values_of_a_source_are_what_they_should_be),
        TEST(a_rule_binds_in_ways_that_its_source_can_the_strongest_first),
        TEST(a_signature_says_what_its_profile_leaves_open),
        TEST(a_gate_has_what_it_verifies_with_and_nothing_that_it_does_not),
        TEST(an_issuer_is_believed_in_one_way),
        TEST(every_source_and_what_it_was_told_is_held),
        TEST(a_rule_signs_as_it_says_and_those_that_do_not_sign_share_one),
        TEST(a_gate_holds_what_it_accepts_and_by_what_it_verifies),
        TEST(a_gate_that_says_nothing_of_it_accepts_wimse_alone),
        TEST(a_gate_of_tokens_or_certificates_needs_no_trust_domain),
        TEST(every_way_to_prove_a_client_and_to_exchange_is_taken),
        TEST(what_a_source_can_do_is_what_its_kind_can),
        TEST(lint_tells_of_a_proof_that_passes_by_us),
        TEST(lint_tells_of_a_gate_whose_proofs_cover_no_request),
        TEST(lint_tells_of_a_name_that_several_may_give),
        TEST(lint_tells_of_a_dns_door_that_others_can_reach),
        TEST(lint_tells_of_a_client_that_proves_nothing_and_of_a_token_nobody_uses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
