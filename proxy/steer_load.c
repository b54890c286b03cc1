/* Has nft(8), and ip(8) where TPROXY needs it, do what the plan says. Both are taken
 * from where only root can put them, and are given nothing of our environment. */
#include "proxy/ctl_line.h"
#include "proxy/run.h"
#include "proxy/steer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_MAX = 4096, PROGRAM_MAX = 64, CANNOT_BE_RUN = 127, STALE_RULES_MAX = 16 };

/* ---- a program of the system's */

static bool
is_roots_own(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0;
}

static bool
find_program(const char *name, char out[PROGRAM_MAX])
{
    static const char *const directories[] = { "/usr/sbin", "/sbin", "/usr/bin",
                                               "/bin" };

    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        snprintf(out, PROGRAM_MAX, "%s/%s", directories[i], name);
        if (is_roots_own(directories[i]) && is_roots_own(out) && access(out, X_OK) == 0)
            return true;
    }
    return false;
}

static _Noreturn void
become(const char *path, const char *const *words, int input, int output)
{
    static char *const variables[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                       (char *)"LC_ALL=C", NULL };

    if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
        dup2(output, STDERR_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0U, 0) == 0)
        (void)execve(path, (char *const *)words, variables);
    _exit(CANNOT_BE_RUN);
}

/* What is more than said there is of no use to anybody. */
static void
read_all(int fd, struct buf *said)
{
    char piece[512];
    ssize_t n;

    while ((n = read(fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && buf_length(said) < SAID_MAX)
            buf_add(said, text_of(piece, (size_t)n));
}

static int
wait_for(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return CANNOT_BE_RUN;
    return WIFEXITED(status) ? WEXITSTATUS(status) : CANNOT_BE_RUN;
}

/* A file without a name holds the input: nobody has to write while it reads. */
static int
open_input(struct text input)
{
    int fd = memfd_create("script", MFD_CLOEXEC);

    if (fd >= 0 && write(fd, input.at, input.n) == (ssize_t)input.n &&
        lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Its exit status, and in `said` what it had to say. */
static int
run(const char *path, const char *const *words, struct text input, struct buf *said)
{
    int script = open_input(input), output[2], code = CANNOT_BE_RUN;
    pid_t child;

    if (script < 0 || pipe2(output, O_CLOEXEC) != 0)
        goto done;
    child = fork();
    if (child == 0)
        become(path, words, script, output[1]);
    close(output[1]);
    if (child > 0) {
        read_all(output[0], said);
        code = wait_for(child);
    }
    close(output[0]);
done:
    if (script >= 0)
        close(script);
    return code;
}

/* ---- who may */

static bool
has_net_admin(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct sets[2] = { 0 };

    return syscall(SYS_capget, &header, sets) == 0 &&
           (sets[0].effective & (1U << CAP_NET_ADMIN)) != 0;
}

static int
judge_privileges(void)
{
    if (has_net_admin())
        return EXIT_OK;
    if (geteuid() != 0)
        return ctl_complain(false, EXIT_RUNTIME,
                            "only root can change the kernel's rules, and this is uid "
                            "%u: nothing was changed",
                            (unsigned)geteuid());
    return ctl_complain(false, EXIT_RUNTIME,
                        "root lacks NET_ADMIN here, so that it cannot change the "
                        "kernel's rules: give the container that capability "
                        "(capabilities.add, --cap-add); nothing was changed");
}

/* ---- nft */

static struct text
first_line(const struct buf *said)
{
    struct text rest = buf_text(said), line = { NULL, 0 };

    (void)text_split(&rest, '\n', &line);
    return line;
}

static int
tell_refusal(const struct buf *said)
{
    return ctl_complain(
        false, EXIT_RUNTIME,
        "the kernel refuses the rules: %.*s: nothing was changed. It needs nf_tables "
        "with nat, ct, reject and, for tproxy doors, tproxy; where they cannot be had, "
        "only --mode explicit is left, which holds nobody",
        TEXT_ARG(first_line(said)));
}

static int
run_nft(struct text script)
{
    static const char *const words[] = { "nft", "-f", "-", NULL };
    struct buf said = { 0 };
    char path[PROGRAM_MAX];
    int code = EXIT_OK, status;

    if (!find_program("nft", path))
        return ctl_complain(
            false, EXIT_RUNTIME,
            "there is no nft in /usr/sbin, /sbin, /usr/bin or /bin that "
            "only root can change: install nftables; nothing was "
            "changed");
    status = run(path, words, script, &said);
    if (status == CANNOT_BE_RUN)
        code = ctl_complain(false, EXIT_RUNTIME,
                            "%s cannot be run: nothing was changed", path);
    else if (status != 0)
        code = tell_refusal(&said);
    buf_free(&said);
    return code;
}

/* ---- ip */

static const char *const family_options[] = { [STEER_V4] = "-4", [STEER_V6] = "-6" };

/* However often it was added. */
static void
remove_rules(const char *path, const char *family, const char *mark, const char *table)
{
    const char *const words[] = { "ip", family,  "rule", "del", "fwmark",
                                  mark, "table", table,  NULL };
    struct buf said = { 0 };

    for (int i = 0; i < STALE_RULES_MAX; i++)
        if (run(path, words, TEXT(""), &said) != 0)
            break;
    buf_free(&said);
}

static int
add_routes(const char *path, const char *family, const char *mark, const char *table)
{
    const char *const rule[] = { "ip", family,  "rule", "add", "fwmark",
                                 mark, "table", table,  NULL };
    const char *const route[] = { "ip",  family, "route", "replace", "local", "default",
                                  "dev", "lo",   "table", table,     NULL };
    struct buf said = { 0 };
    int code = EXIT_OK;

    remove_rules(path, family, mark, table);
    if (run(path, rule, TEXT(""), &said) != 0 || run(path, route, TEXT(""), &said) != 0)
        code = ctl_complain(false, EXIT_RUNTIME,
                            "the kernel refuses a route that tproxy doors need: %.*s: "
                            "write intercept = \"redirect\"; the rules were not loaded",
                            TEXT_ARG(first_line(&said)));
    buf_free(&said);
    return code;
}

static void
write_numbers(char mark[16], char table[16])
{
    snprintf(mark, 16, "0x%x", STEER_MARK);
    snprintf(table, 16, "%d", STEER_ROUTES);
}

/* Alone they lead nothing anywhere: no packet has the mark. */
static int
load_routes(const struct steer_plan *plan)
{
    char path[PROGRAM_MAX], mark[16], table[16];
    int code = EXIT_OK;

    if (!steer_needs_routes(plan, STEER_V4) && !steer_needs_routes(plan, STEER_V6))
        return EXIT_OK;
    if (!find_program("ip", path))
        return ctl_complain(
            false, EXIT_RUNTIME,
            "doors of intercept = \"tproxy\" need a route, and there is "
            "no ip in /usr/sbin, /sbin, /usr/bin or /bin: install "
            "iproute2; nothing was changed");
    write_numbers(mark, table);
    for (int f = STEER_V4; f <= STEER_V6 && code == EXIT_OK; f++)
        if (steer_needs_routes(plan, f))
            code = add_routes(path, family_options[f], mark, table);
    return code;
}

/* ---- the two */

int
steer_load(const struct steer_plan *plan)
{
    struct buf script = { 0 };
    int code = judge_privileges();

    if (code == EXIT_OK)
        code = load_routes(plan);
    steer_script_write(plan, &script);
    if (code == EXIT_OK)
        code = run_nft(buf_text(&script));
    buf_free(&script);
    return code;
}

int
steer_remove(void)
{
    char path[PROGRAM_MAX], mark[16], table[16];
    struct buf script = { 0 };
    int code = judge_privileges();

    steer_script_remove(&script);
    if (code == EXIT_OK)
        code = run_nft(buf_text(&script));
    buf_free(&script);
    if (code != EXIT_OK || !find_program("ip", path))
        return code;
    write_numbers(mark, table);
    for (int f = STEER_V4; f <= STEER_V6; f++)
        remove_rules(path, family_options[f], mark, table);
    return code;
}
