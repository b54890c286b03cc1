#include "proxy/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_CALLS   AUDIT_ARCH_X86_64
#define OLDER_CALLS AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define OWN_CALLS   AUDIT_ARCH_AARCH64
#define OLDER_CALLS AUDIT_ARCH_ARM
#else
#error "which number ioctl has here, and by which other calls it is reached"
#endif

/* ioctl's numbers: of 32-bit programs, and on x86-64 of those whose pointers alone are
 * that small. */
enum { OLDER_IOCTL = 54, X32_BIT = 0x40000000, X32_IOCTL = 514 };

#define LOAD(field)                                                                    \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define JUMP_IF(value, forth)                                                          \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), (forth), 0)
#define JUMP_UNLESS(value, forth)                                                      \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (forth))
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, (what))

/* The request is the low half of the second argument: the kernel looks at no more. */
static struct sock_filter rules[] = {
    LOAD(arch),
    JUMP_IF(OLDER_CALLS, 6),
    JUMP_UNLESS(OWN_CALLS, 11), /* no calls we know: none is made */
    LOAD(nr),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (uint32_t)~X32_BIT),
    JUMP_IF(SYS_ioctl, 4),
    JUMP_IF(X32_IOCTL, 3),
    ANSWER(SECCOMP_RET_ALLOW),
    LOAD(nr),
    JUMP_UNLESS(OLDER_IOCTL, 3),
    LOAD(args[1]),
    JUMP_IF(TIOCSTI, 2),
    JUMP_IF(TIOCLINUX, 1),
    ANSWER(SECCOMP_RET_ALLOW),
    ANSWER(SECCOMP_RET_ERRNO | EPERM),
};

static bool
has_terminal(void)
{
    int fd;

    for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (isatty(fd))
            return true;
    if ((fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
        return false;
    (void)close(fd);
    return true;
}

/* Root of a container may not be allowed to, unless it gives up that programs raise
 * privileges. */
bool
terminal_protect(void)
{
    const struct sock_fprog program = { .len = sizeof rules / sizeof rules[0],
                                        .filter = rules };

    if (!has_terminal())
        return true;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0)
        return true;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}
