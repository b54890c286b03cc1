/* `holdfast explain METHOD URL`: what would be said of this request, by whom, and by
 * which line of the config. Resolves and dials nothing. */
#include "base/clock.h"
#include "base/path.h"
#include "filters/chain.h"
#include "proxy/run.h"

#include <stdio.h>
#include <string.h>

struct question {
    struct arena *arena;
    struct conf *conf;
    struct chain *chain;
    struct caller caller;
    struct request request;
    struct view view;
};

static enum reason
read_url(struct question *q, const char *url)
{
    struct text rest = text_z(url), scheme, authority = { 0 }, target;
    const char *mark = strstr(url, "://"), *slash;
    enum reason why;

    if (mark == NULL)
        return REASON_TARGET;
    scheme = text_of(url, (size_t)(mark - url));
    if (!text_equals(scheme, TEXT("https")) && !text_equals(scheme, TEXT("http")))
        return REASON_TARGET;
    rest = text_z(mark + 3);
    slash = memchr(rest.at, '/', rest.n);
    authority = slash != NULL ? text_of(rest.at, (size_t)(slash - rest.at)) : rest;
    target = slash != NULL ? text_z(slash) : TEXT("/");
    q->view.scheme = scheme;
    if ((why = authority_parse(authority, text_equals(scheme, TEXT("http")) ? 80 : 443,
                               &q->view.target)) != REASON_OK)
        return why;
    return path_normalise(q->arena, target, &q->view.path, &q->view.query);
}

static void
set_up(struct question *q, long uid, const char *method)
{
    const struct conf_door *doors = q->conf->doors.at;

    if (uid < 0)
        uid = (long)q->conf->workload.uid;
    q->caller = (struct caller){ .has_uid = uid >= 0, .uid = (uint32_t)uid };
    q->request.method = text_z(method);
    headers_init(&q->request.headers, q->arena);
    q->view.arena = q->arena;
    q->view.conf = q->conf;
    q->view.now_s = clock_wall_s();
    q->view.caller = &q->caller;
    q->view.request = &q->request;
    for (size_t i = 0; i < q->conf->doors.n; i++)
        if (doors[i].kind == DOOR_FORWARD)
            q->view.door = &doors[i];
    headers_init(&q->view.removed, q->arena);
}

static void
print_notes(const struct note *n)
{
    if (n == NULL)
        return;
    print_notes(n->next);
    printf("note      %.*s\n", TEXT_ARG(n->text));
}

static void
print_asked(const struct question *q)
{
    const struct view *v = &q->view;

    if (q->caller.has_uid)
        printf("caller    uid %u\n", q->caller.uid);
    else
        printf("caller    unknown\n");
    printf("target    %s port %u, %.*s\n", v->target.host.name, v->target.port,
           TEXT_ARG(v->scheme));
    printf("request   %.*s %.*s\n", TEXT_ARG(q->request.method), TEXT_ARG(v->path));
}

static void
print_rule(const struct view *v)
{
    const struct conf_rule *rule = v->rule;

    if (v->rule_place.file != NULL)
        printf("rule      %s:%u\n", v->rule_place.file, v->rule_place.line);
    if (v->grant != NULL)
        printf("grant     %s (owner %s, approved by %s, %s)\n", v->grant->name,
               v->grant->owner, v->grant->approved_by, v->grant->ticket);
    if (rule == NULL)
        return;
    if (rule->credential == NULL)
        printf("presents  nothing\n");
    for (size_t i = 0; rule->credential != NULL && i < rule->bind.n; i++)
        printf("presents  credential %s, bound as %s\n", rule->credential,
               rule->bind.at[i]);
    printf("address   %s\n", rule->addresses.n > 0
                                 ? "public, or in the rule's addresses"
                                 : "public only");
}

static int
say(const struct question *q, enum reason why, const char *by)
{
    print_asked(q);
    print_rule(&q->view);
    print_notes(q->view.notes);
    if (why == REASON_OK) {
        printf("verdict   allowed%s\n",
               q->view.target.host.address.family == 0
                   ? ", if every address it resolves to is one of those"
                   : "");
        return EXIT_OK;
    }
    printf("verdict   refused with %d %s by %s: %s\n", reason_status(why),
           reason_token(why), by, reason_sentence(why));
    return EXIT_DENIED;
}

static int
answer(struct question *q, long uid, const char *method, const char *url)
{
    struct verdict verdict;
    const char *by = NULL;
    enum reason why;

    set_up(q, uid, method);
    if (q->view.door == NULL) {
        fprintf(stderr,
                "the config has no forward door: nothing goes out through it\n");
        return EXIT_USAGE;
    }
    if ((why = read_url(q, url)) != REASON_OK) {
        fprintf(stderr, "%s: %s\n", url, reason_sentence(why));
        return EXIT_USAGE;
    }
    verdict = chain_run(q->chain, CHAIN_JUDGE, &q->view, &by);
    /* A literal address is judged like a resolved one. */
    if (verdict.answer == PASS && q->view.target.host.address.family != 0) {
        by = "guard";
        verdict.reason = chain_judge_addresses(q->chain, &q->view,
                                               &q->view.target.host.address, 1);
    }
    return say(q, verdict.reason, by);
}

int
holdfast_explain(const char *path, long uid, const char *method, const char *url)
{
    struct question q = { .arena = arena_new() };
    struct buf report = { 0 };
    int code = EXIT_CONFIG;
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);

    if (conf_load(path, tables, n, &report, &q.conf) == REASON_OK &&
        chain_open(q.conf, &report, &q.chain) == REASON_OK)
        code = answer(&q, uid, method, url);
    fwrite(buf_text(&report).at, 1, buf_length(&report), stderr);
    buf_free(&report);
    chain_close(q.chain);
    conf_free(q.conf);
    arena_free(q.arena);
    return code;
}
