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
    uint64_t number;
    bool always;
    unsigned char tried[SHA256_SIZE]; /* the thread's while it builds */
    /* written by the thread, read when it is done */
    enum reason why;
    struct generation *generation;
    struct buf report;
};

static void
work(void *owner)
{
    struct builder *b = owner;

    b->why = generation_build_unless(b->path, b->number, b->tried, b->always,
                                     &b->report, &b->generation);
}

static void
on_done(void *owner)
{
    struct builder *b = owner;
    struct buf report = b->report;
    struct built result = { b->why, b->generation, &report };

    b->report = (struct buf){ 0 };
    b->generation = NULL;
    b->on_built(b->owner, &result);
    buf_free(&report);
}

struct builder *
builder_new(struct event_base *base, const char *path,
            void (*on_built)(void *owner, const struct built *b), void *owner)
{
    struct builder *b = memory_new(sizeof *b);

    b->path = path;
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
builder_build(struct builder *b, uint64_t number, bool always)
{
    b->number = number;
    b->always = always;
    if (!job_start(b->job))
        return log_reason(REASON_INTERNAL,
                          "the config is not read: no thread can be started");
    return REASON_OK;
}

void
builder_free(struct builder *b)
{
    if (b == NULL)
        return;
    job_free(b->job);
    generation_unref(b->generation);
    buf_free(&b->report);
    free(b);
}
