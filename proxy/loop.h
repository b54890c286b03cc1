/* A worker's loop: libevent's base, a queue of owners to be woken, and one wheel of
 * deadlines.
 *
 * A callback is a doorbell: it notes what happened and calls wake_ring. The owner then
 * runs from the loop, never from the callback's stack, so nothing on a stack can be
 * freed under it.
 *
 * The wheel makes a deadline cheap: arming writes a number, and no system call is made
 * per timer. Precision is a tick (50 ms), always late, never early. */
#ifndef PROXY_LOOP_H
#define PROXY_LOOP_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct loop;

struct loop *loop_new(void);
/* On a base that is there and stays the caller's: main's, for what lives on a loop. */
struct loop *loop_over(struct event_base *base);
void loop_free(struct loop *l);
struct event_base *loop_base(struct loop *l);
/* Runs until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

struct histogram;
/* Every tick tells here how late it was. */
void loop_measure(struct loop *l, struct histogram *late);

/* Milliseconds between the last tick's due time and its running: how late the loop is.
 */
int64_t loop_lag_ms(const struct loop *l);

/* How many alarms are set and owners queued: for who looks at its state, by walking. */
size_t loop_count_alarms(const struct loop *l);
size_t loop_count_woken(const struct loop *l);

/* Embedded in its owner, who calls wake_cancel before it goes. */
struct wake {
    void (*answer)(void *owner);
    void *owner;
    bool is_short; /* has little to do: of those that rang, it is before the others */
    struct list queued;
};

void wake_ring(struct loop *l, struct wake *w);
void wake_cancel(struct wake *w);

/* Embedded in its owner, who calls alarm_clear before it goes. */
struct alarm {
    void (*on_due)(void *owner);
    void *owner;
    int64_t due; /* monotonic ms; 0: not set */
    struct list slot;
};

/* In ms from now; a later call moves the deadline. */
void alarm_set(struct loop *l, struct alarm *a, int64_t ms);
void alarm_clear(struct alarm *a);

#endif
