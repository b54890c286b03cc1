/* What each HTTP version provides behind wire.h; wire.c hands every call on to it. A
 * codec's own structs begin with these. */
#ifndef HTTP_CODEC_H
#define HTTP_CODEC_H

#include "http/wire.h"

struct wire {
    const struct codec *codec;
};

struct stream {
    struct wire *wire;
};

struct codec {
    bool is_multiplexed;
    void (*free)(struct wire *w);
    void (*read_closed)(struct wire *w);
    enum flow (*receive)(struct wire *w, enum reason *why); /* NULL: nothing to do */
    void (*send)(struct wire *w);                           /* likewise */
    void (*drain)(struct wire *w);
    bool (*is_over)(const struct wire *w);
    bool (*has_unread)(const struct wire *w); /* NULL: never */
    void (*cut_unread)(struct wire *w);
    enum flow (*next)(struct wire *w, struct stream **s);
    struct stream *(*open)(struct wire *w);
    bool (*takes_websocket)(const struct wire *w);
    bool (*is_greeted)(const struct wire *w);
    bool (*is_busy)(const struct wire *w);
    bool (*is_fresh)(const struct wire *w);
    bool (*may_reuse)(const struct wire *w);

    void (*set_bell)(struct stream *s, void (*ring)(void *owner), void *owner);
    bool (*is_gone)(const struct stream *s);
    bool (*is_unprocessed)(const struct stream *s);
    enum flow (*read_request)(struct stream *s, struct arena *a, struct request *out,
                              enum reason *why);
    enum flow (*read_response)(struct stream *s, struct arena *a, struct response *out,
                               enum reason *why);
    enum flow (*read_body)(struct stream *s, struct arena *a, struct text *piece,
                           enum reason *why);
    const struct headers *(*trailers)(const struct stream *s);
    bool (*has_read_all)(const struct stream *s);

    void (*write_request)(struct stream *s, const struct request *r, struct text path,
                          struct text query, struct text host);
    void (*write_response)(struct stream *s, const struct response *r);
    void (*write_body)(struct stream *s, struct text piece);
    bool (*is_full)(const struct stream *s);
    bool (*writes_plain)(const struct stream *s);
    void (*pass_body)(struct stream *s, size_t n);
    void (*write_end)(struct stream *s, const struct headers *trailers);
    bool (*has_written_all)(const struct stream *s);

    void (*close_after)(struct stream *s);
    void (*close)(struct stream *s);
};

struct wire *http1_new(enum wire_role role, const struct wire_limits *limits,
                       struct buf *in, struct buf *out);
struct wire *http2_new(enum wire_role role, const struct wire_limits *limits,
                       struct buf *in, struct buf *out);

struct wire *opaque_new(enum wire_role role, const struct wire_limits *limits,
                        struct buf *in, struct buf *out);

/* What a read is told of bytes that are refused for `detail`: the same to a server; to
 * a client that the answer is malformed or too large, with the detail in the log. */
enum reason codec_refusal(enum wire_role role, enum reason detail);

#endif
