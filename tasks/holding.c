#include "tasks/holding.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FORGET_MS = 10 * 60 * 1000 };

bool
token_name_is(const struct token_name *a, const struct token_name *b)
{
    return a->form == b->form && memcmp(a->source, b->source, sizeof a->source) == 0;
}

/* A task has as many as its grant's rules name oauth credentials: few. */
static struct holding *
find(const struct list *of_entry, const struct token_name *name)
{
    for (const struct list *m = of_entry->next; m != of_entry; m = m->next) {
        struct holding *h = LIST_OWNER(m, struct holding, in_entry);

        if (token_name_is(&h->news.name, name))
            return h;
    }
    return NULL;
}

struct holding *
holding_find(const struct list *of_entry, const struct token_name *name)
{
    struct holding *h = find(of_entry, name);

    return h != NULL && h->news.token != NULL ? h : NULL;
}

static void
free_holding(struct holding *h)
{
    while (!list_is_empty(&h->waiting))
        list_remove(h->waiting.next);
    list_remove(&h->in_entry);
    dpop_signer_free(h->signer);
    token_unref(h->news.token);
    free(h);
}

/* Who took a token from it may be dialling still. */
static bool
is_forgotten(const struct holding *h, int64_t now_ms)
{
    int64_t last_ms = h->news.until_ms > h->news.retry_ms ? h->news.until_ms
                                                          : h->news.retry_ms;

    return !h->asked && list_is_empty(&h->waiting) && now_ms > last_ms + FORGET_MS;
}

static void
forget(struct list *of_entry, int64_t now_ms)
{
    for (struct list *m = of_entry->next, *next; m != of_entry; m = next) {
        struct holding *h = LIST_OWNER(m, struct holding, in_entry);

        next = m->next;
        if (is_forgotten(h, now_ms))
            free_holding(h);
    }
}

struct holding *
holding_get(struct list *of_entry, const struct token_name *name, int64_t now_ms)
{
    struct holding *h = find(of_entry, name);

    if (h != NULL)
        return h;
    forget(of_entry, now_ms);
    h = memory_new(sizeof *h);
    h->news.name = *name;
    list_init(&h->waiting);
    list_add_last(of_entry, &h->in_entry);
    return h;
}

/* The next token of the same key is signed for by the same signer, which knows what
 * nonces the services gave. */
static void
take_token(struct holding *h, const struct token_news *news)
{
    struct dpop_key *key = token_key(news->token);

    if (h->signer != NULL && dpop_signer_key(h->signer) != key) {
        dpop_signer_free(h->signer);
        h->signer = NULL;
    }
    if (h->signer == NULL && key != NULL)
        h->signer = dpop_signer_new(key);
    token_unref(h->news.token);
    h->news = *news;
    if (key == NULL || h->signer != NULL)
        return;
    token_unref(h->news.token); /* nobody can sign for it */
    h->news.token = NULL;
    h->news.why = REASON_SIGN;
}

void
holding_take(struct holding *h, const struct token_news *news)
{
    assert(token_name_is(&h->news.name, &news->name));
    h->asked = false;
    if (news->token != NULL) {
        take_token(h, news);
        return;
    }
    h->news.why = news->why;
    h->news.retry_ms = news->retry_ms;
}

bool
holding_is_good(const struct holding *h, int64_t now_ms)
{
    return h->news.token != NULL && now_ms < h->news.until_ms;
}

bool
holding_is_failing(const struct holding *h, int64_t now_ms)
{
    return h->news.why != REASON_OK && now_ms < h->news.retry_ms;
}

bool
holding_wants_news(const struct holding *h, int64_t now_ms)
{
    return !h->asked && !holding_is_failing(h, now_ms) &&
           (h->news.token == NULL || now_ms >= h->news.refresh_ms);
}

void
holdings_clear(struct list *of_entry)
{
    while (!list_is_empty(of_entry))
        free_holding(LIST_OWNER(of_entry->next, struct holding, in_entry));
}
