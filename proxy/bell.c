#include "proxy/bell.h"

#include "base/memory.h"
#include "proxy/mailbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct bell {
    atomic_size_t waiting;
    pthread_mutex_t lock;
    struct mailbox *to;
    bool is_ringing; /* the worker has not heard it yet */
};

struct bell *
bell_new(void)
{
    struct bell *b = memory_new(sizeof *b);

    pthread_mutex_init(&b->lock, NULL);
    return b;
}

void
bell_free(struct bell *b)
{
    if (b == NULL)
        return;
    assert(b->to == NULL);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

void
bell_tie(struct bell *b, struct mailbox *to)
{
    pthread_mutex_lock(&b->lock);
    b->to = to;
    b->is_ringing = false;
    pthread_mutex_unlock(&b->lock);
}

/* A message at a time: a worker that is stuck is not sent one for every sync. */
void
bell_ring(void *bell)
{
    struct bell *b = bell;

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
bell_await(struct bell *b)
{
    atomic_fetch_add(&b->waiting, 1);
}

void
bell_leave(struct bell *b)
{
    size_t before = atomic_fetch_sub(&b->waiting, 1);

    assert(before > 0);
}

void
bell_heard(struct bell *b)
{
    pthread_mutex_lock(&b->lock);
    b->is_ringing = false;
    pthread_mutex_unlock(&b->lock);
}
