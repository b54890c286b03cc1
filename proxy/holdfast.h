/* What the main thread holds: the whole process, from its start to its end. Main never
 * blocks; it hears signals, the builder and the workers. Inside proxy/: run.c (start
 * and end), reload.c, signals.c, verbs.c. */
#ifndef PROXY_HOLDFAST_H
#define PROXY_HOLDFAST_H

#include "proxy/builder.h"
#include "proxy/chronicle.h"
#include "proxy/control.h"
#include "proxy/doors.h"
#include "proxy/mailbox.h"
#include "proxy/privilege.h"
#include "proxy/secrets.h"
#include "proxy/watch.h"
#include "proxy/worker.h"

struct custody;
struct helper;
struct inquiry;
struct mint;
struct revocation;
struct overseer;

enum { SIGNALS = 6 };

/* How the last reload went; why is REASON_OK as well when there was none. */
struct reload_result {
    enum reason why;
    int64_t at_ms;     /* wall clock; 0: never */
    uint64_t number;   /* of the generation in force after it */
    struct buf report; /* every error, a line each */
};

struct holdfast {
    const char *path;
    struct generation *generation; /* the one in force */
    struct vault *first_secrets;   /* from the start until the workers have them */
    struct identity who;
    struct ca *ca;
    struct authority_key *authority;
    struct chronicle chronicle;
    struct doors doors;
    struct shared shared; /* by the workers */
    struct worker **workers;
    size_t n_workers, n_ended;
    struct event_base *base;
    struct mailbox *inbox; /* from the workers */
    struct event *signals[SIGNALS];
    struct builder *builder;
    struct secrets *secrets;       /* of `next`, where there is one */
    struct vault *vault;           /* of `generation`; NULL: not read yet */
    struct generation *next;       /* built; its secrets are being read */
    struct prepared *next_tasks;   /* of `next` */
    struct prepared *first_tasks;  /* from the start until the workers have them */
    struct inquiry *inquiry;       /* what gates ask issuers */
    struct custody *custody;       /* NULL without a way out; likewise … */
    struct mint *mint;             /* … what gets tokens for tasks … */
    struct revocation *revocation; /* … and has them taken back … */
    struct helper *helper;  /* … and the process that runs programs for it … */
    struct loop *errands;   /* … by errands over base */
    struct event *patience; /* waits for an old generation to end before the next is
                               built */
    unsigned waited;
    size_t n_adopting; /* workers that have not said yet that they took it over */
    bool reloading;    /* from the reading of the files to conclude() */
    bool asked_again;  /* for a reload, while one was going on */
    bool asked_always; /* even if the files are as they were */
    uint64_t n_read;   /* how often the files were, and what came of it was over */
    uint64_t asked, answered; /* how often, and up to which the one going on answers */
    struct watch *watch;      /* NULL: `watch` is off */
    struct reload_result reload;
    struct overseer *overseer;
    struct unix_socket socket;   /* bound; control's once that is there */
    struct control *control;     /* NULL: there is no control.socket */
    int64_t began_ms, loaded_ms; /* monotonic; wall clock, the generation in force */
    bool stopping;
    bool stopped_now; /* … without waiting for what runs */
    bool log_is_old;  /* the log that the config names could not be opened */
};

/* ---- reload.c */

void reload_begin(struct holdfast *h); /* once, after h->base is there */
void reload_end(struct holdfast *h);
/* Reads the config anew, now or when what is going on is over. When every worker has
 * taken the new generation over (or it was refused), it is told and stands in
 * h->reload, and whoever waits for it is answered. */
void reload_ask(struct holdfast *h);
/* The same, unless the files' bytes are those that were read last. */
void reload_notice(struct holdfast *h);
/* What the next reload_ask is answered as (control.h). */
uint64_t reload_ticket(const struct holdfast *h);
/* A worker has taken over what it was given. */
void reload_adopted(struct holdfast *h);
void reload_tell_report(const struct buf *report); /* a log record for each error */
MUST_USE enum reason reload_open_log(const struct conf *conf);

/* ---- oversee.c: the ops doors */

void oversee_prepare(struct holdfast *h); /* before the workers start */
void oversee_begin(struct holdfast *h);   /* when they have */
void oversee_end(struct holdfast *h);     /* before they are joined */
void oversee_reload(struct holdfast *h);  /* h->reload is the outcome of one */
/* Neither stopping nor with a worker whose loop does not turn. */
bool oversee_is_serving(const struct holdfast *h);
/* This generation is about to be given to the first n_workers. */
void oversee_generation(struct holdfast *h, struct generation *g, size_t n_workers);
/* The secrets of the generation in force, as they are now. */
void oversee_secrets(struct holdfast *h, const struct vault *secrets);

/* ---- signals.c */

void signals_watch(struct holdfast *h);
/* From now on INT, QUIT and TERM end the waiting of the loop, and the others nothing.
 */
void signals_hurry(struct holdfast *h);
void signals_forget(struct holdfast *h);
/* As TERM does: no new connections; ends when the last exchange has, or after
 * limits.drain. */
void holdfast_drain(struct holdfast *h);
void holdfast_stop(struct holdfast *h);

#endif
