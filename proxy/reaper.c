#include "proxy/reaper.h"

#include "base/log.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct remains {
    struct remains *next;
    void (*end)(void *what);
    void *what;
};

/* One for the process, as the last reference to a generation may be anybody's. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool runs; /* changes only while nobody else hands anything over */
    bool ending;
    struct remains *first, *last;
} reaper = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* Waits for it; NULL: the end, and nothing is left. */
static struct remains *
take_next(void)
{
    struct remains *r;

    pthread_mutex_lock(&reaper.lock);
    while (reaper.first == NULL && !reaper.ending)
        pthread_cond_wait(&reaper.changed, &reaper.lock);
    r = reaper.first;
    if (r != NULL)
        reaper.first = r->next;
    pthread_mutex_unlock(&reaper.lock);
    return r;
}

static void *
run(void *arg)
{
    struct remains *r;

    (void)arg;
    while ((r = take_next()) != NULL) {
        r->end(r->what);
        free(r);
    }
    return NULL;
}

void
reaper_begin(void)
{
    reaper.ending = false;
    reaper.runs = pthread_create(&reaper.thread, NULL, run, NULL) == 0;
    if (!reaper.runs)
        log_warn("no thread can be started to free old generations: the loops do it");
}

void
reaper_take(void (*end)(void *what), void *what)
{
    struct remains *r;

    if (!reaper.runs) {
        end(what);
        return;
    }
    r = memory_new(sizeof *r);
    r->end = end;
    r->what = what;
    pthread_mutex_lock(&reaper.lock);
    if (reaper.first == NULL)
        reaper.first = r;
    else
        reaper.last->next = r;
    reaper.last = r;
    pthread_cond_signal(&reaper.changed);
    pthread_mutex_unlock(&reaper.lock);
}

void
reaper_end(void)
{
    if (!reaper.runs)
        return;
    pthread_mutex_lock(&reaper.lock);
    reaper.ending = true;
    pthread_cond_signal(&reaper.changed);
    pthread_mutex_unlock(&reaper.lock);
    pthread_join(reaper.thread, NULL);
    reaper.runs = false;
}
