#include "proxy/ctl.h"

#include "base/json_write.h"
#include "proxy/ctl_line.h"
#include "proxy/ctl_print.h"
#include "proxy/run.h"

#include <stdio.h>

int
ctl_ask(const struct ctl *c, struct text question, bool quiet, struct buf *answer)
{
    struct ctl_line l;
    struct text line;
    int code = ctl_line_open(c, question, false, quiet, &l);

    if (code == EXIT_OK && ctl_line_next(&l, &line))
        buf_add(answer, line);
    else if (code == EXIT_OK)
        code = ctl_complain(quiet, EXIT_RUNTIME, "%s", ctl_line_silence(&l));
    ctl_line_close(&l);
    return code;
}

/* One that is answered at once, or when every worker has obeyed. Ends the question.
 * print NULL: the line as it came. judge NULL: an answer is good news. */
static int
ask_and_judge(const struct ctl *c, struct buf *question, bool patient,
              void (*print)(const struct json *answer),
              int (*judge)(const struct json *answer))
{
    struct ctl_line l;
    struct json *answer;
    int code;

    ctl_question_end(question);
    code = ctl_line_open(c, buf_text(question), patient, false, &l);
    if (code == EXIT_OK && (answer = ctl_line_answer(&l, &code)) != NULL) {
        if (print == NULL)
            printf("%.*s\n", (int)(l.taken - 1), buf_text(&l.in).at);
        else
            print(answer);
        if (judge != NULL)
            code = judge(answer);
        json_free(answer);
    }
    ctl_line_close(&l);
    buf_free(question);
    return code;
}

static int
ask(const struct ctl *c, struct buf *question, bool patient,
    void (*print)(const struct json *answer))
{
    return ask_and_judge(c, question, patient, print, NULL);
}

/* A health check asks nothing else. */
static int
judge_status(const struct json *answer)
{
    bool serving = false;

    (void)json_bool(json_get(answer, "serving"), &serving);
    return serving ? EXIT_OK : EXIT_RUNTIME;
}

int
ctl_status(const struct ctl *c, bool json)
{
    struct buf question = { 0 };

    ctl_question(&question, "status");
    return ask_and_judge(c, &question, false, json ? NULL : print_status, judge_status);
}

/* ---- tasks */

void
ctl_task_question(struct buf *out, const struct ctl_terms *terms, bool is_lease)
{
    ctl_question(out, "task_start");
    json_put_z(out, "grant", terms->grant);
    if (terms->purpose != NULL)
        json_put_z(out, "purpose", terms->purpose);
    if (terms->ttl != NULL)
        json_put_z(out, "ttl", terms->ttl);
    if (terms->max_requests >= 0)
        json_put_number(out, "max_requests", terms->max_requests);
    if (terms->uid >= 0)
        json_put_number(out, "uid", terms->uid);
    if (is_lease)
        json_put_bool(out, "lease", true);
}

int
ctl_task_start(const struct ctl *c, const struct ctl_terms *terms, bool json)
{
    struct buf question = { 0 };

    ctl_task_question(&question, terms, false);
    return ask(c, &question, false, json ? NULL : print_task_started);
}

/* What the grant lets run on may take its time. */
int
ctl_task_end(const struct ctl *c, const char *id, bool json)
{
    struct buf question = { 0 };

    ctl_question(&question, "task_end");
    json_put_z(&question, "id", id);
    return ask(c, &question, true, json ? NULL : print_task_ended);
}

int
ctl_task_list(const struct ctl *c, const char *grant, bool json)
{
    struct buf question = { 0 };

    ctl_question(&question, "task_list");
    if (grant != NULL)
        json_put_z(&question, "grant", grant);
    return ask(c, &question, false, json ? NULL : print_tasks);
}

int
ctl_task_show(const struct ctl *c, const char *id, bool json)
{
    struct buf question = { 0 };

    ctl_question(&question, "task_show");
    json_put_z(&question, "id", id);
    return ask(c, &question, false, json ? NULL : print_task);
}

int
ctl_task_revoke(const struct ctl *c, const char *grant, bool json)
{
    struct buf question = { 0 };

    ctl_question(&question, "task_revoke");
    if (grant != NULL)
        json_put_z(&question, "grant", grant);
    else
        json_put_bool(&question, "all", true);
    return ask(c, &question, false, json ? NULL : print_revoked);
}

/* ---- reload, drain, tail */

/* For verbs that are told to wait or not to. */
static int
tell(const struct ctl *c, const char *verb, bool wait,
     void (*print)(const struct json *answer, bool waited))
{
    struct buf question = { 0 };
    struct ctl_line l;
    struct json *answer;
    int code;

    ctl_question(&question, verb);
    json_put_bool(&question, "wait", wait);
    ctl_question_end(&question);
    code = ctl_line_open(c, buf_text(&question), wait, false, &l);
    if (code == EXIT_OK && (answer = ctl_line_answer(&l, &code)) != NULL) {
        print(answer, wait);
        json_free(answer);
    }
    ctl_line_close(&l);
    buf_free(&question);
    return code;
}

int
ctl_reload(const struct ctl *c, bool wait)
{
    return tell(c, "reload", wait, print_reloaded);
}

int
ctl_drain(const struct ctl *c, bool wait)
{
    return tell(c, "drain", wait, print_drained);
}

int
ctl_tail(const struct ctl *c, bool denied, const char *grant, const char *host,
         bool json)
{
    struct buf question = { 0 };
    struct ctl_line l;
    struct text line;
    int code;

    ctl_question(&question, "tail");
    json_put_bool(&question, "denied", denied);
    if (grant != NULL)
        json_put_z(&question, "grant", grant);
    if (host != NULL)
        json_put_z(&question, "host", host);
    ctl_question_end(&question);
    code = ctl_line_open(c, buf_text(&question), true, false, &l);
    if (code == EXIT_OK) {
        json_free(ctl_line_answer(&l, &code));
        while (code == EXIT_OK && !ferror(stdout) && ctl_line_next(&l, &line))
            print_log_line(line, json);
    }
    ctl_line_close(&l);
    buf_free(&question);
    return code;
}
