#include "proxy/premises.h"

#include "base/file.h"
#include "base/memory.h"
#include "proxy/doors.h"
#include "tokens/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 4, 5))) static void
tell(struct buf *to, const struct place *at, const char *key, const char *format, ...)
{
    char message[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    buf_printf(to, "%s:%u: %s: %s\n", at->file, at->line, key, message);
}

/* About a file of a credential; of some kinds there are several. */
__attribute__((format(printf, 4, 5))) static void
warn(const struct premises *p, const struct conf_credential *c, const char *kind,
     const char *format, ...)
{
    char message[1024];
    bool one = c->source.path != NULL;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    findings_add(p->findings, FINDING_WARNING, kind, c->source.place,
                 "credentials.%s.source%s: %s", c->name, one ? ".path" : "", message);
}

static bool
may(const char *path, int what)
{
    return faccessat(AT_FDCWD, path, what, AT_EACCESS) == 0;
}

/* "/a/b" for "/a/b/c", "/" for "/a", "." for "a". The caller's to free. */
static char *
parent_of(const char *path)
{
    char *copy = memory_copy_z(path);
    size_t n = strlen(copy);

    while (n > 1 && copy[n - 1] == '/')
        n--;
    while (n > 0 && copy[n - 1] != '/')
        n--;
    while (n > 1 && copy[n - 1] == '/')
        n--;
    if (n == 0)
        copy[n++] = '.';
    copy[n] = '\0';
    return copy;
}

/* ---- directories */

/* Whether it could be made: by root anywhere, by others where its nearest parent lets
 * them. */
static bool
could_be_made(const struct premises *p, const char *path)
{
    char *at = memory_copy_z(path);
    struct stat st;
    bool could;

    while (stat(at, &st) != 0 && errno == ENOENT && strcmp(at, "/") != 0 &&
           strcmp(at, ".") != 0) {
        char *up = parent_of(at);

        free(at);
        at = up;
    }
    errno = ENOTDIR;
    could = stat(at, &st) == 0 && S_ISDIR(st.st_mode) &&
            (p->root_starts || may(at, W_OK | X_OK));
    free(at);
    return could;
}

static void
look_at_directory(const struct premises *p, const struct place *at, const char *key,
                  const char *path, mode_t mode)
{
    struct stat st;

    if (path == NULL)
        return;
    if (lstat(path, &st) != 0) {
        if (errno != ENOENT || !could_be_made(p, path))
            tell(p->errors, at, key, "%s cannot be made: %s", path, strerror(errno));
        return;
    }
    if (file_judge_directory(path, mode) != REASON_OK)
        tell(p->errors, at, key,
             "%s is no directory that is Holdfast's or root's and shut to others",
             path);
    else if (!may(path, W_OK | X_OK))
        tell(p->errors, at, key, "%s cannot be written to by uid %u: %s", path,
             (unsigned)geteuid(), strerror(errno));
}

static void
look_at_unix_doors(const struct premises *p)
{
    const struct conf_door *doors = p->conf->doors.at;
    char *in;
    gid_t group;

    for (size_t i = 0; i < p->conf->doors.n; i++) {
        if (doors[i].kind != DOOR_UNIX)
            continue;
        in = parent_of(doors[i].path);
        look_at_directory(p, &doors[i].place, "doors.path", in, 0755);
        free(in);
        if (doors[i].group != NULL && !door_group(&doors[i], &group))
            tell(p->errors, &doors[i].place, "doors.group",
                 "there is no group \"%s\" on this machine", doors[i].group);
    }
}

static void
look_at_directories(const struct premises *p)
{
    const struct conf *c = p->conf;
    char *socket_in = NULL;

    if (conf_has_egress(c)) {
        look_at_directory(p, &c->ca.place, "ca.keep", c->ca.keep, 0700);
        look_at_directory(p, &c->ca.place, "ca.publish", c->ca.publish, 0755);
        look_at_directory(p, &c->authority.place, "authority.keep", c->authority.keep,
                          0700);
    }
    look_at_directory(p, &c->ledger.place, "ledger.keep", c->ledger.keep, 0700);
    look_at_unix_doors(p);
    if (c->control.socket == NULL)
        return;
    socket_in = parent_of(c->control.socket);
    look_at_directory(p, &c->control.place, "control.socket", socket_in, 0755);
    free(socket_in);
}

/* ---- files */

/* It is made if it is missing; its directory is not. */
static void
look_at_log(const struct premises *p)
{
    const struct conf_log *log = &p->conf->log;
    char *directory;
    struct stat st;

    if (log->path == NULL || strcmp(log->path, "-") == 0)
        return;
    directory = parent_of(log->path);
    if (stat(log->path, &st) == 0 ? !may(log->path, W_OK)
                                  : !may(directory, W_OK | X_OK))
        tell(p->errors, &log->place, "log.path", "%s cannot be written by uid %u: %s",
             log->path, (unsigned)geteuid(), strerror(errno));
    free(directory);
}

/* A secret may come after the start: until then requests are refused, not the start. */
static void
look_at_secret(const struct premises *p, const struct vault *vault,
               const struct conf_credential *c)
{
    const char *fault = vault_fault(vault, c);
    int64_t age_s = p->now_s - vault_written_s(vault, c);

    if (fault == NULL && vault_expires_s(vault, c) != 0 &&
        vault_expires_s(vault, c) < p->now_s)
        warn(p, c, "expired_certificate",
             "%s has expired; what needs it is refused until there is another",
             c->source.certificate);
    if (fault != NULL)
        warn(p, c, "secret", "%s; what needs it is refused until then", fault);
    else if (age_s > c->rotate_every_ms / 1000)
        warn(p, c, "overdue_rotation",
             "%s is %" PRId64 " days old: its rotation is overdue",
             vault_oldest(vault, c), age_s / (24 * 60 * 60));
}

static void
look_at_secrets(const struct premises *p)
{
    const struct conf_credential *credentials = p->conf->credentials.at;
    struct vault *vault = vault_read(p->conf);

    for (size_t i = 0; i < p->conf->credentials.n; i++)
        if (vault_has_files(&credentials[i]))
            look_at_secret(p, vault, &credentials[i]);
    vault_unref(vault);
}

void
premises_look(const struct premises *p)
{
    look_at_directories(p);
    look_at_log(p);
    look_at_secrets(p);
}
