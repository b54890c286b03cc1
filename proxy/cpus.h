/* How many CPUs we were given: those we may run on, or fewer where a control group's
 * quota holds less. */
#ifndef PROXY_CPUS_H
#define PROXY_CPUS_H

/* At least 1. Reads files of /sys/fs/cgroup (both versions; what is not there limits
 * nothing). */
unsigned cpus_given(void);

#endif
