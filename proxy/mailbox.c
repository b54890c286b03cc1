#include "proxy/mailbox.h"

#include "proxy/attest.h"
#include "proxy/inquiry.h"

#include <assert.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct letter {
    struct letter *next;
    struct message message;
};

struct mailbox {
    pthread_mutex_t lock;
    struct letter *first, **last;
    int fd;
    struct event *event;
    void (*on_message)(void *owner, const struct message *m);
    void *owner;
};

static struct letter *
take_all(struct mailbox *m)
{
    struct letter *all;

    pthread_mutex_lock(&m->lock);
    all = m->first;
    m->first = NULL;
    m->last = &m->first;
    pthread_mutex_unlock(&m->lock);
    return all;
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct mailbox *m = arg;
    struct letter *letter, *next;
    uint64_t rung;

    (void)what;
    if (read(fd, &rung, sizeof rung) != sizeof rung)
        return;
    for (letter = take_all(m); letter != NULL; letter = next) {
        next = letter->next;
        m->on_message(m->owner, &letter->message);
        free(letter);
    }
}

struct mailbox *
mailbox_new(struct event_base *base,
            void (*on_message)(void *owner, const struct message *m), void *owner)
{
    struct mailbox *m = calloc(1, sizeof *m);

    assert(m != NULL);
    pthread_mutex_init(&m->lock, NULL);
    m->last = &m->first;
    m->on_message = on_message;
    m->owner = owner;
    m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert(m->fd >= 0);
    m->event = event_new(base, m->fd, EV_READ | EV_PERSIST, on_ready, m);
    assert(m->event != NULL);
    event_add(m->event, NULL);
    return m;
}

void
mailbox_free(struct mailbox *m)
{
    struct letter *letter, *next;

    if (m == NULL)
        return;
    for (letter = take_all(m); letter != NULL; letter = next) {
        next = letter->next;
        vault_unref(letter->message.vault);
        generation_unref(letter->message.generation);
        task_unref(letter->message.task.begun);
        task_unref(letter->message.task.ended);
        task_unref(letter->message.holder);
        token_unref(letter->message.news.token);
        question_free(letter->message.question);
        attest_question_free(letter->message.attested);
        free(letter);
    }
    event_free(m->event);
    close(m->fd);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void
mailbox_post(struct mailbox *m, const struct message *message)
{
    struct letter *letter = calloc(1, sizeof *letter);
    uint64_t one = 1;
    ssize_t put;

    assert(letter != NULL);
    letter->message = *message;
    pthread_mutex_lock(&m->lock);
    *m->last = letter;
    m->last = &letter->next;
    pthread_mutex_unlock(&m->lock);
    do
        put = write(m->fd, &one, sizeof one);
    while (put < 0);
}
