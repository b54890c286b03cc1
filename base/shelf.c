/* One list a shelf, and one of all shelves a thread has used, so that they can be
 * emptied when it ends. */
#include "base/shelf.h"

#include "base/memory.h"
#include "base/poison.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

/* Lies at the front of a block that waits. */
struct spare {
    struct spare *next;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;

static void *
take_first(struct shelf *s)
{
    struct spare *first = s->first;

    s->first = first->next;
    s->count--;
    if (s->count < s->idle)
        s->idle = s->count;
    poison_lift(first, s->size);
    first->next = NULL;
    return first;
}

static void
empty_all(void *shelves)
{
    struct shelf *next;

    for (struct shelf *s = shelves; s != NULL; s = next) {
        next = s->next;
        while (s->first != NULL)
            free(take_first(s));
        s->next = NULL;
        s->is_known = false;
    }
}

static void
make_key(void)
{
    if (pthread_key_create(&at_thread_end, empty_all) != 0)
        memory_exhausted();
}

static void
become_known(struct shelf *s)
{
    pthread_once(&once, make_key);
    s->next = pthread_getspecific(at_thread_end);
    s->is_known = true;
    if (pthread_setspecific(at_thread_end, s) != 0)
        memory_exhausted();
}

void *
shelf_take(struct shelf *s)
{
    return s->first == NULL ? NULL : take_first(s);
}

void
shelf_give(struct shelf *s, void *block)
{
    struct spare *spare = block;

    assert(s->size >= sizeof *spare);
    if (s->count >= s->keep) {
        free(block);
        return;
    }
    if (!s->is_known)
        become_known(s);
    spare->next = s->first;
    s->first = spare;
    s->count++;
    poison((char *)block + sizeof *spare, s->size - sizeof *spare);
}

static bool
settle(struct shelf *s)
{
    bool any = s->idle > 0;

    for (unsigned n = s->idle; n > 0; n--)
        free(take_first(s));
    s->idle = s->count;
    return any;
}

bool
shelves_settle(void)
{
    bool any = false;

    pthread_once(&once, make_key);
    for (struct shelf *s = pthread_getspecific(at_thread_end); s != NULL; s = s->next)
        any = settle(s) || any;
    return any;
}

bool
shelves_hold_any(void)
{
    const struct shelf *s;

    pthread_once(&once, make_key);
    s = pthread_getspecific(at_thread_end);
    while (s != NULL && s->count == 0)
        s = s->next;
    return s != NULL;
}
