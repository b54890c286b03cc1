/* A stream's life: opened by the peer or by us, owned by one exchange, and let go of by
 * both the exchange and the session, in either order. */
#include "http/http2.h"

#include "base/memory.h"
#include "base/shelf.h"

#include <string.h>

/* A service that answers with nothing but interim answers holds its client for ever. */
enum { INTERIM_MAX = 16 };

static _Thread_local struct shelf spares = { .size = sizeof(struct http2_stream),
                                             .keep = 256 };

struct http2_stream *
http2_stream_new(struct http2 *h)
{
    struct http2_stream *s = shelf_take(&spares);

    if (s == NULL)
        s = memory_new_raw(sizeof *s);
    memset(s, 0, sizeof *s);
    s->stream.wire = &h->wire;
    list_add_last(&h->streams, &s->all);
    h->n_streams++;
    return s;
}

void
http2_stream_free(struct http2_stream *s)
{
    struct http2 *h = http2_of(&s->stream);

    h->n_streams--;
    h->n_wide -= s->window > 0;
    h->n_left -= s->is_left;
    if (h->latest == s)
        h->latest = NULL;
    list_remove(&s->all);
    list_remove(&s->fresh);
    list_remove(&s->bell);
    sections_free(&s->sections);
    sections_free(&s->last);
    buf_free(&s->body);
    buf_free(&s->out);
    shelf_give(&spares, s);
}

void
http2_stream_ring(struct http2_stream *s)
{
    if (s->ring != NULL && !list_is_linked(&s->bell))
        list_add_last(&http2_of(&s->stream)->ringing, &s->bell);
}

/* Nobody reads what comes from here on; its window stays shut. */
static void
turn_deaf(struct http2_stream *s)
{
    s->is_deaf = true;
    sections_free(&s->sections);
    buf_free(&s->body);
    s->lent = 0;
}

void
http2_stream_blame(struct http2_stream *s)
{
    struct http2 *h = http2_of(&s->stream);

    if (h->role != WIRE_SERVER || s->reading == HTTP2_READ_ALL || s->is_gone ||
        s->is_blamed)
        return;
    s->is_blamed = true;
    guard_note_reset(&h->guard);
}

static void
break_stream(struct http2_stream *s, enum reason why)
{
    http2_stream_blame(s);
    turn_deaf(s);
    s->broken = why;
    http2_stream_ring(s);
}

/* Only a request is tried again elsewhere, and only when nothing came of it here. */
void
http2_stream_go(struct http2_stream *s, bool is_unprocessed)
{
    bool is_client = http2_of(&s->stream)->role == WIRE_CLIENT;

    s->is_gone = s->is_cut = true;
    s->is_unprocessed = is_unprocessed && is_client && !s->has_head &&
                        s->n_interim == 0;
    buf_free(&s->out);
    http2_resume(s); /* so that the session sees it */
    http2_stream_ring(s);
}

/* ---- what comes */

void
http2_stream_begin_section(struct http2_stream *s)
{
    s->is_interim = false;
    if (!s->is_deaf)
        sections_begin(&s->sections);
}

void
http2_stream_hear_field(struct http2_stream *s, struct text name, struct text value,
                        bool never_index)
{
    bool is_client = http2_of(&s->stream)->role == WIRE_CLIENT;

    if (!s->sections.is_coming)
        return;
    /* In a request it is a fault, and no promise of another head. */
    if (is_client && !s->has_head && text_equals(name, TEXT(":status")))
        s->is_interim = value.n == 3 && value.at[0] == '1';
    sections_add(&s->sections, &http2_of(&s->stream)->limits, name, value, never_index);
}

static void
end_head(struct http2_stream *s)
{
    struct http2 *h = http2_of(&s->stream);

    if (s->is_interim && ++s->n_interim > INTERIM_MAX) {
        break_stream(s, REASON_HTTP2_PROTOCOL);
        return;
    }
    s->has_head = !s->is_interim;
    if (h->role == WIRE_SERVER)
        list_add_last(&h->fresh, &s->fresh);
}

void
http2_stream_end_section(struct http2_stream *s, bool is_last)
{
    bool is_trailer = s->has_head;

    if (is_last)
        s->has_come = true;
    if (!s->sections.is_coming)
        return;
    sections_end(&s->sections, is_last);
    if (!is_trailer)
        end_head(s);
    else if (!is_last)
        break_stream(s, REASON_TRAILER);
    http2_stream_ring(s);
}

void
http2_stream_hear(struct http2_stream *s, struct text piece)
{
    if (s->is_deaf)
        return;
    if (!s->has_head) {
        break_stream(s, REASON_HTTP2_PROTOCOL);
        return;
    }
    buf_add(&s->body, piece);
    http2_stream_ring(s);
}

void
http2_stream_end_body(struct http2_stream *s)
{
    s->has_come = true;
    http2_stream_ring(s);
}

/* ---- what goes */

void
http2_stream_send(struct http2_stream *s, size_t n)
{
    struct http2 *h = http2_of(&s->stream);

    if (n == 0)
        return;
    s->has_moved = true;
    if (s->passing.n > 0) {
        buf_add(h->out, text_of(s->passing.at, n));
        s->passing = text_of(s->passing.at + n, s->passing.n - n);
        return;
    }
    buf_add(h->out, text_of(buf_text(&s->out).at, n));
    buf_drop(&s->out, n);
    if (!s->was_full || http2_is_full(&s->stream))
        return;
    s->was_full = false;
    http2_stream_ring(s);
}

/* It waits for its reader no more. */
static void
stop_waiting(struct http2_stream *s)
{
    http2_of(&s->stream)->n_left -= s->is_left;
    s->is_left = false;
}

void
http2_stream_note_sent(struct http2_stream *s, bool is_last)
{
    s->has_sent = true;
    s->has_sent_end = is_last;
    if (is_last)
        stop_waiting(s);
    if (is_last && s->ends_quietly && !s->has_come)
        http2_reset(s, true);
}

/* ---- the end */

void
http2_stream_end(struct http2_stream *s, bool is_unprocessed)
{
    bool is_client = http2_of(&s->stream)->role == WIRE_CLIENT;
    bool was_whole = s->has_come && (is_client || s->has_sent_end);

    s->is_known = false;
    if (was_whole && !is_client && s->broken == REASON_OK)
        guard_note_answer(&http2_of(&s->stream)->guard);
    if (!s->is_owned)
        http2_stream_free(s);
    else if (!was_whole)
        http2_stream_go(s, is_unprocessed);
}

void
http2_close_after(struct stream *stream)
{
    turn_deaf(http2_stream_of(stream));
}

void
http2_stream_expire(struct http2_stream *s)
{
    if (s->is_left && !s->has_moved) {
        stop_waiting(s);
        s->is_gone = true; /* what is left of it must not end as if whole */
        buf_free(&s->out);
        http2_reset(s, false);
    }
    s->has_moved = false;
}

static void
await_reader(struct http2_stream *s)
{
    s->is_left = s->has_moved = true; /* just now */
    http2_of(&s->stream)->n_left++;
}

/* An answer that is whole stays so, and what is still to come of its request is cut
 * behind its last byte (RFC 9113 section 8.1); anything else must not look whole. */
static void
let_go(struct http2_stream *s)
{
    bool is_client = http2_of(&s->stream)->role == WIRE_CLIENT;

    if (s->writing != HTTP2_WRITE_ALL || (is_client && !s->has_come)) {
        buf_free(&s->out);
        http2_reset(s, false);
        return;
    }
    if (!s->has_come) {
        s->ends_quietly = true;
        if (s->has_sent_end)
            http2_reset(s, true);
    }
    if (!is_client && !s->has_sent_end)
        await_reader(s);
}

void
http2_close(struct stream *stream)
{
    struct http2_stream *s = http2_stream_of(stream);

    s->is_owned = false;
    s->ring = NULL;
    list_remove(&s->bell);
    turn_deaf(s);
    if (s->is_known && http2_of(stream)->broken == REASON_OK) {
        let_go(s);
        return;
    }
    if (s->is_known)
        http2_forget(s);
    http2_stream_free(s);
}

/* ---- what its owner asks */

void
http2_set_bell(struct stream *stream, void (*ring)(void *owner), void *owner)
{
    struct http2_stream *s = http2_stream_of(stream);

    s->ring = ring;
    s->owner = owner;
    if (ring == NULL)
        list_remove(&s->bell);
}

bool
http2_is_gone(const struct stream *s)
{
    return http2_stream_of(s)->is_gone;
}

bool
http2_is_unprocessed(const struct stream *s)
{
    return http2_stream_of(s)->is_unprocessed;
}
