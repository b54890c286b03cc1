/* Messages to a worker, from any thread: put in under a lock, taken out on the worker's
 * loop. */
#ifndef PROXY_MAILBOX_H
#define PROXY_MAILBOX_H

#include "proxy/generation.h"

struct event_base;

enum message_kind { MESSAGE_ADOPT, MESSAGE_DRAIN, MESSAGE_STOP, MESSAGE_DUMP };

struct message {
    enum message_kind kind;
    struct generation *generation; /* MESSAGE_ADOPT: a reference */
};

struct mailbox;
/* on_message runs on the thread of `base`, in the order of posting. */
struct mailbox *mailbox_new(struct event_base *base,
                            void (*on_message)(void *owner, const struct message *m),
                            void *owner);
void mailbox_free(struct mailbox *m);
void mailbox_post(struct mailbox *m, const struct message *message);

#endif
