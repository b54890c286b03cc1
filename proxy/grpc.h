/* gRPC: what of it Holdfast has to know. A call is an HTTP/2 request like any other,
 * but its client reads a refusal in the answer's trailers alone, and HTTP/1.1 cannot
 * carry it. Messages are nobody's business here. */
#ifndef PROXY_GRPC_H
#define PROXY_GRPC_H

#include "base/reason.h"
#include "http/message.h"

/* POST of application/grpc, or of one of its encodings (+proto); not gRPC-Web, which is
 * made for HTTP/1.1. Whether it came over HTTP/2 is the caller's to ask. */
bool request_is_grpc(const struct request *r);

/* The gRPC status that tells this reason: of one that reaches a client. */
int grpc_status(enum reason why);

/* Turns `r` into an answer of trailers alone: HTTP status 200, this status and these
 * words, which are escaped as a grpc-message has to be. */
void grpc_write_trailers_only(struct response *r, int status, struct text words);

#endif
