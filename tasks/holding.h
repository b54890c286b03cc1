/* What one worker holds of the access tokens of a task: one for each credential and
 * form, with the signer of its proofs, and whoever waits for it. Tokens come by message
 * from main, which alone gets them; a task's are nobody else's, and go with it. */
#ifndef TASKS_HOLDING_H
#define TASKS_HOLDING_H

#include "base/digest.h"
#include "base/list.h"
#include "base/reason.h"
#include "tokens/token.h"

/* What a token is of, beside its task: a credential as the config has it (oauth.h's
 * digest: under another config it is another), and what it is bound to. */
struct token_name {
    unsigned char source[SHA256_SIZE];
    enum token_form form;
};
bool token_name_is(const struct token_name *a, const struct token_name *b);

/* What main tells of one. Times are monotonic. */
struct token_news {
    struct token_name name;
    struct token *token; /* a reference; NULL: there is none to be had … */
    enum reason why;     /* … for this reason, … */
    int64_t retry_ms;    /* … and who asks again before then hears the same */
    int64_t refresh_ms;  /* who uses it from then on asks for the next … */
    int64_t until_ms;    /* … and nobody uses it from then on */
};

struct holding {
    struct list in_entry;
    struct token_news news;     /* its reference is the holding's; zeroed: none yet */
    struct dpop_signer *signer; /* of a FORM_DPOP token; else NULL */
    bool asked;                 /* main was asked, and has not answered */
    struct list waiting;        /* exchanges (proxy/) */
};

/* The holding of this name on the list; made if need be, and then those go whose time
 * is long over: they are of credentials as they were before a reload. */
struct holding *holding_get(struct list *of_entry, const struct token_name *name,
                            int64_t now_ms);
/* The same if it is there and has a token; NULL. */
struct holding *holding_find(const struct list *of_entry,
                             const struct token_name *name);
/* Takes over the news and their reference; main has answered. What it cannot get is no
 * reason to give up what is good still. */
void holding_take(struct holding *h, const struct token_news *news);

bool holding_is_good(const struct holding *h, int64_t now_ms);
/* It may not be asked for now: the last try failed with news.why. */
bool holding_is_failing(const struct holding *h, int64_t now_ms);
/* The next is to be asked for, whether this one is good or not. */
bool holding_wants_news(const struct holding *h, int64_t now_ms);

/* Its tokens and signers go; nobody waits any more. */
void holdings_clear(struct list *of_entry);

#endif
