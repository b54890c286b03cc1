#include "proxy/builder.h"

#include "base/log.h"
#include "base/memory.h"
#include "proxy/job.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct builder {
    const char *path;
    void (*on_built)(void *owner, const struct built *b);
    void *owner;
    struct job *job;
    struct authority_key *authority;
    struct generation *now; /* a reference, while it builds */
    uint64_t number;
    bool always;
    unsigned char tried[SHA256_SIZE]; /* the thread's while it builds */
    /* written by the thread, read when it is done */
    enum reason why;
    struct generation *generation;
    struct prepared *tasks;
    struct buf report;
};

/* Their keys are made, and their terms compared with those before: that takes its time.
 */
static enum reason
prepare_tasks(struct builder *b)
{
    enum reason why = REASON_OK;

    if (b->authority != NULL)
        why = registry_prepare(b->authority, generation_conf(b->generation),
                               generation_conf(b->now), &b->tasks);
    if (why != REASON_OK)
        buf_printf(&b->report, "grants: their tasks cannot be begun: %s\n",
                   reason_sentence(why));
    return why;
}

static enum reason
follow(struct builder *b)
{
    enum reason why;

    if (!generation_may_follow(b->generation, b->now, &b->report))
        return REASON_CONFIG;
    if ((why = generation_make_handles(b->generation, b->now, &b->report)) != REASON_OK)
        return why;
    return prepare_tasks(b);
}

static void
work(void *owner)
{
    struct builder *b = owner;

    b->why = generation_build_unless(b->path, b->number, b->tried, b->always,
                                     &b->report, &b->generation);
    if (b->generation == NULL || (b->why = follow(b)) == REASON_OK)
        return;
    generation_unref(b->generation);
    b->generation = NULL;
}

static void
forget_now(struct builder *b)
{
    generation_unref(b->now);
    b->now = NULL;
}

static void
on_done(void *owner)
{
    struct builder *b = owner;
    struct buf report = b->report;
    struct built result = { b->why, b->generation, b->tasks, &report };

    b->report = (struct buf){ 0 };
    b->generation = NULL;
    b->tasks = NULL;
    forget_now(b);
    b->on_built(b->owner, &result);
    buf_free(&report);
}

struct builder *
builder_new(struct event_base *base, const char *path, struct authority_key *authority,
            void (*on_built)(void *owner, const struct built *b), void *owner)
{
    struct builder *b = memory_new(sizeof *b);

    b->path = path;
    b->authority = authority;
    b->on_built = on_built;
    b->owner = owner;
    b->job = job_new(base, work, on_done, b);
    return b;
}

void
builder_knows(struct builder *b, const unsigned char tried[SHA256_SIZE])
{
    assert(!job_runs(b->job));
    memcpy(b->tried, tried, SHA256_SIZE);
}

enum reason
builder_build(struct builder *b, struct generation *now, uint64_t number, bool always)
{
    b->number = number;
    b->always = always;
    generation_ref(now);
    b->now = now;
    if (job_start(b->job))
        return REASON_OK;
    forget_now(b);
    return log_reason(REASON_INTERNAL,
                      "the config is not read: no thread can be started");
}

void
builder_free(struct builder *b)
{
    if (b == NULL)
        return;
    job_free(b->job);
    forget_now(b);
    prepared_free(b->tasks);
    generation_unref(b->generation);
    buf_free(&b->report);
    free(b);
}
