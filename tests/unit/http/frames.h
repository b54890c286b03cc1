/* HTTP/2 frames made by hand, for tests: what no honest peer's library would send.
 * HPACK is the plainest there is: literals that nobody remembers. */
#ifndef TESTS_HTTP_FRAMES_H
#define TESTS_HTTP_FRAMES_H

#include "base/buf.h"

#include <string.h>

enum frame_type {
    F_DATA,
    F_HEADERS,
    F_PRIORITY,
    F_RST_STREAM,
    F_SETTINGS,
    F_PUSH_PROMISE,
    F_PING,
    F_GOAWAY,
    F_WINDOW_UPDATE,
    F_CONTINUATION
};
enum { F_END_STREAM = 1, F_ACK = 1, F_END_HEADERS = 4, F_PADDED = 8 };

#define MAGIC TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

static inline void
add_u32(struct buf *b, uint32_t n)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_add_byte(b, (char)(n >> shift));
}

static inline void
add_frame_head(struct buf *b, size_t n, unsigned type, unsigned flags, uint32_t id)
{
    buf_add_byte(b, (char)(n >> 16));
    buf_add_byte(b, (char)(n >> 8));
    buf_add_byte(b, (char)n);
    buf_add_byte(b, (char)type);
    buf_add_byte(b, (char)flags);
    add_u32(b, id);
}

static inline void
add_frame(struct buf *b, unsigned type, unsigned flags, uint32_t id,
          struct text payload)
{
    add_frame_head(b, payload.n, type, flags, id);
    buf_add(b, payload);
}

/* One that holds a number. */
static inline void
add_frame_u32(struct buf *b, unsigned type, uint32_t id, uint32_t n)
{
    add_frame_head(b, 4, type, 0, id);
    add_u32(b, n);
}

/* An integer behind a prefix of `bits` (RFC 7541 section 5.1). */
static inline void
add_integer(struct buf *b, unsigned first, unsigned bits, size_t n)
{
    size_t most = (1u << bits) - 1;

    if (n < most) {
        buf_add_byte(b, (char)(first | n));
        return;
    }
    buf_add_byte(b, (char)(first | most));
    for (n -= most; n >= 128; n /= 128)
        buf_add_byte(b, (char)(128 | n % 128));
    buf_add_byte(b, (char)n);
}

static inline void
add_string(struct buf *b, struct text t)
{
    add_integer(b, 0, 7, t.n);
    buf_add(b, t);
}

static inline void
add_literal(struct buf *b, struct text name, struct text value)
{
    buf_add_byte(b, 0);
    add_string(b, name);
    add_string(b, value);
}

/* "name: value" lines; a name may begin with ':'; '|' in a value is the end of a line
 * all the same, so that rows can hold what HTTP/1 cannot. */
static inline void
add_lines(struct buf *block, const char *lines)
{
    struct text rest = text_z(lines), line;

    while (text_split(&rest, '|', &line)) {
        const char *colon = line.n > 1 ? strstr(line.at + 1, ": ") : NULL;
        size_t n = colon != NULL ? (size_t)(colon - line.at) : line.n;

        if (line.n == 0)
            continue;
        if (colon == NULL || n >= line.n) /* a name alone */
            add_literal(block, line, text_of("", 0));
        else
            add_literal(block, text_of(line.at, n), text_of(colon + 2, line.n - n - 2));
    }
}

static inline void
add_head(struct buf *b, uint32_t id, const char *lines, unsigned flags)
{
    struct buf block = { 0 };

    add_lines(&block, lines);
    add_frame(b, F_HEADERS, flags | F_END_HEADERS, id, buf_text(&block));
    buf_free(&block);
}

#define HEAD_OF_GET  ":method: GET|:scheme: https|:authority: a.test|:path: /"
#define HEAD_OF_POST ":method: POST|:scheme: https|:authority: a.test|:path: /"

/* The first bytes of a client, or of a server. */
static inline void
add_preface(struct buf *b, bool of_client)
{
    if (of_client)
        buf_add(b, MAGIC);
    add_frame(b, F_SETTINGS, 0, 0, text_of("", 0));
}

#endif
