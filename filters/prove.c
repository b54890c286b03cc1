/* prove: a password of a task, compared by tasks/roll.c in constant time. */
#include "filters/prove.h"

#include "base/log.h"
#include "filters/basic.h"

static enum reason
refuse(struct view *v, enum reason why)
{
    struct log_line *l = log_line_begin(LOG_WARN, "alarm");
    char to[AUTHORITY_PRINT_SIZE];

    v->alarmed = why == REASON_FOREIGN_HANDLE ? v->handle_credential
                                              : "Proxy-Authorization";
    log_line_z(l, "kind", reason_token(why));
    if (v->caller->has_uid)
        log_line_number(l, "uid", v->caller->uid);
    log_line_text(l, "to", authority_print(&v->target, 0, to));
    log_line_end(l);
    return why;
}

static bool
looks_like_a_task(struct text user)
{
    return user.n > 2 && text_equals(text_of(user.at, 2), TEXT("t-"));
}

static enum reason
prove_one(struct view *v, struct text value)
{
    struct text user, password;
    struct task *k;

    if (!basic_is(value) ||
        !basic_split(basic_decode(v->arena, value), &user, &password))
        return REASON_OK;
    k = roll_prove(v->roll, user, password);
    if (k == NULL)
        return looks_like_a_task(user) ? REASON_PROXY_CREDENTIAL : REASON_OK;
    if (!caller_matches(v->caller, task_caller(k)) ||
        (v->proven != NULL && v->proven != k))
        return REASON_PROXY_CREDENTIAL;
    v->proven = k;
    return REASON_OK;
}

static enum reason
prove_all(struct view *v)
{
    const struct headers *h = &v->request->headers;
    enum reason why = REASON_OK;

    for (size_t i = 0; i < h->n && why == REASON_OK; i++)
        if (text_equals_nocase(h->at[i].name, TEXT("Proxy-Authorization")))
            why = prove_one(v, h->at[i].value);
    return why;
}

static struct verdict
prove_request(void *state, struct view *v)
{
    enum reason why = REASON_OK;

    (void)state;
    if (v->roll == NULL)
        return pass();
    if (!v->tunnelled)
        why = prove_all(v);
    /* A handle of one task in the hands of another was copied. */
    if (why == REASON_OK && v->proven != NULL && v->handle_task != NULL &&
        v->handle_task != v->proven)
        why = REASON_FOREIGN_HANDLE;
    return why == REASON_OK ? pass() : deny(refuse(v, why));
}

const struct filter prove_filter = {
    .name = "prove",
    .on_request = prove_request,
};
