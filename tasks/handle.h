/* Handles: the harmless stand-ins that the workload holds for credentials. One for each
 * credential with a secret and each caller whose grants use it (a grant whose tasks are
 * started one by one gives each task its own: task.h). It looks like the real
 * thing and means nothing anywhere else; in anybody else's hands it is a tripwire.
 *
 * Immutable, shared by counting; a new generation keeps the values of the one before,
 * and remembers those that are no more as ended. */
#ifndef TASKS_HANDLE_H
#define TASKS_HANDLE_H

#include "base/buf.h"
#include "base/digest.h"
#include "conf/conf.h"
#include "tasks/caller.h"

struct handles;

struct handle {
    struct text value;
    const char *credential; /* name */
    struct conf_caller caller;
    const char *env; /* name of its variable */
    bool ended;
};

/* before: those in force, or NULL. A value that two callers or credentials would share
 * is REASON_CONFIG, with its line in `report`. */
MUST_USE enum reason handles_new(const struct conf *conf, const struct handles *before,
                                 struct buf *report, struct handles **out);
void handles_ref(struct handles *h);
void handles_unref(struct handles *h);

/* There is none to be found, live or ended. */
bool handles_is_empty(const struct handles *h);

/* The handle of exactly this value, live or ended; NULL: none of ours. What is compared
 * is a keyed hash: the time taken tells nothing of how near a guess came. */
const struct handle *handles_find(const struct handles *h, struct text value);
/* Live, of this credential, and this caller's own. */
bool handle_is_for(const struct handle *h, const struct caller *caller,
                   const char *credential);

/* A hash keyed anew in each process, of at most HANDLE_MAX bytes: what handles are
 * found by. */
enum { HANDLE_MAX = 512 };
void handle_digest(struct text value, unsigned char out[SHA256_SIZE]);
/* What a handle of this credential is made like: "ghp_{36}". */
const char *handle_shape(const struct conf_credential *c);
/* Appends a fresh random value. False, and nothing is appended, for a shape that has no
 * "{n}" in it. */
MUST_USE bool handle_make(const char *shape, struct buf *out);
/* Appends the name of its variable. */
void handle_variable(const struct conf_credential *c, struct buf *out);
/* The credentials of a grant's rules behind which a secret stands that the workload
 * must not see, from rule *i on, which begins as 0: the next, or NULL. One may come
 * again. */
const struct conf_credential *handle_next_due(const struct conf *conf,
                                              const struct conf_grant *g, size_t *i);

/* Writes the live ones as NAME=value lines into `directory`, mode 0644, whole or not at
 * all: handles.env for the workload (or any caller), and one named by what is demanded
 * for each other caller: handles.uid-1001.env, handles.uid-1000.door-agent.env. Logs
 * the detail. */
MUST_USE enum reason handles_publish(const struct handles *h, const struct conf *conf,
                                     const char *directory);

#endif
