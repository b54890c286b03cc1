/* Many exchanges of all kinds at once, in orders that nobody thought of: two wires
 * joined by memory, and a script of dice that always fall the same way. What arrives is
 * what was sent, whole only when it was ended, whatever its neighbours do. */
#include "asking.h"

#include "http/http2.h"

/* Of nghttp2, which has one door. */
int nghttp2_session_set_next_stream_id(struct nghttp2_session *session, int32_t id);

enum { STREAMS = 40, STEPS = 10000, SCRIPTS = 20, PIECE = 9000 };

/* One direction of one stream. */
struct flow_of {
    size_t sent, heard;
    bool has_begun, is_ended, is_heard_whole, is_cut;
};

struct dialogue {
    struct peer client, server;
    bool is_open, is_taken;
    unsigned number;
    struct flow_of asks, answers;
};

struct scene {
    struct pair pair;
    struct dialogue all[STREAMS];
    unsigned n_opened;
    uint32_t dice;
};

static unsigned
roll(struct scene *s, unsigned sides)
{
    s->dice = s->dice * 1664525u + 1013904223u;
    return (s->dice >> 8) % sides;
}

static char
byte_at(unsigned number, size_t at)
{
    return (char)(number * 31 + at + at / 251);
}

static void
send_some(struct scene *s, struct peer *from, struct flow_of *f, unsigned number)
{
    static char piece[PIECE];
    size_t n = 1 + roll(s, PIECE);

    if (from->stream == NULL || !f->has_begun || f->is_ended ||
        stream_is_full(from->stream))
        return;
    for (size_t i = 0; i < n; i++)
        piece[i] = byte_at(number, f->sent + i);
    stream_write_body(from->stream, text_of(piece, n));
    f->sent += n;
}

static void
end_some(struct scene *s, struct peer *from, struct flow_of *f)
{
    struct headers trailers;

    if (from->stream == NULL || !f->has_begun || f->is_ended)
        return;
    headers_init(&trailers, from->arena);
    headers_add(&trailers, TEXT("x-sum"), TEXT("1"));
    stream_write_end(from->stream, roll(s, 2) == 0 ? &trailers : NULL);
    f->is_ended = true;
}

/* What came is what was sent so far, and is whole only if it was ended. */
static void
hear_some(struct peer *to, struct flow_of *f, unsigned number)
{
    struct text came;

    if (to->stream == NULL || !to->has_head || to->is_whole || to->is_broken)
        return;
    peer_read_body(to);
    came = buf_text(&to->body);
    for (size_t i = 0; i < came.n; i++)
        if (came.at[i] != byte_at(number, f->heard + i))
            fail_msg("stream %u, byte %zu", number, f->heard + i);
    f->heard += came.n;
    buf_drop(&to->body, came.n);
    assert_true(f->heard <= f->sent);
    if (to->is_whole)
        assert_true(f->is_ended && f->heard == f->sent);
    if (to->is_broken)
        assert_true(f->is_cut);
}

static void
open_some(struct scene *s, struct dialogue *d)
{
    if (d->is_open || d->client.stream != NULL || d->server.stream != NULL ||
        !wire_may_reuse(s->pair.client.wire))
        return;
    memset(d, 0, sizeof *d);
    d->is_open = d->asks.has_begun = true;
    d->number = s->n_opened++;
    peer_ask(&d->client, &s->pair, "POST", (struct body_frame){ BODY_STREAM, 0 });
    stream_write_body(d->client.stream,
                      text_of((const char *)&d->number, sizeof d->number));
}

/* The first bytes of a request's body say whose it is. */
static struct dialogue *
find_dialogue(struct scene *s, struct peer *p)
{
    unsigned number;

    if (peer_read_body(p) == FLOW_BROKEN || buf_length(&p->body) < sizeof number)
        return NULL;
    memcpy(&number, buf_text(&p->body).at, sizeof number);
    buf_drop(&p->body, sizeof number);
    for (size_t i = 0; i < STREAMS; i++)
        if (s->all[i].is_open && s->all[i].number == number)
            return &s->all[i];
    return NULL;
}

static void
take_some(struct scene *s)
{
    struct dialogue *d;
    struct stream *stream;
    struct peer p;

    while (wire_next(s->pair.server.wire, &stream) == FLOW_OK) {
        peer_init(&p, stream);
        d = peer_read_request(&p) == FLOW_OK ? find_dialogue(s, &p) : NULL;
        if (d == NULL) { /* its client has let go of it */
            peer_free(&p);
            continue;
        }
        d->server = p;
        d->is_taken = true;
        stream_set_bell(stream, count_ring, &d->server);
        p.is_whole = p.is_broken = false;
    }
}

static void
answer_some(struct dialogue *d)
{
    if (d->server.stream == NULL || d->answers.has_begun)
        return;
    peer_answer(&d->server, 200, (struct body_frame){ BODY_STREAM, 0 });
    d->answers.has_begun = true;
}

static void
listen_some(struct dialogue *d)
{
    if (d->client.stream == NULL)
        return;
    if (!d->client.has_head && !d->client.is_broken)
        peer_read_response(&d->client);
    hear_some(&d->client, &d->answers, d->number);
}

/* Either side may let go at any time; what it had not ended is cut, and what it had not
 * heard to its end comes to nothing. */
static void
leave_some(struct dialogue *d, struct peer *p, struct flow_of *said,
           struct flow_of *heard)
{
    if (p->stream == NULL)
        return;
    said->is_cut = true;
    heard->is_cut = true;
    peer_free(p);
    p->stream = NULL;
    d->is_open = d->client.stream != NULL || d->server.stream != NULL;
}

static void
step(struct scene *s)
{
    struct dialogue *d = &s->all[roll(s, STREAMS)];

    switch (roll(s, 16)) {
    case 0:
    case 1:
        open_some(s, d);
        break;
    case 2:
    case 3:
        carry(&s->pair.client, &s->pair.server);
        take_some(s);
        break;
    case 4:
    case 5:
        carry(&s->pair.server, &s->pair.client);
        break;
    case 6:
    case 7:
        send_some(s, &d->client, &d->asks, d->number);
        break;
    case 8:
        end_some(s, &d->client, &d->asks);
        break;
    case 9:
        answer_some(d);
        break;
    case 10:
    case 11:
        send_some(s, &d->server, &d->answers, d->number);
        break;
    case 12:
        end_some(s, &d->server, &d->answers);
        break;
    case 13:
        hear_some(&d->server, &d->asks, d->number);
        break;
    case 14:
        listen_some(d);
        break;
    default:
        if (roll(s, 4) == 0)
            leave_some(d, &d->client, &d->asks, &d->answers);
        else if (roll(s, 3) == 0)
            leave_some(d, &d->server, &d->answers, &d->asks);
        break;
    }
}

/* Whoever still talks is heard to the end. */
static void
finish(struct scene *s)
{
    for (size_t i = 0; i < STREAMS; i++) {
        end_some(s, &s->all[i].client, &s->all[i].asks);
        answer_some(&s->all[i]);
        end_some(s, &s->all[i].server, &s->all[i].answers);
    }
    for (int i = 0; i < 200; i++) {
        carry(&s->pair.client, &s->pair.server);
        take_some(s);
        carry(&s->pair.server, &s->pair.client);
        for (size_t k = 0; k < STREAMS; k++) {
            answer_some(&s->all[k]);
            end_some(s, &s->all[k].server, &s->all[k].answers);
            hear_some(&s->all[k].server, &s->all[k].asks, s->all[k].number);
            listen_some(&s->all[k]);
        }
    }
}

static void
play(uint32_t seed)
{
    static struct scene s;
    unsigned whole = 0;

    memset(&s, 0, sizeof s);
    s.dice = seed;
    pair_init(&s.pair);
    for (int i = 0; i < STEPS; i++)
        step(&s);
    finish(&s);
    for (size_t i = 0; i < STREAMS; i++) {
        struct dialogue *d = &s.all[i];

        whole += d->client.stream != NULL && d->client.is_whole;
        if (d->client.stream != NULL)
            assert_true(d->client.is_whole || d->client.is_broken);
        if (d->server.stream != NULL)
            assert_true(d->server.is_whole || d->server.is_broken);
        leave_some(d, &d->client, &d->asks, &d->answers);
        leave_some(d, &d->server, &d->answers, &d->asks);
    }
    assert_true(whole > 0 && s.n_opened > STREAMS);
    pair_settle(&s.pair);
    assert_false(s.pair.client.is_broken || s.pair.server.is_broken);
    assert_true(wire_may_reuse(s.pair.client.wire));
    pair_free(&s.pair);
}

static void
what_arrives_is_what_was_sent_whatever_the_neighbours_do(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= SCRIPTS; seed++)
        play(seed);
}

/* A stream's number is used once, and there are 2^30 of them: a connection that was
 * busy for days takes no more, and those it has are served. */
static void
a_connection_whose_numbers_run_out_takes_no_more(void **state)
{
    struct peer client, server;
    struct http2 *h;
    struct pair p;

    (void)state;
    pair_init(&p);
    pair_settle(&p);
    h = (struct http2 *)(void *)p.client.wire;
    peer_init(&client, wire_open(p.client.wire));
    assert_int_equal(nghttp2_session_set_next_stream_id(h->session, INT32_MAX - 2), 0);
    assert_false(wire_may_reuse(p.client.wire));
    assert_null(wire_open(p.client.wire));
    headers_init(&client.request.headers, client.arena);
    client.request.method = TEXT("GET");
    stream_write_request(client.stream, &client.request, TEXT("/"), text_of(NULL, 0),
                         TEXT("a.test"));
    stream_write_end(client.stream, NULL);
    pair_settle(&p);
    peer_accept(&server, &p);
    peer_answer(&server, 204, nothing);
    pair_settle(&p);
    assert_int_equal(peer_read_response(&client), FLOW_OK);
    peer_free(&server);
    peer_free(&client);
    pair_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_arrives_is_what_was_sent_whatever_the_neighbours_do),
        cmocka_unit_test(a_connection_whose_numbers_run_out_takes_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
