/* nghttp2's door, from the inside: what its three files share (http2_session.c a
 * session's life, http2_events.c what it tells, http2_submit.c what it is told). Nobody
 * else includes this. */
#ifndef HTTP_HTTP2_DOOR_H
#define HTTP_HTTP2_DOOR_H

#include "http/http2.h"

#include <nghttp2/nghttp2.h>

enum { FRAME_MOST = 16 * 1024 }; /* bytes in one: nobody is offered more */

/* A session tells many things of one stream behind each other: a field, a field, … */
static inline struct http2_stream *
http2_stream_at(struct http2 *h, int32_t id)
{
    if (h->latest == NULL || h->latest->id != id)
        h->latest = nghttp2_session_get_stream_user_data(h->session, id);
    return h->latest;
}

/* Everything that a session calls. */
void http2_set_events(nghttp2_session_callbacks *callbacks);

/* `out` takes another frame. */
bool http2_has_room(const struct http2 *h);
/* A frame of a stream's body, as it waits; what a session calls. */
int http2_send_waiting(nghttp2_session *session, nghttp2_frame *frame,
                       const uint8_t *header, size_t n, nghttp2_data_source *source,
                       void *wire);

#endif
