#include "tasks/sync.h"

#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum reason
sync_failed(const char *directory, const char *name, const char *doing)
{
    return log_reason(REASON_LEDGER_FAILED, "%s/%s: %s: %s", directory, name, doing,
                      strerror(errno));
}

static enum reason
sync_segment(struct sync *y)
{
    if (y->bytes == 0 && y->is_named)
        return REASON_OK;
    if (fdatasync(y->fd) != 0) {
        y->is_doubtful = true;
        return sync_failed(y->directory, y->name, "sync");
    }
    if (!y->is_named && fsync(y->at) != 0)
        return sync_failed(y->directory, "", "sync");
    return REASON_OK;
}

static enum reason
keep_checkpoint(const struct sync *y)
{
    struct buf path = { 0 };
    enum reason why;

    buf_printf(&path, "%s/checkpoint%c", y->directory, '\0');
    why = file_write(buf_text(&path).at, 0600, spool_text(&y->checkpoint.line));
    buf_free(&path);
    return why;
}

/* Only what is on the disk is vouched for: a copy that knew of more than the ledger
 * after a crash would call it cut. */
void
sync_run(struct sync *y)
{
    y->why = sync_segment(y);
    y->is_synced = y->why == REASON_OK;
    if (y->is_synced && y->checkpoint.seq > 0)
        y->why = keep_checkpoint(y);
}
