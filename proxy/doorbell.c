#include "proxy/doorbell.h"

#include "base/memory.h"
#include "proxy/mailbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct doorbell {
    atomic_size_t waiting;
    pthread_mutex_t lock;
    struct mailbox *to;
    bool is_ringing; /* the worker has not heard it yet */
};

struct doorbell *
doorbell_new(void)
{
    struct doorbell *b = memory_new(sizeof *b);

    pthread_mutex_init(&b->lock, NULL);
    return b;
}

void
doorbell_free(struct doorbell *b)
{
    if (b == NULL)
        return;
    assert(b->to == NULL);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

void
doorbell_tie(struct doorbell *b, struct mailbox *to)
{
    pthread_mutex_lock(&b->lock);
    b->to = to;
    b->is_ringing = false;
    pthread_mutex_unlock(&b->lock);
}

/* A message at a time: a worker that is stuck is not sent one for every sync. */
void
doorbell_ring(void *bell)
{
    struct doorbell *b = bell;

    if (atomic_load(&b->waiting) == 0)
        return;
    pthread_mutex_lock(&b->lock);
    if (b->to != NULL && !b->is_ringing) {
        b->is_ringing = true;
        mailbox_post(b->to, &(struct message){ .kind = MESSAGE_WRITTEN });
    }
    pthread_mutex_unlock(&b->lock);
}

void
doorbell_await(struct doorbell *b)
{
    atomic_fetch_add(&b->waiting, 1);
}

void
doorbell_leave(struct doorbell *b)
{
    size_t before = atomic_fetch_sub(&b->waiting, 1);

    assert(before > 0);
}

void
doorbell_heard(struct doorbell *b)
{
    pthread_mutex_lock(&b->lock);
    b->is_ringing = false;
    pthread_mutex_unlock(&b->lock);
}
