#include "proxy/descriptors.h"

#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

/* For main: 64 probes and scrapes, a handful at the control socket, a config and its
 * files, the resolvers' sockets. */
enum { KEPT_BACK = 128 };

static atomic_int upstreams_end = INT_MAX, clients_end = INT_MAX;

/* Of a quarter that clients do not get, those who are in are served. */
static void
divide(rlim_t all)
{
    rlim_t kept = all / 4 < KEPT_BACK ? all / 4 : KEPT_BACK;
    rlim_t given = all - kept < INT_MAX ? all - kept : INT_MAX;

    atomic_store_explicit(&upstreams_end, (int)given, memory_order_relaxed);
    atomic_store_explicit(&clients_end, (int)(given - given / 4), memory_order_relaxed);
}

/* Two of an exchange, and ours. */
enum reason
descriptors_raise(const struct conf_limits *limits, size_t n_workers)
{
    rlim_t need = (rlim_t)limits->connections * 2 * n_workers + KEPT_BACK;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return log_reason(REASON_PRIVILEGES, "getrlimit: %s", strerror(errno));
    if (limit.rlim_cur < need) {
        limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            return log_reason(REASON_PRIVILEGES, "setrlimit: %s", strerror(errno));
    }
    divide(limit.rlim_cur);
    if (limit.rlim_cur < need)
        log_warn("limits.connections needs %ju descriptors, the hard limit is %ju: "
                 "clients will be turned away when they are used up",
                 (uintmax_t)need, (uintmax_t)limit.rlim_max);
    return REASON_OK;
}

bool
descriptors_allow_client(int fd)
{
    return fd < atomic_load_explicit(&clients_end, memory_order_relaxed);
}

bool
descriptors_allow_upstream(int fd)
{
    return fd < atomic_load_explicit(&upstreams_end, memory_order_relaxed);
}
