/* What a gate has to ask elsewhere: the keys of an issuer of access tokens, and what
 * the issuer says of one token. Workers bring questions, main asks them by errands: for
 * keys at once, about tokens a few at a time and of one endpoint fewer; and writes down
 * what came of them (answers.h). */
#ifndef PROXY_INQUIRY_H
#define PROXY_INQUIRY_H

#include "base/secret.h"
#include "proxy/answers.h"
#include "proxy/generation.h"
#include "tokens/vault.h"

struct event_base;

/* The longest that a request waits for an answer. */
enum { INQUIRY_MS = 3 * 1000 };

struct question {
    struct answer_key key;
    const struct conf_issuer *issuer; /* of the generation */
    struct generation *generation;    /* a reference; … */
    struct vault *vault;  /* … and one to its secrets; NULL: not read yet */
    struct secret *token; /* NULL: the issuer's keys are asked for */
    int64_t began_ms;     /* monotonic */
};
void question_free(struct question *q); /* NULL is fine */

/* The hash of what is asked of this issuer. token: where it is introspected. */
void question_key(const struct conf_issuer *issuer, struct text token,
                  struct answer_key *out);

/* Where it introspects, as a number that another URL hardly has; else 0. */
uint64_t question_place(const struct conf_issuer *issuer);

struct inquiry;
/* tell: those workers look again (answers_put_keys). */
struct inquiry *inquiry_new(struct event_base *base, struct answers *answers,
                            void (*tell)(void *owner, uint64_t workers), void *owner);
/* This generation is in force; before the first question, too. */
void inquiry_follow(struct inquiry *i, struct generation *g);
/* What is under way is let go of. NULL is fine. */
void inquiry_free(struct inquiry *i);
/* Takes it over. */
void inquiry_take(struct inquiry *i, struct question *q);

#endif
