/* The strict lexer: every byte of an HTTP/1 head, chunk line and trailer passes here
 * before anyone else reads it (RFC 9112; SECURITY.md 2b). It refuses a bad byte when it
 * sees it, says where things stand, and leaves what they mean to http/head.h. It never
 * looks at a byte twice, however few come at a time.
 *
 * It knows no buffer: each call is given the section so far (a head; a chunk's line;
 * the last chunk with its trailers) from its first byte, and goes on where it stopped.
 */
#ifndef HTTP_LEXER_H
#define HTTP_LEXER_H

#include "base/buf.h"
#include "base/reason.h"
#include "http/wire.h"

enum lexed {
    LEXED_MORE,  /* not whole yet */
    LEXED_HEAD,  /* a head, `at` bytes long */
    LEXED_CHUNK, /* a chunk's line, `at` bytes long: `chunk_size` bytes of data follow
                  */
    LEXED_END,   /* the last chunk and its trailers, `at` bytes long */
    LEXED_BAD    /* `why` says so */
};

/* Offsets in the section. */
struct span {
    uint32_t at, n;
};

struct lexed_field {
    struct span name, value; /* the value without the white space around it */
    bool has_underscore;     /* in the name */
};

struct lexer {
    enum wire_role role; /* WIRE_SERVER: requests; WIRE_CLIENT: responses */
    const struct wire_limits *limits;

    /* What was found. */
    enum reason why;
    struct span method, target, phrase;
    unsigned version; /* 10 or 11 */
    unsigned status;
    size_t n_fields; /* of the head, later of the trailers */
    uint64_t chunk_size;

    /* Where it is. */
    unsigned state;
    size_t at;         /* bytes of the section that have been read */
    size_t ceiling;    /* of the section */
    unsigned index;    /* in a fixed word, a status, a chunk's size */
    size_t extension;  /* bytes of chunk extensions: of this line, … */
    size_t extensions; /* … and of the message */
    bool in_trailer;
    struct lexed_field field;
    struct buf fields; /* `n_fields` struct lexed_field; never read from its front, so
                          aligned */
};

void lexer_init(struct lexer *l, enum wire_role role, const struct wire_limits *limits);
/* The fields found so far; whoever has read them lets them go: an idle wire holds no
 * memory here. */
void lexer_forget(struct lexer *l);

void lexer_begin_head(struct lexer *l);
void lexer_begin_chunks(struct lexer *l);
/* Reads on; section begins where the last one that was whole ended. */
enum lexed lexer_read(struct lexer *l, struct text section);
/* After LEXED_CHUNK: the line has been taken; the next section begins behind the
 * chunk's data. */
void lexer_take_chunk(struct lexer *l);

/* A method of HTTP's that Holdfast forwards; name.n is at most LEXER_METHOD_MAX. */
enum { LEXER_METHOD_MAX = 11 };
bool lexer_knows_method(struct text name);

static inline const struct lexed_field *
lexer_field(const struct lexer *l, size_t i)
{
    return (const struct lexed_field *)(const void *)l->fields.mem + i;
}

#endif
