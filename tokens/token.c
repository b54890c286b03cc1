/* Access tokens, held. What every proof says of a token, its hash, is made once, here.
 */
#include "tokens/token.h"

#include "base/memory.h"
#include "base/secret.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct token {
    atomic_uint references;
    enum token_form form;
    struct secret *value;
    struct dpop_key *key;
    char ath[DPOP_ATH_SIZE];
    char x5t[X5T_SIZE];
    int64_t expires_s;
};

struct token *
token_new(struct text value, enum token_form form, struct dpop_key *key,
          const char *x5t, int64_t expires_s)
{
    struct token *t = memory_new(sizeof *t);

    assert((form == FORM_DPOP) == (key != NULL));
    assert((form == FORM_MTLS) == (x5t != NULL));
    atomic_init(&t->references, 1);
    t->form = form;
    t->value = secret_new(value.at, value.n);
    t->expires_s = expires_s;
    dpop_ath(value, t->ath);
    if (key != NULL)
        t->key = dpop_key_ref(key);
    if (x5t != NULL)
        memcpy(t->x5t, x5t, sizeof t->x5t);
    return t;
}

struct token *
token_ref(struct token *t)
{
    atomic_fetch_add(&t->references, 1);
    return t;
}

void
token_unref(struct token *t)
{
    if (t == NULL || atomic_fetch_sub(&t->references, 1) != 1)
        return;
    secret_free(t->value);
    dpop_key_unref(t->key);
    explicit_bzero(t, sizeof *t);
    free(t);
}

struct text
token_value(const struct token *t)
{
    return secret_reveal(t->value);
}

struct text
token_id(const struct token *t)
{
    return text_of(t->ath, TOKEN_ID_SIZE);
}

const char *
token_form_word(enum token_form form)
{
    static const char *const words[] = {
        [FORM_BEARER] = "bearer", [FORM_DPOP] = "dpop", [FORM_MTLS] = "mtls"
    };

    return words[form];
}

enum token_form
token_form(const struct token *t)
{
    return t->form;
}

struct dpop_key *
token_key(const struct token *t)
{
    return t->key;
}

struct text
token_ath(const struct token *t)
{
    assert(t->form == FORM_DPOP);
    return text_of(t->ath, sizeof t->ath);
}

struct text
token_x5t(const struct token *t)
{
    return t->form == FORM_MTLS ? text_of(t->x5t, sizeof t->x5t) : text_z(NULL);
}

int64_t
token_expires(const struct token *t)
{
    return t->expires_s;
}
