/* Handles as files that a workload may source; one that has nothing to say is no file.
 */
#include "tasks/handle_table.h"

#include "base/file.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool
is_workloads(const struct handle *h, const struct conf *conf)
{
    return h->caller.any || h->caller.uid == conf->workload.uid;
}

/* One's own stands before one that is anybody's under the same name. */
static bool
is_outdone(const struct handles *all, const struct handle *h, const struct conf *conf)
{
    for (size_t i = 0; h->caller.any && i < all->n; i++) {
        const struct handle *other = &all->at[i].handle;

        if (!other->ended && !other->caller.any && is_workloads(other, conf) &&
            strcmp(other->env, h->env) == 0)
            return true;
    }
    return false;
}

static void
write_line(struct buf *out, const struct handle *h)
{
    buf_add_z(out, h->env);
    buf_add_byte(out, '=');
    buf_add(out, h->value);
    buf_add_byte(out, '\n');
}

/* Nothing to say: no file. */
static enum reason
put_file(const char *directory, const char *name, struct text lines)
{
    struct buf path = { 0 };
    enum reason why = REASON_OK;

    buf_printf(&path, "%s/%s", directory, name);
    buf_add_byte(&path, '\0');
    if (lines.n > 0)
        why = file_write(buf_text(&path).at, 0644, lines);
    else if (unlink(buf_text(&path).at) != 0 && errno != ENOENT)
        why = log_reason(REASON_FILE_UNREADABLE, "%s: %s", buf_text(&path).at,
                         strerror(errno));
    buf_free(&path);
    return why;
}

static enum reason
publish_workloads(const struct handles *h, const struct conf *conf,
                  const char *directory)
{
    struct buf lines = { 0 };
    enum reason why;

    for (size_t i = 0; i < h->n; i++) {
        const struct handle *one = &h->at[i].handle;

        if (!one->ended && is_workloads(one, conf) && !is_outdone(h, one, conf))
            write_line(&lines, one);
    }
    why = put_file(directory, "handles.env", buf_text(&lines));
    buf_free(&lines);
    return why;
}

static enum reason
publish_uid(const struct handles *h, int64_t uid, const char *directory)
{
    struct buf lines = { 0 };
    enum reason why;
    char name[48];

    for (size_t i = 0; i < h->n; i++) {
        const struct handle *one = &h->at[i].handle;

        if (!one->ended && !one->caller.any && one->caller.uid == uid)
            write_line(&lines, one);
    }
    (void)snprintf(name, sizeof name, "handles.uid-%lld.env", (long long)uid);
    why = put_file(directory, name, buf_text(&lines));
    buf_free(&lines);
    return why;
}

/* The files of callers that have no handle any more go: theirs is empty. */
static enum reason
sweep(const struct handles *h, const struct conf *conf, const char *directory)
{
    DIR *d = opendir(directory);
    enum reason why = REASON_OK;
    struct dirent *e;
    long long uid;
    int end;

    while (d != NULL && why == REASON_OK && (e = readdir(d)) != NULL) {
        end = 0;
        if (sscanf(e->d_name, "handles.uid-%lld.env%n", &uid, &end) != 1 || end == 0 ||
            e->d_name[end] != '\0')
            continue;
        if (uid == conf->workload.uid)
            why = put_file(directory, e->d_name, TEXT(""));
        else
            why = publish_uid(h, uid, directory);
    }
    if (d != NULL)
        closedir(d);
    return why;
}

enum reason
handles_publish(const struct handles *h, const struct conf *conf, const char *directory)
{
    enum reason why = publish_workloads(h, conf, directory);

    for (size_t i = 0; i < h->n && why == REASON_OK; i++) {
        const struct handle *one = &h->at[i].handle;

        if (!one->ended && !is_workloads(one, conf))
            why = publish_uid(h, one->caller.uid, directory);
    }
    return why == REASON_OK ? sweep(h, conf, directory) : why;
}
