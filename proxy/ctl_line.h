/* A line to the Holdfast that runs: its control socket found by the config or by its
 * path, whoever answers there judged, questions and answers a line each. */
#ifndef PROXY_CTL_LINE_H
#define PROXY_CTL_LINE_H

#include "base/json.h"
#include "proxy/ctl.h"

struct ctl_line {
    int fd;
    bool is_late; /* it said nothing within the time */
    struct buf in;
    size_t taken; /* of the line handed out last */
};

/* {"verb":"…", to which members are put. */
void ctl_question(struct buf *out, const char *verb);
void ctl_question_end(struct buf *out);

/* Asks the first question. patient: an answer may take all the time there is. Returns
 * an exit code; what went wrong is told on standard error unless `quiet`. Whatever it
 * returns, the line is closed by ctl_line_close. */
int ctl_line_open(const struct ctl *c, struct text question, bool patient, bool quiet,
                  struct ctl_line *l);
void ctl_line_say(const struct ctl_line *l, struct text question);
/* The next whole line, without its newline; valid until the next call. False at the
 * end. */
bool ctl_line_next(struct ctl_line *l, struct text *line);
/* After that: why there was none. */
const char *ctl_line_silence(const struct ctl_line *l);
/* The parsed answer, which the caller frees; NULL: there was none, or it was no; that
 * has been told, and *code says what to exit with. */
struct json *ctl_line_answer(struct ctl_line *l, int *code);
void ctl_line_close(struct ctl_line *l);

/* A sentence on standard error, unless `quiet`; returns `code`. */
int ctl_complain(bool quiet, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
