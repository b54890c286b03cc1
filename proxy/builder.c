#include "proxy/builder.h"

#include "base/log.h"

#include <assert.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct builder {
    const char *path;
    void (*on_built)(void *owner, const struct built *b);
    void *owner;
    struct event *event;
    int fd;
    pthread_t thread;
    bool building, again;
    uint64_t number;
    bool always;
    unsigned char tried[SHA256_SIZE]; /* the thread's while it builds */
    /* written by the thread, read after it has rung */
    enum reason why;
    struct generation *generation;
    struct buf report;
};

static void *
work(void *arg)
{
    struct builder *b = arg;
    uint64_t one = 1;
    ssize_t put;

    b->why = generation_build_unless(b->path, b->number, b->tried, b->always,
                                     &b->report, &b->generation);
    do
        put = write(b->fd, &one, sizeof one);
    while (put < 0);
    return NULL;
}

static void
on_done(evutil_socket_t fd, short what, void *arg)
{
    struct builder *b = arg;
    struct buf report;
    struct built result;
    uint64_t rung;

    (void)what;
    if (read(fd, &rung, sizeof rung) != sizeof rung)
        return;
    pthread_join(b->thread, NULL);
    result = (struct built){ b->why, b->generation, &report, b->again };
    report = b->report;
    b->report = (struct buf){ 0 };
    b->building = b->again = false;
    b->on_built(b->owner, &result);
    buf_free(&report);
}

struct builder *
builder_new(struct event_base *base, const char *path,
            void (*on_built)(void *owner, const struct built *b), void *owner)
{
    struct builder *b = calloc(1, sizeof *b);

    assert(b != NULL);
    b->path = path;
    b->on_built = on_built;
    b->owner = owner;
    b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert(b->fd >= 0);
    b->event = event_new(base, b->fd, EV_READ | EV_PERSIST, on_done, b);
    assert(b->event != NULL);
    event_add(b->event, NULL);
    return b;
}

void
builder_knows(struct builder *b, const unsigned char tried[SHA256_SIZE])
{
    assert(!b->building);
    memcpy(b->tried, tried, SHA256_SIZE);
}

enum reason
builder_build(struct builder *b, uint64_t number, bool always)
{
    if (b->building) {
        b->again = true;
        return REASON_OK;
    }
    b->number = number;
    b->always = always;
    b->generation = NULL;
    if (pthread_create(&b->thread, NULL, work, b) != 0)
        return log_reason(REASON_INTERNAL,
                          "the config is not read: no thread can be started");
    b->building = true;
    return REASON_OK;
}

void
builder_free(struct builder *b)
{
    if (b == NULL)
        return;
    if (b->building) {
        pthread_join(b->thread, NULL);
        generation_unref(b->generation);
        buf_free(&b->report);
    }
    event_free(b->event);
    close(b->fd);
    free(b);
}
