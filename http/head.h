/* What a head means: from the lines the lexer found to a request or a response as a
 * value, and how its body is framed. Whatever could be read in two ways is refused here
 * (RFC 9112 section 6.3, 11.2); connection fields end here. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "http/lexer.h"
#include "http/websocket.h"

struct framing {
    enum body_kind kind;
    uint64_t length;      /* of BODY_LENGTH */
    bool chunked;         /* of BODY_STREAM; otherwise until close */
    bool has_length;      /* a Content-Length stood there, … */
    uint64_t told_length; /* … whether or not there is a body */
    bool has_coding;      /* the same of Transfer-Encoding */
    bool close;           /* the sender ends the connection after this exchange */
    bool keep_alive;      /* HTTP/1.0: it asked not to */
    bool upgrade;         /* Connection names Upgrade */
    struct text key;      /* of a request for a WebSocket */
};

/* What was asked, as far as it changes what the answer is. */
struct asked {
    bool is_head, is_connect;
    bool is_websocket;
    char key[WEBSOCKET_KEY_SIZE]; /* … by this one */
};

/* head: the bytes that `l` found whole, already in the arena: everything in *out is
 * lent from them. */
MUST_USE enum reason head_read_request(const struct lexer *l, struct text head,
                                       struct arena *a, struct request *out,
                                       struct framing *framing);
MUST_USE enum reason head_read_response(const struct lexer *l, struct text head,
                                        struct arena *a, struct asked asked,
                                        struct response *out, struct framing *framing);
/* The trailers of a section. In a request a forbidden one is REASON_TRAILER; in a
 * response it is left out. */
MUST_USE enum reason head_read_trailers(const struct lexer *l, struct text section,
                                        struct arena *a, struct headers *out);

#endif
