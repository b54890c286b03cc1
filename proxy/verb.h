/* What is asked over the control socket: one line of JSON, {"verb": "…", …}, with the
 * members that this verb takes, of their kind, and no others. */
#ifndef PROXY_VERB_H
#define PROXY_VERB_H

#include "base/json.h"

struct session;

enum reply {
    REPLY_DONE,   /* {"ok":true and what the verb has put into `out` */
    REPLY_FAILED, /* {"ok":false likewise; it has put an "error" */
    REPLY_LATER   /* by what the session waits for, or follows */
};

enum { VERB_MEMBERS = 4 };

struct verb {
    const char *name;
    const char *flags[VERB_MEMBERS]; /* besides "verb"; up to the first NULL */
    const char *texts[VERB_MEMBERS]; /* likewise */
    enum reply (*run)(void *owner, struct session *s, const struct json *request,
                      struct buf *out);
    const char *numbers[VERB_MEMBERS]; /* likewise */
};

/* The verb that this line asks for, and the line's JSON, which the caller frees; NULL:
 * none, and the sentence for whoever asked is in `error`. */
const struct verb *verb_read(const struct verb *verbs, size_t n, struct text line,
                             struct json **request, struct buf *error);

/* A member that is true; one that is absent is false. */
bool verb_flag(const struct json *request, const char *name);
/* A member that is a text; empty when absent. */
struct text verb_text(const struct json *request, const char *name);
/* A member that is a number; `otherwise` when absent. */
int64_t verb_number(const struct json *request, const char *name, int64_t otherwise);

#endif
