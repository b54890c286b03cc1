/* Preloaded into a process whose wall clock a test sets: it reads that many seconds
 * more than the machine's as stand in the file that CLOCK_STEP_FILE names, from one
 * call to the next. Every other clock, and what the kernel does by the wall clock,
 * stays as it is. */
#include <assert.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const atomic_int_fast64_t *seconds;
static int (*real_gettime)(clockid_t clock, struct timespec *out);

/* Mapped while the process is still whoever started it. */
__attribute__((constructor)) static void
begin(void)
{
    const char *path = getenv("CLOCK_STEP_FILE");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at;

    real_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT,
                                                                "clock_gettime");
    assert(fd >= 0 && real_gettime != NULL);
    at = mmap(NULL, sizeof *seconds, PROT_READ, MAP_SHARED, fd, 0);
    assert(at != MAP_FAILED);
    seconds = at;
    close(fd);
}

int
clock_gettime(clockid_t clock, struct timespec *out)
{
    int failed;

    if (seconds == NULL) /* asked for by who is loaded before us */
        begin();
    failed = real_gettime(clock, out);
    if (failed == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        out->tv_sec += (time_t)atomic_load_explicit(seconds, memory_order_relaxed);
    return failed;
}

time_t
time(time_t *out)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now = { 0 };

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
    return 0;
}
