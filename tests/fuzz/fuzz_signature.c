/* A gate's verdict on message signatures. An input is a byte of choices, a line with
 * what is covered and said, the target, lines of fields, an empty line, and the body.
 * What can be signed is, by the right key, so that the judgement behind the signature
 * is reached; DIGEST in a field stands for the body's. Who is let in covered and said
 * what a careful reader would insist on, and is let in once. */
#include "tests/fuzz/fuzz.h"

#include "base/path.h"
#include "tests/unit/tokens/signed.h"

static struct scene scene;
static struct forged forged;
static struct jwks *keys;

static void
leave(void)
{
    jwks_unref(keys);
    scene_close(&scene);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_to_nowhere();
    scene_open(&scene);
    forge(&scene, &forged);
    seal_token(&scene, &forged, PROPER);
    keys = keys_of(scene.holder, "k");
    atexit(leave);
    return 0;
}

enum { WITH_TOKEN = 1, WITH_LENGTH = 2, BODY_UNKNOWN = 4, NOT_SIGNED = 8 };

struct asked {
    unsigned choices;
    struct text input;
    struct presented presented;
    struct request request;
};

/* ---- the request */

static struct text
value_of(struct text line, struct text body, struct arena *a)
{
    char *digest = arena_alloc(a, SHA256_SIZE + BASE64_SIZE(SHA256_SIZE));
    struct text t = text_trim(line);

    if (!text_equals(t, TEXT("DIGEST")))
        return t;
    digest_sha256(body, (unsigned char *)digest + BASE64_SIZE(SHA256_SIZE));
    base64_encode((unsigned char *)digest + BASE64_SIZE(SHA256_SIZE), SHA256_SIZE,
                  digest);
    return arena_printf(a, "sha-256=:%.*s:", (int)BASE64_SIZE(SHA256_SIZE), digest);
}

static void
add_lines(struct headers *h, struct text fields, struct text body, struct arena *a)
{
    struct text line, name;

    while (fields.n > 0 && text_split(&fields, '\n', &line)) {
        if (text_split(&line, ':', &name) && name.n > 0 && line.at != NULL)
            headers_add(h, name, value_of(line, body, a));
    }
}

static struct text
take_fields(struct text *in)
{
    const char *end = in->n < 2 ? NULL : memmem(in->at, in->n, "\n\n", 2);
    struct text fields = *in;

    if (end == NULL) {
        *in = text_of("", 0);
        return fields;
    }
    fields.n = (size_t)(end - in->at) + 1;
    *in = text_of(end + 2, in->n - fields.n - 1);
    return fields;
}

static bool
asked_from(struct asked *q, struct arena *a, struct text in)
{
    struct text fields;

    memset(q, 0, sizeof *q);
    q->choices = take_byte(&in);
    q->input = take_part(&in, '\n');
    q->request.target = take_part(&in, '\n');
    q->presented.method = q->request.method = TEXT("POST");
    q->presented.scheme = TEXT("https");
    q->request.host = TEXT("orders.example");
    PROMISE(authority_parse(q->request.host, 443, &q->presented.authority) ==
            REASON_OK);
    if (path_normalise(a, q->request.target, &q->presented.path, &q->presented.query) !=
        REASON_OK)
        return false;
    fields = take_fields(&in);
    q->presented.body = in;
    q->presented.body_known = (q->choices & BODY_UNKNOWN) == 0;
    if ((q->choices & WITH_LENGTH) != 0)
        q->request.body = (struct body_frame){ BODY_LENGTH, in.n };
    headers_init(&q->request.headers, a);
    if ((q->choices & WITH_TOKEN) != 0)
        headers_add(&q->request.headers, FIELD_TOKEN, piece(&forged, WIT_FIELD));
    add_lines(&q->request.headers, fields, in, a);
    return true;
}

/* What can be signed; anything else is left as it stands among the fields. */
static void
seal(struct asked *q, struct arena *a)
{
    struct signature_scene s = {
        .request = &q->presented,
        .target = q->request.target,
        .asked = { .headers = &q->request.headers,
                   .host = q->request.host,
                   .has_length = q->request.body.kind == BODY_LENGTH,
                   .length = q->request.body.length },
    };
    unsigned char signature[KEY_ES256_SIGNATURE_SIZE];
    struct buf base = { 0 }, spelt = { 0 };
    struct sf_field f;

    if ((q->choices & NOT_SIGNED) == 0 && sf_parse(SF_LIST, q->input, a, &f) &&
        f.n == 1 && signature_base_write(&s, &f.at[0], a, &base) == REASON_OK) {
        PROMISE(key_sign(scene.holder, buf_text(&base), signature) == REASON_OK);
        sf_write_bytes(text_of((const char *)signature, sizeof signature), &spelt);
        headers_add(&q->request.headers, FIELD_SIGNATURE_INPUT,
                    arena_printf(a, "wimse=%.*s", TEXT_ARG(q->input)));
        headers_add(&q->request.headers, FIELD_SIGNATURE,
                    arena_printf(a, "wimse=%.*s", TEXT_ARG(buf_text(&spelt))));
    }
    buf_free(&base);
    buf_free(&spelt);
}

/* ---- the careful reader */

static bool
names(struct text input, const char *component)
{
    return memmem(input.at, input.n, component, strlen(component)) != NULL;
}

static void
promise_covered(const struct asked *q, const struct facts *facts, struct arena *a)
{
    struct text input;

    PROMISE(sf_join(&q->request.headers, FIELD_SIGNATURE_INPUT, a, &input));
    PROMISE(names(input, "\"@method\""));
    if (headers_has(&q->request.headers, FIELD_TOKEN)) {
        PROMISE(names(input, "\"@request-target\"") && names(input, "wimse-aud") &&
                names(input, "\"workload-identity-token\""));
        PROMISE(text_equals(facts->context.workload, TEXT(WORKLOAD)));
    } else {
        PROMISE(names(input, "\"@target-uri\"") && names(input, "keyid"));
        PROMISE(text_is_empty(facts->context.workload));
    }
    PROMISE(names(input, "created") || names(input, "expires"));
    PROMISE(!headers_has(&q->request.headers, TEXT("authorization")) ||
            names(input, "\"authorization\""));
    PROMISE(q->request.body.length == 0 || facts->body_covered);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct httpsig_policy p = { .verifier = &scene.verifier,
                                      .keys = keys,
                                      .max_age_s = 60 };
    struct arena *a = arena_new();
    struct facts facts;
    struct asked q;

    replay_cache_free(scene.replays);
    scene.verifier.replays = scene.replays = replay_cache_new(64);
    if (asked_from(&q, a, input_of(data, size))) {
        seal(&q, a);
        if (httpsig_verify(&p, &q.request, &q.presented, NOW, a, &facts) == REASON_OK) {
            promise_covered(&q, &facts, a);
            PROMISE(httpsig_verify(&p, &q.request, &q.presented, NOW, a, &facts) ==
                    REASON_PROOF_REPLAYED);
        } else {
            PROMISE(text_is_empty(facts.proof_id));
        }
    }
    arena_free(a);
    return 0;
}
