/* Handles as files that a workload may source; one that has nothing to say is no file.
 */
#include "tasks/handle_table.h"

#include "base/file.h"
#include "base/log.h"
#include "tasks/demand.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Whoever must be more than that has a file of its own. */
static bool
is_workloads(const struct handle *h, const struct conf *conf)
{
    const struct conf_caller workload = { .uid = conf->workload.uid };

    return h->caller.any || demand_equals(&h->caller, &workload);
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

/* "handles.uid-1001.env" */
static void
name_file(const struct conf_caller *caller, struct buf *name)
{
    buf_add_z(name, "handles.");
    demand_print_file(caller, name);
    buf_add_z(name, ".env");
}

static enum reason
publish_caller(const struct handles *h, const struct conf_caller *caller,
               const char *directory)
{
    struct buf lines = { 0 }, name = { 0 };
    enum reason why;

    for (size_t i = 0; i < h->n; i++) {
        const struct handle *one = &h->at[i].handle;

        if (!one->ended && demand_equals(&one->caller, caller))
            write_line(&lines, one);
    }
    name_file(caller, &name);
    buf_add_byte(&name, '\0');
    why = put_file(directory, buf_text(&name).at, buf_text(&lines));
    buf_free(&name);
    buf_free(&lines);
    return why;
}

/* Some caller has handles in a file of this name. */
static bool
is_in_use(const struct handles *h, const struct conf *conf, struct text file)
{
    struct buf name = { 0 };
    bool found = false;

    for (size_t i = 0; i < h->n && !found; i++) {
        const struct handle *one = &h->at[i].handle;

        if (one->ended || is_workloads(one, conf))
            continue;
        name_file(&one->caller, &name);
        found = text_equals(buf_text(&name), file);
        buf_free(&name);
    }
    return found;
}

/* Of a name that one of ours could have. */
static bool
is_of_a_caller(struct text name)
{
    static const char *const demands[] = { "uid-", "gid-",       "cgroup-",
                                           "pod-", "container-", "door-" };
    struct text front = TEXT("handles.");

    if (!text_starts(name, front) || !text_ends(name, TEXT(".env")))
        return false;
    name = text_of(name.at + front.n, name.n - front.n);
    for (size_t i = 0; i < sizeof demands / sizeof *demands; i++)
        if (text_starts(name, text_z(demands[i])))
            return true;
    return false;
}

/* The files of callers that have no handle any more go. */
static enum reason
sweep(const struct handles *h, const struct conf *conf, const char *directory)
{
    DIR *d = opendir(directory);
    enum reason why = REASON_OK;
    struct dirent *e;

    while (d != NULL && why == REASON_OK && (e = readdir(d)) != NULL)
        if (is_of_a_caller(text_z(e->d_name)) && !is_in_use(h, conf, text_z(e->d_name)))
            why = put_file(directory, e->d_name, TEXT(""));
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
            why = publish_caller(h, &one->caller, directory);
    }
    return why == REASON_OK ? sweep(h, conf, directory) : why;
}
