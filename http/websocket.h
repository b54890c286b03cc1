/* The opening handshake of WebSocket (RFC 6455 section 4): the fields by which each
 * side of one connection convinces itself that the other has understood. They are that
 * connection's own, so a codec ends them here; Sec-WebSocket-Protocol and -Extensions
 * are for the two at the ends, and pass. */
#ifndef HTTP_WEBSOCKET_H
#define HTTP_WEBSOCKET_H

#include "base/reason.h"
#include "http/headers.h"

/* 16 bytes, and a SHA-1, in base64. */
enum { WEBSOCKET_KEY_SIZE = 24, WEBSOCKET_ACCEPT_SIZE = 28 };

/* A fresh one; no NUL. */
void websocket_make_key(char key[WEBSOCKET_KEY_SIZE]);
/* What accepts this key; no NUL. */
void websocket_accept(const char key[WEBSOCKET_KEY_SIZE],
                      char accept[WEBSOCKET_ACCEPT_SIZE]);

/* Each takes its field out of the headers, and judges it. */

/* REASON_WEBSOCKET_VERSION: another than 13. */
MUST_USE enum reason websocket_take_version(struct headers *h);
/* *key is lent as the headers were. */
MUST_USE enum reason websocket_take_key(struct headers *h, struct text *key);
/* The answer to `key` is the one there can be. */
MUST_USE enum reason websocket_take_accept(struct headers *h,
                                           const char key[WEBSOCKET_KEY_SIZE]);
/* Whatever is left of the three, which would be another handshake's. */
void websocket_forget(struct headers *h);

#endif
