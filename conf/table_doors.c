/* The keys of a door: what any has, and what a gate believes and lets through. */
#include "conf/rows.h"

static const char *const door_kinds[] = { [DOOR_FORWARD] = "forward",
                                          [DOOR_TRANSPARENT] = "transparent",
                                          [DOOR_UNIX] = "unix",
                                          [DOOR_GATE] = "gate",
                                          [DOOR_DNS] = "dns",
                                          [DOOR_OPS] = "ops",
                                          NULL };
static const char *const intercepts[] = {
    [INTERCEPT_REDIRECT] = "redirect", [INTERCEPT_TPROXY] = "tproxy", NULL
};
static const char *const refusals[] = {
    [REFUSE_WITH_REFUSED] = "refused", [REFUSE_WITH_NXDOMAIN] = "nxdomain", NULL
};
static const char *const nonces[] = {
    [NONCE_OFF] = "off", [NONCE_DEMAND] = "demand", NULL
};

/* clang-format off */
const struct setting rows_trust[] = {
    STRING("domain", IN(conf_trust, domain), MUST,
           "A trust domain whose workloads are believed; at a gate its rules say which of them may come in."),
    STRING("jwks_file", IN(conf_trust, jwks_file), 0,
           "The keys of that domain's authorities, as they publish them. Required but where a gate takes nothing that they sign: one that accepts `mtls` or `dpop` alone."),
    STRINGS("subjects", IN(conf_trust, subjects), MUST,
            "Identifiers of that domain that are believed; one that ends in `/*` means any below."),
    STRINGS("issuers", IN(conf_trust, issuers), 0,
            "Accepted `iss` claims. Without it: `spiffe://` or `wimse://` and the domain."),
    END
};

static const struct setting introspection[] = {
    STRING("url", IN(conf_introspection, url), 0,
           "The issuer's introspection endpoint (RFC 7662): an https URL. Required in this group."),
    STRING("client_id", IN(conf_introspection, client_id), 0,
           "Who asks there. Required in this group."),
    STRING("client_secret", IN(conf_introspection, client_secret), 0,
           "File of the secret that proves it, sent as HTTP Basic. Required in this group."),
    DURATION("cache", IN(conf_introspection, cache_ms), 0, "5s", 0, 5 * MINUTE,
             "How long an answer holds, and so how long a token that was revoked may still pass; never past the token's own end."),
    END
};

static const struct setting issuer[] = {
    STRING("issuer", IN(conf_issuer, issuer), MUST,
           "Who issued the tokens, as their `iss` says it: an https URL."),
    STRING("audience", IN(conf_issuer, audience), MUST,
           "What its tokens must be for: this service, as the issuer calls it."),
    STRING("jwks_file", IN(conf_issuer, jwks_file), 0,
           "File of its keys, as a JWK Set. Exactly one of `jwks_file`, `jwks_url` and `introspection`."),
    STRING("jwks_url", IN(conf_issuer, jwks_url), 0,
           "Where it publishes them: an https URL, fetched when it is first needed and again when a key is unknown."),
    STRING("trust", IN(conf_issuer, trust), 0,
           "CA file for what is fetched from it; without it the system's roots."),
    STRINGS("subjects", IN(conf_issuer, subjects), 0,
            "Whom its tokens may speak for, whole `sub` claims; without it anybody."),
    GROUP("introspection", IN(conf_issuer, introspection), 0, introspection,
          "Ask the issuer what each token is worth, instead of reading it."),
    STRINGS_NORMALLY("algorithms", IN(conf_issuer, algorithms), "[\"ES256\", \"EdDSA\", \"PS256\", \"RS256\"]",
            "By which its tokens may be signed."),
    END
};

static const struct setting signature[] = {
    STRINGS("components", IN(conf_gate_signature, components), 0,
            "What must be covered, as in `[\"@method\", \"@target-uri\"]`. Without it: what the WIMSE profile demands, or `@method` and `@target-uri`; and `content-digest` where there is a body."),
    STRINGS_NORMALLY("parameters", IN(conf_gate_signature, parameters), "[\"created\", \"expires\", \"nonce\"]",
            "Parameters that must stand in it: `created`, `expires`, `nonce`, `keyid`, `alg`, `tag`."),
    DURATION("max_age", IN(conf_gate_signature, max_age_ms), 0, "60s", SECOND, HOUR,
             "How old it may be by its `created`, whatever its `expires` says."),
    STRING("jwks_file", IN(conf_gate_signature, jwks_file), 0,
           "Keys of those who sign without a workload identity token, found by `keyid`: a JWK Set. Without it only the workloads of `trust` can sign."),
    STRING("tag", IN(conf_gate_signature, tag), 0,
           "The `tag` that a signature by one of those keys must have; without it any, or none."),
    END
};

static const struct setting gate_rule[] = {
    STRINGS_OR_ANY("methods", IN(conf_gate_rule, methods), "Methods that may pass."),
    STRINGS_OR_ANY("paths", IN(conf_gate_rule, paths),
                   "Paths that may pass: `*` is one whole segment, `**` at the end any tail."),
    STRINGS_OR_ANY("subjects", IN(conf_gate_rule, subjects),
                   "Who may pass: workloads by their identifiers, subjects of access tokens, names of certificates, ids of keys; `\"any\"`: all that are believed."),
    STRINGS_OR_ANY("grants", IN(conf_gate_rule, grants),
                   "Values of the grant in the token's context that are accepted."),
    STRINGS_OR_ANY("purposes", IN(conf_gate_rule, purposes),
                   "Values of the purpose in the token's context that are accepted."),
    STRINGS("scopes", IN(conf_gate_rule, scopes), 0,
            "Scopes that the access token must have, all of them. Without it none is asked for. Needs `issuers`."),
    STRINGS("bindings", IN(conf_gate_rule, bindings), 0,
            "Which of the door's `accept` this rule takes; without it all of them."),
    CHOICE("encoded_slashes", IN(conf_gate_rule, encoded_slashes), 0, "refuse", rows_slashes,
           "Whether a path may hold `%2F`, which some services read as a slash and some do not."),
    BOOL("require_body_digest", IN(conf_gate_rule, require_body_digest), "false",
         "The proof must cover the body: `wimse` and `httpsig` can."),
    BOOL("websocket", IN(conf_gate_rule, websocket), "false",
         "Whether a GET may open a WebSocket: its handshake is proved like any request, what follows passes as it comes."),
    END
};

const struct setting rows_door[] = {
    CHOICE("kind", IN(conf_door, kind), MUST, NULL, door_kinds,
           "`forward`: the workload's way out (CONNECT and absolute-form). `transparent`: the same for connections that the kernel turns round to it; the name is the TLS server name or Host, the port the one they were made to. `unix`: `forward` on a socket in the file system. `gate`: the verifying side, in front of a service. `dns`: answers which address a name has, by UDP and TCP, for names that a live grant's rule names, and refuses all others. `ops`: read-only `/healthz`, `/readyz` and `/metrics`; it takes `listen` and nothing else."),
    STRING("name", IN(conf_door, name), 0,
           "What the log, the ledger and a `caller` call it: lower-case letters, digits and `-`."),
    { .name = "listen", .type = SETTING_LISTEN, .offset = IN(conf_door, listen),
      .sentence = "Address and port; port 0 lets the kernel choose. Required but at a unix door." },
    STRING("path", IN(conf_door, path), 0,
           "Unix: where its socket stands, in a directory that nobody but Holdfast and root may write to. Required there."),
    STRING_NORMALLY("mode", IN(conf_door, mode), "0660",
           "Unix: the socket's mode: who may write to it may connect."),
    STRING("group", IN(conf_door, group), 0,
           "Unix: the socket's group, by name or number; without it Holdfast's own."),
    CHOICE("intercept", IN(conf_door, intercept), 0, "redirect", intercepts,
           "Transparent: how the kernel turns connections round to it: by `redirect` (nft's redirect or dnat, on this machine), or by `tproxy` (which needs CAP_NET_ADMIN at the start)."),
    BOOL("http2", IN(conf_door, http2), "true",
         "Forward, transparent, unix and gate: clients are offered HTTP/2 inside TLS, beside HTTP/1.1."),
    BOOL("h2c", IN(conf_door, h2c), "false",
         "Forward, transparent and unix: HTTP/2 with prior knowledge is taken in the clear, as a proxy request, after CONNECT, or where the kernel led it here. Without it such a client is refused."),
    CHOICE("refuse_with", IN(conf_door, refuse_with), 0, "refused", refusals,
           "Dns: what is said to a name that nobody may have. `nxdomain` (there is no such name) where clients go through search domains: some give up at the first refusal."),
    STRING("certificate", IN(conf_door, certificate), 0,
           "Gate: PEM file of the chain shown to clients. Required there."),
    STRING("key", IN(conf_door, key), 0,
           "Gate: PEM file of its key, owned by `user` (or root) and readable by nobody else, mode 0600. Required there."),
    STRINGS("names", IN(conf_door, names), 0,
            "Gate: its own origins, with the port unless it is 443, `\"https://orders.example:8443\"`: what proofs must be made for. Required there."),
    STRING("upstream", IN(conf_door, upstream), 0,
           "Gate: the service behind, `\"http://127.0.0.1:8080\"` or `\"https://...\"`. Required there."),
    STRING("upstream_trust", IN(conf_door, upstream_trust), 0,
           "Gate: CA file for an https upstream; without it the system's roots."),
    CHOICE("upstream_http", IN(conf_door, upstream_http), 0, "auto", rows_http,
           "Gate: which HTTP its service is spoken to in, as `http` of a rule."),
    STRINGS_NORMALLY("accept", IN(conf_door, accept), "[\"wimse\"]",
            "Gate: the proofs that are looked at: `httpsig`, `dpop`, `wimse`, `mtls`. What a request carries beside counts for nothing; of two that are accepted it is refused."),
    STRING("clients_trust", IN(conf_door, clients_trust), 0,
           "Gate: CA file that client certificates are verified against. Required with `mtls`; without it none is asked for."),
    CHOICE("nonce", IN(conf_door, nonce), 0, "off", nonces,
           "Gate: `demand` takes a DPoP proof only with a nonce of ours, which costs a client one more round now and then and makes proofs made beforehand worthless."),
    GROUPS("issuers", IN(conf_door, issuers), 0, issuer, conf_issuer,
           "Gate: authorization servers whose access tokens count. Required with `dpop`."),
    GROUP("signature", IN(conf_door, signature), 0, signature,
          "Gate: what an HTTP message signature must cover and say. Only with `httpsig` in `accept`."),
    GROUPS("trust", IN(conf_door, trust), 0, rows_trust, conf_trust,
           "Gate: whose workloads are believed. Required there with `wimse`, and with `httpsig` unless `signature.jwks_file` has the keys."),
    GROUPS("rules", IN(conf_door, rules), 0, gate_rule, conf_gate_rule,
           "Gate: what may pass to the service; what fits no rule is refused. Required there."),
    BOOL("keep_proof", IN(conf_door, keep_proof), "false",
         "Gate: leave token and proof in the request for the service to see."),
    INTEGER("replay_entries", IN(conf_door, replay_entries), "65536", 1, 16777216,
            "Gate: proofs remembered against replay; when it is full, requests are refused."),
    END
};
/* clang-format on */
