#include "proxy/process.h"

#include "base/clock.h"
#include "base/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct process_reader {
    int64_t started_ms;
    int statm;
    DIR *descriptors;
};

struct process_reader *
process_reader_new(void)
{
    struct process_reader *r = memory_new(sizeof *r);

    r->started_ms = clock_wall_ms();
    r->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    r->descriptors = opendir("/proc/self/fd");
    return r;
}

void
process_reader_free(struct process_reader *r)
{
    if (r == NULL)
        return;
    if (r->statm >= 0)
        close(r->statm);
    if (r->descriptors != NULL)
        closedir(r->descriptors);
    free(r);
}

static void
read_memory(const struct process_reader *r, struct process *out)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    char line[128], *resident;
    ssize_t n = pread(r->statm, line, sizeof line - 1, 0);

    if (n <= 0)
        return;
    line[n] = '\0';
    out->virtual_bytes = strtoull(line, &resident, 10) * page;
    out->resident_bytes = strtoull(resident, NULL, 10) * page;
}

static void
count_descriptors(const struct process_reader *r, struct process *out)
{
    struct rlimit limit;
    const struct dirent *entry;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        out->descriptors_max = limit.rlim_cur;
    if (r->descriptors == NULL)
        return;
    rewinddir(r->descriptors);
    while ((entry = readdir(r->descriptors)) != NULL)
        out->descriptors += entry->d_name[0] != '.';
}

static uint64_t
time_us(const struct timeval *t)
{
    return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

void
process_read(struct process_reader *r, struct process *out)
{
    struct rusage used;

    *out = (struct process){ .started_ms = r->started_ms };
    if (getrusage(RUSAGE_SELF, &used) == 0)
        out->cpu_us = time_us(&used.ru_utime) + time_us(&used.ru_stime);
    read_memory(r, out);
    count_descriptors(r, out);
}
