#include "proxy/explain.h"

#include "base/clock.h"
#include "base/path.h"
#include "filters/verify.h"
#include "proxy/explain_as.h"
#include "proxy/doors.h"
#include "proxy/run.h"

#include <stdio.h>
#include <string.h>

struct question {
    const struct explain *asked;
    struct arena *arena;
    struct conf *conf;
    struct chain *chain;
    struct caller caller;
    struct request request;
    struct view view;
    struct explained said;
};

/* ---- the request */

/* wss: and ws: are a GET over the other two, and what it asks for. */
static struct text
read_scheme(struct question *q, struct text scheme)
{
    bool secure = text_equals(scheme, TEXT("wss"));

    if (!secure && !text_equals(scheme, TEXT("ws")))
        return scheme;
    q->request.upgrade = UPGRADE_WEBSOCKET;
    return secure ? TEXT("https") : TEXT("http");
}

static enum reason
read_url(struct question *q, const char *url)
{
    struct text rest, scheme, authority = { 0 }, target;
    const char *mark = strstr(url, "://"), *slash;
    enum reason why;

    if (mark == NULL)
        return REASON_TARGET;
    scheme = read_scheme(q, text_of(url, (size_t)(mark - url)));
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

/* A field that is only named has a value that nothing knows. */
static void
add_fields(struct question *q)
{
    for (size_t i = 0; i < q->asked->n_fields; i++) {
        struct text rest = text_z(q->asked->fields[i]), name;

        if (text_split(&rest, ':', &name))
            headers_add(&q->request.headers, text_trim(name),
                        rest.at != NULL ? text_trim(rest) : TEXT("explained"));
    }
}

static void
set_up(struct question *q)
{
    long uid = q->asked->uid >= 0 ? q->asked->uid : (long)q->conf->workload.uid;

    q->caller = (struct caller){ .has_uid = uid >= 0, .uid = (uint32_t)uid };
    q->request.method = text_z(q->asked->method);
    headers_init(&q->request.headers, q->arena);
    add_fields(q);
    q->view.arena = q->arena;
    q->view.conf = q->conf;
    q->view.now_s = clock_wall_s();
    q->view.caller = &q->caller;
    q->view.request = &q->request;
    headers_init(&q->view.removed, q->arena);
    q->said.view = &q->view;
}

/* ---- the steps */

static struct explain_step *
begin_step(struct question *q, enum chain_phase phase, const char *filter)
{
    static const char *const phases[] = {
        [CHAIN_TUNNEL] = "tunnel", [CHAIN_JUDGE] = "judge", [CHAIN_PRESENT] = "present"
    };
    struct explain_step *s = &q->said.steps[q->said.n_steps++];

    s->phase = phases[phase];
    s->filter = filter;
    s->verdict = pass();
    s->until = q->view.notes;
    s->stripped_from = q->view.n_stripped;
    return s;
}

static void
end_step(struct question *q, struct explain_step *s)
{
    s->notes = q->view.notes;
    s->stripped_to = q->view.n_stripped;
    if (s->verdict.answer == PASS)
        return;
    q->said.by = s->filter;
    q->said.why = s->verdict.reason != REASON_OK ? s->verdict.reason : REASON_INTERNAL;
}

/* To present, a task with its key would be needed: what it would do stands in the rule.
 */
static bool
is_asked(const char *filter)
{
    return strcmp(filter, "present") != 0;
}

static void
run_phase(struct question *q, enum chain_phase phase)
{
    const char *name;

    for (size_t i = 0; q->said.why == REASON_OK && q->said.n_steps < EXPLAIN_STEPS &&
                       (name = chain_name(&q->view, phase, i)) != NULL;
         i++) {
        struct explain_step *s = begin_step(q, phase, name);

        s->presents = !is_asked(name);
        if (!s->presents)
            s->verdict = chain_ask(q->chain, phase, &q->view, i);
        end_step(q, s);
    }
}

/* What a client asks for whose TLS passes unopened. */
static bool
passes_unopened(const struct question *q)
{
    return text_equals(q->request.method, TEXT("CONNECT")) &&
           text_equals(q->view.scheme, TEXT("https")) &&
           grants_pass_unopened(chain_grants(q->chain), &q->caller, &q->view.target,
                                q->view.now_s);
}

static void
judge_way_out(struct question *q)
{
    q->view.opaque = passes_unopened(q);
    if (text_equals(q->view.scheme, TEXT("https")) &&
        conf_door_takes_connect(q->view.door))
        run_phase(q, CHAIN_TUNNEL);
    run_phase(q, CHAIN_JUDGE);
    if (q->said.why != REASON_OK) {
        q->view.rule = NULL; /* what no rule allows has no rule */
        q->view.grant = NULL;
        return;
    }
    run_phase(q, CHAIN_PRESENT);
}

/* ---- a gate: all but the proof */

static bool
has_name(const struct conf_door *door, const struct authority *target)
{
    struct authority own;

    for (size_t i = 0; i < door->names.n; i++)
        if (authority_parse(text_z(door->names.at[i] + strlen("https://")), 443,
                            &own) == REASON_OK &&
            authority_equals(&own, target))
            return true;
    return false;
}

static enum reason
judge_rule(const struct question *q, bool any_method)
{
    const struct conf_gate_rule *r = q->view.gate_rule;

    if (r == NULL)
        return any_method ? REASON_PATH_NOT_ALLOWED : REASON_METHOD_NOT_ALLOWED;
    if (r->encoded_slashes == SLASHES_REFUSE && path_has_encoded_slash(q->view.path))
        return REASON_ENCODED_SLASH;
    if (q->request.upgrade == UPGRADE_WEBSOCKET && !r->websocket)
        return REASON_WEBSOCKET_NOT_ALLOWED;
    return REASON_OK;
}

static void
judge_gate(struct question *q)
{
    const struct conf_gate_rule *rules = q->view.door->rules.at;
    struct explain_step *s = begin_step(q, CHAIN_JUDGE, "verify");
    bool any_method = false;
    enum reason why;

    for (size_t i = 0; i < q->view.door->rules.n; i++) {
        if (!verify_takes_method(&rules[i], q->request.method))
            continue;
        any_method = true;
        q->view.rule_place = rules[i].place;
        if (!verify_takes_path(&rules[i], q->view.path))
            continue;
        q->view.gate_rule = &rules[i];
        break;
    }
    if ((why = judge_rule(q, any_method)) != REASON_OK) {
        s->verdict = deny(why);
        q->view.gate_rule = NULL;
    } else {
        note(&q->view, "the proof was not checked: there is none to check");
    }
    end_step(q, s);
}

/* ---- which door */

static bool
fits(const struct question *q, const struct conf_door *door, int kind)
{
    return door->kind == kind && (kind != DOOR_GATE || has_name(door, &q->view.target));
}

static const struct conf_door *
find_door(const struct question *q, int kind, bool *any)
{
    const struct conf_door *doors = q->conf->doors.at;

    *any = false;
    for (size_t i = 0; i < q->conf->doors.n; i++) {
        *any |= doors[i].kind == kind;
        if (fits(q, &doors[i], kind))
            return &doors[i];
    }
    return NULL;
}

/* Unasked: the way out that the config has. By all of them the same is judged. */
static int
kind_of(const struct conf *conf)
{
    static const int ways[] = { DOOR_FORWARD, DOOR_UNIX, DOOR_TRANSPARENT };

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (conf_has_door(conf, (enum conf_door_kind)ways[i]))
            return ways[i];
    return DOOR_FORWARD;
}

static const char *
word_of(int kind)
{
    return door_kind_word(&(struct conf_door){ .kind = kind });
}

static int
read_kind(const char *word)
{
    static const int kinds[] = { DOOR_FORWARD, DOOR_TRANSPARENT, DOOR_UNIX, DOOR_GATE };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(word, word_of(kinds[i])) == 0)
            return kinds[i];
    return -1;
}

static int
complain(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    return EXIT_USAGE;
}

static int
say(const struct question *q)
{
    if (q->asked->json)
        explain_print_json(&q->said);
    else
        explain_print_text(&q->said);
    return q->said.why == REASON_OK ? EXIT_OK : EXIT_DENIED;
}

/* Whoever asks here has come by this door; but of `--as` just that is known which it
 * says.
 */
static void
come_in(struct question *q)
{
    if (q->asked->as == NULL && q->view.door->name != NULL)
        q->caller.door = conf_door_named(q->conf, q->view.door->name);
}

static int
answer(struct question *q)
{
    const char *word = q->asked->door;
    int kind = word != NULL ? read_kind(word) : kind_of(q->conf);
    enum reason why;
    bool any;

    if (kind < 0)
        return complain(word, "this kind of door judges nothing: forward, transparent, "
                              "unix or gate");
    set_up(q);
    if (q->asked->as != NULL) {
        const char *wrong = explain_read_as(q->conf, q->asked->as, q->arena,
                                            &q->caller);

        if (wrong != NULL)
            return complain(q->asked->as, wrong);
    }
    if ((why = read_url(q, q->asked->url)) != REASON_OK)
        return complain(q->asked->url, reason_sentence(why));
    q->view.door = find_door(q, kind, &any);
    if (!any)
        return complain(word_of(kind),
                        kind == DOOR_GATE
                            ? "the config has no such door"
                            : "the config has no such door: nothing goes out through "
                              "it (--door gate asks a gate's rules)");
    if (q->view.door == NULL) {
        q->said.why = REASON_NOT_OUR_NAME;
        q->said.by = "gate";
    } else if (kind == DOOR_GATE) {
        judge_gate(q);
    } else {
        come_in(q);
        judge_way_out(q);
    }
    return say(q);
}

int
holdfast_explain(const struct explain *e)
{
    struct question q = { .asked = e, .arena = arena_new() };
    struct buf report = { 0 };
    int code = EXIT_CONFIG;
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);

    if (conf_load(e->config, tables, n, &report, &q.conf) == REASON_OK &&
        chain_open(q.conf, &report, &q.chain) == REASON_OK)
        code = answer(&q);
    fwrite(buf_text(&report).at, 1, buf_length(&report), stderr);
    buf_free(&report);
    chain_close(q.chain);
    conf_free(q.conf);
    arena_free(q.arena);
    return code;
}
