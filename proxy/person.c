#include "proxy/person.h"

#include "base/memory.h"
#include "proxy/ctl_line.h"
#include "proxy/privilege.h"
#include "proxy/run.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
judge(const struct conf *conf, uid_t uid)
{
    struct buf report = { 0 };
    struct identity own;
    int code = EXIT_OK;

    if (identity_find(conf, &own, &report) != REASON_OK)
        code = EXIT_CONFIG;
    else if (uid == 0 || uid == own.uid)
        code = ctl_complain(false, EXIT_NO_TASK,
                            "uid %u is %s: a command of its could read every key",
                            (unsigned)uid, uid == 0 ? "root" : "Holdfast's own");
    else if (geteuid() != 0)
        code = ctl_complain(false, EXIT_NO_TASK,
                            "only root can run a command as uid %u", (unsigned)uid);
    fwrite(buf_text(&report).at, 1, buf_length(&report), stderr);
    buf_free(&report);
    return code;
}

static void
describe(const struct passwd *entry, struct person *p)
{
    char number[16];

    snprintf(number, sizeof number, "%u", (unsigned)p->uid);
    p->is_known = entry != NULL;
    p->gid = entry != NULL ? entry->pw_gid : (gid_t)p->uid;
    p->name = memory_copy_z(entry != NULL ? entry->pw_name : number);
    p->home = memory_copy_z(entry != NULL ? entry->pw_dir : "/");
    p->shell = memory_copy_z(
        entry != NULL && entry->pw_shell[0] != '\0' ? entry->pw_shell : "/bin/sh");
}

int
person_find(const struct conf *conf, const char *user, long uid, struct person *out)
{
    const struct passwd *entry = NULL;
    uint64_t number = 0;
    int64_t given = uid >= 0 ? uid : conf->workload.uid;
    int code;

    *out = (struct person){ 0 };
    if (user == NULL && given < 0)
        return ctl_complain(false, EXIT_NO_TASK,
                            "the config has no workload.uid: say whose with --uid");
    if (user == NULL)
        number = (uint64_t)given;
    else if ((entry = getpwnam(user)) != NULL)
        number = entry->pw_uid;
    else if (!text_to_u64(text_z(user), UINT32_MAX - 1, &number))
        return ctl_complain(false, EXIT_NO_TASK,
                            "there is no user \"%s\" on this machine", user);
    out->uid = (uid_t)number;
    if ((code = judge(conf, out->uid)) != EXIT_OK)
        return code;
    describe(entry != NULL ? entry : getpwuid(out->uid), out);
    return EXIT_OK;
}

void
person_clear(struct person *p)
{
    free(p->name);
    free(p->home);
    free(p->shell);
    *p = (struct person){ 0 };
}

static bool
take_groups(const struct person *p)
{
    return p->is_known ? initgroups(p->name, p->gid) == 0 : setgroups(0, NULL) == 0;
}

bool
person_become(const struct person *p)
{
    if (take_groups(p) && setresgid(p->gid, p->gid, p->gid) == 0 &&
        setresuid(p->uid, p->uid, p->uid) == 0 && setuid(0) != 0)
        return true;
    (void)ctl_complain(false, EXIT_NO_TASK, "becoming uid %u: %s", (unsigned)p->uid,
                       strerror(errno));
    return false;
}
