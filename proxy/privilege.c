#include "proxy/privilege.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool started_as_root;

static enum reason
fail(const char *what)
{
    return log_reason(REASON_PRIVILEGES, "%s: %s", what, strerror(errno));
}

/* A number needs no entry in /etc/passwd: images have none. */
enum reason
identity_find(const struct conf *conf, struct identity *out, struct buf *report)
{
    struct passwd *entry;
    uint64_t number;

    *out = (struct identity){ geteuid(), getegid() };
    if (conf->user == NULL)
        return REASON_OK;
    if (text_to_u64(text_z(conf->user), UINT32_MAX - 1, &number)) {
        *out = (struct identity){ (uid_t)number, (gid_t)number };
        return REASON_OK;
    }
    if ((entry = getpwnam(conf->user)) == NULL) {
        buf_printf(report, "user: there is no user \"%s\" on this machine\n",
                   conf->user);
        return REASON_CONFIG;
    }
    *out = (struct identity){ entry->pw_uid, entry->pw_gid };
    return REASON_OK;
}

static bool
fears(int64_t uid, uid_t own, const struct place *at, const char *key,
      struct buf *report)
{
    if (uid != 0 && uid != (int64_t)own)
        return false;
    buf_printf(
        report, "%s:%u: %s: uid %u is %s: it could read every key from our memory\n",
        at->file, at->line, key, (unsigned)uid, uid == 0 ? "root" : "Holdfast's own");
    return true;
}

bool
identity_fears_nobody(const struct conf *conf, uid_t own, struct buf *report)
{
    const struct conf_grant *grants = conf->grants.at;
    bool any = fears(conf->workload.uid, own, &conf->workload.place, "workload.uid",
                     report);

    for (size_t i = 0; i < conf->grants.n; i++)
        if (!grants[i].caller.any && grants[i].caller.uid >= 0)
            any |= fears(grants[i].caller.uid, own, &grants[i].caller.place,
                         "grants.caller.uid", report);
    return !any;
}

static enum reason
log_each(enum reason why, struct text lines)
{
    struct text line;

    while (text_split(&lines, '\n', &line))
        if (!text_is_empty(line))
            (void)log_reason(why, "%.*s", TEXT_ARG(line));
    return why;
}

enum reason
identity_choose(const struct conf *conf, struct identity *out)
{
    struct buf report = { 0 };
    enum reason why;

    started_as_root = geteuid() == 0;
    if ((why = identity_find(conf, out, &report)) != REASON_OK)
        (void)log_each(why, buf_text(&report));
    else if (out->uid == 0)
        why = REASON_STAYS_ROOT; /* whose sentence is all there is to tell */
    else if (!started_as_root && out->uid != geteuid())
        why = log_reason(REASON_PRIVILEGES, "only root can become user \"%s\"",
                         conf->user);
    else if (!identity_fears_nobody(conf, out->uid, &report))
        why = log_each(REASON_EQUAL_UID, buf_text(&report));
    buf_free(&report);
    return why;
}

enum reason
identity_assume(const struct identity *who)
{
    if (!started_as_root)
        return REASON_OK;
    if (setgroups(0, NULL) != 0 || setegid(who->gid) != 0 || seteuid(who->uid) != 0)
        return fail("taking on the user's identity");
    return REASON_OK;
}

enum reason
identity_resume_root(void)
{
    if (!started_as_root)
        return REASON_OK;
    if (seteuid(0) != 0 || setegid(0) != 0)
        return fail("going back to root to bind");
    return REASON_OK;
}

enum reason
identity_own_directory(const struct identity *who, const char *path, mode_t mode)
{
    enum reason why;

    if (access(path, F_OK) == 0)
        return REASON_OK;
    if ((why = file_make_directory(path, mode)) != REASON_OK)
        return why;
    if (started_as_root && lchown(path, who->uid, who->gid) != 0)
        return fail(path);
    return REASON_OK;
}

/* Possible only while we hold CAP_SETPCAP; without it we hold nothing that could be
 * regained either. */
static void
empty_bounding_set(void)
{
    for (unsigned long i = 0; i < 64; i++)
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0 && errno == EINVAL)
            return; /* past the last one this kernel knows */
}

static enum reason
drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2] = { 0 };

    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &header, none) == 0 ? REASON_OK
                                                   : fail("dropping capabilities");
}

enum reason
identity_drop(const struct identity *who)
{
    struct rlimit no_core = { 0, 0 };
    enum reason why;

    if (started_as_root || getuid() == 0) {
        empty_bounding_set();
        if (setgroups(0, NULL) != 0 || setresgid(who->gid, who->gid, who->gid) != 0 ||
            setresuid(who->uid, who->uid, who->uid) != 0)
            return fail("becoming the user");
        if (setuid(0) == 0)
            return log_reason(REASON_PRIVILEGES, "root could be taken back");
    }
    if ((why = drop_capabilities()) != REASON_OK)
        return why;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail("no_new_privs");
    if (setrlimit(RLIMIT_CORE, &no_core) != 0)
        return fail("no core");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return fail("not dumpable");
    return REASON_OK;
}
