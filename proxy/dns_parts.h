/* What the files behind dns_door.h share. */
#ifndef PROXY_DNS_PARTS_H
#define PROXY_DNS_PARTS_H

#include "base/arena.h"
#include "base/dns_message.h"
#include "proxy/dns_door.h"
#include "proxy/resolve.h"

#include <event2/event_struct.h>

struct dns_session;

enum { DNS_SOURCES = 256 };

struct dns_door {
    struct worker *worker;
    size_t index;
    int fd; /* of datagrams, on loan */
    struct event datagrams;
    struct caller_lookup *callers;    /* its own: see caller_search_sender */
    struct rate sources[DNS_SOURCES]; /* datagrams, by the socket they came from */
    struct rate searches;             /* for who sent one */
    struct arena *arena;              /* for one judgement */
    struct list lookups;              /* of questions under way */
    size_t n_lookups;
    struct list sessions; /* over TCP */
    size_t n_sessions;
    uint64_t untold;    /* dropped since the log said so … */
    int64_t told_at_ms; /* … the last time */
};

/* Where a datagram came from, and which address of ours it was sent to. */
struct dns_way {
    struct sockaddr_storage from;
    struct address at;
    unsigned interface;
};

/* One question, from its bytes to its answer. On a stack, until something has to be
 * looked up for it. */
struct dns_question {
    struct dns_door *door;
    struct dns_session *session; /* that it came on; NULL: by a datagram, … */
    struct dns_way way;          /* … which came so */
    struct caller caller;
    int64_t began_us;
    struct dns_query query;
    struct host host;

    /* judged */
    const struct conf_grant *grant; /* of the generation in force, within one call */
    struct text prohibited;         /* in the door's arena */

    /* looked up */
    struct epoch *epoch; /* whose resolver is asked; NULL: nobody was */
    struct lookup lookup;
    struct wake wake;
    struct list member; /* of door->lookups */
};

static inline const struct conf_door *
dns_conf(const struct dns_door *d)
{
    return generation_door(d->worker->now->generation, d->index);
}

/* ---- dns_question.c */

enum dns_fate {
    DNS_ANSWERED, /* or will never be */
    DNS_UNDER_WAY,
    DNS_DROPPED /* nothing that may be answered, or too much */
};

/* `q` has door, session or way, and caller. Under way it is a copy that waits, and
 * *waits is it. */
enum dns_fate dns_question_ask(struct dns_question *q, struct text message,
                               struct dns_question **waits);
/* Nobody waits for it any more. */
void dns_question_drop(struct dns_question *q);

/* ---- dns_limits.c */

/* Of datagrams, before anything is asked about them: may its socket send one more, and
 * may we search for its holder? */
bool dns_may_send(struct dns_door *d, const struct sockaddr_storage *from);
bool dns_may_search(struct dns_door *d);
/* May this caller ask once more, now? */
bool dns_may_ask(struct dns_door *d, const struct caller *caller);
/* REASON_OK, or why nothing is looked up for him: too much is under way, or, below a
 * wildcard, he has asked for too many names that are new. */
MUST_USE enum reason dns_may_look_up(struct dns_door *d, const struct dns_question *q,
                                     bool wildcard);
/* One that is not answered at all. */
void dns_count_drop(struct dns_door *d);

/* ---- by the way it came */

void dns_datagram_send(struct dns_door *d, const struct dns_way *way,
                       struct text message);
void dns_session_send(struct dns_session *s, struct text message);
/* The question that it waited for is over. */
void dns_session_go_on(struct dns_session *s);
void dns_sessions_end(struct dns_door *d);

#endif
