/* Files we keep: read whole, written whole. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/reason.h"

#include <sys/types.h>

/* Appends the file's bytes to out; more than `max` is REASON_FILE_CONTENT. Logs the
 * detail. */
MUST_USE enum reason file_read(const char *path, size_t max, struct buf *out);

/* Written beside its place, synced, then renamed over it: a reader sees the old bytes
 * or the new, never half. mode as for open(2), whatever the umask. Never follows a
 * link. A file that holds just this already is left as it is. Logs the detail. */
MUST_USE enum reason file_write(const char *path, mode_t mode, struct text bytes);

/* Makes the directory (and its parents) if it is missing. An existing one that others
 * may write to is REASON_FILE_UNSAFE; with `mode` 0700 one that others may enter is
 * too. */
MUST_USE enum reason file_make_directory(const char *path, mode_t mode);

/* Of one that is there, as file_make_directory judges it; a link to one is none. Logs
 * the detail. */
MUST_USE enum reason file_judge_directory(const char *path, mode_t mode);

#endif
