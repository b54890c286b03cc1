/* From two fields to a signature that may be looked at, and what of it is judged
 * without knowing whether a request bears it or an answer. */
#include "tokens/signature_judge.h"

/* What a stranger can have us do before his signature is looked at is bounded. */
enum { SIGNATURES_MAX = 8, COMPONENTS_MAX = 64, WORD_MAX = 256 };

/* ---- finding the one */

static enum reason
read_fields(const struct headers *h, struct arena *a, struct sf_field *inputs,
            struct sf_field *signatures)
{
    struct text input, signature;
    bool has_input = sf_join(h, FIELD_SIGNATURE_INPUT, a, &input);
    bool has_signature = sf_join(h, FIELD_SIGNATURE, a, &signature);

    if (!has_input && !has_signature)
        return REASON_SIGNATURE_MISSING;
    if (!has_input || !has_signature || !sf_parse(SF_DICTIONARY, input, a, inputs) ||
        !sf_parse(SF_DICTIONARY, signature, a, signatures) || inputs->repeated ||
        signatures->repeated || inputs->n != signatures->n)
        return REASON_SIGNATURE_MALFORMED;
    if (inputs->n == 0)
        return REASON_SIGNATURE_MISSING;
    return inputs->n <= SIGNATURES_MAX ? REASON_OK : REASON_SIGNATURE_SEVERAL;
}

/* Each label in both, with the right kind of value; as many in both as were counted. */
static bool
fit_together(const struct sf_field *inputs, const struct sf_field *signatures)
{
    for (size_t i = 0; i < inputs->n; i++) {
        const struct sf_member *s = sf_find(signatures, inputs->at[i].key);

        if (s == NULL || !inputs->at[i].is_inner || s->is_inner ||
            s->item.value.kind != SF_BYTES)
            return false;
    }
    return true;
}

static bool
has_tag(const struct sf_member *input, struct text tag)
{
    const struct sf_value *said = sf_param(&input->item.params, TEXT("tag"));

    return tag.at != NULL && sf_is(said, SF_STRING) && text_equals(said->text, tag);
}

static const struct sf_member *
choose(const struct sf_field *inputs, bool is_wimse, struct text tag)
{
    const struct sf_member *chosen = NULL;

    if (inputs->n == 1)
        return &inputs->at[0];
    if (is_wimse)
        return sf_find(inputs, WIMSE_LABEL);
    for (size_t i = 0; i < inputs->n; i++) {
        if (!has_tag(&inputs->at[i], tag))
            continue;
        if (chosen != NULL)
            return NULL;
        chosen = &inputs->at[i];
    }
    return chosen;
}

static enum reason
take_apart(struct signature *s, struct arena *a)
{
    if (!parameters_read(&s->input->item.params, &s->says))
        return REASON_SIGNATURE_PARAMETERS;
    if (s->input->n_inner > COMPONENTS_MAX)
        return REASON_SIGNATURE_COMPONENT;
    s->covered = arena_alloc(a, s->input->n_inner * sizeof *s->covered);
    for (size_t i = 0; i < s->input->n_inner; i++)
        if (!component_read(&s->input->inner[i], &s->covered[i]))
            return REASON_SIGNATURE_COMPONENT;
    return REASON_OK;
}

enum reason
signature_find(const struct headers *h, bool is_wimse, struct text tag, struct arena *a,
               struct signature *out)
{
    struct sf_field inputs, signatures;
    enum reason why;

    *out = (struct signature){ .input = NULL };
    if ((why = read_fields(h, a, &inputs, &signatures)) != REASON_OK)
        return why;
    if (!fit_together(&inputs, &signatures))
        return REASON_SIGNATURE_MALFORMED;
    if ((out->input = choose(&inputs, is_wimse, tag)) == NULL)
        return REASON_SIGNATURE_SEVERAL;
    out->label = out->input->key;
    out->bytes = sf_find(&signatures, out->label)->item.value.text;
    return take_apart(out, a);
}

/* ---- judging it */

/* Visible, and not long: it is logged, remembered, and told in a field. */
static bool
is_word(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.at[i] <= ' ' || t.at[i] > '~')
            return false;
    return t.n > 0 && t.n <= WORD_MAX;
}

static bool
are_words(const struct signature_parameters *p)
{
    static const enum parameter words[] = { PARAMETER_NONCE, PARAMETER_KEYID };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (parameters_say(p, words[i]) && !is_word(p->at[words[i]].text))
            return false;
    return true;
}

enum reason
signature_judge_says(const struct httpsig_policy *p, bool is_wimse,
                     const struct signature *s, unsigned must)
{
    const unsigned never = 1U << PARAMETER_KEYID | 1U << PARAMETER_ALG;
    struct text tag = is_wimse ? WIMSE_TAG : p->tag;

    if (is_wimse)
        must |= 1U << PARAMETER_CREATED | 1U << PARAMETER_EXPIRES |
                1U << PARAMETER_NONCE;
    else
        must |= 1U << PARAMETER_KEYID;
    must |= p->said & ~(is_wimse ? never | 1U << PARAMETER_TAG : 0);
    if ((s->says.said & must) != must || (is_wimse && (s->says.said & never) != 0) ||
        !are_words(&s->says))
        return REASON_SIGNATURE_PARAMETERS;
    if (tag.at != NULL && !(parameters_say(&s->says, PARAMETER_TAG) &&
                            text_equals(s->says.at[PARAMETER_TAG].text, tag)))
        return REASON_SIGNATURE_PARAMETERS;
    return REASON_OK;
}

/* Without `created` its age is not known: then it may not hold longer than one that was
 * made now. */
enum reason
signature_judge_times(const struct httpsig_policy *p, const struct signature *s,
                      int64_t now_s, int64_t *ends_s)
{
    bool has_created = parameters_say(&s->says, PARAMETER_CREATED);
    bool has_expires = parameters_say(&s->says, PARAMETER_EXPIRES);
    int64_t created_s = s->says.at[PARAMETER_CREATED].number;
    int64_t expires_s = s->says.at[PARAMETER_EXPIRES].number;
    int64_t skew_s = p->verifier->skew_s;

    if (!has_created && !has_expires)
        return REASON_SIGNATURE_PARAMETERS;
    if (has_created && created_s > now_s + skew_s)
        return REASON_PROOF_NOT_YET;
    if (!has_created && expires_s > now_s + skew_s + p->max_age_s)
        return REASON_PROOF_TOO_LONG;
    if (has_created && (!has_expires || expires_s > created_s + p->max_age_s))
        expires_s = created_s + p->max_age_s;
    *ends_s = expires_s + skew_s;
    return now_s >= *ends_s ? REASON_PROOF_EXPIRED : REASON_OK;
}

/* Which algorithm it is follows from the key, and a message that says another is not
 * believed. */
enum reason
signature_judge_key(const struct httpsig_policy *p, const struct signature *s,
                    struct signature_key *by)
{
    struct text id = s->says.at[PARAMETER_KEYID].text;
    const struct public_key *any;

    if (p->keys == NULL || (any = signature_key_find(p->keys, id, &by->alg)) == NULL)
        return REASON_SIGNATURE_KEY;
    by->key = any;
    if (!parameters_say(&s->says, PARAMETER_ALG))
        return REASON_OK;
    if (!signature_algorithm_find(s->says.at[PARAMETER_ALG].text, &by->alg))
        return REASON_SIGNATURE_ALGORITHM;
    by->key = jwks_find(p->keys, id, by->alg);
    return by->key != NULL ? REASON_OK : REASON_SIGNATURE_ALGORITHM;
}

enum reason
signature_judge_bytes(const struct signature *s, const struct signature_scene *scene,
                      const struct signature_key *by, struct arena *a,
                      struct text *base)
{
    struct buf written = { 0 };
    enum reason why = signature_base_write(scene, s->input, a, &written);

    if (why == REASON_OK &&
        !public_key_verify_as(by->key, by->alg, buf_text(&written),
                              (const unsigned char *)s->bytes.at, s->bytes.n))
        why = REASON_SIGNATURE_WRONG;
    *base = why == REASON_OK ? arena_copy(a, buf_text(&written)) : TEXT("");
    buf_free(&written);
    return why;
}

enum reason
signature_take_holder(const struct wit *w, struct signature_key *by)
{
    by->key = w->holder;
    return jws_alg_find(w->holder_alg, &by->alg) ? REASON_OK
                                                 : REASON_SIGNATURE_ALGORITHM;
}

/* ---- what is covered */

bool
signature_covers(const struct signature *s, const struct component *c)
{
    bool is_field = c->name.n > 0 && c->name.at[0] != '@' && !c->has_key;

    for (size_t i = 0; i < s->input->n_inner; i++) {
        const struct component *had = &s->covered[i];

        if (component_equals(had, c) ||
            (is_field && !had->has_key && had->of_request == c->of_request &&
             text_equals(had->name, c->name)))
            return true;
    }
    return false;
}

bool
signature_covers_name(const struct signature *s, struct text name, bool of_request)
{
    const struct component c = { .name = name, .of_request = of_request };

    return signature_covers(s, &c);
}

unsigned
httpsig_parameter(const char *name)
{
    enum parameter which;

    return parameter_find(text_z(name), &which) ? 1U << which : 0;
}
