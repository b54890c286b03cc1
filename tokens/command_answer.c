#include "tokens/command_answer.h"

#include "base/json.h"
#include "tokens/presenter.h"

/* Two that differ would leave it to us which one is meant. */
static bool
read_secret(const struct json *told, struct text *out)
{
    static const char *const names[] = { "access_token", "token", "secret" };
    size_t n = 0;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct json *member = json_get(told, names[i]);

        if (member == NULL)
            continue;
        if (!json_text(member, out))
            return false;
        n++;
    }
    return n == 1 && out->n <= COMMAND_SECRET_MAX && secret_may_be_put(*out);
}

static bool
read_life(const struct json *told, int64_t life_s, int64_t *out)
{
    const struct json *life = json_get(told, "expires_in");

    *out = life_s;
    if (life == NULL)
        return true;
    if (!json_number(life, out))
        return false;
    if (*out > OAUTH_LIFE_MAX_S)
        *out = OAUTH_LIFE_MAX_S;
    return *out > 0;
}

enum reason
command_answer(struct text printed, int64_t life_s, struct arena *arena,
               struct oauth_answer *out)
{
    struct json *told = json_parse(printed, COMMAND_OUTPUT_MAX);
    enum reason why = REASON_COMMAND_MALFORMED;
    struct text secret;

    *out = (struct oauth_answer){ .lives_s = 0 };
    if (json_is_object(told) && read_secret(told, &secret) &&
        read_life(told, life_s, &out->lives_s)) {
        out->token = arena_copy(arena, secret);
        why = REASON_OK;
    }
    json_free(told);
    return why;
}
