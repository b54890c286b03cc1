/* What issuers of access tokens have said: their keys, and what a token is worth. Main
 * asks and writes down, workers look; any thread. Bounded; what was asked about stands
 * here by its hash alone. */
#ifndef PROXY_ANSWERS_H
#define PROXY_ANSWERS_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/reason.h"
#include "tokens/jwks.h"

enum {
    ANSWERS_MAX = 4096,                  /* … */
    ANSWERS_ASKED_MAX = 1024,            /* words that are being asked for; … */
    ANSWERS_ASKED_OF_ONE = 256,          /* … of one endpoint; more are refused */
    ANSWERS_BYTES_MAX = 4 * 1024 * 1024, /* of all that was said */
    ANSWER_REST_MS = 10 * 1000,          /* between two fetches of one issuer's keys */
    ANSWER_FAILED_MS = 2 * 1000,         /* what failed is not tried again before */
    ANSWER_STALE_MS = 60 * 60 * 1000     /* keys outlive their time by so much, while
                                            no newer ones can be had */
};

struct answers;
struct answers *answers_new(void);
void answers_free(struct answers *a); /* NULL is fine */

/* The hash of a question. */
struct answer_key {
    unsigned char at[SHA256_SIZE];
};

struct answer_wish {
    struct answer_key key;
    bool is_keys;     /* of an issuer, else the word on one token … */
    uint64_t of;      /* … of this endpoint: a hash of its URL */
    bool wants_newer; /* keys: those that are here lack one that was seen at … */
    int64_t since_ms; /* … this time; or when it was first looked for */
    size_t worker;    /* who is told */
};

struct answered {
    bool must_ask;     /* nobody is asking yet: whoever is told this asks */
    bool is_here;      /* else wait, to look again when told */
    enum reason why;   /* here: REASON_OK, and one of these: … */
    struct jwks *keys; /* … a reference; or … */
    struct text says;  /* … in the arena */
};
/* REASON_AS_TIMEOUT is here at once when too many other words are being asked for. Keys
 * are always: strangers can invent tokens, issuers they cannot. */
void answers_look(struct answers *a, const struct answer_wish *wish, int64_t now_ms,
                  struct arena *arena, struct answered *out);

/* What has come of one that had to be asked, good for so long. In all of these: bits of
 * the workers (by number modulo 64) that wait for it. */
uint64_t answers_put_keys(struct answers *a, const struct answer_key *key,
                          struct jwks *keys, int64_t now_ms, int64_t lives_ms);
uint64_t answers_put_word(struct answers *a, const struct answer_key *key,
                          struct text says, int64_t now_ms, int64_t lives_ms);
uint64_t answers_put_failure(struct answers *a, const struct answer_key *key,
                             enum reason why, int64_t now_ms);

#endif
