/* Whom `holdfast exec` runs a command as: never root, never Holdfast's own user, either
 * of whom could read every key. */
#ifndef PROXY_PERSON_H
#define PROXY_PERSON_H

#include "conf/conf.h"

#include <sys/types.h>

struct person {
    uid_t uid;
    gid_t gid;
    bool is_known; /* to this machine: it has groups besides */
    char *name, *home, *shell;
};

/* By name or number (user), else by uid, else the config's workload. A number needs no
 * entry in /etc/passwd. Returns an exit code, and has told what went wrong. */
int person_find(const struct conf *conf, const char *user, long uid,
                struct person *out);
void person_clear(struct person *p);

/* Becomes it, for good: groups, gid, uid. Root's, in a process of one thread. False,
 * and told. */
bool person_become(const struct person *p);

#endif
