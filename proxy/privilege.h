/* Who we are, and giving up what we need no more (DESIGN.md section 13). Each step is
 * fatal when it fails. */
#ifndef PROXY_PRIVILEGE_H
#define PROXY_PRIVILEGE_H

#include "base/reason.h"
#include "conf/conf.h"

#include <sys/types.h>

struct identity {
    uid_t uid;
    gid_t gid;
};

/* Whom conf->user names, or who we are. REASON_CONFIG, and a line in `report`: there is
 * none of that name. */
MUST_USE enum reason identity_find(const struct conf *conf, struct identity *out,
                                   struct buf *report);

/* Who we shall be: conf->user by name or number, else who we are. Refused: running on
 * as root (REASON_STAYS_ROOT); and, with the detail logged, being the workload
 * (REASON_EQUAL_UID), an unknown user (REASON_CONFIG). */
MUST_USE enum reason identity_choose(const struct conf *conf, struct identity *out);

/* No caller of the config is us, or root: either could read every key from our memory.
 * A line in `report` for each that is. */
bool identity_fears_nobody(const struct conf *conf, uid_t own, struct buf *report);

/* For what is read and made at start: files then belong to the identity, and what it
 * will not be able to read at a reload is noticed now. Does nothing when not root. */
MUST_USE enum reason identity_assume(const struct identity *who);
MUST_USE enum reason identity_resume_root(void);

/* Makes the directories that the identity will keep things in, and gives them to it.
 * Only as root; otherwise they are made as we are. */
MUST_USE enum reason identity_own_directory(const struct identity *who,
                                            const char *path, mode_t mode);

/* For good: groups, gid, uid, capabilities, no_new_privs, not dumpable, no core. */
MUST_USE enum reason identity_drop(const struct identity *who);

#endif
