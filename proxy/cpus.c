#include "proxy/cpus.h"

#include <inttypes.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>

static unsigned
cpus_allowed(void)
{
    cpu_set_t set;
    int n;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

/* "max 100000" says that there is no quota: no number is read, and 0 comes back. */
static int
read_numbers(const char *path, int64_t *first, int64_t *second)
{
    FILE *f = fopen(path, "re");
    int n;

    if (f == NULL)
        return 0;
    n = second != NULL ? fscanf(f, "%" SCNd64 " %" SCNd64, first, second)
                       : fscanf(f, "%" SCNd64, first);
    fclose(f);
    return n;
}

/* In µs of CPU time per period. Version 2 has both in one file; a container sees its
 * own group at the root of the mount. */
static unsigned
cpus_of_quota(void)
{
    int64_t quota = -1, period = 0;

    if (read_numbers("/sys/fs/cgroup/cpu.max", &quota, &period) != 2 &&
        (read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota, NULL) != 1 ||
         read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period, NULL) != 1))
        return UINT32_MAX;
    if (quota <= 0 || period <= 0)
        return UINT32_MAX;
    return (unsigned)((quota + period - 1) / period);
}

unsigned
cpus_given(void)
{
    unsigned allowed = cpus_allowed(), quota = cpus_of_quota();

    return quota < allowed ? quota : allowed;
}
