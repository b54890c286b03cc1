/* The gate's verdict on a good request, and on the same request spoiled in one place.
 */
#include "forge.h"

#include "tokens/carried.h"

struct row {
    const char *name;
    enum piece piece;
    const char *from, *to;
    enum reason why;
    enum signer token_by, proof_by;
    enum piece piece_2; /* a second spoiling, where one alone cannot show it */
    const char *from_2, *to_2;
};

#define ROW(called, where, before, after, reason, ...)                                 \
    {                                                                                  \
        .name = called, .piece = where, .from = before, .to = after, .why = reason,    \
        __VA_ARGS__                                                                    \
    }
#define DIGEST_OF_SECRET "K7gNU3sdo-OL0wNhqoVWhr3g6s1xYv72ol_pe_Unols"
#define DIGEST_OF_QUERY  "zrRYc7tQiYx0MTREdW1BOg9QWoAaGLCWz-y90H0SW9I"

static const struct row rows[] = {
    ROW("untouched", NO_PIECE, NULL, NULL, REASON_OK),

    /* ---- the fields */
    ROW("no token", WIT_FIELD, NULL, "", REASON_TOKEN_MISSING),
    ROW("token alone", WPT_FIELD, NULL, "", REASON_PROOF_MISSING),
    ROW("two tokens", FIELDS, NULL, "Workload-Identity-Token: x",
        REASON_TOKEN_REPEATED),
    ROW("two tokens, case differs", FIELDS, NULL, "WORKLOAD-IDENTITY-TOKEN: x",
        REASON_TOKEN_REPEATED),
    ROW("two proofs", FIELDS, NULL, "Workload-Proof-Token: x", REASON_PROOF_REPEATED),
    ROW("two tokens in one field", WIT_FIELD, "ey", "a.b.c, ey",
        REASON_TOKEN_MALFORMED),
    ROW("two proofs in one field", WPT_FIELD, "ey", "a.b.c, ey",
        REASON_PROOF_MALFORMED),

    /* ---- the token: form */
    ROW("token is no JWS", WIT_FIELD, NULL, "Bearer", REASON_TOKEN_MALFORMED),
    ROW("token of two parts", WIT_FIELD, NULL, "e30.e30", REASON_TOKEN_MALFORMED),
    ROW("token padded", WIT_FIELD, ".", "=.", REASON_TOKEN_MALFORMED),
    ROW("token with a fourth part", WIT_FIELD, "ey", "e30.ey", REASON_TOKEN_MALFORMED),
    ROW("token alg none", WIT_HEADER, "ES256", "none", REASON_TOKEN_ALGORITHM),
    ROW("token alg HS256", WIT_HEADER, "ES256", "HS256", REASON_TOKEN_ALGORITHM),
    ROW("token alg RS256", WIT_HEADER, "ES256", "RS256", REASON_TOKEN_ALGORITHM),
    ROW("token alg in lower case", WIT_HEADER, "ES256", "es256",
        REASON_TOKEN_ALGORITHM),
    ROW("token alg of another kind of key", WIT_HEADER, "ES256", "EdDSA",
        REASON_TOKEN_ALGORITHM),
    ROW("token alg no string", WIT_HEADER, "\"ES256\"", "256", REASON_TOKEN_MALFORMED),
    ROW("token without alg", WIT_HEADER, "\"alg\":\"ES256\",", "",
        REASON_TOKEN_MALFORMED),
    ROW("token crit", WIT_HEADER, "\"typ\"", "\"crit\":[\"exp\"],\"typ\"",
        REASON_TOKEN_MALFORMED),
    ROW("token b64 false", WIT_HEADER, "\"typ\"", "\"b64\":false,\"typ\"",
        REASON_TOKEN_MALFORMED),
    ROW("token header twice alg", WIT_HEADER, "\"typ\"", "\"alg\":\"ES256\",\"typ\"",
        REASON_TOKEN_MALFORMED),
    ROW("token header no object", WIT_HEADER, NULL, "[]", REASON_TOKEN_MALFORMED),
    ROW("token claims no object", WIT_CLAIMS, NULL, "\"sub\"", REASON_TOKEN_MALFORMED),
    ROW("token claims cut", WIT_CLAIMS, "}}", "", REASON_TOKEN_MALFORMED),
    ROW("token claims and more", WIT_CLAIMS, "\"task-7\"}}", "\"task-7\"}} {}",
        REASON_TOKEN_MALFORMED),
    ROW("token twice sub", WIT_CLAIMS, "\"iat\"", "\"sub\":\"" WORKLOAD "\",\"iat\"",
        REASON_TOKEN_MALFORMED),
    ROW("token typ JWT", WIT_HEADER, "wit+jwt", "JWT", REASON_TOKEN_TYPE),
    ROW("token typ of a proof", WIT_HEADER, "wit+jwt", "wpt+jwt", REASON_TOKEN_TYPE),
    ROW("token without typ", WIT_HEADER, ",\"typ\":\"wit+jwt\"", "", REASON_TOKEN_TYPE),
    ROW("token typ as a media type", WIT_HEADER, "wit+jwt", "Application/WIT+JWT",
        REASON_OK),

    /* ---- the token: trust */
    ROW("sub missing", WIT_CLAIMS, "\"sub\"", "\"sup\"", REASON_TOKEN_MALFORMED),
    ROW("sub no URI", WIT_CLAIMS, WORKLOAD, "builder", REASON_TOKEN_MALFORMED),
    ROW("sub with a query", WIT_CLAIMS, WORKLOAD, WORKLOAD "?x",
        REASON_TOKEN_MALFORMED),
    ROW("sub with a fragment", WIT_CLAIMS, WORKLOAD, WORKLOAD "#x",
        REASON_TOKEN_MALFORMED),
    ROW("sub with userinfo", WIT_CLAIMS, "//prod.example/ns", "//u@prod.example/ns",
        REASON_TOKEN_MALFORMED),
    ROW("sub with a port", WIT_CLAIMS, "prod.example/ns", "prod.example:443/ns",
        REASON_TOKEN_MALFORMED),
    ROW("sub of a domain nobody trusts", WIT_CLAIMS, "prod.example/ns",
        "evil.example/ns", REASON_TOKEN_UNTRUSTED),
    ROW("sub of another domain we trust, our key", WIT_CLAIMS, "prod.example/ns",
        "other.example/ns", REASON_TOKEN_UNTRUSTED),
    ROW("kid of another domain", WIT_HEADER, "prod.example", "other.example",
        REASON_TOKEN_UNTRUSTED),
    ROW("kid nobody knows", WIT_HEADER, "prod.example", "x", REASON_TOKEN_UNTRUSTED),
    ROW("kid no string", WIT_HEADER, "\"prod.example\"", "1", REASON_TOKEN_MALFORMED),
    ROW("no kid, and the domain has one key", WIT_HEADER, "\"kid\":\"prod.example\",",
        "", REASON_OK),
    ROW("signed by another domain's key", NO_PIECE, NULL, NULL, REASON_TOKEN_SIGNATURE,
        .token_by = OTHER_DOMAIN),
    ROW("signed by a key of its own", NO_PIECE, NULL, NULL, REASON_TOKEN_SIGNATURE,
        .token_by = THIEF),
    ROW("a key in the header is not looked at", WIT_HEADER, "\"typ\"",
        "\"jwk\":{\"kty\":\"EC\"},\"jku\":\"https://evil.example/jwks\",\"typ\"",
        REASON_TOKEN_SIGNATURE, .token_by = THIEF),
    ROW("iss of another domain", WIT_CLAIMS, "\"spiffe://prod.example\"",
        "\"spiffe://other.example\"", REASON_TOKEN_UNTRUSTED),
    ROW("iss nobody listed", WIT_CLAIMS, "\"spiffe://prod.example\"",
        "\"https://evil.example\"", REASON_TOKEN_UNTRUSTED),
    ROW("iss begins like ours", WIT_CLAIMS, "\"spiffe://prod.example\"",
        "\"spiffe://prod.example.evil.example\"", REASON_TOKEN_UNTRUSTED),
    ROW("iss no string", WIT_CLAIMS, "\"spiffe://prod.example\"", "7",
        REASON_TOKEN_MALFORMED),
    ROW("iss listed", WIT_CLAIMS, "\"spiffe://prod.example\"",
        "\"https://issuer.example\"", REASON_OK),
    ROW("iss in the other scheme", WIT_CLAIMS, "\"spiffe://prod.example\"",
        "\"wimse://prod.example\"", REASON_OK),
    ROW("iss absent", WIT_CLAIMS, "\"iss\":\"spiffe://prod.example\",", "", REASON_OK),
    ROW("token with an audience", WIT_CLAIMS, "\"iat\"",
        "\"aud\":\"" ORIGIN "\",\"iat\"", REASON_TOKEN_MALFORMED),
    ROW("subject not listed", WIT_CLAIMS, "/ns/agents/", "/ns/people/",
        REASON_TOKEN_SUBJECT),
    ROW("subject is the star's own stem", WIT_CLAIMS, "/ns/agents/sa/builder",
        "/ns/agents", REASON_TOKEN_SUBJECT),
    ROW("subject listed exactly", WIT_CLAIMS, WORKLOAD, "wimse://prod.example/one",
        REASON_OK),
    ROW("subject longer than the exact one", WIT_CLAIMS, WORKLOAD,
        "wimse://prod.example/one/two", REASON_TOKEN_SUBJECT),

    /* ---- the token: time (skew 5) */
    ROW("token expired", WIT_CLAIMS, "1800000900", "1799999995", REASON_TOKEN_EXPIRED),
    ROW("token expired, within the skew", WIT_CLAIMS, "1800000900", "1799999996",
        REASON_OK),
    ROW("token exp negative", WIT_CLAIMS, "1800000900", "-1", REASON_TOKEN_EXPIRED),
    ROW("token exp huge", WIT_CLAIMS, "1800000900", "1e300", REASON_TOKEN_MALFORMED),
    ROW("token exp past a double", WIT_CLAIMS, "1800000900", "1e400",
        REASON_TOKEN_MALFORMED),
    ROW("token exp past 2^53", WIT_CLAIMS, "1800000900", "9007199254740994",
        REASON_TOKEN_MALFORMED),
    ROW("token exp fractional", WIT_CLAIMS, "1800000900", "1800000900.5", REASON_OK),
    ROW("token exp a string", WIT_CLAIMS, "1800000900", "\"1800000900\"",
        REASON_TOKEN_MALFORMED),
    ROW("token exp missing", WIT_CLAIMS, "\"exp\"", "\"exq\"", REASON_TOKEN_MALFORMED),
    ROW("token iat to come", WIT_CLAIMS, "\"iat\":1800000000", "\"iat\":1800000006",
        REASON_TOKEN_NOT_YET),
    ROW("token iat to come, within the skew", WIT_CLAIMS, "\"iat\":1800000000",
        "\"iat\":1800000005", REASON_OK),
    ROW("token nbf to come", WIT_CLAIMS, "\"iat\":1800000000", "\"nbf\":1800000060",
        REASON_TOKEN_NOT_YET),
    ROW("token iat no number", WIT_CLAIMS, "\"iat\":1800000000", "\"iat\":null",
        REASON_TOKEN_MALFORMED),

    /* ---- the token: whose key */
    ROW("cnf missing", WIT_CLAIMS, "\"cnf\"", "\"cnx\"", REASON_TOKEN_MALFORMED),
    ROW("cnf a thumbprint", WIT_CLAIMS, "\"jwk\":{", "\"jkt\":{",
        REASON_TOKEN_MALFORMED),
    ROW("cnf.jwk without alg", WIT_CLAIMS, "\"alg\":\"ES256\",", "",
        REASON_TOKEN_MALFORMED),
    ROW("cnf.jwk alg of another key", WIT_CLAIMS, "\"alg\":\"ES256\"",
        "\"alg\":\"EdDSA\"", REASON_TOKEN_MALFORMED),
    ROW("cnf.jwk alg HS256", WIT_CLAIMS, "\"alg\":\"ES256\"", "\"alg\":\"HS256\"",
        REASON_TOKEN_MALFORMED),
    ROW("cnf.jwk with its private member", WIT_CLAIMS, "\"kty\"",
        "\"d\":\"AA\",\"kty\"", REASON_TOKEN_MALFORMED),
    ROW("cnf.jwk symmetric", WIT_CLAIMS, "\"kty\":\"EC\"", "\"kty\":\"oct\"",
        REASON_TOKEN_MALFORMED),
    ROW("cnf.jwk of a curve we have not", WIT_CLAIMS, "P-256", "P-384",
        REASON_TOKEN_MALFORMED),
    ROW("cnf.jwk for encryption", WIT_CLAIMS, "\"kty\"", "\"use\":\"enc\",\"kty\"",
        REASON_TOKEN_MALFORMED),
    ROW("cnf.jwk coordinate too long", WIT_CLAIMS, "\"x\":\"", "\"x\":\"AA",
        REASON_TOKEN_MALFORMED),
    ROW("cnf.jwk coordinate missing", WIT_CLAIMS,
        "\"y\":", "\"z\":", REASON_TOKEN_MALFORMED),

    /* ---- the proof: form and key */
    ROW("proof is no JWS", WPT_FIELD, NULL, "x", REASON_PROOF_MALFORMED),
    ROW("proof padded", WPT_FIELD, ".", "=.", REASON_PROOF_MALFORMED),
    ROW("the token as its own proof", WPT_FIELD, NULL, "WIT", REASON_PROOF_TYPE),
    ROW("proof alg none", WPT_HEADER, "ES256", "none", REASON_PROOF_ALGORITHM),
    ROW("proof alg HS256", WPT_HEADER, "ES256", "HS256", REASON_PROOF_ALGORITHM),
    ROW("proof alg not the key's", WPT_HEADER, "ES256", "EdDSA",
        REASON_PROOF_ALGORITHM),
    ROW("proof alg the key's by another name", WPT_HEADER, "ES256", "Ed25519",
        REASON_PROOF_ALGORITHM),
    ROW("proof typ JWT", WPT_HEADER, "wpt+jwt", "JWT", REASON_PROOF_TYPE),
    ROW("proof typ dpop", WPT_HEADER, "wpt+jwt", "dpop+jwt", REASON_PROOF_TYPE),
    ROW("proof without typ", WPT_HEADER, ",\"typ\":\"wpt+jwt\"", "", REASON_PROOF_TYPE),
    ROW("proof crit", WPT_HEADER, "\"typ\"", "\"crit\":[],\"typ\"",
        REASON_PROOF_MALFORMED),
    ROW("proof b64", WPT_HEADER, "\"typ\"", "\"b64\":true,\"typ\"",
        REASON_PROOF_MALFORMED),
    ROW("proof twice exp", WPT_CLAIMS, "\"jti\"", "\"exp\":1800000030,\"jti\"",
        REASON_PROOF_MALFORMED),
    ROW("proof by another workload's key", NO_PIECE, NULL, NULL, REASON_PROOF_SIGNATURE,
        .proof_by = THIEF),
    ROW("proof names a key of its own", WPT_HEADER, "\"typ\"",
        "\"jwk\":{\"kty\":\"EC\"},\"typ\"", REASON_PROOF_SIGNATURE, .proof_by = THIEF),
    ROW("jti missing", WPT_CLAIMS, "\"jti\"", "\"jtj\"", REASON_PROOF_MALFORMED),
    ROW("jti empty", WPT_CLAIMS, "proof-1", "", REASON_PROOF_MALFORMED),
    ROW("jti no string", WPT_CLAIMS, "\"proof-1\"", "1", REASON_PROOF_MALFORMED),
    ROW("jti with a line end", WPT_CLAIMS, "proof-1", "proof\\r\\nX-Admin: 1",
        REASON_PROOF_MALFORMED),

    /* ---- the proof: where to */
    ROW("aud missing", WPT_CLAIMS, "\"aud\"", "\"aux\"", REASON_PROOF_AUDIENCE),
    ROW("aud of another service", WPT_CLAIMS, ORIGIN, "https://evil.example",
        REASON_PROOF_AUDIENCE),
    ROW("aud of another service of the same length", WPT_CLAIMS, ORIGIN,
        "https://0rders.example", REASON_PROOF_AUDIENCE),
    ROW("aud of another path of the same length", WPT_CLAIMS, "/v1/orders",
        "/v1/0rders", REASON_PROOF_AUDIENCE),
    ROW("aud of the same service over http", WPT_CLAIMS, "https://orders",
        "http://orders", REASON_PROOF_AUDIENCE),
    ROW("aud of another port", WPT_CLAIMS, ORIGIN, ORIGIN ":8443",
        REASON_PROOF_AUDIENCE),
    ROW("aud begins like ours", WPT_CLAIMS, ORIGIN, ORIGIN ".evil.example",
        REASON_PROOF_AUDIENCE),
    ROW("aud is the origin alone", WPT_CLAIMS, ORIGIN "/v1/orders", ORIGIN,
        REASON_PROOF_AUDIENCE),
    ROW("aud of another path", WPT_CLAIMS, "/v1/orders", "/v1/order",
        REASON_PROOF_AUDIENCE),
    ROW("aud of a path that ends alike", WPT_CLAIMS, ORIGIN, ORIGIN "/v0",
        REASON_PROOF_AUDIENCE),
    ROW("aud with a query", WPT_CLAIMS, "/v1/orders\"", "/v1/orders?tenant=7\"",
        REASON_PROOF_AUDIENCE),
    ROW("aud with a fragment", WPT_CLAIMS, "/v1/orders\"", "/v1/orders#x\"",
        REASON_PROOF_AUDIENCE),
    ROW("aud an array", WPT_CLAIMS, "\"" ORIGIN "/v1/orders\"",
        "[\"" ORIGIN "/v1/orders\"]", REASON_PROOF_AUDIENCE),
    ROW("aud another of our names than was asked", WPT_CLAIMS, ORIGIN, "https://alias.example:8443",
        REASON_PROOF_AUDIENCE),
    ROW("sent to another path", PATH, NULL, "/v1/orders/9", REASON_PROOF_AUDIENCE),

    /* ---- the proof: when (at most 60 ahead, skew 5) */
    ROW("proof expired", WPT_CLAIMS, "1800000030", "1799999995", REASON_PROOF_EXPIRED),
    ROW("proof expired, within the skew", WPT_CLAIMS, "1800000030", "1799999996",
        REASON_OK),
    ROW("proof good for 60 s", WPT_CLAIMS, "1800000030", "1800000060", REASON_OK),
    ROW("proof good for 61 s", WPT_CLAIMS, "1800000030", "1800000061",
        REASON_PROOF_TOO_LONG),
    ROW("proof good for a day", WPT_CLAIMS, "1800000030", "1800086400",
        REASON_PROOF_TOO_LONG),
    ROW("proof exp huge", WPT_CLAIMS, "1800000030", "1e18", REASON_PROOF_MALFORMED),
    ROW("proof exp fractional", WPT_CLAIMS, "1800000030", "1800000030.25", REASON_OK),
    ROW("proof exp missing", WPT_CLAIMS, "\"exp\"", "\"exq\"", REASON_PROOF_MALFORMED),
    ROW("proof exp true", WPT_CLAIMS, "1800000030", "true", REASON_PROOF_MALFORMED),
    ROW("proof iat to come", WPT_CLAIMS, "\"jti\"", "\"iat\":1800000006,\"jti\"",
        REASON_PROOF_NOT_YET),
    ROW("proof nbf to come", WPT_CLAIMS, "\"jti\"", "\"nbf\":1800000006,\"jti\"",
        REASON_PROOF_NOT_YET),
    ROW("proof nbf no number", WPT_CLAIMS, "\"jti\"", "\"nbf\":\"now\",\"jti\"",
        REASON_PROOF_MALFORMED),

    /* ---- the proof: which tokens. */
    ROW("wth missing", WPT_CLAIMS, "\"wth\":\"WTH\",", "", REASON_PROOF_TOKEN),
    ROW("wth of another token", WPT_CLAIMS, "WTH", DIGEST_OF_SECRET,
        REASON_PROOF_TOKEN),
    ROW("wth padded", WPT_CLAIMS, "WTH\"", "WTH=\"", REASON_PROOF_TOKEN),
    ROW("wth no string", WPT_CLAIMS, "\"WTH\"", "null", REASON_PROOF_TOKEN),
    ROW("access token, no ath", FIELDS, NULL, "Authorization: Bearer secret",
        REASON_PROOF_AUTHORIZATION),
    ROW("no access token, but ath", WPT_CLAIMS, "\"jti\"",
        "\"ath\":\"" DIGEST_OF_SECRET "\",\"jti\"", REASON_PROOF_AUTHORIZATION),
    ROW("access token and its ath", FIELDS, NULL, "Authorization: Bearer secret",
        REASON_OK, .piece_2 = WPT_CLAIMS, .from_2 = "\"jti\"",
        .to_2 = "\"ath\":\"" DIGEST_OF_SECRET "\",\"jti\""),
    ROW("ath of another token", FIELDS, NULL, "Authorization: Bearer Secret",
        REASON_PROOF_AUTHORIZATION, .piece_2 = WPT_CLAIMS, .from_2 = "\"jti\"",
        .to_2 = "\"ath\":\"" DIGEST_OF_SECRET "\",\"jti\""),
    ROW("two access tokens, ath of the first", FIELDS, NULL,
        "Authorization: Bearer secret\nauthorization: Bearer other",
        REASON_PROOF_AUTHORIZATION, .piece_2 = WPT_CLAIMS, .from_2 = "\"jti\"",
        .to_2 = "\"ath\":\"" DIGEST_OF_SECRET "\",\"jti\""),
    ROW("an empty Authorization, no ath", FIELDS, NULL,
        "Authorization: ", REASON_PROOF_AUTHORIZATION),
    ROW("transaction token, no tth", FIELDS, NULL, "Txn-Token: secret",
        REASON_PROOF_OTHER_TOKEN),
    ROW("no transaction token, but tth", WPT_CLAIMS, "\"jti\"",
        "\"tth\":\"" DIGEST_OF_SECRET "\",\"jti\"", REASON_PROOF_OTHER_TOKEN),
    ROW("transaction token and its tth", FIELDS, NULL, "Txn-Token: secret", REASON_OK,
        .piece_2 = WPT_CLAIMS, .from_2 = "\"jti\"",
        .to_2 = "\"tth\":\"" DIGEST_OF_SECRET "\",\"jti\""),
    ROW("two transaction tokens, tth of the first", FIELDS, NULL,
        "Txn-Token: secret\nTxn-Token: other", REASON_PROOF_OTHER_TOKEN,
        .piece_2 = WPT_CLAIMS, .from_2 = "\"jti\"",
        .to_2 = "\"tth\":\"" DIGEST_OF_SECRET "\",\"jti\""),
    ROW("API key, not in oth", FIELDS, NULL, "X-Api-Key: secret",
        REASON_PROOF_OTHER_TOKEN),
    ROW("API key in oth", FIELDS, NULL, "X-Api-Key: secret", REASON_OK,
        .piece_2 = WPT_CLAIMS, .from_2 = "\"jti\"",
        .to_2 = "\"oth\":{\"x-api-key\":\"" DIGEST_OF_SECRET "\"},"
                "\"jti\""),
    ROW("API key in oth in upper case", FIELDS, NULL, "X-Api-Key: secret",
        REASON_PROOF_OTHER_TOKEN, .piece_2 = WPT_CLAIMS, .from_2 = "\"jti\"",
        .to_2 = "\"oth\":{\"X-Api-Key\":\"" DIGEST_OF_SECRET "\"},"
                "\"jti\""),
    ROW("API key in oth in both cases", FIELDS, NULL, "X-Api-Key: secret",
        REASON_PROOF_OTHER_TOKEN, .piece_2 = WPT_CLAIMS, .from_2 = "\"jti\"",
        .to_2 = "\"oth\":{\"x-api-key\":\"" DIGEST_OF_SECRET "\","
                "\"X-API-KEY\":\"\"},\"jti\""),
    ROW("oth of a field that is not there", WPT_CLAIMS, "\"jti\"",
        "\"oth\":{\"x-api-key\":\"" DIGEST_OF_SECRET "\"},\"jti\"",
        REASON_PROOF_OTHER_TOKEN),
    ROW("oth of a field we do not know", FIELDS, NULL, "X-Mine: secret",
        REASON_PROOF_OTHER_TOKEN, .piece_2 = WPT_CLAIMS, .from_2 = "\"jti\"",
        .to_2 = "\"oth\":{\"x-mine\":\"" DIGEST_OF_SECRET "\"},"
                "\"jti\""),
    ROW("oth no object", WPT_CLAIMS, "\"jti\"", "\"oth\":[],\"jti\"",
        REASON_PROOF_OTHER_TOKEN),
    ROW("oth empty", WPT_CLAIMS, "\"jti\"", "\"oth\":{},\"jti\"", REASON_OK),

    /* ---- the proof: which request */
    ROW("request claim missing", WPT_CLAIMS, "claims/req", "claims/rex",
        REASON_PROOF_REQUEST),
    ROW("request claim no object", WPT_CLAIMS, "claims/req\":{",
        "claims/req\":1,\"x\":{", REASON_PROOF_REQUEST),
    ROW("request claim without method", WPT_CLAIMS, "\"method\"", "\"nothing\"",
        REASON_PROOF_REQUEST),
    ROW("request claim with a member we do not know", WPT_CLAIMS, "\"method\"",
        "\"header\":\"x\",\"method\"", REASON_PROOF_REQUEST),
    ROW("sent with another method", METHOD, NULL, "DELETE", REASON_PROOF_METHOD),
    ROW("sent with the method in lower case", METHOD, NULL, "post",
        REASON_PROOF_METHOD),
    ROW("sent with another query", QUERY, NULL, "tenant=8", REASON_PROOF_QUERY),
    ROW("sent with an empty query", QUERY, NULL, "", REASON_PROOF_QUERY),
    ROW("query not covered", WPT_CLAIMS, "\"query\":\"" DIGEST_OF_QUERY "\",", "",
        REASON_PROOF_QUERY),
    ROW("query covered, but there is none", QUERY, NULL, "-", REASON_PROOF_QUERY),
    ROW("sent with another body", BODY, NULL, "{\"item\":2}", REASON_PROOF_BODY),
    ROW("sent without its body", BODY, NULL, "", REASON_PROOF_BODY),
    ROW("body named, but not there to compare", BODY, NULL, "-", REASON_PROOF_BODY),

    /* ---- the context */
    ROW("context missing", WIT_CLAIMS, "claims/ctx", "claims/ctz",
        REASON_CONTEXT_MISSING),
    ROW("grant missing", WIT_CLAIMS, "\"grant\"", "\"grunt\"", REASON_CONTEXT_MISSING),
    ROW("owner missing", WIT_CLAIMS, "\"owner\"", "\"owned\"", REASON_CONTEXT_MISSING),
    ROW("purpose missing", WIT_CLAIMS, "\"purpose\"", "\"purport\"",
        REASON_CONTEXT_MISSING),
    ROW("task missing", WIT_CLAIMS, "\"task\"", "\"tusk\"", REASON_CONTEXT_MISSING),
    ROW("task empty", WIT_CLAIMS, "\"task-7\"", "\"\"", REASON_CONTEXT_MISSING),
    ROW("task no string", WIT_CLAIMS, "\"task-7\"", "7", REASON_CONTEXT_MISSING),
    ROW("purpose with a line end", WIT_CLAIMS, "nightly-export", "x\\r\\nX-Admin: 1",
        REASON_CONTEXT_REFUSED),
};

static struct forged forged;

static void
spoil_request(const struct row *r)
{
    if (r->piece != WIT_FIELD && r->piece != WPT_FIELD)
        spoil(&forged, r->piece, r->from, r->to);
    spoil(&forged, r->piece_2, r->from_2, r->to_2);
}

static void
spoil_sealed(const struct row *r)
{
    if (r->piece != WIT_FIELD && r->piece != WPT_FIELD)
        return;
    spoil(&forged, r->piece, r->from,
          strcmp(r->to, "WIT") == 0 ? forged.at[WIT_FIELD] : r->to);
}

static bool
row_holds(const struct row *r)
{
    struct arena *arena = arena_new();
    struct facts facts;
    struct scene s;
    enum reason why;

    scene_open(&s);
    forge(&s, &forged);
    spoil_request(r);
    seal_token(&s, &forged, r->token_by);
    seal_proof(&s, &forged, r->proof_by);
    spoil_sealed(r);
    why = ask(&s, &forged, NOW, arena, &facts);
    if (why != r->why)
        print_error("%s: %s, not %s\n", r->name, reason_token(why),
                    reason_token(r->why));
    if (why != REASON_OK)
        assert_true(facts.proof_id.at == NULL && facts.context.workload.at == NULL);
    scene_close(&s);
    arena_free(arena);
    return why == r->why;
}

static void
a_request_spoiled_in_one_place_is_refused_with_the_reason_of_that_place(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        wrong += !row_holds(&rows[i]);
    assert_int_equal(wrong, 0);
}

/* ---- what one row cannot say */

struct stage {
    struct scene scene;
    struct arena *arena;
    struct facts facts;
};

static int
stage_open(void **state)
{
    static struct stage stage;

    memset(&stage, 0, sizeof stage);
    scene_open(&stage.scene);
    stage.arena = arena_new();
    forge(&stage.scene, &forged);
    *state = &stage;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *stage = *state;

    scene_close(&stage->scene);
    arena_free(stage->arena);
    return 0;
}

static void
seal(struct stage *stage)
{
    seal_token(&stage->scene, &forged, PROPER);
    seal_proof(&stage->scene, &forged, PROPER);
}

static enum reason
ask_at(struct stage *stage, int64_t now_s)
{
    return ask(&stage->scene, &forged, now_s, stage->arena, &stage->facts);
}

static void
assert_text(struct text t, const char *z)
{
    assert_int_equal(t.n, strlen(z));
    assert_memory_equal(t.at, z, t.n);
}

static void
a_good_request_tells_the_facts_it_proved(void **state)
{
    struct stage *stage = *state;
    char thumbprint[THUMBPRINT_SIZE];

    seal(stage);
    assert_int_equal(ask_at(stage, NOW), REASON_OK);
    assert_text(stage->facts.context.workload, WORKLOAD);
    assert_text(stage->facts.context.task, "task-7");
    assert_text(stage->facts.context.grant, "nightly-orders");
    assert_text(stage->facts.context.purpose, "nightly-export");
    assert_text(stage->facts.context.owner, "orders-team@example");
    assert_text(stage->facts.proof_id, "proof-1");
    assert_true(stage->facts.body_covered);
    key_thumbprint(stage->scene.holder, thumbprint);
    assert_true(
        text_equals(stage->facts.thumbprint, text_of(thumbprint, sizeof thumbprint)));
}

static void
a_copied_request_is_refused_until_it_has_expired_and_then_too(void **state)
{
    struct stage *stage = *state;

    seal(stage);
    assert_int_equal(ask_at(stage, NOW), REASON_OK);
    assert_int_equal(ask_at(stage, NOW), REASON_PROOF_REPLAYED);
    assert_int_equal(ask_at(stage, NOW + 34), REASON_PROOF_REPLAYED);
    assert_int_equal(ask_at(stage, NOW + 35), REASON_PROOF_EXPIRED);
    /* and if the gate's clock is set back, it is still remembered */
    assert_int_equal(ask_at(stage, NOW), REASON_PROOF_REPLAYED);
}

static void
a_proof_refused_for_another_reason_is_not_used_up(void **state)
{
    struct stage *stage = *state;

    seal(stage);
    spoil(&forged, METHOD, NULL, "DELETE");
    assert_int_equal(ask_at(stage, NOW), REASON_PROOF_METHOD);
    spoil(&forged, METHOD, NULL, "POST");
    assert_int_equal(ask_at(stage, NOW), REASON_OK);
}

static void
an_id_used_by_one_key_is_free_for_another(void **state)
{
    struct stage *stage = *state;
    struct key *first = stage->scene.holder;

    seal(stage);
    assert_int_equal(ask_at(stage, NOW), REASON_OK);
    stage->scene.holder = stage->scene.thief; /* honest this time: its own token */
    forge(&stage->scene, &forged);
    seal(stage);
    assert_int_equal(ask_at(stage, NOW), REASON_OK);
    stage->scene.holder = first;
}

static void
a_proof_beside_another_token_of_the_same_key_is_refused(void **state)
{
    struct stage *stage = *state;
    static char proof[PIECE_MAX];

    seal(stage);
    strcpy(proof, forged.at[WPT_FIELD]);
    spoil(&forged, WIT_CLAIMS, "wit-1", "wit-2"); /* a renewed token */
    seal(stage);
    strcpy(forged.at[WPT_FIELD], proof);
    assert_int_equal(ask_at(stage, NOW), REASON_PROOF_TOKEN);
}

static void
a_full_replay_cache_refuses_a_good_request(void **state)
{
    struct stage *stage = *state;

    seal(stage);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(replay_cache_enter(stage->scene.replays, TEXT("other"),
                                            text_of((char *)&i, sizeof i), NOW + 60,
                                            NOW),
                         REASON_OK);
    assert_int_equal(ask_at(stage, NOW), REASON_REPLAY_CACHE_FULL);
}

static void
set_jti(size_t n)
{
    static char jti[512];

    memset(jti, 'a', n);
    jti[n] = '\0';
    spoil(&forged, WPT_CLAIMS, "proof-1", jti);
}

static void
an_id_of_256_bytes_is_the_longest(void **state)
{
    struct stage *stage = *state;

    set_jti(256);
    seal(stage);
    assert_int_equal(ask_at(stage, NOW), REASON_OK);
    forge(&stage->scene, &forged);
    set_jti(257);
    seal(stage);
    assert_int_equal(ask_at(stage, NOW), REASON_PROOF_MALFORMED);
}

static void
a_token_larger_than_the_limit_is_refused(void **state)
{
    struct stage *stage = *state;
    static char claim[JWS_MAX + 64];

    strcpy(claim, "\"pad\":\"");
    memset(claim + strlen(claim), 'x', JWS_MAX);
    strcat(claim, "\",\"iat\"");
    spoil(&forged, WIT_CLAIMS, "\"iat\"", claim);
    seal(stage);
    assert_int_equal(ask_at(stage, NOW), REASON_TOKEN_MALFORMED);
}

static void
a_streamed_body_may_be_left_out_of_the_proof_and_the_facts_say_so(void **state)
{
    struct stage *stage = *state;
    char digest[SHA256_BASE64URL_SIZE + 1], member[80];

    snprintf(member, sizeof member, ",\"body\":\"%s\"",
             digest_z(piece(&forged, BODY), digest));
    spoil(&forged, WPT_CLAIMS, member, "");
    spoil(&forged, BODY, NULL, "-");
    seal(stage);
    assert_int_equal(ask_at(stage, NOW), REASON_OK);
    assert_false(stage->facts.body_covered);
}

static void
a_token_without_kid_is_refused_where_a_domain_has_two_keys(void **state)
{
    static const char *const subjects[] = { "spiffe://prod.example/second/*" };
    struct stage *stage = *state;
    char path[64];

    snprintf(path, sizeof path, "%s/second.json", stage->scene.directory);
    jwks_write(path, stage->scene.thief, "second");
    assert_int_equal(trust_anchors_add(stage->scene.anchors, "prod.example", path,
                                       subjects, 1, NULL, 0),
                     REASON_OK);
    unlink(path);
    spoil(&forged, WIT_HEADER, "\"kid\":\"prod.example\",", "");
    seal(stage);
    assert_int_equal(ask_at(stage, NOW), REASON_TOKEN_UNTRUSTED);

    /* and the second key speaks for its own subjects alone */
    forge(&stage->scene, &forged);
    spoil(&forged, WIT_HEADER, "prod.example", "second");
    seal_token(&stage->scene, &forged, THIEF);
    seal_proof(&stage->scene, &forged, PROPER);
    assert_int_equal(ask_at(stage, NOW), REASON_TOKEN_SUBJECT);
}

static void
stripping_removes_every_field_of_the_proof_and_nothing_else(void **state)
{
    struct stage *stage = *state;
    struct headers h;

    headers_init(&h, stage->arena);
    headers_add(&h, TEXT("workload-proof-token"), TEXT("a"));
    headers_add(&h, TEXT("Accept"), TEXT("b"));
    headers_add(&h, FIELD_TOKEN, TEXT("c"));
    headers_add(&h, FIELD_PROOF, TEXT("d"));
    proof_strip(&h);
    assert_int_equal(h.n, 1);
    assert_text(h.at[0].name, "Accept");
}

#define staged(test) cmocka_unit_test_setup_teardown(test, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_request_spoiled_in_one_place_is_refused_with_the_reason_of_that_place),
        staged(a_good_request_tells_the_facts_it_proved),
        staged(a_copied_request_is_refused_until_it_has_expired_and_then_too),
        staged(a_proof_refused_for_another_reason_is_not_used_up),
        staged(an_id_used_by_one_key_is_free_for_another),
        staged(a_proof_beside_another_token_of_the_same_key_is_refused),
        staged(a_full_replay_cache_refuses_a_good_request),
        staged(an_id_of_256_bytes_is_the_longest),
        staged(a_token_larger_than_the_limit_is_refused),
        staged(a_streamed_body_may_be_left_out_of_the_proof_and_the_facts_say_so),
        staged(a_token_without_kid_is_refused_where_a_domain_has_two_keys),
        staged(stripping_removes_every_field_of_the_proof_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
