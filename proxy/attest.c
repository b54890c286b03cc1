#include "proxy/attest.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "proxy/cgroup_tree.h"
#include "proxy/mailbox.h"
#include "tasks/cgroup.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    QUEUE_MAX = 256,
    KNOWN_MAX = 256, /* groups by id, each in the place its id falls into */
    MISSED_MS = 1000,
    LINES_MAX = 16384 /* bytes of /proc/PID/cgroup */
};

struct attest_question {
    struct list in_queue;
    uint64_t cgroup_id;
    uint32_t pid;
    int process;
    struct mailbox *to;
    void *asker; /* of the thread that asked alone */
    struct cgroup *answer;
};

/* A group keeps its path as long as it lives, and no other is given its id. One that
 * was not found is not looked for again at once. */
struct known {
    uint64_t id;
    struct cgroup *group; /* NULL: not found … */
    int64_t missed_ms;    /* … then */
};

struct attest {
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_t thread;
    bool runs, stopping;
    struct list queue;
    size_t n;
    /* the thread's own */
    int tree;
    struct known known[KNOWN_MAX];
};

/* ---- one question */

static struct cgroup *
find_by_id(struct attest *a, uint64_t id)
{
    struct known *k = &a->known[id % KNOWN_MAX];
    int64_t now_ms = clock_monotonic_ms();
    struct buf path = { 0 };
    size_t believed;

    if (k->id != id || (k->group == NULL && now_ms - k->missed_ms > MISSED_MS)) {
        cgroup_unref(k->group);
        *k = (struct known){ .id = id, .missed_ms = now_ms };
        if (cgroup_tree_find(a->tree, id, &path, &believed))
            k->group = cgroup_from_path(buf_text(&path), believed);
        buf_free(&path);
    }
    cgroup_ref(k->group);
    return k->group;
}

/* A descriptor of a process is readable once that has ended: then its number may be
 * another's. */
static bool
has_ended(int process)
{
    struct pollfd p = { .fd = process, .events = POLLIN };

    return poll(&p, 1, 0) != 0;
}

/* All of it, or nothing. */
static bool
read_lines(uint32_t pid, char *room, struct text *out)
{
    char path[32];
    ssize_t n = 0, got = 1;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%u/cgroup", (unsigned)pid);
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    while (got > 0 && n < LINES_MAX) {
        got = read(fd, room + n, (size_t)(LINES_MAX - n));
        n += got > 0 ? got : 0;
    }
    close(fd);
    *out = text_of(room, (size_t)n);
    return got == 0 && n < LINES_MAX;
}

/* What was read was of the process that connected, if that lives on behind it. */
static struct cgroup *
find_by_process(struct attest *a, const struct attest_question *q)
{
    char room[LINES_MAX];
    struct text lines, path;
    size_t believed = SIZE_MAX;

    if (q->pid == 0 || q->process < 0 || !read_lines(q->pid, room, &lines) ||
        has_ended(q->process))
        return NULL;
    path = cgroup_path_in(lines);
    if (path.n > 0)
        believed = cgroup_tree_believes(a->tree, path);
    return cgroup_from_lines(lines, believed);
}

static void
answer(struct attest *a, struct attest_question *q)
{
    if (a->tree < 0)
        a->tree = cgroup_tree_open();
    q->answer = q->cgroup_id != 0 ? find_by_id(a, q->cgroup_id) : find_by_process(a, q);
    mailbox_post(q->to, &(struct message){ .kind = MESSAGE_ATTESTED, .attested = q });
}

/* ---- the thread */

static struct attest_question *
next_question(struct attest *a)
{
    struct attest_question *q = NULL;

    pthread_mutex_lock(&a->lock);
    while (!a->stopping && list_is_empty(&a->queue))
        pthread_cond_wait(&a->more, &a->lock);
    if (!a->stopping) {
        q = LIST_OWNER(a->queue.next, struct attest_question, in_queue);
        list_remove(&q->in_queue);
        a->n--;
    }
    pthread_mutex_unlock(&a->lock);
    return q;
}

static void *
work(void *arg)
{
    struct attest *a = arg;
    struct attest_question *q;

    while ((q = next_question(a)) != NULL)
        answer(a, q);
    return NULL;
}

struct attest *
attest_new(void)
{
    struct attest *a = memory_new(sizeof *a);

    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->more, NULL);
    list_init(&a->queue);
    a->tree = -1;
    return a;
}

void
attest_stop(struct attest *a)
{
    bool runs;

    if (a == NULL)
        return;
    pthread_mutex_lock(&a->lock);
    a->stopping = true;
    runs = a->runs;
    a->runs = false;
    pthread_cond_signal(&a->more);
    pthread_mutex_unlock(&a->lock);
    if (runs)
        pthread_join(a->thread, NULL);
}

void
attest_free(struct attest *a)
{
    if (a == NULL)
        return;
    attest_stop(a);
    while (!list_is_empty(&a->queue)) {
        struct attest_question *q = LIST_OWNER(a->queue.next, struct attest_question,
                                               in_queue);

        list_remove(&q->in_queue);
        attest_question_free(q);
    }
    for (size_t i = 0; i < KNOWN_MAX; i++)
        cgroup_unref(a->known[i].group);
    if (a->tree >= 0)
        close(a->tree);
    pthread_cond_destroy(&a->more);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

/* ---- asking */

/* Whether it was taken: the thread begins when there is something to do. */
static bool
put_in(struct attest *a, struct attest_question *q)
{
    bool taken = false;

    pthread_mutex_lock(&a->lock);
    if (!a->stopping && !a->runs)
        a->runs = pthread_create(&a->thread, NULL, work, a) == 0;
    if (a->runs && a->n < QUEUE_MAX) {
        list_add_last(&a->queue, &q->in_queue);
        a->n++;
        taken = true;
        pthread_cond_signal(&a->more);
    }
    pthread_mutex_unlock(&a->lock);
    return taken;
}

struct attest_question *
attest_ask(struct attest *a, const struct caller *caller, int process,
           struct mailbox *to, void *asker)
{
    struct attest_question *q = memory_new(sizeof *q);

    q->cgroup_id = caller->cgroup_id;
    q->pid = caller->pid;
    q->process = process;
    q->to = to;
    q->asker = asker;
    if (a != NULL && (q->cgroup_id != 0 || (q->pid != 0 && process >= 0)) &&
        put_in(a, q))
        return q;
    attest_question_free(q);
    return NULL;
}

void *
attest_asker(const struct attest_question *q)
{
    return q->asker;
}

void
attest_forget(struct attest_question *q)
{
    q->asker = NULL;
}

struct cgroup *
attest_answer(const struct attest_question *q)
{
    cgroup_ref(q->answer);
    return q->answer;
}

void
attest_question_free(struct attest_question *q)
{
    if (q == NULL)
        return;
    cgroup_unref(q->answer);
    if (q->process >= 0)
        close(q->process);
    free(q);
}
