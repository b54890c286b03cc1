/* What a program that tells a credential's secret has printed, and what it is worth. No
 * I/O and no clock. */
#ifndef TOKENS_COMMAND_ANSWER_H
#define TOKENS_COMMAND_ANSWER_H

#include "base/arena.h"
#include "tokens/oauth.h"

enum {
    COMMAND_OUTPUT_MAX = 64 * 1024, /* bytes that a program may print */
    COMMAND_SECRET_MAX = 16 * 1024
};

/* One JSON object: the secret under exactly one of `access_token`, `token` and
 * `secret`, and perhaps `expires_in`, in seconds; without that it is good for life_s.
 * Others are passed over. Texts of *out live in the arena. REASON_COMMAND_MALFORMED. */
MUST_USE enum reason command_answer(struct text printed, int64_t life_s,
                                    struct arena *arena, struct oauth_answer *out);

#endif
