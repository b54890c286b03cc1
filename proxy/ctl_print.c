#include "proxy/ctl_print.h"

#include "base/buf.h"
#include "base/escape.h"
#include "proxy/run.h"

#include <inttypes.h>
#include <stdlib.h>

void
print_text(FILE *to, struct text t)
{
    while (t.n > 0) {
        size_t n = escape_plain(t);
        char form[ESCAPE_MAX];

        fwrite(t.at, 1, n, to);
        t = text_of(t.at + n, t.n - n);
        if (t.n == 0)
            return;
        if (t.at[0] == '"') {
            fputc(t.at[0], to);
            t = text_of(t.at + 1, t.n - 1);
        } else {
            n = escape_one(&t, form);
            fwrite(form, 1, n, to);
        }
    }
}

/* ---- members */

static struct text
text_in(const struct json *object, const char *name)
{
    struct text t;

    return json_string(json_get(object, name), &t) ? t : TEXT("-");
}

static int64_t
number_in(const struct json *object, const char *name)
{
    int64_t n;

    return json_number(json_get(object, name), &n) ? n : 0;
}

static void
say(const char *before, const struct json *object, const char *name, const char *behind)
{
    fputs(before, stdout);
    print_text(stdout, text_in(object, name));
    fputs(behind, stdout);
}

/* ---- status */

/* The two largest units: "3 d 4 h", "12 s". */
static void
say_duration(int64_t seconds)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
    size_t i = 0;

    while (i < 3 && seconds < units[i].seconds)
        i++;
    printf("%" PRId64 " %s", seconds / units[i].seconds, units[i].name);
    seconds %= units[i].seconds;
    if (i < 3 && seconds / units[i + 1].seconds > 0)
        printf(" %" PRId64 " %s", seconds / units[i + 1].seconds, units[i + 1].name);
}

static void
say_errors(FILE *to, const char *before, const struct json *holder)
{
    const struct json *errors = json_get(holder, "errors");
    struct text t;

    for (size_t i = 0; i < json_count(errors); i++) {
        if (!json_string(json_at(errors, i), &t))
            continue;
        fputs(before, to);
        print_text(to, t);
        fputc('\n', to);
    }
}

static void
say_reload(const struct json *reload)
{
    if (!json_is_object(reload)) {
        printf("last reload  none\n");
        return;
    }
    if (text_equals(text_in(reload, "result"), TEXT("ok")))
        fputs("last reload  taken over", stdout);
    else
        say("last reload  rejected (", reload, "result", ")");
    say(", at ", reload, "at", "\n");
    say_errors(stdout, "             ", reload);
}

static void
say_doors(const struct json *doors)
{
    for (size_t i = 0; i < json_count(doors); i++) {
        say("door         ", json_at(doors, i), "kind", " ");
        say("", json_at(doors, i), "address", "\n");
    }
}

static void
say_workers(const struct json *workers)
{
    for (size_t i = 0; i < json_count(workers); i++) {
        const struct json *w = json_at(workers, i);

        printf("worker %-5zu %" PRId64 " connections, %" PRId64
               " in handshake, %" PRId64 " served, %" PRId64 " refused, %" PRId64
               " leaves, %" PRId64 " pooled, lag %" PRId64 " ms\n",
               i, number_in(w, "connections"), number_in(w, "handshakes"),
               number_in(w, "served"), number_in(w, "refused"), number_in(w, "leaves"),
               number_in(w, "pool"), number_in(w, "lag_us") / 1000);
    }
}

static void
say_expiry(int64_t left_s)
{
    if (left_s < 0) {
        printf(", expired");
        return;
    }
    printf(", expires in ");
    say_duration(left_s);
}

static void
say_credentials(const struct json *credentials)
{
    int64_t age, left;

    for (size_t i = 0; i < json_count(credentials); i++) {
        const struct json *c = json_at(credentials, i);

        say("credential   ", c, "name", "");
        say(": from ", c, "source", "");
        if (json_is_string(json_get(c, "state")))
            say(", ", c, "state", "");
        if (json_number(json_get(c, "age_s"), &age)) {
            printf(", ");
            say_duration(age);
            printf(" old");
        }
        if (json_number(json_get(c, "expires_in_s"), &left))
            say_expiry(left);
        putchar('\n');
    }
}

static void
say_witness(const struct json *witness)
{
    bool failing = false;
    int64_t age;

    if (!json_is_object(witness))
        return;
    (void)json_bool(json_get(witness, "failing"), &failing);
    say("witness      ", witness, "url", "");
    printf(": checkpoint %" PRId64, number_in(witness, "checkpoint"));
    if (json_number(json_get(witness, "age_s"), &age)) {
        printf(", ");
        say_duration(age);
        printf(" ago");
    }
    printf(", %" PRId64 " waiting, %" PRId64 " failures%s\n",
           number_in(witness, "waiting"), number_in(witness, "failures"),
           failing ? "; it does not acknowledge" : "");
}

static void
say_ledger(const struct json *ledger)
{
    bool failed = false;

    if (!json_is_object(ledger)) {
        printf("ledger       none\n");
        return;
    }
    (void)json_bool(json_get(ledger, "failed"), &failed);
    say("ledger       ", ledger, "keep", "");
    printf(": %" PRId64 " records, %" PRId64 " queued, %" PRId64 " lost, last %" PRId64
           ", checkpoint %" PRId64 "%s\n",
           number_in(ledger, "records"), number_in(ledger, "queued"),
           number_in(ledger, "lost"), number_in(ledger, "last"),
           number_in(ledger, "checkpoint"),
           failed ? "; it cannot be written, and nothing leaves" : "");
    say_witness(json_get(ledger, "witness"));
}

void
print_status(const struct json *a)
{
    const struct json *config = json_get(a, "config");
    bool draining = false, serving = false;

    (void)json_bool(json_get(a, "draining"), &draining);
    (void)json_bool(json_get(a, "serving"), &serving);
    say("holdfast ", a, "version", "");
    printf(", pid %" PRId64 ", %s, up ", number_in(a, "pid"),
           draining  ? "draining"
           : serving ? "serving"
                     : "a worker is stuck");
    say_duration(number_in(a, "uptime_s"));
    printf("\ngeneration   %" PRId64, number_in(a, "generation"));
    say(", loaded ", config, "loaded_at", "\n");
    say("config       ", config, "path", "\n");
    say("             sha256 ", config, "sha256", "\n");
    say_reload(json_get(a, "last_reload"));
    say_doors(json_get(a, "doors"));
    say_workers(json_get(a, "workers"));
    say_credentials(json_get(a, "credentials"));
    say_ledger(json_get(a, "ledger"));
}

/* ---- the others */

void
print_reloaded(const struct json *answer, bool waited)
{
    if (waited)
        printf("generation %" PRId64 " is in force\n", number_in(answer, "generation"));
    else
        printf("asked: `holdfast status` tells what came of it\n");
}

void
print_drained(const struct json *answer, bool waited)
{
    (void)answer;
    printf(waited ? "ended\n" : "draining\n");
}

/* ---- tasks */

static void
say_deadline(const struct json *task)
{
    int64_t left_ms = number_in(task, "left_ms");

    say("deadline     ", task, "deadline", ", ");
    if (left_ms >= 0) {
        printf("in ");
        say_duration(left_ms / 1000);
        putchar('\n');
    } else {
        printf("passed\n");
    }
}

void
print_task_started(const struct json *answer)
{
    const struct json *handles = json_get(answer, "handles"), *handle;
    struct text name, value;

    say("task         ", answer, "id", "\n");
    say("grant        ", answer, "grant", "\n");
    say("purpose      ", answer, "purpose", "\n");
    say_deadline(answer);
    say("proxy        ", answer, "id", ":");
    say("", answer, "password", "\n");
    for (size_t i = 0; (handle = json_member(handles, i, &name)) != NULL; i++) {
        if (!json_string(handle, &value))
            continue;
        fputs("handle       ", stdout);
        print_text(stdout, name);
        putchar('=');
        print_text(stdout, value);
        putchar('\n');
    }
}

void
print_task_ended(const struct json *answer)
{
    say("", answer, "id", "");
    say(" ", answer, "cause", "");
    printf(": %" PRId64 " allowed, %" PRId64 " refused, %" PRId64 " cut",
           number_in(answer, "allowed"), number_in(answer, "refused"),
           number_in(answer, "cut"));
    if (!text_equals(json_text_of(answer, "revocation"), TEXT("none")))
        say("; its tokens: ", answer, "revocation", "");
    putchar('\n');
}

/* "no limit": it has no budget. */
static void
say_budget(const struct json *task)
{
    int64_t left;

    if (json_number(json_get(task, "requests_left"), &left))
        printf("%" PRId64 " requests left", left);
    else
        printf("no limit");
}

static void
say_task(const struct json *task)
{
    say("", task, "id", " ");
    say("", task, "grant", " ");
    say("", task, "purpose", " ");
    say("", task, "caller", ": ");
    say_duration(number_in(task, "left_ms") / 1000);
    printf(" left, %" PRId64 " allowed, %" PRId64 " refused, ",
           number_in(task, "allowed"), number_in(task, "refused"));
    say_budget(task);
    putchar('\n');
}

void
print_tasks(const struct json *answer)
{
    const struct json *tasks = json_get(answer, "tasks");

    for (size_t i = 0; i < json_count(tasks); i++)
        say_task(json_at(tasks, i));
}

void
print_task(const struct json *answer)
{
    say("task         ", answer, "id", "\n");
    say("grant        ", answer, "grant", "\n");
    say("owner        ", answer, "owner", "\n");
    say("approved by  ", answer, "approved_by", "\n");
    say("purpose      ", answer, "purpose", "\n");
    say("caller       ", answer, "caller", "\n");
    say("started      ", answer, "started", "\n");
    say_deadline(answer);
    printf("budget       ");
    say_budget(answer);
    printf("\nrequests     %" PRId64 " allowed, %" PRId64 " refused\n",
           number_in(answer, "allowed"), number_in(answer, "refused"));
    say("key          ", answer, "key", "\n");
}

void
print_revoked(const struct json *answer)
{
    int64_t n = number_in(answer, "ended");

    printf("%" PRId64 " %s ended\n", n, n == 1 ? "task" : "tasks");
}

int
print_failure(const struct json *answer)
{
    say_errors(stderr, "", answer);
    fputs("holdfast: ", stderr);
    print_text(stderr, text_in(answer, "error"));
    fputc('\n', stderr);
    return json_count(json_get(answer, "errors")) > 0 ? EXIT_CONFIG : EXIT_RUNTIME;
}

static void
say_list(const struct json *list)
{
    struct text t;

    for (size_t i = 0; i < json_count(list); i++) {
        if (i > 0)
            putchar(',');
        if (json_string(json_at(list, i), &t))
            print_text(stdout, t);
    }
}

static bool
may_stand_bare(struct text t)
{
    return t.n > 0 && escape_plain(t) == t.n && !text_has_byte(t, ' ') &&
           !text_has_byte(t, '=');
}

void
print_value(const struct json *value)
{
    struct buf quoted = { 0 };
    int64_t n;
    bool yes;
    struct text t;

    if (json_string(value, &t) && may_stand_bare(t)) {
        printf("%.*s", TEXT_ARG(t));
    } else if (json_string(value, &t)) {
        json_write_string(&quoted, t);
        printf("%.*s", TEXT_ARG(buf_text(&quoted)));
    } else if (json_number(value, &n)) {
        printf("%" PRId64, n);
    } else if (json_bool(value, &yes)) {
        printf(yes ? "true" : "false");
    } else {
        say_list(value);
    }
    buf_free(&quoted);
}

static bool
stands_in_front(struct text name)
{
    return text_equals(name, TEXT("ts")) || text_equals(name, TEXT("level")) ||
           text_equals(name, TEXT("msg"));
}

/* "12:34:56.789 info request x=7.1 …" */
static void
say_short(const struct json *line)
{
    struct text ts = text_in(line, "ts"), name;
    const struct json *value;

    if (ts.n == 24) /* the time of day */
        ts = text_of(ts.at + 11, 12);
    printf("%.*s ", TEXT_ARG(ts));
    say("", line, "level", " ");
    say("", line, "msg", "");
    for (size_t i = 0; (value = json_member(line, i, &name)) != NULL; i++) {
        if (stands_in_front(name))
            continue;
        printf(" %.*s=", TEXT_ARG(name));
        print_value(value);
    }
    putchar('\n');
}

void
print_log_line(struct text line, bool json)
{
    struct json *parsed = json ? NULL : json_parse(line, line.n);

    if (parsed != NULL)
        say_short(parsed);
    else
        printf("%.*s\n", TEXT_ARG(line));
    json_free(parsed);
    fflush(stdout);
}
