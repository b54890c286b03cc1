/* A request and a response as values. Which HTTP carried them is not in here:
 * connection fields (Connection, Keep-Alive, TE, Upgrade, Transfer-Encoding,
 * Content-Length, Host, Expect, Trailer) never stand in `headers`; what they meant
 * does. */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include "base/host.h"
#include "http/headers.h"

enum body_kind {
    BODY_NONE,   /* there is none */
    BODY_LENGTH, /* exactly `length` bytes */
    BODY_STREAM, /* as many as come (chunked; until close; h2 without content-length) */
    BODY_TUNNEL /* no HTTP any more, both ways, from the 101 on (WebSocket), or from the
                   200 on of TLS that passes unopened */
};

struct body_frame {
    enum body_kind kind;
    uint64_t length;
};

/* What the client wants to go on with in place of HTTP. */
enum upgrade {
    UPGRADE_NONE,
    UPGRADE_WEBSOCKET, /* RFC 6455, or RFC 8441 over HTTP/2; the method is GET in both,
                          the handshake's own fields are the codec's */
    UPGRADE_OTHER      /* anything else: never forwarded */
};

enum target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_AUTHORITY, TARGET_ASTERISK };

struct request {
    struct text method;
    enum target_form form;
    struct text scheme; /* of an absolute target, or :scheme; empty otherwise. Written
                           as :scheme; empty: https */
    struct text
        authority; /* of an absolute or authority target as written; empty otherwise */
    struct text host; /* the Host field or :authority as written; empty only for
                         HTTP/1.0 without one */
    struct text
        target; /* origin-form as written: path and query ("*" for asterisk-form) */
    struct headers headers;
    struct body_frame body;
    bool expect_continue; /* the client waits for 100 before it sends the body */
    enum upgrade upgrade; /* its Upgrade field, or :protocol; a WebSocket's body is
                             BODY_TUNNEL */
    bool hides_host; /* of TLS that passes unopened: the server name, which stands in
                        `host`, may not be the one that is meant (ECH) */
    bool takes_trailers; /* TE: trailers; the codec writes it where it belongs */
};

struct response {
    int status;                /* 100 to 599 */
    struct text reason_phrase; /* HTTP/1 only; may be empty */
    struct headers headers;
    struct body_frame body; /* of a 101: BODY_TUNNEL; for an answer to HEAD, 204, 304:
                               BODY_NONE … */
    bool has_length;        /* … and the length it told, to be told on (HEAD, 304) */
    uint64_t told_length;
};

/* What a field does to its message, for whoever reads heads. */
enum field_kind {
    FIELD_PLAIN, /* nothing: it is passed on */
    FIELD_HOST,
    FIELD_CONTENT_LENGTH,
    FIELD_TRANSFER_ENCODING,
    FIELD_CONNECTION,
    FIELD_UPGRADE,
    FIELD_EXPECT,
    FIELD_HOP /* any other of one connection alone: dropped */
};

enum field_kind field_kind(struct text name);
/* Fields that frame, route or authorise, or that Holdfast writes itself. A stranger
 * removes none of them by naming it in Connection, and passes none off with '_' for '-'
 * (a CGI-style server cannot tell the two apart). */
bool field_is_guarded(struct text name);
/* The same of a name in which every '_' is read as '-'. */
bool field_is_guarded_in_disguise(struct text name);

/* Fields of one connection, which no intermediary forwards (RFC 9110 section 7.6.1). */
bool field_is_hop_by_hop(struct text name);
/* http-parser sees Transfer-Encoding in any name that begins so, and it is one of many
 * readers with such a habit: two readings of one framing. */
bool field_is_almost_coding(struct text name);
/* Fields that must not stand in a trailer: framing, routing, credentials, content (RFC
 * 9110 section 6.5.1). */
bool field_is_forbidden_in_trailer(struct text name);

#endif
