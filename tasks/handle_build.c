/* Handles for a config: those of the one before are kept where they can be. */
#include "tasks/handle_table.h"
#include "tasks/demand.h"

#include <string.h>

enum {
    ENDED_MAX = 1024 /* remembered; the oldest are forgotten, and mean nothing at all */
};

/* ---- what was before */

static const char *
origin_of(const struct conf_credential *c)
{
    return c->handle.value != NULL ? c->handle.value : handle_shape(c);
}

/* The one of the generation before, so that a reload breaks no running workload. */
static const struct listed *
find_kept(const struct handles *before, const struct conf_credential *c,
          const struct conf_caller *caller)
{
    for (size_t i = 0; before != NULL && i < before->n; i++) {
        const struct listed *e = &before->at[i];

        if (!e->handle.ended && strcmp(e->handle.credential, c->name) == 0 &&
            demand_equals(&e->handle.caller, caller) &&
            strcmp(e->origin, origin_of(c)) == 0)
            return e;
    }
    return NULL;
}

/* ---- building */

struct building {
    struct handles *handles;
    const struct handles *before;
    struct buf *report;
    enum reason why;
};

static void
complain(struct building *b, const struct conf_credential *c, const char *key,
         const char *what)
{
    buf_printf(b->report, "%s:%u: credentials.%s.%s: %s\n", c->place.file,
               c->place.line, c->name, key, what);
    b->why = REASON_CONFIG;
}

/* A value that cannot be had again, or one that is somebody's already. */
static bool
find_value_for(struct building *b, const struct conf_credential *c, struct buf *value)
{
    for (int tries = 0; tries < 8; tries++) {
        if (!handle_make(handle_shape(c), value)) {
            complain(b, c, "handle.shape", "has no \"{n}\" for n random characters");
            return false;
        }
        if (handles_find(b->handles, buf_text(value)) == NULL &&
            (b->before == NULL || handles_find(b->before, buf_text(value)) == NULL))
            return true;
        buf_free(value);
    }
    complain(b, c, "handle.shape",
             "gives too few different handles: write a longer one");
    return false;
}

static void
add_fixed(struct building *b, const struct conf_credential *c, struct handle *made)
{
    made->value = text_z(c->handle.value);
    if (made->value.n == 0 || made->value.n > HANDLE_MAX)
        complain(b, c, "handle.value", "is empty or longer than 512 bytes");
    else if (handles_find(b->handles, made->value) != NULL)
        complain(
            b, c, "handle.value",
            "would be the handle of two callers or credentials: give each its own, "
            "or leave it to be made");
    else
        handles_add(b->handles, made, origin_of(c));
}

static void
add_for(struct building *b, const struct conf_credential *c,
        const struct conf_caller *caller)
{
    const struct listed *kept = find_kept(b->before, c, caller);
    struct buf value = { 0 }, variable = { 0 };
    struct handle made = { .credential = c->name, .caller = *caller };

    handle_variable(c, &variable);
    buf_add_byte(&variable, '\0');
    made.env = buf_text(&variable).at;
    if (c->handle.value != NULL) {
        add_fixed(b, c, &made);
    } else if (kept != NULL) {
        made.value = kept->handle.value;
        handles_add(b->handles, &made, kept->origin);
    } else if (find_value_for(b, c, &value)) {
        made.value = buf_text(&value);
        handles_add(b->handles, &made, origin_of(c));
    }
    buf_free(&value);
    buf_free(&variable);
}

static bool
has_one(const struct handles *h, const char *credential,
        const struct conf_caller *caller)
{
    for (size_t i = 0; i < h->n; i++)
        if (strcmp(h->at[i].handle.credential, credential) == 0 &&
            demand_equals(&h->at[i].handle.caller, caller))
            return true;
    return false;
}

static void
add_for_grant(struct building *b, const struct conf *conf, const struct conf_grant *g)
{
    const struct conf_credential *c;
    size_t i = 0;

    if (g->task == TASK_REQUIRED) /* each of its tasks has its own */
        return;
    while ((c = handle_next_due(conf, g, &i)) != NULL)
        if (!has_one(b->handles, c->name, &g->caller))
            add_for(b, c, &g->caller);
}

/* What was in force and is no more is still a tripwire, and so is what ended before. */
static void
remember_ended(struct building *b)
{
    const struct handles *before = b->before;
    size_t left = ENDED_MAX;

    for (size_t i = 0; before != NULL && i < before->n && left > 0; i++) {
        struct handle h = before->at[i].handle;

        if (handles_find(b->handles, h.value) != NULL)
            continue;
        h.ended = true;
        handles_add(b->handles, &h, before->at[i].origin);
        left--;
    }
}

enum reason
handles_new(const struct conf *conf, const struct handles *before, struct buf *report,
            struct handles **out)
{
    const struct conf_grant *grants = conf->grants.at;
    struct building b = {
        .handles = handles_empty(), .before = before, .report = report, .why = REASON_OK
    };

    *out = NULL;
    for (size_t i = 0; i < conf->grants.n; i++)
        add_for_grant(&b, conf, &grants[i]);
    if (b.why != REASON_OK) {
        handles_unref(b.handles);
        return b.why;
    }
    remember_ended(&b);
    *out = b.handles;
    return REASON_OK;
}
