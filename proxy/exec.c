#include "proxy/exec.h"

#include "base/json_write.h"
#include "filters/chain.h"
#include "proxy/ctl_line.h"
#include "proxy/environment.h"
#include "proxy/person.h"
#include "proxy/run.h"
#include "proxy/tend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a real credential, or another way out, would be called. */
static const char *const taken_away[] = { "ALL_PROXY", "all_proxy" };

/* ---- the environment */

static void
put(void *to, const char *name, struct text value)
{
    char *z = strndup(value.n > 0 ? value.at : "", value.n);

    (void)to;
    if (z == NULL || setenv(name, z, 1) != 0)
        abort();
    free(z);
}

static void
put_handles(const struct json *handles)
{
    const struct json *handle;
    struct text name, value;

    for (size_t i = 0; (handle = json_member(handles, i, &name)) != NULL; i++) {
        char *z = strndup(name.at, name.n);

        if (z != NULL && json_string(handle, &value))
            put(NULL, z, value);
        free(z);
    }
}

/* Git asks without a credential first unless it is told not to. */
static void
put_person(const struct person *p)
{
    put(NULL, "GIT_HTTP_PROXY_AUTHMETHOD", TEXT("basic"));
    put(NULL, "HOME", text_z(p->home));
    put(NULL, "SHELL", text_z(p->shell));
    put(NULL, "USER", text_z(p->name));
    put(NULL, "LOGNAME", text_z(p->name));
}

/* Ours, as it will be the command's. The task's own handles take the place of others of
 * their name. */
static int
fill(const struct exec *e, const struct conf *conf, const struct person *p,
     const struct json *task)
{
    struct environment all = { .ctl = e->ctl, .conf = conf, .uid = (long)p->uid };
    struct text id = { 0 }, password = { 0 };
    struct buf credential = { 0 };
    int code;

    (void)json_string(json_get(task, "id"), &id);
    (void)json_string(json_get(task, "password"), &password);
    buf_printf(&credential, "%.*s:%.*s", TEXT_ARG(id), TEXT_ARG(password));
    all.credential = buf_text(&credential);
    for (size_t i = 0; i < sizeof taken_away / sizeof taken_away[0]; i++)
        (void)unsetenv(taken_away[i]);
    put_person(p);
    code = environment_tell(&all, put, NULL);
    put_handles(json_get(task, "handles"));
    buf_wipe(&credential);
    return code;
}

/* ---- the task */

static int
begin(const struct exec *e, const struct person *p, struct ctl_line *lease,
      struct json **task)
{
    struct ctl_terms terms = e->terms;
    struct buf question = { 0 };
    int code;

    terms.uid = (int64_t)p->uid;
    *task = NULL;
    ctl_task_question(&question, &terms, true);
    ctl_question_end(&question);
    code = ctl_line_open(e->ctl, buf_text(&question), false, false, lease);
    if (code == EXIT_OK)
        *task = ctl_line_answer(lease, &code);
    buf_free(&question);
    return code;
}

/* It may have ended long ago, and Holdfast as well. */
static void
end(struct ctl_line *lease, const struct json *task)
{
    struct buf question = { 0 };
    struct text id, ignored;

    if (!json_string(json_get(task, "id"), &id))
        return;
    ctl_question(&question, "task_end");
    json_put_text(&question, "id", id);
    ctl_question_end(&question);
    ctl_line_say(lease, buf_text(&question));
    if (!ctl_line_next(lease, &ignored) && lease->is_late)
        (void)ctl_complain(false, EXIT_OK,
                           "nobody has said yet that the task has ended");
    buf_free(&question);
}

static int
run(const struct exec *e, const struct conf *conf, const struct person *p)
{
    struct ctl_line lease;
    struct json *task;
    int code = begin(e, p, &lease, &task);

    if (code == EXIT_OK)
        code = fill(e, conf, p, task);
    if (code == EXIT_RUNTIME)
        code = EXIT_NO_TASK;
    if (code == EXIT_OK) {
        code = tend(p, e->command);
        end(&lease, task);
    }
    json_free(task);
    ctl_line_close(&lease);
    return code;
}

int
holdfast_exec(const struct exec *e)
{
    struct buf report = { 0 };
    struct conf *conf = NULL;
    struct person person;
    int code = EXIT_CONFIG;
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);

    if (conf_load(e->ctl->config, tables, n, &report, &conf) == REASON_OK)
        code = person_find(conf, e->user, e->uid, &person);
    fwrite(buf_text(&report).at, 1, buf_length(&report), stderr);
    if (code == EXIT_OK) {
        code = run(e, conf, &person);
        person_clear(&person);
    }
    buf_free(&report);
    conf_free(conf);
    return code;
}
