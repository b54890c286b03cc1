/* A config that binds in every way and has a gate that takes all of them; tests spoil
 * it. Its line numbers are what tests expect. */
#ifndef TESTS_UNIT_CONF_BOUND_CONFIG_H
#define TESTS_UNIT_CONF_BOUND_CONFIG_H

#define PAPERS                                                                         \
    "owner = \"o\"; approved_by = \"a\"; ticket = \"t\"; rotate_every = \"1h\"; "      \
    "privileges = \"p\";"
#define TO(host) "{ host = \"" host ".example\"; methods = [\"GET\"]; paths = \"any\";"

/* clang-format off */
static const char bound_config[] =
    /*  1 */ "workload = { id = \"spiffe://prod.example/sa/builder\"; uid = 1000; };\n"
    /*  2 */ "ca = { keep = \"/run/ca\"; publish = \"/run/public\"; };\n"
    /*  3 */ "authority = { keep = \"/run/authority\"; name = \"prod.example\"; };\n"
    /*  4 */ "ledger = { off_because = \"a test\"; };\n"
    /*  5 */ "doors = (\n"
    /*  6 */ "  { kind = \"forward\"; listen = \"127.0.0.1:15001\"; },\n"
    /*  7 */ "  { kind = \"gate\"; listen = \"127.0.0.1:15002\"; certificate = \"/e/c\"; key = \"/e/k\";\n"
    /*  8 */ "    names = [\"https://orders.example\"]; upstream = \"http://127.0.0.1:8080\";\n"
    /*  9 */ "    accept = [\"httpsig\", \"dpop\", \"wimse\", \"mtls\"];\n"
    /* 10 */ "    clients_trust = \"/e/clients.pem\"; nonce = \"demand\";\n"
    /* 11 */ "    issuers = (\n"
    /* 12 */ "      { issuer = \"https://idp.example\"; audience = \"https://orders.example\";\n"
    /* 13 */ "        jwks_url = \"https://idp.example/jwks\"; trust = \"/e/idp.pem\";\n"
    /* 14 */ "        subjects = [\"builder\"]; algorithms = [\"ES256\", \"ES384\"]; },\n"
    /* 15 */ "      { issuer = \"https://asked.example\"; audience = \"orders\";\n"
    /* 16 */ "        introspection = { url = \"https://asked.example/introspect\"; client_id = \"gate\";\n"
    /* 17 */ "                          client_secret = \"/run/secrets/gate\"; }; }\n"
    /* 18 */ "    );\n"
    /* 19 */ "    signature = { components = [\"@method\", \"@authority\", \"content-digest\"];\n"
    /* 20 */ "                  parameters = [\"created\", \"keyid\"]; jwks_file = \"/e/bots.json\"; tag = \"bots\"; };\n"
    /* 21 */ "    trust = ( { domain = \"prod.example\"; jwks_file = \"/e/jwks.json\"; subjects = [\"spiffe://prod.example/*\"]; } );\n"
    /* 22 */ "    rules = ( { methods = \"any\"; paths = \"any\"; subjects = [\"spiffe://prod.example/*\", \"builder\"];\n"
    /* 23 */ "                grants = \"any\"; purposes = \"any\"; bindings = [\"dpop\", \"mtls\"]; scopes = [\"orders:write\"]; },\n"
    /* 24 */ "              { methods = \"any\"; paths = \"any\"; subjects = \"any\"; grants = \"any\"; purposes = \"any\";\n"
    /* 25 */ "                require_body_digest = true; } ); }\n"
    /* 26 */ ");\n"
    /* 27 */ "credentials = {\n"
    /* 28 */ "  task = { " PAPERS " source = { kind = \"authority\"; }; };\n"
    /* 29 */ "  signer = { " PAPERS " source = { kind = \"key\"; path = \"/s/signer.pem\"; key_id = \"k-1\"; }; };\n"
    /* 30 */ "  client = { " PAPERS " source = { kind = \"certificate\"; certificate = \"/s/client.pem\"; key = \"/s/client.key\"; }; };\n"
    /* 31 */ "  helper = { " PAPERS " source = { kind = \"command\"; command = [\"/usr/bin/helper\", \"-v\"]; timeout = \"2s\"; }; };\n"
    /* 32 */ "  orders = { " PAPERS " handle = { env = \"ORDERS\"; };\n"
    /* 33 */ "    source = { kind = \"oauth\"; token_endpoint = \"https://idp.example/token\"; issuer = \"https://idp.example\";\n"
    /* 34 */ "      client_id = \"builder\"; client_auth = \"private_key_jwt\"; client_key = \"/s/idp.pem\"; client_key_id = \"c-1\";\n"
    /* 35 */ "      scope = \"orders:read orders:write\"; resource = [\"https://orders.example/\"]; trust = \"/e/idp.pem\";\n"
    /* 36 */ "      authorization_details = \"grant\"; authorization_details_type = \"urn:x\"; client_certificate = \"client\";\n"
    /* 37 */ "      revocation_endpoint = \"https://idp.example/revoke\"; }; };\n"
    /* 38 */ "  traded = { " PAPERS "\n"
    /* 39 */ "    source = { kind = \"oauth\"; token_endpoint = \"https://idp.example/token\"; client_id = \"builder\";\n"
    /* 40 */ "      client_auth = \"client_secret_basic\"; client_secret = \"/s/idp\"; grant_type = \"token_exchange\";\n"
    /* 41 */ "      subject_token = \"/s/subject\"; actor_token = \"/s/actor\"; audience = \"orders\"; }; };\n"
    /* 42 */ "};\n"
    /* 43 */ "grants = (\n"
    /* 44 */ "  { name = \"nightly\"; owner = \"a@example\"; approved_by = \"s@example\"; ticket = \"SEC-1\";\n"
    /* 45 */ "    approved_at = \"2026-11-20\"; expires_at = \"2027-02-20\"; purposes = [\"export\"];\n"
    /* 46 */ "    task = \"standing\"; ttl = \"15m\"; caller = { uid = 1000; };\n"
    /* 47 */ "    rules = (\n"
    /* 48 */ "      " TO("task") " credential = \"task\"; bind = [\"httpsig\", \"wimse\"]; inject = \"always\";\n"
    /* 49 */ "        signature = { components = [\"@method\", \"x-tenant\"]; response = \"verify\"; audience = \"orders\";\n"
    /* 50 */ "          response_trust = ( { domain = \"a\"; jwks_file = \"/e/j\"; subjects = [\"spiffe://a/b\"]; } ); }; },\n"
    /* 51 */ "      " TO("signed") " credential = \"signer\"; bind = [\"httpsig\"]; inject = \"always\";\n"
    /* 52 */ "        signature = { expires = \"30s\"; alg = true; nonce = false; tag = \"bots\"; label = \"mine\"; }; },\n"
    /* 53 */ "      " TO("tls") " credential = \"client\"; bind = [\"mtls\"]; inject = \"always\"; },\n"
    /* 54 */ "      " TO("dpop") " credential = \"orders\"; bind = [\"dpop\", \"mtls\"]; inject = \"always\"; },\n"
    /* 55 */ "      " TO("traded") " credential = \"traded\"; bind = [\"dpop\"]; },\n"
    /* 56 */ "      " TO("helped") " credential = \"helper\"; bind = [\"bearer\"]; unbound_because = \"b\"; },\n"
    /* 57 */ "      " TO("own") " own_proof = \"pass\"; }\n"
    /* 58 */ "    ); }\n"
    /* 59 */ ");\n";
/* clang-format on */

#endif
