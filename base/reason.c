/* The rows of reason.def as a table, and the four columns read from it. */
#include "base/reason.h"

#include <assert.h>

struct row {
    const char *token;
    int status;
    const char *proxy_error;
    const char *sentence;
};

static const struct row rows[REASON_COUNT] = {
    [REASON_OK] = { "ok", 200, "", "Nothing stands against it." },
#define REASON(name, token, status, error, sentence)                                   \
    [REASON_##name] = { token, status, error, sentence },
#include "base/reason.def"
#undef REASON
};

static const struct row *
row_of(enum reason why)
{
    assert((unsigned)why < REASON_COUNT);
    return &rows[why];
}

const char *
reason_token(enum reason why)
{
    return row_of(why)->token;
}

int
reason_status(enum reason why)
{
    return row_of(why)->status;
}

const char *
reason_proxy_error(enum reason why)
{
    return row_of(why)->proxy_error;
}

const char *
reason_sentence(enum reason why)
{
    return row_of(why)->sentence;
}
