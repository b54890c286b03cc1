/* JOSE against the published vectors, and against what a lenient reader would let
 * through. */
#include "published.h"

#include "base/digest.h"
#include "tokens/jws.h"

/* RFC 7515 A.3 */
#define X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
/* A JWK of it that begins with other members. */
#define JWK(first)                                                                     \
    "{" first "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}"
#define SIGNATURE                                                                      \
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-"  \
    "Kg6NU1Q"
#define HEADER "eyJhbGciOiJFUzI1NiJ9" /* {"alg":"ES256"} */
#define PAYLOAD                                                                        \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19y" \
    "b2"                                                                               \
    "90Ijp0cnVlfQ"

static struct public_key *
import_whole(const struct json *jwk)
{
    struct text alg;

    return jwk_import(jwk, &alg);
}

static struct public_key *
import(const char *jwk)
{
    struct json *j = json_parse(text_z(jwk), 4096);
    struct public_key *k = import_whole(j);

    json_free(j);
    return k;
}

/* ---- taking apart */

static const struct {
    const char *name, *compact;
    enum jws_fault fault;
} forms[] = {
    { "RFC 7515 A.3", HEADER "." PAYLOAD "." SIGNATURE, JWS_FINE },
    { "empty", "", JWS_MALFORMED },
    { "one part", HEADER, JWS_MALFORMED },
    { "two parts", HEADER "." PAYLOAD, JWS_MALFORMED },
    { "four parts", HEADER "." PAYLOAD "." SIGNATURE "." SIGNATURE, JWS_MALFORMED },
    { "five parts", HEADER "...." SIGNATURE, JWS_MALFORMED },
    { "a dot too many", HEADER "." PAYLOAD "." SIGNATURE ".", JWS_MALFORMED },
    { "a dot in front", "." HEADER "." PAYLOAD "." SIGNATURE, JWS_MALFORMED },
    { "no header", "." PAYLOAD "." SIGNATURE, JWS_MALFORMED },
    { "no payload", HEADER ".." SIGNATURE, JWS_MALFORMED },
    { "no signature", HEADER "." PAYLOAD ".", JWS_MALFORMED },
    { "header padded", HEADER "=." PAYLOAD "." SIGNATURE, JWS_MALFORMED },
    { "payload padded", HEADER "." PAYLOAD "==." SIGNATURE, JWS_MALFORMED },
    { "signature padded", HEADER "." PAYLOAD "." SIGNATURE "==", JWS_MALFORMED },
    { "space in front", " " HEADER "." PAYLOAD "." SIGNATURE, JWS_MALFORMED },
    { "space inside", HEADER "." PAYLOAD " ." SIGNATURE, JWS_MALFORMED },
    { "line end behind", HEADER "." PAYLOAD "." SIGNATURE "\n", JWS_MALFORMED },
    { "plus for minus",
      HEADER
      "." PAYLOAD
      ".DtEhU3ljbEg8L38VWAfUAqOyKAM6+Xx+F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJ"
      "qPP3+Kg6NU1Q",
      JWS_MALFORMED },
    { "spare bits set in the signature",
      HEADER
      "." PAYLOAD
      ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJ"
      "qPP3-Kg6NU1R",
      JWS_MALFORMED },
    { "spare bits set in the payload", HEADER ".eyJpc3MiOiJqb2UifR." SIGNATURE,
      JWS_MALFORMED },
    { "the same signature in DER",
      HEADER "." PAYLOAD "."
             "MEUCIA7RIVN5Y2xIPC9_FVgH1AKjsigDOvl8fheBmsMWnqZlAiEAxQoH04w8"
             "cOXY8S2vCEpUgKZlkMXyk1Cajz9_ioOjVNU",
      JWS_MALFORMED },
    { "signature of 63 bytes",
      HEADER "." PAYLOAD "."
             "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8I"
             "SlSApmWQxfKTUJqPP3-Kg6NU",
      JWS_MALFORMED },
    { "signature of 65 bytes",
      HEADER "." PAYLOAD "."
             "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8I"
             "SlSApmWQxfKTUJqPP3-Kg6NU1QA",
      JWS_MALFORMED },
    { "alg none, no signature", "eyJhbGciOiJub25lIn0." PAYLOAD ".", JWS_ALGORITHM },
    { "alg none, a signature", "eyJhbGciOiJub25lIn0." PAYLOAD "." SIGNATURE,
      JWS_ALGORITHM },
    { "header a string", "IkVTMjU2Ig." PAYLOAD "." SIGNATURE, JWS_MALFORMED },
    { "header no JSON", "Zm9v." PAYLOAD "." SIGNATURE, JWS_MALFORMED },
    { "payload no JSON", HEADER ".Zm9v." SIGNATURE, JWS_MALFORMED },
    { "payload an array", HEADER ".W10." SIGNATURE, JWS_MALFORMED },
    { "JSON serialisation", "{\"payload\":\"Zm9v\",\"signatures\":[]}", JWS_MALFORMED },
};

static void
a_token_has_one_form_and_everything_else_is_refused(void **state)
{
    static const struct jws zero;
    struct jws j;

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (jws_parse(text_z(forms[i].compact), &j) != forms[i].fault)
            fail_msg("%s", forms[i].name);
        if (forms[i].fault != JWS_FINE)
            assert_memory_equal(&j, &zero, sizeof j);
        jws_clear(&j);
    }
}

static enum jws_fault
parse_header(const char *header)
{
    char compact[1024], encoded[512];
    size_t n = base64url_encode((const unsigned char *)header, strlen(header), encoded);
    struct jws j;
    enum jws_fault fault;

    snprintf(compact, sizeof compact, "%.*s." PAYLOAD "." SIGNATURE, (int)n, encoded);
    fault = jws_parse(text_z(compact), &j);
    jws_clear(&j);
    return fault;
}

static const struct {
    const char *header;
    enum jws_fault fault;
} headers[] = {
    { "{\"alg\":\"ES256\"}", JWS_FINE },
    { "{\"alg\":\"EdDSA\"}", JWS_FINE },
    { "{\"alg\":\"Ed25519\"}", JWS_FINE },
    { "{\"alg\":\"ES256\",\"typ\":\"wit+jwt\",\"kid\":\"1\",\"cty\":\"x\"}", JWS_FINE },
    { "{\"alg\":\"ES256\",\"jwk\":{},\"jku\":\"x\",\"x5u\":\"x\",\"x5c\":[]}",
      JWS_FINE },
    { "{}", JWS_MALFORMED },
    { "{\"alg\":\"\"}", JWS_MALFORMED },
    { "{\"alg\":null}", JWS_MALFORMED },
    { "{\"alg\":[\"ES256\"]}", JWS_MALFORMED },
    { "{\"ALG\":\"ES256\"}", JWS_MALFORMED },
    { "{\"alg\":\"none\"}", JWS_ALGORITHM },
    { "{\"alg\":\"None\"}", JWS_ALGORITHM },
    { "{\"alg\":\"HS256\"}", JWS_ALGORITHM },
    { "{\"alg\":\"RS256\"}", JWS_ALGORITHM },
    { "{\"alg\":\"PS256\"}", JWS_ALGORITHM },
    { "{\"alg\":\"ES256K\"}", JWS_ALGORITHM },
    { "{\"alg\":\"ES384\"}", JWS_ALGORITHM },
    { "{\"alg\":\"Ed448\"}", JWS_ALGORITHM },
    { "{\"alg\":\"ES256 \"}", JWS_ALGORITHM },
    { "{\"alg\":\"ES256\\u0000\"}", JWS_MALFORMED },
    { "{\"alg\":\"none\",\"alg\":\"ES256\"}", JWS_MALFORMED },
    { "{\"alg\":\"ES256\",\"\\u0061lg\":\"none\"}", JWS_MALFORMED },
    { "{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}", JWS_MALFORMED },
    { "{\"alg\":\"ES256\",\"crit\":[]}", JWS_MALFORMED },
    { "{\"alg\":\"ES256\",\"crit\":null}", JWS_MALFORMED },
    { "{\"alg\":\"ES256\",\"b64\":false,\"crit\":[\"b64\"]}", JWS_MALFORMED },
    { "{\"alg\":\"ES256\",\"b64\":true}", JWS_MALFORMED },
    { "{\"alg\":\"ES256\",\"typ\":1}", JWS_MALFORMED },
    { "{\"alg\":\"ES256\",\"kid\":{}}", JWS_MALFORMED },
    { "{\"alg\":\"ES256\"} {}", JWS_MALFORMED },
    { "{\"alg\":\"ES256\",}", JWS_MALFORMED },
    { "{\"alg\":\"ES256\",\"typ\":\"\xff\"}", JWS_MALFORMED },
};

static void
a_header_says_a_known_algorithm_and_nothing_that_changes_the_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        if (parse_header(headers[i].header) != headers[i].fault)
            fail_msg("%s", headers[i].header);
    }
}

/* Of parts that are each within the limit. */
static void
a_token_of_16_kib_is_the_longest(void **state)
{
    static char header[JWS_MAX], compact[2 * JWS_MAX];
    struct jws j;

    (void)state;
    for (size_t n = 12140; n < 12160; n++) {
        size_t length;

        memset(header, 'x', sizeof header);
        memcpy(header, "{\"alg\":\"ES256\",\"p\":\"", 20);
        memcpy(header + n, "\"}", 2);
        length = base64url_encode((unsigned char *)header, n + 2, compact);
        strcpy(compact + length, "." PAYLOAD "." SIGNATURE);
        length = strlen(compact);
        assert_int_equal(jws_parse(text_of(compact, length), &j),
                         length <= JWS_MAX ? JWS_FINE : JWS_MALFORMED);
        jws_clear(&j);
    }
}

static void
deeply_nested_claims_are_refused(void **state)
{
    static char json[JWS_MAX], compact[2 * JWS_MAX];
    struct jws j;
    size_t n;

    (void)state;
    strcpy(json, "{\"a\":");
    memset(json + 5, '[', 5000);
    memset(json + 5005, ']', 5000);
    strcpy(json + 10005, "}");
    strcpy(compact, HEADER ".");
    n = strlen(compact);
    n += base64url_encode((const unsigned char *)json, strlen(json), compact + n);
    strcpy(compact + n, "." SIGNATURE);
    assert_true(strlen(compact) < JWS_MAX);
    assert_int_equal(jws_parse(text_z(compact), &j), JWS_MALFORMED);
}

static const struct {
    const char *said, *wanted;
    bool is;
} typs[] = {
    { "wit+jwt", "wit+jwt", true },
    { "WIT+JWT", "wit+jwt", true },
    { "application/wit+jwt", "wit+jwt", true },
    { "Application/Wit+Jwt", "wit+jwt", true },
    { "wpt+jwt", "wit+jwt", false },
    { "JWT", "wit+jwt", false },
    { "", "wit+jwt", false },
    { "application/", "wit+jwt", false },
    { "application/application/wit+jwt", "wit+jwt", false },
    { "text/wit+jwt", "wit+jwt", false },
    { "wit+jwt ", "wit+jwt", false },
};

static void
a_typ_is_compared_without_case_and_without_application(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof typs / sizeof *typs; i++) {
        struct jws j = { .typ = text_z(typs[i].said) };

        if (jws_typ_is(&j, typs[i].wanted) != typs[i].is)
            fail_msg("%s", typs[i].said);
    }
}

/* ---- keys */

static const struct {
    const char *name, *jwk;
    bool good;
} jwks[] = {
    { "RFC 7515 A.3", JWK(""), true },
    { "private member d", JWK("\"d\":\"AA\","), false },
    { "private member k", JWK("\"k\":\"AA\","), false },
    { "private member q", JWK("\"q\":\"AA\","), false },
    { "for signatures", JWK("\"use\":\"sig\","), true },
    { "for a WIT-SVID bundle", JWK("\"use\":\"wit-svid\","), true },
    { "for encryption", JWK("\"use\":\"enc\","), false },
    { "use no string", JWK("\"use\":1,"), false },
    { "to verify", JWK("\"key_ops\":[\"verify\"],"), true },
    { "to derive", JWK("\"key_ops\":[\"deriveKey\"],"), false },
    { "for nothing", JWK("\"key_ops\":[],"), false },
    { "key_ops no list", JWK("\"key_ops\":\"verify\","), false },
    { "alg ES256", JWK("\"alg\":\"ES256\","), true },
    { "alg of another curve", JWK("\"alg\":\"ES384\","), false },
    { "alg of another kind", JWK("\"alg\":\"EdDSA\","), false },
    { "alg symmetric", JWK("\"alg\":\"HS256\","), false },
    { "alg no string", JWK("\"alg\":256,"), false },
    { "curve of another kind",
      "{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}", false },
    { "another curve",
      "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" X "\",\"y\":\"" Y "\"}", false },
    { "no curve", "{\"kty\":\"EC\",\"x\":\"" X "\",\"y\":\"" Y "\"}", false },
    { "no y", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\"}", false },
    { "x and y swapped: off the curve",
      "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" Y "\",\"y\":\"" X "\"}", false },
    { "the point at infinity",
      "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
      "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
      "\",\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
      false },
    { "x past the field",
      "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"______________________________________"
      "____8"
      "\",\"y\":\"" Y "\"}",
      false },
    { "x padded", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "=\",\"y\":\"" Y "\"}",
      false },
    { "x one byte longer",
      "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA" X "\",\"y\":\"" Y "\"}", false },
    { "x much longer",
      "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X X X X "\",\"y\":\"" Y "\"}",
      false },
    { "x a number", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":1,\"y\":\"" Y "\"}",
      false },
    { "Ed25519 (RFC 8037)",
      "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyW"
      "QHOg7hcvPapiMlrwIaaPcHURo\"}",
      true },
    { "Ed25519 shortened",
      "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQ"
      "HOg7hcvPapiMlrwIaaPcHU\"}",
      false },
    { "X25519",
      "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapi"
      "MlrwIaaPcHURo\"}",
      false },
    { "symmetric", "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMko\"}",
      false },
    { "no object", "[]", false },
    { "nothing", "{}", false },
};

static void
a_key_is_taken_when_it_is_public_whole_and_on_its_curve(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof jwks / sizeof *jwks; i++) {
        struct public_key *k = import(jwks[i].jwk);

        if ((k != NULL) != jwks[i].good)
            fail_msg("%s", jwks[i].name);
        public_key_free(k);
    }
}

/* Some libraries leave a leading zero byte out: one key would have two thumbprints. */
static void
a_coordinate_that_lost_its_leading_zero_is_refused(void **state)
{
    unsigned char x[KEY_COORDINATE_SIZE], y[KEY_COORDINATE_SIZE];
    char sx[44] = "", sy[44] = "", jwk[256];
    struct public_key *k;
    struct json *j;

    (void)state;
    do { /* one key in 256 begins so */
        struct key *fresh = key_new();

        key_coordinates(fresh, x, y);
        key_free(fresh);
    } while (x[0] != 0);
    base64url_encode(y, sizeof y, sy);
    base64url_encode(x, sizeof x, sx);
    snprintf(jwk, sizeof jwk,
             "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}", sx, sy);
    k = import(jwk);
    assert_non_null(k);
    public_key_free(k);

    sx[base64url_encode(x + 1, sizeof x - 1, sx)] = '\0';
    snprintf(jwk, sizeof jwk,
             "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}", sx, sy);
    assert_null(import(jwk));
    j = json_parse(text_z(jwk), sizeof jwk);
    assert_non_null(j);
    assert_false(jwk_thumbprint(j, (char[THUMBPRINT_SIZE]){ 0 }));
    json_free(j);
}

/* ---- putting together */

static void
what_we_sign_verifies_and_one_changed_byte_does_not(void **state)
{
    struct key *k = key_new();
    struct buf jwk = { 0 }, compact = { 0 };
    struct public_key *public;
    struct jws j;
    char *payload;

    (void)state;
    jwk_print(k, "a\"b", &jwk);
    buf_add_byte(&jwk, '\0');
    public = import(buf_text(&jwk).at);
    assert_non_null(public);
    buf_add_z(&compact, "before");
    assert_int_equal(jws_sign(k, TEXT(HEADER), TEXT("{\"a\":1}"), &compact), REASON_OK);
    buf_drop(&compact, strlen("before"));
    assert_int_equal(jws_parse(buf_text(&compact), &j), JWS_FINE);
    assert_true(jws_verify(&j, public));
    payload = (char *)(uintptr_t)strchr(buf_text(&compact).at, '.') + 1;
    payload[2] ^= 1;
    assert_false(jws_verify(&j, public));
    jws_clear(&j);
    public_key_free(public);
    buf_free(&jwk);
    buf_free(&compact);
    key_free(k);
}

static void
a_front_made_once_gives_the_same_token(void **state)
{
    struct key *k = key_new();
    struct buf compact = { 0 };
    struct jws j;
    struct text a;

    (void)state;
    /* {"a":1 is two groups of three; jws_sign_on must join them seamlessly */
    assert_int_equal(
        jws_sign_on(k, TEXT(HEADER ".eyJhIjox"), TEXT(",\"b\":2}"), &compact),
        REASON_OK);
    assert_int_equal(jws_parse(buf_text(&compact), &j), JWS_FINE);
    a = text_of(j.signed_part.at + strlen(HEADER) + 1,
                j.signed_part.n - strlen(HEADER) - 1);
    assert_true(text_equals(a, TEXT("eyJhIjoxLCJiIjoyfQ")));
    jws_clear(&j);
    buf_free(&compact);
    key_free(k);
}

static void
a_signature_that_fails_leaves_no_half_token(void **state)
{
    struct key *k = key_new();
    struct buf out = { 0 };

    (void)state;
    buf_add_z(&out, "kept");
    key_fail_signing(true);
    assert_int_equal(jws_sign(k, TEXT(HEADER), TEXT("{}"), &out), REASON_SIGN);
    key_fail_signing(false);
    assert_true(text_equals(buf_text(&out), TEXT("kept")));
    buf_free(&out);
    key_free(k);
}

static void
a_key_and_its_jwk_have_one_thumbprint(void **state)
{
    char ours[THUMBPRINT_SIZE], theirs[THUMBPRINT_SIZE];
    struct key *k = key_new();
    struct buf jwk = { 0 };
    struct json *j;

    (void)state;
    jwk_print(k, NULL, &jwk);
    j = json_parse(buf_text(&jwk), 4096);
    key_thumbprint(k, ours);
    assert_true(jwk_thumbprint(j, theirs));
    assert_memory_equal(ours, theirs, sizeof ours);
    assert_null(json_get(j, "kid"));
    json_free(j);
    buf_free(&jwk);
    key_free(k);
}

/* ---- published vectors */

static void
the_published_thumbprints_are_ours(void **state)
{
    struct json *root = published("jose/jwk-thumbprints.json");
    const struct json *rows = json_get(root, "vectors");
    size_t ours = 0;

    (void)state;
    for (size_t i = 0; i < json_count(rows); i++) {
        struct json *jwk = json_parse(member_text(json_at(rows, i), "jwk"), 4096);
        struct text wanted = member_text(json_at(rows, i), "thumbprint");
        char thumbprint[THUMBPRINT_SIZE];

        assert_true(jwk_thumbprint(jwk, thumbprint));
        assert_true(text_equals(wanted, text_of(thumbprint, sizeof thumbprint)));
        ours++;
        json_free(jwk);
    }
    assert_int_equal(ours, 3); /* RSA of RFC 7638, Ed25519 of 8037, P-256 of 9449 */
    json_free(root);
}

/* The key without its private half, which jwk_import would rightly refuse. */
static struct public_key *
import_public_half(const struct json *jwk)
{
    static const char *const names[] = { "kty", "crv", "x", "y", "use", "alg" };
    struct public_key *k = NULL;
    struct buf copy = { 0 };
    struct text value;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!json_string(json_get(jwk, names[i]), &value))
            continue;
        buf_printf(&copy, "%s\"%s\":", buf_length(&copy) == 0 ? "{" : ",", names[i]);
        json_write_string(&copy, value);
    }
    buf_add(&copy, text_of("}", 2));
    k = import(buf_text(&copy).at);
    buf_free(&copy);
    return k;
}

static bool
verifies(struct text compact, const struct public_key *k)
{
    struct jws j;
    bool good = k != NULL && jws_parse_envelope(compact, JWS_ALGS_ALL, &j) == JWS_FINE;

    if (good) {
        good = jws_verify(&j, k);
        jws_clear(&j);
    }
    return good;
}

static void
of_the_examples_of_rfc_7515_the_es256_one_verifies(void **state)
{
    struct json *root = published("jose/rfc7515-examples.json");
    const struct json *cases = json_get(root, "cases");
    size_t good = 0;

    (void)state;
    for (size_t i = 0; i < json_count(cases); i++) {
        const struct json *c = json_at(cases, i);
        struct public_key *k = import_public_half(json_get(c, "key"));
        bool is_ours = text_equals(member_text(c, "name"), TEXT("A.3 ES256"));

        assert_true(verifies(member_text(c, "compact"), k) == is_ours);
        assert_true(import_whole(json_get(c, "key")) ==
                    NULL); /* all hold private parts */
        good += is_ours;
        public_key_free(k);
    }
    assert_int_equal(good, 1);
    json_free(root);
}

static void
the_tokens_of_the_wimse_drafts_verify(void **state)
{
    struct json *root = published("wimse/wit-wpt.json");
    struct public_key *issuer = import_public_half(
        json_get(root, "identity_server_key"));
    struct public_key *holder = NULL;
    struct jws wit, wpt;
    struct text alg;
    char hash[SHA256_BASE64URL_SIZE];

    (void)state;
    assert_int_equal(jws_parse(member_text(root, "wit"), &wit), JWS_FINE);
    assert_true(jws_typ_is(&wit, "wit+jwt") && jws_verify(&wit, issuer));
    holder = jwk_import(json_get(json_get(wit.claims, "cnf"), "jwk"), &alg);
    assert_non_null(holder);
    assert_int_equal(jws_parse(member_text(root, "wpt"), &wpt), JWS_FINE);
    assert_true(jws_typ_is(&wpt, "wpt+jwt") && jws_verify(&wpt, holder));
    assert_true(text_equals(wpt.alg_word, alg));
    assert_false(jws_verify(&wpt, issuer));
    assert_false(jws_verify(&wit, holder));
    digest_sha256_base64url(member_text(root, "wit"), hash);
    assert_true(
        text_equals(member_text(wpt.claims, "wth"), text_of(hash, sizeof hash)));
    digest_sha256_base64url(member_text(root, "access_token"), hash);
    assert_true(
        text_equals(member_text(wpt.claims, "ath"), text_of(hash, sizeof hash)));
    jws_clear(&wit);
    jws_clear(&wpt);
    public_key_free(issuer);
    public_key_free(holder);
    json_free(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_has_one_form_and_everything_else_is_refused),
        cmocka_unit_test(
            a_header_says_a_known_algorithm_and_nothing_that_changes_the_reading),
        cmocka_unit_test(a_token_of_16_kib_is_the_longest),
        cmocka_unit_test(deeply_nested_claims_are_refused),
        cmocka_unit_test(a_typ_is_compared_without_case_and_without_application),
        cmocka_unit_test(a_key_is_taken_when_it_is_public_whole_and_on_its_curve),
        cmocka_unit_test(a_coordinate_that_lost_its_leading_zero_is_refused),
        cmocka_unit_test(what_we_sign_verifies_and_one_changed_byte_does_not),
        cmocka_unit_test(a_front_made_once_gives_the_same_token),
        cmocka_unit_test(a_signature_that_fails_leaves_no_half_token),
        cmocka_unit_test(a_key_and_its_jwk_have_one_thumbprint),
        cmocka_unit_test(the_published_thumbprints_are_ours),
        cmocka_unit_test(of_the_examples_of_rfc_7515_the_es256_one_verifies),
        cmocka_unit_test(the_tokens_of_the_wimse_drafts_verify),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
