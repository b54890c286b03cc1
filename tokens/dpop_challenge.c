/* Reading a server's challenges (RFC 9110 section 11.6.1) for the one we can answer:
 * that the proof should have held a nonce. A list of challenges and the parameters in
 * one of them are parted by the same comma, so a word is a scheme when no '=' follows
 * it. */
#include "tokens/dpop.h"

struct reader {
    const char *at, *end;
};

static bool
is_token_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void
skip_blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
        r->at++;
}

static struct text
take_word(struct reader *r)
{
    const char *from = r->at;

    while (r->at < r->end && is_token_byte(*r->at))
        r->at++;
    return text_of(from, (size_t)(r->at - from));
}

static bool
take_byte(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* The bytes between the quotes as they are: what we look for needs no escape. False: it
 * has no end. */
static bool
take_quoted(struct reader *r, struct text *value)
{
    const char *from = r->at;

    for (; r->at < r->end && *r->at != '"'; r->at++)
        if (*r->at == '\\' && r->at + 1 < r->end)
            r->at++;
    *value = text_of(from, (size_t)(r->at - from));
    return take_byte(r, '"');
}

static bool
take_value(struct reader *r, struct text *value)
{
    if (take_byte(r, '"'))
        return take_quoted(r, value);
    *value = take_word(r);
    return value->n > 0;
}

/* To the comma behind this element, over what of it we have no use for. */
static void
skip_element(struct reader *r)
{
    struct text ignored;

    while (r->at < r->end && *r->at != ',')
        if (*r->at++ == '"' && !take_quoted(r, &ignored))
            r->at = r->end;
}

struct challenge {
    bool is_dpop;
    bool asks_nonce;
};

/* name = value, where the name has been read. */
static void
read_parameter(struct reader *r, struct challenge *c, struct text name)
{
    struct text value;

    if (take_byte(r, '=') && take_value(r, &value) && c->is_dpop &&
        text_equals_nocase(name, TEXT("error")) &&
        text_equals(value, TEXT("use_dpop_nonce")))
        c->asks_nonce = true;
}

static bool
equals_sign_follows(struct reader *r)
{
    skip_blanks(r);
    return r->at < r->end && *r->at == '=';
}

static void
read_element(struct reader *r, struct challenge *c)
{
    struct text word;

    skip_blanks(r);
    word = take_word(r);
    if (word.n > 0 && !equals_sign_follows(r)) {
        c->is_dpop = text_equals_nocase(word, TEXT("DPoP"));
        word = take_word(r); /* the blanks behind the scheme are skipped */
    }
    if (word.n > 0)
        read_parameter(r, c, word);
}

bool
dpop_challenges(struct text www_authenticate)
{
    struct reader r = { www_authenticate.at, www_authenticate.at + www_authenticate.n };
    struct challenge c = { .is_dpop = false };

    do {
        read_element(&r, &c);
        skip_element(&r);
    } while (take_byte(&r, ',') && !c.asks_nonce);
    return c.asks_nonce;
}
