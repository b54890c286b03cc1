/* Inside tokens/: what a vault is made of. vault.c reads it and lends from it,
 * vault_files.c knows what a credential's files are. */
#ifndef TOKENS_VAULT_PARTS_H
#define TOKENS_VAULT_PARTS_H

#include "tokens/jws.h"
#include "tokens/vault.h"

/* What a file is read for. */
enum content {
    CONTENT_FIELD, /* a secret that goes into a header field */
    CONTENT_TEXT,  /* a secret or token for Holdfast's own requests */
    CONTENT_KEY,   /* a private key that signs */
    CONTENT_CHAIN, /* a half of a pair, which is read whole by who asks for it */
    CONTENT_KEY_OF_CHAIN
};

/* One file that a credential, or a gate, names. */
struct named {
    const char *path;
    enum content content;
};

enum { NAMED_MAX = 8 };

/* The files of this credential; how many. */
size_t named_by(const struct conf_credential *c, struct named out[NAMED_MAX]);

/* The files that gates of this config need to ask issuers; how many. out: NULL: they
 * are counted. */
size_t named_by_gates(const struct conf *conf, struct named *out);

/* A file as it was read. */
struct held {
    struct named named;
    struct secret *secret; /* NULL: there is none to be had … */
    struct key *key;       /* … likewise; of CONTENT_KEY */
    char key_id[THUMBPRINT_SIZE + 1];
    char *fault;       /* … and what is wrong with it */
    int64_t written_s; /* 0: it could not be read */
};

void held_read(struct held *h);
void held_forget(struct held *h);

/* The pair of these two files; NULL, and what is wrong in *fault, the caller's to free.
 * *unsettled: each of them could be read, and yet they make no pair. */
struct pair *pair_read(const struct conf_source *s, char **fault, bool *unsettled);

#endif
