/* The log: one line per event. As JSON when it goes anywhere but a terminal, short text
 * on a terminal. Lines are written whole by one write(2) each, so threads do not mix.
 * Control bytes, quotes and invalid UTF-8 are escaped: one event is one line whatever a
 * stranger wrote. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/reason.h"
#include "base/text.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_AUTO, LOG_JSON, LOG_SHORT };

/* path NULL or "-": standard error. Before the first log_open: standard error,
 * automatic format, LOG_INFO. */
MUST_USE enum reason log_open(const char *path, enum log_format format,
                              enum log_level level);
/* Opens the same path anew (USR1, after a rotation); the old file stays when that
 * fails. */
MUST_USE enum reason log_reopen(void);
void log_close(void);
/* The file it goes to; NULL: standard error. Main's. */
const char *log_path(void);
/* Since the start; any thread. */
unsigned long log_lines_lost(void);
bool log_wants(enum log_level level);

/* {"ts":…,"level":…,"msg":…}. errno is left as it was. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A failure with its reason: {"ts":…,"level":"error","msg":…,"reason":token}. log_tls
 * adds and empties OpenSSL's error queue. Both return `why`, so that a caller can
 * `return log_reason(why, …)`. */
enum reason log_reason(enum reason why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum reason log_tls(enum reason why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line of fields, in the order they are added, at most 4 KiB long. A value is cut at
 * 1 KiB, a message at 2 KiB; a line that was cut says "truncated":true. A line that
 * cannot be written at once is lost, and counted: the next one that can says how many.
 *
 *     struct log_line *l = log_line_begin(LOG_INFO, "request");
 *
 *     log_line_text(l, "host", host);
 *     log_line_number(l, "status", 200);
 *     log_line_end(l);
 *
 * log_line_begin returns NULL below the level, and the others take NULL. One line is
 * open per thread at a time; messages may be logged meanwhile. */
struct log_line;
struct log_line *log_line_begin(enum log_level level, const char *msg);
void log_line_text(struct log_line *l, const char *key, struct text value);
/* value NULL: the field is left out. */
void log_line_z(struct log_line *l, const char *key, const char *value);
void log_line_number(struct log_line *l, const char *key, int64_t value);
void log_line_bool(struct log_line *l, const char *key, bool value);
void log_line_list(struct log_line *l, const char *key, const struct text *values,
                   size_t n);
void log_line_end(struct log_line *l);

#endif
