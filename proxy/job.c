#include "proxy/job.h"

#include "base/memory.h"

#include <assert.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct job {
    void (*work)(void *owner);
    void (*done)(void *owner);
    void *owner;
    struct event *event;
    int fd;
    pthread_t thread;
    bool runs;
};

static void *
run(void *arg)
{
    struct job *j = arg;
    uint64_t one = 1;
    ssize_t put;

    j->work(j->owner);
    do
        put = write(j->fd, &one, sizeof one);
    while (put < 0);
    return NULL;
}

static void
on_done(evutil_socket_t fd, short what, void *arg)
{
    struct job *j = arg;
    uint64_t rung;

    (void)what;
    if (read(fd, &rung, sizeof rung) != sizeof rung)
        return;
    pthread_join(j->thread, NULL);
    j->runs = false;
    j->done(j->owner);
}

struct job *
job_new(struct event_base *base, void (*work)(void *owner), void (*done)(void *owner),
        void *owner)
{
    struct job *j = memory_new(sizeof *j);

    j->work = work;
    j->done = done;
    j->owner = owner;
    j->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert(j->fd >= 0);
    j->event = event_new(base, j->fd, EV_READ | EV_PERSIST, on_done, j);
    assert(j->event != NULL);
    event_add(j->event, NULL);
    return j;
}

void
job_free(struct job *j)
{
    if (j == NULL)
        return;
    if (j->runs)
        pthread_join(j->thread, NULL);
    event_free(j->event);
    close(j->fd);
    free(j);
}

bool
job_start(struct job *j)
{
    assert(!j->runs);
    j->runs = pthread_create(&j->thread, NULL, run, j) == 0;
    return j->runs;
}

bool
job_runs(const struct job *j)
{
    return j->runs;
}
