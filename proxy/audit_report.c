/* The gathering; audit_report_print.c says it. What is told together is kept as one
 * JSON object, the members picked from a record: those that are alike are counted. */
#include "proxy/audit_report.h"

#include "base/json_write.h"
#include "base/memory.h"
#include "proxy/audit_book.h"

#include <stdlib.h>
#include <string.h>

/* ---- picking */

static bool
is(const struct json *record, const char *name, const char *what)
{
    return text_equals(json_text_of(record, name), text_z(what));
}

static void
put_list(struct buf *out, const char *name, const struct json *list)
{
    struct text t;

    json_open(out, name, '[');
    for (size_t i = 0; i < json_count(list); i++)
        if (json_string(json_at(list, i), &t))
            json_put_text(out, NULL, t);
    json_close(out, ']');
}

/* The members of these names that are there, as an object; the names end with NULL. */
static void
pick(const struct json *record, const char *const *names, struct buf *out)
{
    struct text t;
    int64_t n;

    json_open(out, NULL, '{');
    for (; *names != NULL; names++) {
        const struct json *value = json_get(record, *names);

        if (json_string(value, &t))
            json_put_text(out, *names, t);
        else if (json_number(value, &n))
            json_put_number(out, *names, n);
        else if (json_is_array(value))
            put_list(out, *names, value);
    }
    json_close(out, '}');
}

static void
count(struct tally *t, const struct json *record, const char *const *names)
{
    struct buf picked = { 0 };

    pick(record, names, &picked);
    tally_add(t, buf_text(&picked));
    buf_free(&picked);
}

static void
keep(char **at, const struct json *record, const char *const *names)
{
    struct buf picked = { 0 };

    pick(record, names, &picked);
    buf_add_byte(&picked, '\0');
    free(*at);
    *at = memory_copy_z(buf_text(&picked).at);
    buf_free(&picked);
}

/* ---- pages */

static struct page *
page_of(struct audit_book *b, struct text grant)
{
    struct tallied *t;

    if (b->only != NULL && !text_equals(grant, text_z(b->only)))
        return NULL;
    t = tally_add(&b->grants, grant);
    if (t->of == NULL)
        t->of = memory_new(sizeof(struct page));
    return t->of;
}

static struct task_page *
task_of(struct page *p, struct text task)
{
    struct tallied *t = tally_add(&p->tasks, task);

    if (t->of == NULL)
        t->of = memory_new(sizeof(struct task_page));
    return t->of;
}

static void
note_time(struct page *p, const struct json *record)
{
    struct text ts = json_text_of(record, "ts");

    if (ts.n != sizeof p->first - 1)
        return;
    if (p->first[0] == '\0')
        memcpy(p->first, ts.at, ts.n);
    memcpy(p->last, ts.at, ts.n);
}

static void
take_grant(struct audit_book *b, const struct json *record)
{
    static const char *const names[] = { "owner",       "approved_by", "ticket",
                                         "approved_at", "expires_at",  "purposes",
                                         "task",        "ttl_s",       NULL };
    struct page *p = page_of(b, json_text_of(record, "name"));

    if (p != NULL)
        count(&p->approvals, record, names);
}

static void
take_credential(struct audit_book *b, const struct json *record)
{
    static const char *const names[] = { "owner",          "approved_by", "ticket",
                                         "rotate_every_s", "privileges",  "source",
                                         "revocation",     NULL };
    struct tallied *t = tally_add(&b->credentials, json_text_of(record, "name"));

    if (t->of == NULL)
        t->of = memory_new(sizeof(struct tally));
    count(t->of, record, names);
}

static void
take_task_start(struct page *p, const struct json *record)
{
    static const char *const names[] = { "ts", "purpose", "mode",         "caller",
                                         "by", "ttl_s",   "max_requests", NULL };

    keep(&task_of(p, json_text_of(record, "task"))->start, record, names);
}

static void
take_task_end(struct page *p, const struct json *record)
{
    static const char *const names[] = { "ts",         "cause", "allowed",
                                         "refused",    "cut",   "ms",
                                         "revocation", "by",    NULL };

    keep(&task_of(p, json_text_of(record, "task"))->end, record, names);
}

static void
take_revocation(struct page *p, const struct json *record)
{
    static const char *const names[] = { "ts", "outcome", NULL };

    keep(&task_of(p, json_text_of(record, "task"))->revocation, record, names);
}

static const char *const token_names[] = { "token", "task",       "credential", "form",
                                           "ts",    "expires_at", NULL };

static struct token_page *
token_of(struct page *p, const struct json *record)
{
    struct text expires = json_text_of(record, "expires_at");
    struct token_page *token;
    struct buf key = { 0 };
    struct tallied *t;

    buf_add(&key, json_text_of(record, "task"));
    buf_add_byte(&key, ' ');
    buf_add(&key, json_text_of(record, "token"));
    t = tally_add(&p->tokens, buf_text(&key));
    buf_free(&key);
    if (t->of == NULL)
        t->of = memory_new(sizeof *token);
    token = t->of;
    if (expires.n == sizeof token->expires - 1)
        memcpy(token->expires, expires.at, expires.n);
    return token;
}

static void
take_token(struct page *p, const struct json *record)
{
    struct token_page *t = token_of(p, record);

    keep(&t->got, record, token_names);
    t->left++;
}

static void
keep_outcome(struct token_page *t, const struct json *record)
{
    struct buf outcome = { 0 };

    free(t->outcome);
    buf_add(&outcome, json_text_of(record, "outcome"));
    buf_add_byte(&outcome, '\0');
    t->outcome = memory_copy_z(buf_text(&outcome).at);
    buf_free(&outcome);
}

/* What could not be taken back stays, though its beginning may have been lost. */
static void
take_token_end(struct page *p, const struct json *record)
{
    struct token_page *t = token_of(p, record);

    if (t->got == NULL)
        keep(&t->got, record, token_names);
    if (is(record, "outcome", "expired")) {
        t->left -= t->left > 0;
        return;
    }
    keep_outcome(t, record);
    if (is(record, "outcome", "revoked"))
        t->left = 0;
    else if (t->left == 0)
        t->left = 1;
}

static void
take_allowed(struct page *p, const struct json *record)
{
    static const char *const reached[] = { "to", "method", NULL };
    static const char *const binding[] = { "binding", "unbound_because", NULL };

    p->allowed++;
    count(&p->reached, record, reached);
    if (json_get(record, "binding") != NULL)
        count(&p->bindings, record, binding);
    if (json_get(record, "credential") != NULL)
        tally_add(&p->credentials, json_text_of(record, "credential"));
}

static void
take_decision(struct page *p, const struct json *record)
{
    static const char *const reason[] = { "reason", NULL };
    static const char *const purpose[] = { "purpose", NULL };

    if (json_get(record, "purpose") != NULL)
        count(&p->purposes, record, purpose);
    /* A refused one may be a task of another grant than the one that came nearest. */
    if (is(record, "verdict", "allow")) {
        if (json_text_of(record, "task").n > 0)
            task_of(p, json_text_of(record, "task"));
        take_allowed(p, record);
    } else {
        p->refused++;
        count(&p->refusals, record, reason);
    }
}

static void
take_alarm(struct page *p, const struct json *record)
{
    static const char *const names[] = { "alarm", "credential", "who", "to", NULL };

    count(&p->alarms, record, names);
}

/* ---- the book */

struct audit_book *
audit_book_new(const char *grant)
{
    struct audit_book *b = memory_new(sizeof *b);

    b->only = grant;
    return b;
}

bool
audit_book_lacks(const struct audit_book *b)
{
    return b->only != NULL && b->grants.n == 0;
}

bool
audit_book_take(void *owner, struct text line, const struct json *record)
{
    static const struct {
        const char *kind;
        void (*take)(struct page *p, const struct json *record);
    } kinds[] = { { "decision", take_decision }, { "task_start", take_task_start },
                  { "task_end", take_task_end }, { "revocation", take_revocation },
                  { "token", take_token },       { "token_end", take_token_end },
                  { "alarm", take_alarm } };
    struct audit_book *b = owner;
    struct page *p;

    (void)line;
    if (is(record, "kind", "grant"))
        take_grant(b, record);
    else if (is(record, "kind", "credential"))
        take_credential(b, record);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!is(record, "kind", kinds[i].kind))
            continue;
        if ((p = page_of(b, json_text_of(record, "grant"))) == NULL)
            continue;
        note_time(p, record);
        kinds[i].take(p, record);
    }
    return true;
}

static void
free_tasks(struct tally *tasks)
{
    for (struct tallied *t = tasks->first; t != NULL; t = t->after) {
        struct task_page *task = t->of;

        free(task->start);
        free(task->end);
        free(task->revocation);
        free(task);
    }
    tally_free(tasks);
}

static void
free_tokens(struct tally *tokens)
{
    for (struct tallied *t = tokens->first; t != NULL; t = t->after) {
        struct token_page *token = t->of;

        free(token->got);
        free(token->outcome);
        free(token);
    }
    tally_free(tokens);
}

static void
free_page(struct page *p)
{
    free_tasks(&p->tasks);
    free_tokens(&p->tokens);
    tally_free(&p->approvals);
    tally_free(&p->credentials);
    tally_free(&p->purposes);
    tally_free(&p->reached);
    tally_free(&p->refusals);
    tally_free(&p->bindings);
    tally_free(&p->alarms);
    free(p);
}

void
audit_book_free(struct audit_book *b)
{
    for (struct tallied *t = b->grants.first; t != NULL; t = t->after)
        free_page(t->of);
    for (struct tallied *t = b->credentials.first; t != NULL; t = t->after) {
        tally_free(t->of);
        free(t->of);
    }
    tally_free(&b->grants);
    tally_free(&b->credentials);
    free(b);
}
