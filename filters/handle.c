/* handle: one pass over the fields, one over the query; nothing is hashed that does not
 * stand where a credential can. */
#include "filters/handle.h"

#include "base/log.h"
#include "filters/basic.h"
#include "filters/parameter.h"
#include "filters/strip.h"

#include <string.h>

/* ---- alarms */

static void
alarm_about(const struct view *v, const char *credential, const char *kind)
{
    struct log_line *l = log_line_begin(LOG_WARN, "alarm");
    char to[AUTHORITY_PRINT_SIZE];

    log_line_z(l, "kind", kind);
    if (v->caller->has_uid)
        log_line_number(l, "uid", v->caller->uid);
    log_line_z(l, "credential", credential);
    log_line_text(l, "to", authority_print(&v->target, 0, to));
    log_line_end(l);
}

static enum reason
refuse(struct view *v, const char *credential, enum reason why)
{
    v->alarmed = credential;
    alarm_about(v, credential, reason_token(why));
    return why;
}

/* ---- what stands in one place */

/* A search through one request: `why` stays REASON_OK until something is wrong. */
struct search {
    struct view *v;
    struct text value; /* of the one that was found; at NULL: none yet */
    const struct handle *found;
    const struct task *task; /* whose it is: then it is not the generation's */
    const char *credential;  /* which it stands for */
    enum reason why;
};

static bool
is_another(const struct search *s, struct text t)
{
    return s->value.at != NULL && !text_equals(s->value, t);
}

static enum reason
judge_standing(const struct search *s, const struct handle *h)
{
    if (h->ended)
        return REASON_ENDED_HANDLE;
    if (!handle_is_for(h, s->v->caller, h->credential))
        return REASON_FOREIGN_HANDLE;
    return is_another(s, h->value) ? REASON_SEVERAL_HANDLES : REASON_OK;
}

/* Of a task that an orchestrator began: good for its caller, and in no other task. */
static enum reason
judge_rolled(const struct search *s, const struct rolled_handle *h)
{
    if (h->ended || !task_is_live(h->task, s->v->now_ms))
        return REASON_ENDED_HANDLE;
    if (!caller_matches(s->v->caller, task_caller(h->task)))
        return REASON_FOREIGN_HANDLE;
    return is_another(s, h->value) ? REASON_SEVERAL_HANDLES : REASON_OK;
}

/* The roll forgets the handles of tasks that have ended, and an exchange may outlive
 * that: one that Holdfast's own end lets run on. */
static const char *
keep_name(const struct search *s, const struct rolled_handle *h)
{
    return arena_copy_z(s->v->arena, text_z(h->credential));
}

static void
look_at(struct search *s, struct text t)
{
    const struct rolled_handle *rolled = NULL;
    const struct handle *h = NULL;
    const char *credential;

    if (s->why != REASON_OK)
        return;
    if (s->v->handles != NULL)
        h = handles_find(s->v->handles, t);
    if (h == NULL && s->v->roll != NULL)
        rolled = roll_handle(s->v->roll, t);
    if (h == NULL && rolled == NULL)
        return;
    credential = h != NULL ? h->credential : keep_name(s, rolled);
    s->why = h != NULL ? judge_standing(s, h) : judge_rolled(s, rolled);
    if (s->why != REASON_OK) {
        (void)refuse(s->v, credential, s->why);
        return;
    }
    s->value = h != NULL ? h->value : rolled->value;
    s->found = h;
    s->task = rolled != NULL ? rolled->task : NULL;
    s->credential = credential;
}

static bool
is_separator(char c)
{
    return c == ' ' || c == '\t' || c == ',' || c == ';' || c == '"' || c == '\'';
}

/* "name=handle" and "user:handle" as well; a handle may hold either mark itself. */
static void
look_at_piece(struct search *s, struct text piece)
{
    static const char marks[] = { '=', ':' };

    look_at(s, piece);
    for (size_t i = 0; i < sizeof marks; i++) {
        const char *mark = memchr(piece.at, marks[i], piece.n);

        if (mark != NULL)
            look_at(s, text_of(mark + 1, piece.n - (size_t)(mark + 1 - piece.at)));
    }
}

/* Each run of bytes that no handle holds ends a piece: "Bearer X", "a=X; b=Y",
 * "Token token=\"X\"". */
static void
look_through(struct search *s, struct text t)
{
    size_t i = 0;

    while (i < t.n) {
        size_t start = i;

        while (i < t.n && !is_separator(t.at[i]))
            i++;
        if (i > start)
            look_at_piece(s, text_of(t.at + start, i - start));
        else
            i++;
    }
}

static void
look_through_escaped(struct search *s, struct text t)
{
    struct text once, twice;

    look_through(s, t);
    once = parameter_decode(s->v->arena, t);
    if (once.at == t.at)
        return;
    look_through(s, once);
    twice = parameter_decode(s->v->arena, once);
    if (twice.at != once.at)
        look_through(s, twice);
}

static void
look_into_basic(struct search *s, struct text value)
{
    struct text plain = basic_decode(s->v->arena, value), user, password;

    look_at(s, plain);
    if (!basic_split(plain, &user, &password))
        return;
    look_through_escaped(s, user);
    look_through_escaped(s, password);
}

/* ---- the passes */

static bool
has_any(const struct view *v)
{
    return (v->handles != NULL && !handles_is_empty(v->handles)) ||
           (v->roll != NULL && roll_has_handles(v->roll));
}

static bool
may_hold_one(enum position position)
{
    return position == POSITION_CREDENTIAL || position == POSITION_COOKIE ||
           position == POSITION_SIGNED;
}

static void
search_fields(struct search *s, const struct positions *p, const struct headers *h)
{
    for (size_t i = 0; i < h->n && s->why == REASON_OK; i++) {
        if (!may_hold_one(positions_header(p, h->at[i].name)))
            continue;
        look_through_escaped(s, h->at[i].value);
        if (basic_is(h->at[i].value))
            look_into_basic(s, h->at[i].value);
    }
}

static void
search_query(struct search *s, const struct positions *p)
{
    struct text rest = s->v->query;
    struct parameter one = { 0 };

    while (s->why == REASON_OK && parameter_next(&rest, &one))
        if (may_hold_one(positions_parameter(p, one.name)))
            look_through_escaped(s, one.value);
}

/* Whose tasks have handles of their own. */
static bool
is_of_required(const struct view *v)
{
    return v->grant != NULL && v->grant->task == TASK_REQUIRED;
}

static struct verdict
handle_find(void *state, struct view *v)
{
    struct search s = { .v = v, .why = REASON_OK };

    v->handle = NULL;
    v->handle_task = NULL;
    v->handle_credential = NULL;
    if (!has_any(v))
        return pass();
    search_fields(&s, state, &v->request->headers);
    if (s.why == REASON_OK)
        search_query(&s, state);
    if (s.why != REASON_OK)
        return deny(s.why);
    v->handle = s.found;
    v->handle_task = s.task;
    v->handle_credential = s.credential;
    return pass();
}

bool
handle_stands_for(const struct view *v, const char *credential)
{
    if (v->handle_task == NULL)
        return v->handle != NULL && !is_of_required(v) &&
               handle_is_for(v->handle, v->caller, credential);
    return v->entry != NULL && v->entry->task == v->handle_task &&
           strcmp(v->handle_credential, credential) == 0;
}

/* ---- the second half */

static struct verdict
handle_judge_use(void *state, struct view *v)
{
    (void)state;
    if (v->handle_credential == NULL)
        return pass();
    if (v->rule != NULL && v->rule->credential != NULL &&
        handle_stands_for(v, v->rule->credential))
        return pass();
    return deny(refuse(v, v->handle_credential, REASON_HANDLE_MISPLACED));
}

/* The credential went with the head: whatever this one is, it comes too late. */
static struct verdict
handle_judge_trailers(void *state, struct view *v, struct headers *trailers)
{
    struct search s = { .v = v, .why = REASON_OK };

    if (!has_any(v))
        return pass();
    search_fields(&s, state, trailers);
    if (s.why == REASON_OK && s.credential != NULL)
        s.why = refuse(v, s.credential, REASON_HANDLE_MISPLACED);
    return s.why == REASON_OK ? pass() : deny(s.why);
}

/* ---- life */

static enum reason
handle_open(const struct conf *conf, const void *settings, struct buf *report,
            void **state)
{
    (void)settings;
    (void)report;
    *state = strip_positions(conf);
    return REASON_OK;
}

static void
handle_close(void *state)
{
    positions_free(state);
}

const struct filter handle_filter = {
    .name = "handle",
    .open = handle_open,
    .on_request = handle_find,
    .close = handle_close,
};

const struct filter handle_use_filter = {
    .name = "handle",
    .open = handle_open,
    .on_request = handle_judge_use,
    .on_trailers = handle_judge_trailers,
    .close = handle_close,
};
