/* What the files behind caller.h share. */
#ifndef TASKS_CALLER_PARTS_H
#define TASKS_CALLER_PARTS_H

#include "tasks/caller.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>

struct caller_lookup {
    int fd;
    uint32_t sequence;
    bool sees_every_uid;
};

/* One question, and the buffer for what is answered. */
struct caller_question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 ask;
};

/* Outside the first user namespace the kernel tells one number for each uid that has
 * none here: many different users, which is nobody. */
bool caller_is_told(const struct caller_lookup *l, uint32_t uid);
bool caller_ask(struct caller_lookup *l, const struct caller_question *q);
/* The next message from the kernel itself, at most `size` bytes; 0 when none comes. */
size_t caller_receive(const struct caller_lookup *l, void *buffer, size_t size);

/* Whatever else was still to come is never read: nobody knows how much it is. */
void caller_begin_anew(struct caller_lookup *l);

#endif
