#include "proxy/control_session.h"

#include "base/clock.h"
#include "base/follow.h"
#include "base/json_write.h"

#include <assert.h>
#include <event2/event.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- lines to the followers */

static bool
has_room(const struct session *s, size_t n)
{
    return buf_length(&s->out) + n <= CONTROL_OUT_MAX;
}

/* Only when it has read all it was sent: one that dawdles is not told at every line. */
void
session_tell_lost(struct session *s)
{
    char stamp[25];

    if (s->lost == 0 || buf_length(&s->out) > 0)
        return;
    clock_format(clock_wall_ms(), stamp);
    json_open(&s->out, NULL, '{');
    json_put_z(&s->out, "ts", stamp);
    json_put_z(&s->out, "level", "warn");
    json_put_z(&s->out, "msg", "lines lost");
    json_put_number(&s->out, "lines", (int64_t)s->lost);
    json_close(&s->out, '}');
    buf_add_byte(&s->out, '\n');
    s->lost = 0;
}

static void
show_line(struct session *s, struct text line)
{
    if (!tail_wants(&s->filter, line))
        return;
    if (s->lost > 0 || !has_room(s, line.n + 1)) {
        s->lost++;
        return;
    }
    buf_add(&s->out, line);
    buf_add_byte(&s->out, '\n');
}

static void
show(struct session *s, struct text lines, size_t lost)
{
    struct text line;

    while (text_split(&lines, '\n', &line))
        if (!text_is_empty(line))
            show_line(s, line);
    s->lost += lost;
    session_send(s);
    session_tell_lost(s);
    session_settle(s);
}

void
followers_tell(struct control *c)
{
    struct buf lines = { 0 };
    size_t lost = follow_take(&lines);

    for (struct list *m = c->sessions.next, *next; m != &c->sessions; m = next) {
        struct session *s = LIST_OWNER(m, struct session, member);

        next = m->next;
        if (s->follows)
            show(s, buf_text(&lines), lost);
    }
    buf_free(&lines);
}

/* ---- who follows */

static void
on_rung(evutil_socket_t fd, short what, void *arg)
{
    uint64_t n;

    (void)what;
    if (read(fd, &n, sizeof n) == sizeof n)
        followers_tell(arg);
}

void
session_follow(struct session *s, struct tail *filter)
{
    struct control *c = s->control;

    s->filter = *filter;
    s->follows = true;
    session_tell(s, true, text_of("", 0));
    if (c->n_following++ > 0)
        return;
    event_add(c->rung, NULL);
    follow_begin(c->bell);
}

void
session_unfollow(struct session *s)
{
    struct control *c = s->control;

    if (!s->follows)
        return;
    tail_end(&s->filter);
    if (--c->n_following > 0)
        return;
    follow_end();
    event_del(c->rung);
}

void
followers_begin(struct control *c)
{
    c->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert(c->bell >= 0);
    c->rung = event_new(c->base, c->bell, EV_READ | EV_PERSIST, on_rung, c);
    assert(c->rung != NULL);
}

void
followers_end(struct control *c)
{
    event_free(c->rung);
    close(c->bell);
}
