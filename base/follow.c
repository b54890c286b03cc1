/* One flat piece of memory: the follower takes all of it at once, so there is no ring
 * to go round. */
#include "base/follow.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

atomic_bool follow_on;

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static char *room; /* NULL: nobody follows */
static size_t used, lost;
static int bell;

void
follow_begin(int fd)
{
    pthread_mutex_lock(&turn);
    free(room);
    room = memory_new_raw(FOLLOW_ROOM);
    used = lost = 0;
    bell = fd;
    atomic_store(&follow_on, true);
    pthread_mutex_unlock(&turn);
}

void
follow_end(void)
{
    pthread_mutex_lock(&turn);
    atomic_store(&follow_on, false);
    free(room);
    room = NULL;
    pthread_mutex_unlock(&turn);
}

/* Only for the first: the others are found with it. An eventfd takes a one unless it
 * has been rung 2^64 times. */
static void
ring(void)
{
    static const uint64_t one = 1;
    ssize_t put = write(bell, &one, sizeof one);

    (void)put;
}

void
follow_put(struct text line)
{
    pthread_mutex_lock(&turn);
    if (room == NULL) {
        pthread_mutex_unlock(&turn);
        return;
    }
    /* Once one is lost the rest is too, until they are told of: no gap stands before a
     * line that was kept. */
    if (lost > 0 || line.n > FOLLOW_ROOM - used) {
        lost++;
    } else {
        if (used == 0)
            ring();
        memcpy(room + used, line.at, line.n);
        used += line.n;
    }
    pthread_mutex_unlock(&turn);
}

size_t
follow_take(struct buf *out)
{
    size_t n;

    pthread_mutex_lock(&turn);
    if (room != NULL)
        buf_add(out, text_of(room, used));
    n = lost;
    used = lost = 0;
    pthread_mutex_unlock(&turn);
    return n;
}
