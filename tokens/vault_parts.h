/* Inside tokens/: what a vault is made of. vault.c reads it and lends from it,
 * vault_files.c knows what a credential's files are, vault_tell.c what is wrong with
 * them. */
#ifndef TOKENS_VAULT_PARTS_H
#define TOKENS_VAULT_PARTS_H

#include "tokens/jws.h"
#include "tokens/pod.h"
#include "tokens/vault.h"

#include <stdatomic.h>

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

/* A file as it was read. It begins with what it is found by. */
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

/* A credential's place. */
struct slot {
    const struct secret *secret; /* of a `file` credential; its file's */
    const char *fault;           /* one of its files'; NULL: nothing is wrong */
    const char *oldest;          /* its file that was written first, … */
    int64_t written_s;           /* … then; NULL and 0: there is a fault */
    struct pair *pair;           /* of a `certificate` credential */
    char *certificate, *key, *pair_fault; /* its paths; NULL for the others */
    int64_t unsettled_ms; /* the pair is another vault's, since then; 0: it is not */
};

struct vault {
    atomic_uint references;
    const struct conf_credential *credentials; /* of the config it was read for */
    size_t n;
    const struct conf_door *doors; /* likewise */
    size_t n_doors;
    struct slot *slots;
    struct held *files; /* by path and content */
    size_t n_files;
    const struct conf_workload *workload; /* likewise of that config */
    bool awaits_pod;
    struct pod pod;
};

/* The file that was read by this name and for this content; NULL: there is none. */
struct held *vault_held(const struct vault *v, const struct named *named);

#endif
