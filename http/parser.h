/* The second reader: http-parser, which sees only bytes that our lexer let pass and
 * must find in them exactly what we found. It decides nothing. Where the two disagree
 * one of them is wrong, and then so may be whoever reads the message next (SECURITY.md
 * 0.1). This is http-parser's one door. */
#ifndef HTTP_PARSER_DOOR_H
#define HTTP_PARSER_DOOR_H

#include "http/head.h"

struct parser;

struct parser *parser_new(enum wire_role role);
void parser_free(struct parser *p);

/* A whole head: the same method, target, version, status, fields, length and coding.
 * Logs on what they disagree. */
bool parser_agrees_on_head(struct parser *p, const struct lexer *l, struct text head,
                           const struct framing *framing);
/* Bytes of body with their framing: the same piece of data in them (piece.n may be 0),
 * as much of it left, and the message over or not. left: of the length or chunk. */
bool parser_agrees_on_body(struct parser *p, struct text bytes, struct text piece,
                           uint64_t left);
/* The last chunk with its trailers. */
bool parser_agrees_on_end(struct parser *p, const struct lexer *l, struct text section);
/* The message ended because the connection did. */
bool parser_agrees_on_close(struct parser *p);

#endif
