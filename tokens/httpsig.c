/* What is covered, what is said, and two fields. The cost is one signature; what stands
 * before it is written once into a buffer. */
#include "tokens/httpsig.h"

#include "base/digest.h"
#include "http/content_digest.h"
#include "tokens/carried.h"
#include "tokens/signature_algorithm.h"
#include "tokens/signature_parameters.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NONCE_BYTES = 16, HTTPS_PORT = 443 };

/* Whatever a rule says besides: without these a copy is good elsewhere. */
static const char *const always_wimse[] = { "@method", "@request-target",
                                            "content-type", "content-digest",
                                            "workload-identity-token" };
static const char *const normally_plain[] = { "@method", "@target-uri",
                                              "content-digest" };

bool
httpsig_needs_body(const struct conf_signature *how, bool is_wimse)
{
    if (is_wimse || how->components.n == 0)
        return true;
    for (size_t i = 0; i < how->components.n; i++)
        if (strcmp(how->components.at[i], "content-digest") == 0)
            return true;
    return false;
}

void
httpsig_prepare(const struct presented *request, struct headers *headers)
{
    if (request->body_known &&
        (request->body.n > 0 || headers_has(headers, FIELD_CONTENT_DIGEST)))
        content_digest_put(headers, request->body);
}

/* ---- what is covered */

/* What a signature is made from. */
struct making {
    const struct httpsig_signer *by;
    struct signature_scene scene;
    struct arena *arena;
    struct sf_member input;
    struct signature_parameters says;
};

static bool
is_covered(const struct making *m, struct text name)
{
    for (size_t i = 0; i < m->input.n_inner; i++)
        if (text_equals(m->input.inner[i].value.text, name))
            return true;
    return false;
}

/* A field that is not in the message cannot be covered, and need not be: nobody can add
 * one that the verifier demands. */
static void
cover(struct making *m, struct text name)
{
    const struct sf_value value = { .kind = SF_STRING, .text = name };

    if ((name.at[0] == '@' || component_stands(&m->scene, name)) &&
        !is_covered(m, name))
        m->input.inner[m->input.n_inner++] = (struct sf_item){ .value = value };
}

static void
cover_words(struct making *m, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cover(m, text_z(words[i]));
}

/* Any other token that the message carries: one copied from elsewhere must not ride
 * along under our signature. */
static void
cover_carried(struct making *m)
{
    cover(m, TEXT("authorization"));
    cover(m, TEXT("txn-token"));
    for (size_t i = 0; i < CARRIED_OTHERS; i++)
        cover(m, carried_names[i]);
}

static void
cover_all(struct making *m)
{
    const struct strings *said = &m->by->how->components;
    size_t most = said->n + COUNT(always_wimse) + COUNT(normally_plain) + 2 +
                  CARRIED_OTHERS;

    m->input.is_inner = true;
    m->input.inner = arena_alloc(m->arena, most * sizeof *m->input.inner);
    cover_words(m, said->at, said->n);
    if (m->by->is_wimse)
        cover_words(m, always_wimse, COUNT(always_wimse));
    else if (said->n == 0)
        cover_words(m, normally_plain, COUNT(normally_plain));
    cover_carried(m);
}

/* ---- what is said */

static struct text
nonce_new(struct arena *arena)
{
    unsigned char random[NONCE_BYTES];
    char *nonce = arena_alloc(arena, BASE64URL_SIZE(NONCE_BYTES));

    random_bytes(random, sizeof random);
    return text_of(nonce, base64url_encode(random, sizeof random, nonce));
}

static struct text
audience(const struct making *m)
{
    char room[AUTHORITY_PRINT_SIZE];
    struct text to;

    if (m->by->how->audience != NULL)
        return text_z(m->by->how->audience);
    to = authority_print(&m->scene.request->authority, HTTPS_PORT, room);
    return arena_printf(m->arena, "https://%.*s", TEXT_ARG(to));
}

static void
say_wimse(struct making *m)
{
    parameters_say_text(&m->says, PARAMETER_TAG, WIMSE_TAG);
    parameters_say_text(&m->says, PARAMETER_AUDIENCE, audience(m));
    if (m->by->how->response == RESPONSE_VERIFY)
        parameters_say_flag(&m->says, PARAMETER_SIGN_RESPONSE);
}

static enum key_algorithm
algorithm_of(const struct making *m)
{
    return signature_algorithm_of(key_kind_of(m->by->key));
}

static void
say_plain(struct making *m)
{
    if (m->by->how->alg)
        parameters_say_text(&m->says, PARAMETER_ALG,
                            signature_algorithm_word(algorithm_of(m)));
    parameters_say_text(&m->says, PARAMETER_KEYID, m->by->key_id);
    if (m->by->how->tag != NULL)
        parameters_say_text(&m->says, PARAMETER_TAG, text_z(m->by->how->tag));
}

/* The profile demands what a rule could otherwise leave out. */
static void
say_all(struct making *m, int64_t now_s)
{
    int64_t expires_s = now_s + m->by->how->expires_ms / 1000;

    if (m->by->expires_s != 0 && expires_s > m->by->expires_s)
        expires_s = m->by->expires_s;
    if (m->by->how->created || m->by->is_wimse)
        parameters_say_number(&m->says, PARAMETER_CREATED, now_s);
    parameters_say_number(&m->says, PARAMETER_EXPIRES, expires_s);
    if (m->by->how->nonce || m->by->is_wimse)
        parameters_say_text(&m->says, PARAMETER_NONCE, nonce_new(m->arena));
    if (m->by->is_wimse)
        say_wimse(m);
    else
        say_plain(m);
    m->input.item.params = parameters_list(&m->says, m->arena);
}

/* ---- the two fields */

static struct text
label_of(const struct making *m)
{
    return m->by->is_wimse ? WIMSE_LABEL : text_z(m->by->how->label);
}

/* label=value, in the arena. */
static void
add_field(struct making *m, struct headers *headers, struct text name,
          struct text value)
{
    struct text label = label_of(m);
    char *at = arena_alloc(m->arena, label.n + 1 + value.n);

    memcpy(at, label.at, label.n);
    at[label.n] = '=';
    memcpy(at + label.n + 1, value.at, value.n);
    headers_add_secret(headers, name, text_of(at, label.n + 1 + value.n));
}

static enum reason
sign_base(struct making *m, struct text base, struct headers *headers)
{
    struct buf signature = { 0 }, spelt = { 0 };
    enum reason why = key_sign_as(m->by->key, algorithm_of(m), base, &signature);

    if (why == REASON_OK) {
        sf_write_bytes(buf_text(&signature), &spelt);
        add_field(m, headers, FIELD_SIGNATURE, buf_text(&spelt));
    }
    buf_free(&signature);
    buf_free(&spelt);
    return why;
}

/* The last line of the base is what Signature-Input says. */
static enum reason
write_fields(struct making *m, struct headers *headers)
{
    struct buf base = { 0 };
    size_t before = headers->n;
    const char *last;
    struct text all;
    enum reason why = signature_base_write(&m->scene, &m->input, m->arena, &base);

    if (why == REASON_OK) {
        all = buf_text(&base);
        last = (const char *)memrchr(all.at, '\n', all.n);
        last = (last == NULL ? all.at : last + 1) + sizeof SIGNATURE_PARAMS - 1;
        add_field(m, headers, FIELD_SIGNATURE_INPUT,
                  text_of(last, all.n - (size_t)(last - all.at)));
        why = sign_base(m, all, headers);
    }
    if (why != REASON_OK)
        headers->n = before;
    buf_free(&base);
    return why;
}

/* Without a nonce what is like no other is the signature. */
static struct text
id_of(const struct making *m, const struct headers *headers)
{
    char *id;

    if (parameters_say(&m->says, PARAMETER_NONCE))
        return m->says.at[PARAMETER_NONCE].text;
    id = arena_alloc(m->arena, SHA256_BASE64URL_SIZE);
    digest_sha256_base64url(headers->at[headers->n - 1].value, id);
    return text_of(id, SHA256_BASE64URL_SIZE);
}

/* What the codec will write of the request besides its fields. */
static void
tell_frame(struct making *m)
{
    char *room;

    if (m->by->how->components.n == 0)
        return;
    room = arena_alloc(m->arena, AUTHORITY_PRINT_SIZE);
    m->scene.asked.host = authority_print(&m->scene.request->authority, HTTPS_PORT,
                                          room);
    m->scene.asked.length = m->scene.request->body.n;
    m->scene.asked.has_length = m->scene.request->body_known &&
                                m->scene.asked.length > 0;
}

enum reason
httpsig_make(const struct httpsig_signer *by, const struct presented *request,
             int64_t now_s, struct headers *headers, struct text *id)
{
    struct making m = {
        .by = by,
        .scene = { .request = request, .asked = { .headers = headers } },
        .arena = headers->arena,
    };
    enum reason why;

    if (by->expires_s != 0 && now_s >= by->expires_s)
        return REASON_SIGN;
    if (!request->body_known && httpsig_needs_body(by->how, by->is_wimse))
        return REASON_BODY_NOT_COVERED;
    /* Another's of either name would be one that nobody can tell from ours. */
    headers_remove(headers, FIELD_SIGNATURE_INPUT);
    headers_remove(headers, FIELD_SIGNATURE);
    tell_frame(&m);
    cover_all(&m);
    say_all(&m, now_s);
    if ((why = write_fields(&m, headers)) == REASON_OK)
        *id = id_of(&m, headers);
    return why;
}
