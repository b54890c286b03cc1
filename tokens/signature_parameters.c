/* The table of a signature's parameters. */
#include "tokens/signature_parameters.h"

static const struct {
    struct text name;
    enum sf_kind kind;
} table[PARAMETERS] = {
    [PARAMETER_CREATED] = { { "created", 7 }, SF_INTEGER },
    [PARAMETER_EXPIRES] = { { "expires", 7 }, SF_INTEGER },
    [PARAMETER_NONCE] = { { "nonce", 5 }, SF_STRING },
    [PARAMETER_ALG] = { { "alg", 3 }, SF_STRING },
    [PARAMETER_KEYID] = { { "keyid", 5 }, SF_STRING },
    [PARAMETER_TAG] = { { "tag", 3 }, SF_STRING },
    [PARAMETER_AUDIENCE] = { { "wimse-aud", 9 }, SF_STRING },
    [PARAMETER_SIGN_RESPONSE] = { { "wimse-sign-response", 19 }, SF_BOOLEAN },
    [PARAMETER_REQUEST_NONCE] = { { "wimse-req-nonce", 15 }, SF_STRING },
};

bool
parameter_find(struct text name, enum parameter *out)
{
    for (enum parameter i = 0; i < PARAMETERS; i++) {
        if (text_equals(name, table[i].name)) {
            *out = i;
            return true;
        }
    }
    return false;
}

bool
parameters_read(const struct sf_params *from, struct signature_parameters *out)
{
    enum parameter which;

    out->said = 0;
    for (size_t i = 0; i < from->n; i++) {
        if (!parameter_find(from->at[i].key, &which) ||
            from->at[i].value.kind != table[which].kind)
            return false;
        out->at[which] = from->at[i].value;
        out->said |= 1U << which;
    }
    return true;
}

static void
say(struct signature_parameters *p, enum parameter which, struct sf_value value)
{
    value.kind = table[which].kind;
    p->at[which] = value;
    p->said |= 1U << which;
}

void
parameters_say_number(struct signature_parameters *p, enum parameter which,
                      int64_t number)
{
    say(p, which, (struct sf_value){ .number = number });
}

void
parameters_say_text(struct signature_parameters *p, enum parameter which,
                    struct text text)
{
    say(p, which, (struct sf_value){ .text = text });
}

void
parameters_say_flag(struct signature_parameters *p, enum parameter which)
{
    say(p, which, (struct sf_value){ .number = 1 });
}

struct sf_params
parameters_list(const struct signature_parameters *p, struct arena *a)
{
    struct sf_params list = { .n = 0 };

    list.at = arena_alloc(a, PARAMETERS * sizeof *list.at);
    for (enum parameter i = 0; i < PARAMETERS; i++)
        if (parameters_say(p, i))
            list.at[list.n++] = (struct sf_param){ table[i].name, p->at[i] };
    return list;
}
