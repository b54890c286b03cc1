/* The helper: a process of its own that runs the programs which tell secrets, so that
 * the one that holds keys and reads strangers' bytes never has to. It is forked before
 * there is a secret or a thread, becomes the same user, runs what main asks it to and
 * nothing else, and ends with main. Main's alone.
 *
 * A program is run without a shell, with no input, an environment and a directory that
 * are the same everywhere, and no descriptor but its output's; in a session of its own,
 * which is killed when its time is over, when it has printed too much, and when it has
 * ended, with whatever it left there.
 *
 * A helper that is gone is not replaced: by then there are secrets that a new one would
 * inherit. */
#ifndef PROXY_HELPER_H
#define PROXY_HELPER_H

#include "base/list.h"
#include "base/reason.h"
#include "base/text.h"
#include "conf/conf.h"
#include "proxy/loop.h"
#include "proxy/privilege.h"

enum {
    HELPER_AT_ONCE = 8, /* programs; more wait for their turn */
    HELPER_HINT_MAX = 512
};

struct helper;

/* The first thing a process does. Never NULL; what could not be forked is gone from the
 * start, and logged. */
struct helper *helper_fork(void);
/* It becomes this user for good; from now on it can be asked, and heard on the loop. */
void helper_begin(struct helper *h, struct loop *loop, const struct identity *who);
/* … with the programs that run. Waits until it is, for a second at most. No run is
 * left. NULL is fine. */
void helper_free(struct helper *h);

bool helper_is_gone(const struct helper *h);
pid_t helper_pid(const struct helper *h);

/* ---- one run of one program */

struct helper_run;

/* What it is told; all on loan for helper_run_new alone. */
struct helper_ask {
    const struct strings *command; /* the program's absolute path, and its arguments */
    const char *credential, *grant, *purpose;
    struct text task;
    int64_t timeout_ms; /* all of it: its turn is waited for, and it is run */
};

/* Begins. The bell rings on the loop when it is over, never from within this call. */
struct helper_run *helper_run_new(struct helper *h, const struct helper_ask *ask,
                                  struct wake *bell);
/* Over or not: what runs is killed, what came is wiped. NULL is fine. */
void helper_run_free(struct helper_run *r);
bool helper_run_is_over(const struct helper_run *r);

/* When it is over. REASON_OK: it has ended well, and this is what it printed. Else
 * REASON_COMMAND_FAILED, _TOO_LARGE, _TIMEOUT, _UNAVAILABLE. */
enum reason helper_run_why(const struct helper_run *r);
struct text helper_run_output(const struct helper_run *r);
/* How it failed: its exit status or 0, the signal it died of or 0, what it wrote to
 * standard error (the first HELPER_HINT_MAX bytes). */
int helper_run_status(const struct helper_run *r);
int helper_run_signal(const struct helper_run *r);
struct text helper_run_hint(const struct helper_run *r);

#endif
