#include "proxy/outbox.h"

#include "base/clock.h"
#include "base/memory.h"
#include "proxy/mailbox.h"

#include <pthread.h>
#include <stdlib.h>

struct posted {
    uint64_t seq;
    int64_t put_ms; /* monotonic */
    struct buf record;
};

struct outbox {
    pthread_mutex_t lock;
    struct posted lines[OUTBOX_LINES]; /* a ring */
    size_t first, n;
    struct posted arrived; /* the newest that has; seq 0: none */
    int64_t since_ms;
    uint64_t passed_over;
    struct mailbox *to;
    bool is_told; /* main has not heard it yet */
};

struct outbox *
outbox_new(void)
{
    struct outbox *o = memory_new(sizeof *o);

    pthread_mutex_init(&o->lock, NULL);
    return o;
}

static struct posted *
line_at(struct outbox *o, size_t i)
{
    return &o->lines[(o->first + i) % OUTBOX_LINES];
}

void
outbox_free(struct outbox *o)
{
    if (o == NULL)
        return;
    for (size_t i = 0; i < OUTBOX_LINES; i++)
        buf_free(&o->lines[i].record);
    buf_free(&o->arrived.record);
    pthread_mutex_destroy(&o->lock);
    free(o);
}

/* The buffers go round: what is taken out leaves an empty one. */
static void
take_first(struct outbox *o, struct posted *out)
{
    struct posted *first = line_at(o, 0);

    buf_free(&out->record);
    *out = *first;
    *first = (struct posted){ 0 };
    o->first = (o->first + 1) % OUTBOX_LINES;
    o->n--;
}

static void
make_way(struct outbox *o)
{
    struct posted gone = { 0 };

    if (o->n < OUTBOX_LINES)
        return;
    take_first(o, &gone);
    buf_free(&gone.record);
    o->passed_over += o->to != NULL;
}

static void
tell(struct outbox *o)
{
    if (o->to == NULL || o->is_told)
        return;
    o->is_told = true;
    mailbox_post(o->to, &(struct message){ .kind = MESSAGE_CHECKPOINT });
}

void
outbox_put(struct outbox *o, uint64_t seq, struct text record)
{
    struct posted *line;

    pthread_mutex_lock(&o->lock);
    make_way(o);
    line = line_at(o, o->n++);
    line->seq = seq;
    line->put_ms = clock_monotonic_ms();
    buf_add(&line->record, record);
    if (o->since_ms == 0)
        o->since_ms = line->put_ms;
    tell(o);
    pthread_mutex_unlock(&o->lock);
}

void
outbox_tie(struct outbox *o, struct mailbox *to)
{
    pthread_mutex_lock(&o->lock);
    if (o->to == NULL && o->n > 0)
        o->since_ms = clock_monotonic_ms(); /* nobody kept them waiting before */
    o->to = to;
    o->is_told = false;
    pthread_mutex_unlock(&o->lock);
}

void
outbox_heard(struct outbox *o)
{
    pthread_mutex_lock(&o->lock);
    o->is_told = false;
    pthread_mutex_unlock(&o->lock);
}

uint64_t
outbox_write(struct outbox *o, struct buf *out)
{
    uint64_t last = 0;

    pthread_mutex_lock(&o->lock);
    for (size_t i = 0; i < o->n; i++) {
        const struct posted *line = line_at(o, i);

        buf_add(out, buf_text(&line->record));
        buf_add_byte(out, '\n');
        last = line->seq;
    }
    pthread_mutex_unlock(&o->lock);
    return last;
}

void
outbox_settle(struct outbox *o, uint64_t seq)
{
    pthread_mutex_lock(&o->lock);
    while (o->n > 0 && line_at(o, 0)->seq <= seq)
        take_first(o, &o->arrived);
    o->since_ms = o->n > 0 ? line_at(o, 0)->put_ms : 0;
    pthread_mutex_unlock(&o->lock);
}

void
outbox_offer_again(struct outbox *o)
{
    struct posted *line;

    pthread_mutex_lock(&o->lock);
    if (o->n == 0 && o->arrived.seq > 0) {
        line = line_at(o, o->n++);
        *line = o->arrived;
        o->arrived = (struct posted){ 0 };
        o->since_ms = clock_monotonic_ms();
    }
    pthread_mutex_unlock(&o->lock);
}

void
outbox_look(struct outbox *o, struct outbox_state *out)
{
    pthread_mutex_lock(&o->lock);
    *out = (struct outbox_state){ o->n, o->since_ms, o->passed_over };
    pthread_mutex_unlock(&o->lock);
}
