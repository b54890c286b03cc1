/* What the files behind grant.h share: grant.c judges requests, grant_opaque.c says
 * which hosts' TLS is not even opened, grant_names.c whose addresses may be known. */
#ifndef TASKS_GRANT_PARTS_H
#define TASKS_GRANT_PARTS_H

#include "tasks/grant.h"
#include "tasks/rulebook.h"

struct grants {
    struct rulebook book;
};

static inline bool
grant_is_live(const struct conf_grant *grant, int64_t now_s)
{
    return now_s >= grant->approved_at && now_s < grant->expires_at;
}

#endif
