/* Between main (helper.c, helper_run.c) and its helper (helper_process.c,
 * helper_program.c): the packets on the socket that joins them. Both are one binary on
 * one machine. */
#ifndef PROXY_HELPER_PARTS_H
#define PROXY_HELPER_PARTS_H

#include "base/buf.h"
#include "proxy/helper.h"
#include "tokens/command_answer.h"

enum helper_verb {
    HELPER_BECOME, /* this user: once, and first */
    HELPER_RUN,
    HELPER_STOP /* what was asked under this number */
};

/* Main's. Behind it, of HELPER_RUN: n_words words, then n_variables assignments, each
 * with its NUL. */
struct helper_order {
    enum helper_verb verb;
    uint32_t n_words, n_variables;
    uint64_t number;
    int64_t timeout_ms;
    struct identity who;
};

enum helper_end {
    HELPER_EXITED,  /* status: its exit status */
    HELPER_KILLED,  /* status: the signal, which is none of ours */
    HELPER_STOPPED, /* nobody wants it any more */
    HELPER_LATE,
    HELPER_TOO_LARGE,
    HELPER_NOT_RUN /* there was no process or pipe for it; status: errno */
};

/* The helper's, one for each HELPER_RUN. Behind it: output, hint. */
struct helper_report {
    uint64_t number;
    enum helper_end end;
    int32_t status;
    uint32_t n_output, n_hint;
};

enum {
    HELPER_WORDS_MAX = 64, /* arguments; likewise the variables, which are few */
    HELPER_ORDER_MAX = sizeof(struct helper_order) + 16 * 1024,
    HELPER_REPORT_MAX = sizeof(struct helper_report) + COMMAND_OUTPUT_MAX +
                        HELPER_HINT_MAX
};

/* ---- main's side */

struct helper_run {
    struct helper *helper;
    struct list in_queue; /* it waits for its turn */
    struct buf order;     /* as it will be sent, but for its number and time */
    int64_t ends_ms;
    struct alarm alarm;
    struct wake *bell;
    bool is_over;
    enum reason why;
    int status, signal;
    struct text output, hint; /* in `said` */
    char *said;
    size_t n_said;
};

struct helper {
    pid_t pid;
    int fd; /* -1: it is gone */
    struct loop *loop;
    struct event *readable;
    struct list queue;
    struct place_of_run {
        uint64_t number;        /* 0: free */
        struct helper_run *run; /* NULL: nobody waits for it any more */
    } places[HELPER_AT_ONCE];
    uint64_t last; /* number */
    char *packet;  /* HELPER_REPORT_MAX */
};

/* helper.c: false: the socket does not take it now. */
bool helper_send(const struct helper *h, const struct helper_order *o,
                 struct text behind);
/* Those who wait take what places there are. */
void helper_go_on(struct helper *h);

/* helper_run.c: takes the place, or is too late. False: it could not be sent. */
bool run_begin(struct place_of_run *p, struct helper_run *r);
void run_take(struct helper_run *r, const struct helper_report *report,
              const char *behind);
/* Its place, if it has one, is the caller's to clear. */
void run_end(struct helper_run *r, enum reason why);

/* ---- the helper's side */

/* helper_process.c: what the helper does, until main is gone. */
_Noreturn void helper_serve(int fd);

/* helper_program.c: one program. */

struct program {
    pid_t pid;          /* 0: there is none */
    int output, errors; /* ours to read, without waiting; -1: ended */
};

/* Of an absolute path: words and variables end with NULL. False: errno says why. */
bool program_start(char *const *words, char *const *variables, struct program *p);
/* With all that is in its session's first group. */
void program_kill(const struct program *p);

#endif
