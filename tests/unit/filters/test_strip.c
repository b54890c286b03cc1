/* strip: every position and every spelling; what is innocent stays byte for byte. */
#include "filters/strip.h"

#include "base/file.h"
#include "base/json.h"
#include "filters/positions.h"
#include "scene.h"

/* As filters/strip.c fills it. */
struct settings {
    struct place place;
    int on_sight;
    struct strings also, also_query;
    struct strings keep, keep_query;
};

static enum reason
open_with(const struct settings *settings, struct buf *report, void **state)
{
    const struct conf conf = { 0 };

    assert_int_equal(strip_filter.settings_size, sizeof *settings);
    return strip_filter.open(&conf, settings, report, state);
}

static void *
opened(int on_sight)
{
    const struct settings settings = { .on_sight = on_sight };
    struct buf report = { 0 };
    void *state;

    assert_int_equal(open_with(&settings, &report, &state), REASON_OK);
    assert_int_equal(buf_length(&report), 0);
    return state;
}

static void *
stripping(void)
{
    return opened(0);
}

static void *
refusing(void)
{
    return opened(1);
}

/* Called as it may be, it holds a credential of ours for some request; so for no
 * request one of the workload's, whatever the operator would keep. */
static void
the_fields_of_our_own_credentials_are_stripped(void **state)
{
    static const char *const kept[] = { "X-Orders-Token" };
    struct conf_credential ours[] = { { .header = "X-Plain" },
                                      { .header = "X-Orders-Token" },
                                      { .header = NULL } };
    const struct conf conf = { .credentials = { .at = ours, .n = 3 } };
    const struct settings settings = { .keep = { .at = kept, .n = 1 } };
    struct buf report = { 0 };
    struct scene s;
    void *strip;

    (void)state;
    scene_set(&s);
    assert_int_equal(strip_filter.open(&conf, &settings, &report, &strip), REASON_OK);
    headers_add(&s.request.headers, TEXT("x_plain"), TEXT("theirs"));
    headers_add(&s.request.headers, TEXT("X-Orders-Token"), TEXT("theirs"));
    headers_add(&s.request.headers, TEXT("X-Plainly"), TEXT("theirs"));
    assert_int_equal(strip_filter.on_request(strip, &s.view).answer, PASS);
    assert_int_equal(s.request.headers.n, 1);
    assert_true(stripped(&s.view, "x_plain"));
    strip_filter.close(strip);
    scene_clear(&s);
}

/* ---- header fields */

static const char *const credentials[] = {
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Cookie2",
    "X-Api-Key",
    "Api-Key",
    "ApiKey",
    "X-Auth-Token",
    "X-Amz-Security-Token",
    "Private-Token",
    "Job-Token",
    "X-Vault-Token",
    "X-Consul-Token",
    "X-Goog-Api-Key",
    "Dd-Api-Key",
    "Dd-Application-Key",
    "X-Goog-Iam-Authorization-Token",
    "X-Gitlab-Token",
    "X-Github-Token",
    "X-Shopify-Access-Token",
    "X-Figma-Token",
    "X-Api-Secret",
    "Ocp-Apim-Subscription-Key",
    "X-Functions-Key",
    "X-Ms-Authorization-Auxiliary",
    "X-RapidAPI-Key",
    "X-Auth-Key",
    "X-Plex-Token",
    "DPoP",
    "Workload-Identity-Token",
    "Workload-Proof-Token",
    "Txn-Token",
    "Signature",
    "Signature-Input",
    "Signature-Agent",
    "Concealed-Auth-Export",
    "X-aws-ec2-metadata-token",
    "Password",
    "Token",
};

static const char *const steering[] = {
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded",
    "Forwarded",
    "X-Real-IP",
    "True-Client-IP",
    "X-Original-URL",
    "X-Original-Host",
    "X-Rewrite-URL",
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "Metadata-Flavor",
    "Metadata",
    "X-aws-ec2-metadata-token-ttl-seconds",
    "X-Holdfast-Workload",
    "X-Holdfast-Anything",
    "X-Amz-Date",
    "X-Amz-Target",
    "X-Envoy-External-Address",
    "X-Remote-User",
    "X-WebAuth-User",
    "Proxy",
};

static const char *const innocent[] = {
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Accept-Signature",
    "User-Agent",
    "Content-Type",
    "Content-Encoding",
    "Content-Digest",
    "Date",
    "ETag",
    "If-Match",
    "If-None-Match",
    "Range",
    "Referer",
    "Origin",
    "Via",
    "traceparent",
    "tracestate",
    "X-Request-Id",
    "X-Correlation-Id",
    "Idempotency-Key",
    "Mcp-Session-Id",
    "X-CSRF-Token",
    "X-XSRF-Token",
    "Sec-WebSocket-Key",
    "Cache-Control",
    "Prefer",
    "X-GitHub-Api-Version",
    "Anthropic-Version",
    "OpenAI-Organization",
    "Author",
    "Tokens-Left",
    "X-Tokenizer",
    "Authority",
    "Keyboard",
    "X",
    "-",
    "X-Amzn-Trace-Id",
    "Grpc-Timeout",
    "Metadata-Version",
    "Forwarded-Nothing",
};

/* The name as sent, and as somebody would write it who hopes not to be seen. */
static void
spell(const char *name, int how, char out[64])
{
    for (size_t i = 0; i <= strlen(name); i++) {
        char c = name[i];

        if (how == 1 && c >= 'a' && c <= 'z')
            c = (char)(c - 0x20);
        if (how == 2 && c >= 'A' && c <= 'Z')
            c = (char)(c + 0x20);
        if (how == 3 && c == '-')
            c = '_';
        if (how == 4 && c == '-')
            c = '.';
        out[i] = c;
    }
}

/* Sends one field between two innocent ones; is it taken, and nothing else? */
static bool
is_taken(void *state, const char *name, enum reason *why)
{
    struct scene s;
    struct verdict verdict;
    bool taken;

    scene_set(&s);
    headers_add(&s.request.headers, TEXT("Accept"), TEXT("*/*"));
    headers_add(&s.request.headers, text_z(name), TEXT("value"));
    headers_add(&s.request.headers, TEXT("User-Agent"), TEXT("test"));
    verdict = strip_filter.on_request(state, &s.view);
    *why = verdict.reason;
    taken = s.request.headers.n == 2;
    assert_true(taken || s.request.headers.n == 3);
    assert_text(s.request.headers.at[0].name, "Accept");
    assert_text(s.request.headers.at[s.request.headers.n - 1].name, "User-Agent");
    assert_int_equal(stripped(&s.view, name), taken);
    assert_int_equal(s.view.removed.n, taken);
    if (taken)
        assert_text(s.view.removed.at[0].value, "value");
    scene_clear(&s);
    return taken;
}

static void
check_all(void *state, const char *const *names, size_t n, bool taken, enum reason why)
{
    for (size_t i = 0; i < n; i++) {
        for (int how = 0; how < 5; how++) {
            char name[64];
            enum reason said;

            spell(names[i], how, name);
            if (is_taken(state, name, &said) != taken || said != why)
                fail_msg("%s: %s", name, reason_token(said));
        }
    }
    strip_filter.close(state);
}

#define ALL(list) (list), sizeof(list) / sizeof((list)[0])

static void
a_credential_in_a_header_is_removed_in_every_spelling(void **state)
{
    (void)state;
    check_all(stripping(), ALL(credentials), true, REASON_OK);
}

static void
a_credential_in_a_header_is_refused_where_the_policy_says_so(void **state)
{
    (void)state;
    check_all(refusing(), ALL(credentials), true, REASON_RAW_CREDENTIAL);
}

static void
fields_that_steer_a_service_go_without_a_word(void **state)
{
    (void)state;
    check_all(stripping(), ALL(steering), true, REASON_OK);
    check_all(refusing(), ALL(steering), true, REASON_OK);
}

static void
innocent_fields_stay(void **state)
{
    (void)state;
    check_all(stripping(), ALL(innocent), false, REASON_OK);
    check_all(refusing(), ALL(innocent), false, REASON_OK);
}

static void
every_one_of_several_fields_goes(void **state)
{
    void *strip = stripping();
    struct scene s;

    (void)state;
    scene_set(&s);
    for (int i = 0; i < 20; i++) {
        headers_add(&s.request.headers, TEXT("Authorization"), TEXT("Bearer a"));
        headers_add(&s.request.headers, TEXT("authorization"), TEXT("Basic b"));
    }
    assert_int_equal(strip_filter.on_request(strip, &s.view).answer, PASS);
    assert_int_equal(s.request.headers.n, 0);
    assert_int_equal(s.view.removed.n, 40);
    assert_int_equal(s.view.n_stripped, 40);
    scene_clear(&s);
    strip_filter.close(strip);
}

static void
cookies_pass_by_rule_alone_and_are_remembered_by_nobody(void **state)
{
    void *strip = refusing();
    struct scene s;

    (void)state;
    scene_set(&s);
    s.rule.cookies = CONF_PASS;
    headers_add(&s.request.headers, TEXT("Accept"), TEXT("a/b"));
    headers_add(&s.request.headers, TEXT("Cookie"), TEXT("a=b"));
    headers_add_secret(&s.request.headers, TEXT("X-Mine"), TEXT("c"));
    assert_int_equal(strip_filter.on_request(strip, &s.view).answer, PASS);
    assert_int_equal(s.request.headers.n, 3);
    assert_false(s.request.headers.at[0].never_index);
    assert_true(s.request.headers.at[1].never_index);
    assert_true(s.request.headers.at[2].never_index); /* its sender said so */
    s.rule.cookies = CONF_STRIP;
    assert_int_equal(strip_filter.on_request(strip, &s.view).reason,
                     REASON_RAW_CREDENTIAL);
    s.view.rule = NULL;
    assert_int_equal(s.request.headers.n, 2);
    scene_clear(&s);
    strip_filter.close(strip);
}

/* ---- the query */

struct query_row {
    const char *before, *after; /* after NULL: no query is left */
};

static void
check_queries(void *strip, struct scene *s, const struct query_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        s->view.query = text_z(rows[i].before);
        assert_int_equal(strip_filter.on_request(strip, &s->view).answer, PASS);
        if (rows[i].after == NULL) {
            if (s->view.query.at != NULL)
                fail_msg("%s: %.*s is left", rows[i].before, TEXT_ARG(s->view.query));
        } else if (s->view.query.at == NULL ||
                   !text_equals(s->view.query, text_z(rows[i].after))) {
            fail_msg("%s: %.*s", rows[i].before, TEXT_ARG(s->view.query));
        }
    }
}

static void
a_credential_in_the_query_goes_and_the_rest_stays_byte_for_byte(void **state)
{
    static const struct query_row rows[] = {
        { "key=v", NULL },
        { "token=v", NULL },
        { "access_token=v", NULL },
        { "sig=v", NULL },
        { "X-Amz-Signature=v", NULL },
        { "api_key=v", NULL },
        { "a=1&token=v&b=2", "a=1&b=2" },
        { "token=v&b=2", "b=2" },
        { "a=1&token=v", "a=1" },
        { "a=1&&token=v&&b", "a=1&&&b" },
        { "&token=v", "" },
        { "token", NULL },
        { "token=a=b&x==", "x==" },
        { "token=v&token=w&x=%20+", "x=%20+" },
        { "a=1;token=v;b=2", "a=1;b=2" },
        { "a=1&b=2;token=v&c", "a=1&b=2&c" },
        /* Spellings. */
        { "ToKeN=v", NULL },
        { "access-token=v", NULL },
        { "access.token=v", NULL },
        { "access+token=v", NULL },
        { "access%20token=v", NULL },
        { "%61ccess_token=v", NULL },
        { "access%5Ftoken=v", NULL },
        { "access%5ftoken=v", NULL },
        { "%2561ccess_token=v", NULL },
        { "token[]=v", NULL },
        { "token%5B%5D=v", NULL },
        { "token%00=v", NULL },
        { "token%00x=v", NULL },
        { "token[0=v", NULL },
        { "+token=v", NULL },
        { "%20token=v", NULL },
        /* Signed URLs of the four. */
        { "X-Amz-Credential=v&X-Amz-Date=v&x=1", "x=1" },
        { "X-Goog-Signature=v&GoogleAccessId=v&x=1", "x=1" },
        { "sv=1&sig=v&se=2", "sv=1&se=2" },
        { "Expires=1&Signature=v&Key-Pair-Id=v", "Expires=1" },
        /* Innocent. */
        { "", "" },
        { "&", "&" },
        { "=", "=" },
        { "a", "a" },
        { "a=token", "a=token" },
        { "a=token=b", "a=token=b" },
        { "tokens=1&keyboard=2&monkey=3&key2=4",
          "tokens=1&keyboard=2&monkey=3&key2=4" },
        { "page_token=v&next_token=w", "page_token=v&next_token=w" },
        { "%", "%" },
        { "%6=1&%zz=2&%6", "%6=1&%zz=2&%6" },
        { "q=%26token%3Dv", "q=%26token%3Dv" },
        { "[token]=1", "[token]=1" },
    };
    void *strip = stripping();
    struct scene s;

    (void)state;
    scene_set(&s);
    check_queries(strip, &s, ALL(rows));
    s.view.query = text_of(NULL, 0);
    assert_int_equal(strip_filter.on_request(strip, &s.view).answer, PASS);
    assert_null(s.view.query.at);
    scene_clear(&s);
    strip_filter.close(strip);
}

static void
a_name_hidden_under_many_escapes_is_no_way_through(void **state)
{
    static char long_name[4000];
    void *strip = stripping();
    struct scene s;

    (void)state;
    for (size_t i = 0; i + 3 < sizeof long_name; i += 3)
        memcpy(long_name + i, "%61", 3);
    scene_set(&s);
    s.view.query = text_z(long_name);
    assert_int_equal(strip_filter.on_request(strip, &s.view).answer, PASS);
    assert_null(s.view.query.at);
    scene_clear(&s);
    strip_filter.close(strip);
}

static void
what_a_query_lost_is_kept_for_filters_that_must_read_it(void **state)
{
    void *strip = stripping();
    struct scene s;

    (void)state;
    scene_set(&s);
    s.view.query = TEXT("a=1&Token=secret");
    assert_int_equal(strip_filter.on_request(strip, &s.view).answer, PASS);
    assert_int_equal(s.view.removed.n, 1);
    assert_text(s.view.removed.at[0].name, "?Token");
    assert_text(s.view.removed.at[0].value, "secret");
    assert_true(stripped(&s.view, "?token"));
    scene_clear(&s);
    strip_filter.close(strip);
}

static void
a_credential_in_the_query_is_refused_where_the_policy_says_so(void **state)
{
    void *strip = refusing();
    struct scene s;

    (void)state;
    scene_set(&s);
    s.view.query = TEXT("a=1&sig=v");
    assert_int_equal(strip_filter.on_request(strip, &s.view).reason,
                     REASON_RAW_CREDENTIAL);
    s.view.query = TEXT("a=1&b=v");
    assert_int_equal(strip_filter.on_request(strip, &s.view).reason, REASON_OK);
    scene_clear(&s);
    strip_filter.close(strip);
}

static void
a_signed_url_passes_only_to_read_and_only_without_our_credential(void **state)
{
    static const struct {
        int signed_urls;
        const char *credential, *method;
        enum reason why;
    } rows[] = {
        { CONF_PASS, NULL, "GET", REASON_OK },
        { CONF_PASS, NULL, "HEAD", REASON_OK },
        { CONF_PASS, NULL, "PUT", REASON_RAW_CREDENTIAL },
        { CONF_PASS, "ours", "GET", REASON_RAW_CREDENTIAL },
        { CONF_STRIP, NULL, "GET", REASON_RAW_CREDENTIAL },
    };
    static const char query[] = "X-Amz-Credential=a&X-Amz-Signature=b&sig=c";
    void *strip = refusing();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene s;

        scene_set(&s);
        s.rule.signed_urls = rows[i].signed_urls;
        s.rule.credential = rows[i].credential;
        s.request.method = text_z(rows[i].method);
        s.view.query = text_z(query);
        assert_int_equal(strip_filter.on_request(strip, &s.view).reason, rows[i].why);
        assert_int_equal(s.view.query.at != NULL, rows[i].why == REASON_OK);
        /* A token is a token all the same. */
        s.view.query = TEXT("access_token=a");
        assert_int_equal(strip_filter.on_request(strip, &s.view).reason,
                         REASON_RAW_CREDENTIAL);
        scene_clear(&s);
    }
    strip_filter.close(strip);
}

/* ---- the operator's own words */

static void
the_operator_adds_and_keeps_names(void **state)
{
    static const char *const also[] = { "X-Team_Secret-Thing", "X-CSRF-Token" };
    static const char *const also_query[] = { "ticket" };
    static const char *const keep[] = { "X-Page-Token", "Accept" };
    static const char *const keep_query[] = { "key", "colour" };
    const struct settings settings = { .also = { .at = also, .n = 2 },
                                       .also_query = { .at = also_query, .n = 1 },
                                       .keep = { .at = keep, .n = 2 },
                                       .keep_query = { .at = keep_query, .n = 2 } };
    static const struct query_row rows[] = { { "ticket=1&key=2&token=3", "key=2" } };
    struct buf report = { 0 };
    enum reason why;
    struct scene s;
    void *strip;

    (void)state;
    assert_int_equal(open_with(&settings, &report, &strip), REASON_OK);
    assert_true(is_taken(strip, "x-team-secret-thing", &why));
    assert_true(is_taken(strip, "x-csrf-token", &why));
    assert_false(is_taken(strip, "X-Page-Token", &why));
    assert_false(is_taken(strip, "x_page_token", &why));
    assert_true(is_taken(strip, "X-Other-Token", &why));
    scene_set(&s);
    check_queries(strip, &s, rows, 1);
    scene_clear(&s);
    strip_filter.close(strip);
}

static void
a_well_known_credential_cannot_be_kept(void **state)
{
    static const char *const names[] = {
        "Authorization",
        "COOKIE",
        "Workload-Proof-Token",
        "Txn-Token",
        "X-Amz-Security-Token",
        "X-Forwarded-For",
        "X-Holdfast-Task",
        "Api-Key",
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct settings settings = { .place = { "t.conf", 3 },
                                           .keep = { .at = &names[i], .n = 1 } };
        struct buf report = { 0 };
        void *strip;

        if (open_with(&settings, &report, &strip) != REASON_CONFIG)
            fail_msg("%s", names[i]);
        assert_null(strip);
        assert_true(
            text_starts(buf_text(&report), TEXT("t.conf:3: filters.strip.keep: ")));
        buf_free(&report);
    }
}

static void
hundreds_of_words_are_found_like_ten(void **state)
{
    enum { N = 1000 };
    static char names[N][24];
    static const char *also[N];
    const struct settings settings = { .also = { .at = also, .n = N } };
    struct buf report = { 0 };
    enum reason why;
    void *strip;

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof names[i], "x-name-%u", i);
        also[i] = names[i];
    }
    assert_int_equal(open_with(&settings, &report, &strip), REASON_OK);
    for (size_t i = 0; i < N; i++)
        assert_true(is_taken(strip, names[i], &why));
    assert_true(is_taken(strip, "Authorization", &why));
    assert_false(is_taken(strip, "x-name-1001", &why));
    strip_filter.close(strip);
}

/* ---- the positions of vectors/secrets */

static struct json *
read_shapes(struct buf *bytes)
{
    struct json *shapes;

    assert_int_equal(file_read(VECTORS "/secrets/shapes.json", 1 << 20, bytes),
                     REASON_OK);
    shapes = json_parse(buf_text(bytes), 1 << 20);
    assert_non_null(shapes);
    return shapes;
}

/* Who answers for each position today: this filter, the reader of requests, or nobody
 * yet. A position that appears in the file must be given a row here. */
static const struct {
    const char *position;
    enum { STRIP, READER, OPEN } who;
} answers[] = {
    { "header", STRIP },
    { "header-case", STRIP },
    { "header-dup", STRIP },
    { "basic", STRIP },
    { "query", STRIP },
    { "path", OPEN },
    { "userinfo", READER }, /* host_parse refuses it */
    { "fragment", READER }, /* path_normalise refuses it */
    { "referer", OPEN },
    { "user-agent", OPEN },
    { "body-json", OPEN },
    { "body-form", OPEN },
    { "body-multipart", OPEN },
    { "body-gzip", OPEN },
    { "body-chunk-split", OPEN },
    { "trailer", READER }, /* field_is_forbidden_in_trailer */
    { "ws", OPEN },
    { "grpc", STRIP }, /* metadata are header fields */
    { "h2-cookie", STRIP },
    { "h2-pseudo", READER },
    { "hpack", OPEN },
    { "encodings", OPEN },
};

static void
every_known_position_has_somebody_who_answers_for_it(void **state)
{
    struct buf bytes = { 0 };
    struct json *shapes = read_shapes(&bytes);
    const struct json *positions = json_get(shapes, "positions");

    (void)state;
    assert_int_equal(json_count(positions), sizeof answers / sizeof answers[0]);
    for (size_t i = 0; i < json_count(positions); i++) {
        struct text id;

        assert_true(json_string(json_get(json_at(positions, i), "id"), &id));
        assert_text(id, answers[i].position);
    }
    json_free(shapes);
    buf_free(&bytes);
}

/* A token of this shape, good enough to be taken for one: prefix and some of its
 * alphabet. */
static struct text
token_of(const struct json *shape, struct arena *a)
{
    struct text prefix, part;

    assert_true(json_string(json_get(shape, "prefix"), &prefix));
    (void)text_split(&prefix, '|', &part);
    return arena_printf(a, "%.*sAbCdEfGh0123456789AbCdEfGh0123456789", TEXT_ARG(part));
}

static void
every_shape_of_secret_goes_from_every_position_of_strip(void **state)
{
    static const char *const headers[] = { "Authorization", "x_api_key", "COOKIE",
                                           "Private-Token", "dd-api-key" };
    static const char *const queries[] = { "access_token", "k%65y", "%2574oken",
                                           "sig" };
    struct buf bytes = { 0 };
    struct json *shapes = read_shapes(&bytes);
    const struct json *all = json_get(shapes, "shapes");
    void *strip = stripping();

    (void)state;
    assert_int_equal(json_count(all), 40);
    for (size_t i = 0; i < json_count(all); i++) {
        struct scene s;
        struct text token;

        scene_set(&s);
        token = token_of(json_at(all, i), s.arena);
        for (size_t h = 0; h < 5; h++)
            headers_add(&s.request.headers, text_z(headers[h]), token);
        headers_add(&s.request.headers, TEXT("Authorization"),
                    TEXT("Basic OnNlY3JldA=="));
        s.view.query = TEXT("q=1");
        for (size_t q = 0; q < 4; q++)
            s.view.query = arena_printf(s.arena, "%.*s&%s=%.*s", TEXT_ARG(s.view.query),
                                        queries[q], TEXT_ARG(token));
        assert_int_equal(strip_filter.on_request(strip, &s.view).answer, PASS);
        assert_int_equal(s.request.headers.n, 0);
        assert_text(s.view.query, "q=1");
        scene_clear(&s);
    }
    strip_filter.close(strip);
    json_free(shapes);
    buf_free(&bytes);
}

static void
a_websocket_offers_protocols_and_no_credentials(void **state)
{
    static const struct {
        const char *offered, *left;
    } rows[] = {
        { "chat", "chat" },
        { "graphql-transport-ws, v12.stomp,mqtt",
          "graphql-transport-ws, v12.stomp,mqtt" },
        { "soap.v1.1", "soap.v1.1" },
        { "realtime, openai-insecure-api-key.sk-abc, openai-beta.realtime-v1",
          "realtime, openai-beta.realtime-v1" },
        { "openai-insecure-api-key.a.b.c", NULL },
        { "base64url.bearer.authorization.k8s.io.abc, v4.channel.k8s.io",
          "v4.channel.k8s.io" },
        { "BASE64URL.bearer.authorization.k8s.io.abc", NULL },
        { "access_token, abc, chat", "chat" },
        { "chat,access_token,abc", "chat" },
        { "Authorization, Bearer, chat", "chat" },
        { "chat, token", "chat" },
        { "chat, eyJhbGciOiJub25lIn0.e30.", "chat" },
        { "eyJ.b", "eyJ.b" },
        { ", ,", ", ," },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene s;
        void *strip = stripping();
        const struct field *f;
        bool same = rows[i].left != NULL && strcmp(rows[i].offered, rows[i].left) == 0;

        scene_set(&s);
        s.request.upgrade = UPGRADE_WEBSOCKET;
        headers_add(&s.request.headers, TEXT("sec-websocket-protocol"),
                    text_z(rows[i].offered));
        assert_int_equal(strip_filter.on_request(strip, &s.view).answer, PASS);
        f = headers_get(&s.request.headers, TEXT("Sec-WebSocket-Protocol"));
        if ((f != NULL) != (rows[i].left != NULL) ||
            (f != NULL && !text_equals(f->value, text_z(rows[i].left))))
            fail_msg("row %zu", i);
        assert_int_equal(stripped(&s.view, "Sec-WebSocket-Protocol"), !same);
        strip_filter.close(strip);
        scene_clear(&s);
    }
}

static void
a_credential_among_subprotocols_is_refused_on_sight_too(void **state)
{
    void *strip = refusing();
    struct scene s;

    (void)state;
    scene_set(&s);
    s.request.upgrade = UPGRADE_WEBSOCKET;
    headers_add(&s.request.headers, TEXT("Sec-WebSocket-Protocol"),
                TEXT("a, token, b"));
    assert_int_equal(strip_filter.on_request(strip, &s.view).reason,
                     REASON_RAW_CREDENTIAL);
    strip_filter.close(strip);
    scene_clear(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_websocket_offers_protocols_and_no_credentials),
        cmocka_unit_test(a_credential_among_subprotocols_is_refused_on_sight_too),
        cmocka_unit_test(the_fields_of_our_own_credentials_are_stripped),
        cmocka_unit_test(a_credential_in_a_header_is_removed_in_every_spelling),
        cmocka_unit_test(a_credential_in_a_header_is_refused_where_the_policy_says_so),
        cmocka_unit_test(fields_that_steer_a_service_go_without_a_word),
        cmocka_unit_test(innocent_fields_stay),
        cmocka_unit_test(every_one_of_several_fields_goes),
        cmocka_unit_test(cookies_pass_by_rule_alone_and_are_remembered_by_nobody),
        cmocka_unit_test(
            a_credential_in_the_query_goes_and_the_rest_stays_byte_for_byte),
        cmocka_unit_test(a_name_hidden_under_many_escapes_is_no_way_through),
        cmocka_unit_test(what_a_query_lost_is_kept_for_filters_that_must_read_it),
        cmocka_unit_test(a_credential_in_the_query_is_refused_where_the_policy_says_so),
        cmocka_unit_test(
            a_signed_url_passes_only_to_read_and_only_without_our_credential),
        cmocka_unit_test(the_operator_adds_and_keeps_names),
        cmocka_unit_test(a_well_known_credential_cannot_be_kept),
        cmocka_unit_test(hundreds_of_words_are_found_like_ten),
        cmocka_unit_test(every_known_position_has_somebody_who_answers_for_it),
        cmocka_unit_test(every_shape_of_secret_goes_from_every_position_of_strip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
