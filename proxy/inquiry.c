/* A queue, and so many errands beside it. Keys do not stand in it: an issuer has one
 * set of them, tokens anybody can invent. Whatever becomes of a question is written
 * down exactly once. */
#include "proxy/inquiry.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/table.h"
#include "proxy/outpost.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    AT_ONCE = 64,                 /* words on tokens; … */
    OF_ONE = 16,                  /* … of one endpoint */
    WORD_MAX = 16 * 1024,         /* bytes of what is said of a token */
    KEYS_LIVE_MS = 5 * 60 * 1000, /* where the issuer does not say */
    KEYS_LIVE_MIN_MS = 60 * 1000,
    KEYS_LIVE_MAX_MS = 60 * 60 * 1000
};

struct inquiry {
    struct loop *loop;
    struct answers *answers;
    void (*tell)(void *owner, uint64_t workers);
    void *owner;
    struct outpost *at;        /* of the generation in force */
    struct list queue, asking; /* words on tokens */
    struct list fetching;      /* keys: one of an issuer at a time (answers.h) */
    size_t n_asking;
};

/* One that is queued, or under way. */
struct inquest {
    struct inquiry *inquiry;
    struct list in_list;
    uint64_t of; /* question_place */
    bool has_turn;
    struct question *question;
    struct outpost *at;    /* a reference; … */
    struct errand *errand; /* … NULL: not sent yet */
    struct wake over;
};

/* ---- questions */

void
question_free(struct question *q)
{
    if (q == NULL)
        return;
    secret_free(q->token);
    vault_unref(q->vault);
    generation_unref(q->generation);
    free(q);
}

static void
hash_word(struct digest *d, const char *word)
{
    if (word != NULL)
        digest_add(d, text_of(word, strlen(word) + 1)); /* with its end */
}

void
question_key(const struct conf_issuer *issuer, struct text token,
             struct answer_key *out)
{
    struct digest *d = digest_new();

    hash_word(d,
              issuer->jwks_url != NULL ? issuer->jwks_url : issuer->introspection.url);
    hash_word(d, issuer->trust != NULL ? issuer->trust : "");
    if (issuer->jwks_url == NULL) {
        hash_word(d, issuer->introspection.client_id);
        digest_add(d, token);
    }
    digest_end(d, out->at);
}

uint64_t
question_place(const struct conf_issuer *issuer)
{
    return issuer->introspection.url != NULL
               ? table_hash(text_z(issuer->introspection.url))
               : 0;
}

/* ---- asking */

static void
turn_free(struct inquest *t)
{
    if (t->has_turn)
        t->inquiry->n_asking--;
    errand_free(t->errand);
    wake_cancel(&t->over);
    list_remove(&t->in_list);
    outpost_unref(t->at);
    question_free(t->question);
    free(t);
}

static void
fail(struct inquest *t, enum reason why)
{
    struct inquiry *i = t->inquiry;

    i->tell(i->owner, answers_put_failure(i->answers, &t->question->key, why,
                                          clock_monotonic_ms()));
    turn_free(t);
}

static enum reason
write_question(const struct question *q, struct arena *memory, struct oauth_request *r)
{
    const struct conf_introspection *s = &q->issuer->introspection;
    struct text secret;
    enum reason why;

    if (q->token == NULL) {
        r->fields[0] = (struct field){ .name = TEXT("Accept"),
                                       .value = TEXT("application/json, "
                                                     "application/jwk-set+json") };
        r->n_fields = 1;
        return REASON_OK;
    }
    if (q->vault == NULL)
        return REASON_CREDENTIAL_UNAVAILABLE;
    if ((why = vault_text(q->vault, s->client_secret, &secret)) != REASON_OK)
        return why;
    return oauth_introspection(s->client_id, secret, secret_reveal(q->token), memory,
                               r);
}

static void
send_question(struct inquest *t, const struct oauth_request *r, int64_t timeout_ms)
{
    const struct question *q = t->question;
    struct errand_ask ask = {
        .method = q->token != NULL ? TEXT("POST") : TEXT("GET"),
        .fields = r->fields,
        .n_fields = r->n_fields,
        .body = r->body,
        .client = generation_client(q->generation, q->issuer->trust),
        .answer_max = q->token != NULL ? (size_t)WORD_MAX : (size_t)JWKS_TEXT_MAX,
        .timeout_ms = timeout_ms
    };
    struct url url;
    enum reason why = url_split(
        q->token != NULL ? q->issuer->introspection.url : q->issuer->jwks_url, &url);

    assert(why == REASON_OK); /* the config was checked */
    ask.url = &url;
    t->errand = errand_new(t->inquiry->loop, outpost_resolver(t->at), &ask, &t->over);
}

/* What has waited for its turn has the less time left. */
static void
begin(struct inquest *t)
{
    int64_t left_ms = t->question->began_ms + INQUIRY_MS - clock_monotonic_ms();
    struct oauth_request r = { .n_fields = 0 };
    struct arena *memory = arena_new();
    enum reason why = REASON_AS_TIMEOUT;

    if (left_ms > 0)
        why = write_question(t->question, memory, &r);
    if (why == REASON_OK)
        send_question(t, &r, left_ms);
    arena_free(memory);
    if (why != REASON_OK)
        fail(t, why);
}

/* Who makes a gate ask one endpoint, on and on, keeps no other from being asked. */
static bool
may_begin(const struct inquiry *i, uint64_t of)
{
    size_t n = 0;

    if (i->n_asking >= AT_ONCE)
        return false;
    for (const struct list *m = i->asking.next; m != &i->asking; m = m->next)
        n += LIST_OWNER(m, const struct inquest, in_list)->of == of;
    return n < OF_ONE;
}

static void
take_turn(struct inquest *t)
{
    list_remove(&t->in_list);
    list_add_last(&t->inquiry->asking, &t->in_list);
    t->has_turn = true;
    t->inquiry->n_asking++;
    begin(t);
}

static void
go_on(struct inquiry *i)
{
    for (struct list *m = i->queue.next, *next; m != &i->queue && i->n_asking < AT_ONCE;
         m = next) {
        struct inquest *t = LIST_OWNER(m, struct inquest, in_list);

        next = m->next;
        if (may_begin(i, t->of))
            take_turn(t);
    }
}

/* ---- what is answered */

static enum reason
unusable(const struct question *q, const char *what)
{
    return log_reason(REASON_AS_MALFORMED, "%s:%u: issuer %s: %s",
                      q->issuer->place.file, q->issuer->place.line, q->issuer->issuer,
                      what);
}

/* RFC 9111 section 5.2.2: max-age; what is not to be kept is kept for the shortest. */
static int64_t
life_of(struct text cache_control)
{
    struct text rest = cache_control, one;
    uint64_t age_s = KEYS_LIVE_MS / 1000;

    while (text_split(&rest, ',', &one)) {
        one = text_trim(one);
        if (text_equals_nocase(one, TEXT("no-store")) ||
            text_equals_nocase(one, TEXT("no-cache")))
            return KEYS_LIVE_MIN_MS;
        if (one.n > 8 && text_equals_nocase(text_of(one.at, 8), TEXT("max-age=")) &&
            !text_to_u64(text_of(one.at + 8, one.n - 8), KEYS_LIVE_MAX_MS / 1000,
                         &age_s))
            age_s = KEYS_LIVE_MAX_MS / 1000;
    }
    return age_s * 1000 < KEYS_LIVE_MIN_MS ? KEYS_LIVE_MIN_MS : (int64_t)age_s * 1000;
}

static enum reason
take_keys(struct inquest *t, uint64_t *waiting)
{
    struct text age = errand_field(t->errand, TEXT("Cache-Control"));
    struct jwks *keys = NULL;

    if (jwks_parse(errand_body(t->errand), &keys) != REASON_OK)
        return unusable(t->question, "what its jwks_url gives is no key set");
    if (jwks_count(keys) == 0) {
        jwks_unref(keys);
        return unusable(t->question,
                        "the key set that its jwks_url gives has no usable "
                        "key");
    }
    *waiting = answers_put_keys(t->inquiry->answers, &t->question->key, keys,
                                clock_monotonic_ms(), life_of(age));
    jwks_unref(keys);
    return REASON_OK;
}

static bool
is_json(struct text content_type)
{
    struct text rest = content_type, type;

    return text_split(&rest, ';', &type) &&
           text_equals_nocase(text_trim(type), TEXT("application/json"));
}

static bool
says_anything(struct text body)
{
    struct json *j = json_parse(body, WORD_MAX);
    bool active;
    bool says = json_is_object(j) && json_bool(json_get(j, "active"), &active);

    json_free(j);
    return says;
}

static enum reason
take_word(struct inquest *t, uint64_t *waiting)
{
    struct text body = errand_body(t->errand);

    if (!is_json(errand_field(t->errand, TEXT("Content-Type"))) || !says_anything(body))
        return unusable(t->question, "what it says of a token cannot be read");
    *waiting = answers_put_word(t->inquiry->answers, &t->question->key, body,
                                clock_monotonic_ms(),
                                t->question->issuer->introspection.cache_ms);
    return REASON_OK;
}

static enum reason
take_answer(struct inquest *t, uint64_t *waiting)
{
    enum reason why = outpost_why(t->errand);

    if (why != REASON_OK)
        return why;
    if (errand_status(t->errand) != 200)
        return unusable(t->question, "its answer is no 200");
    return t->question->token != NULL ? take_word(t, waiting) : take_keys(t, waiting);
}

static void
on_over(void *owner)
{
    struct inquest *t = owner;
    struct inquiry *i = t->inquiry;
    uint64_t waiting = 0;
    enum reason why = take_answer(t, &waiting);

    if (why != REASON_OK) {
        fail(t, why);
    } else {
        i->tell(i->owner, waiting);
        turn_free(t);
    }
    go_on(i);
}

/* ---- its life */

struct inquiry *
inquiry_new(struct event_base *base, struct answers *answers,
            void (*tell)(void *owner, uint64_t workers), void *owner)
{
    struct inquiry *i = memory_new(sizeof *i);

    i->loop = loop_over(base);
    i->answers = answers;
    i->tell = tell;
    i->owner = owner;
    list_init(&i->queue);
    list_init(&i->asking);
    list_init(&i->fetching);
    return i;
}

static void
let_go_of(struct list *turns)
{
    while (!list_is_empty(turns))
        turn_free(LIST_OWNER(turns->next, struct inquest, in_list));
}

void
inquiry_free(struct inquiry *i)
{
    if (i == NULL)
        return;
    let_go_of(&i->queue);
    let_go_of(&i->asking);
    let_go_of(&i->fetching);
    outpost_unref(i->at);
    loop_free(i->loop);
    free(i);
}

void
inquiry_follow(struct inquiry *i, struct generation *g)
{
    outpost_unref(i->at);
    i->at = outpost_new(i->loop, g, NULL);
}

/* One of an older generation is asked as that one says. */
static struct outpost *
outpost_for(struct inquiry *i, const struct question *q)
{
    if (i->at->generation != q->generation)
        return outpost_new(i->loop, q->generation, NULL);
    outpost_ref(i->at);
    return i->at;
}

void
inquiry_take(struct inquiry *i, struct question *q)
{
    struct inquest *t = memory_new(sizeof *t);

    *t = (struct inquest){ .inquiry = i,
                           .question = q,
                           .of = question_place(q->issuer),
                           .at = outpost_for(i, q),
                           .over = { .answer = on_over, .owner = t } };
    list_add_last(q->token != NULL ? &i->queue : &i->fetching, &t->in_list);
    if (q->token == NULL)
        begin(t);
    else if (may_begin(i, t->of)) /* nobody of its endpoint waits before it, then */
        take_turn(t);
}
