/* A watch: tells that files may have changed, by inotify on main's loop. What changed
 * is not told: who asks reads everything anew.
 *
 * Every directory on the way to a path is watched, by the name that the way takes
 * through it, links followed: so a file written in place, one renamed over it, a
 * `..data` link swapped and a directory replaced are all the same thing to it, and a
 * path that is not there yet is noticed when it comes. Watches are set before on_change
 * is called: what happens while the owner reads is told once more. */
#ifndef PROXY_WATCH_H
#define PROXY_WATCH_H

#include <stddef.h>

struct event_base;
struct watch;

enum {
    WATCH_QUIET_MS = 100, /* nothing more has happened for so long … */
    WATCH_MOST_MS = 1000, /* … or this has passed since the first event */
    WATCH_SPOTS_MAX = 4096
};

/* on_change runs on the thread of `base`, once for all that happens in a moment. Where
 * the kernel has no inotify for us that is logged, and nothing is ever told. */
struct watch *watch_new(struct event_base *base, void (*on_change)(void *owner),
                        void *owner);
void watch_free(struct watch *w);

/* What is watched from now on, in place of what was; n may be 0. Texts are copied. Of a
 * directory everything in it counts, but nothing below. What cannot be watched is
 * logged; it does not keep the rest from being watched. */
void watch_set(struct watch *w, const char *const *paths, size_t n);

#endif
