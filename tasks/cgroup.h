/* Where a process runs, as the path of its control group tells it: the group, and the
 * container and pod that a runtime wrote into its name.
 *
 * The path is the kernel's. What its names mean is a custom of Docker, containerd,
 * CRI-O, Podman and the kubelet, and whoever may make control groups can follow it,
 * too: names are believed in the front of a path alone, as far as only root could have
 * made it. What mount tables say is never asked, since a process can have those as it
 * likes.
 */
#ifndef TASKS_CGROUP_H
#define TASKS_CGROUP_H

#include "base/text.h"

#include <stdatomic.h>

enum { CGROUP_CONTAINER_SIZE = 64 + 1, CGROUP_POD_SIZE = 36 + 1 };

/* Immutable, shared by counting. What is not established is empty. */
struct cgroup {
    atomic_uint references;
    char *path; /* version 2, from the root of what we see; NULL: not established */
    char container[CGROUP_CONTAINER_SIZE], pod[CGROUP_POD_SIZE];
};

/* One reference is the caller's, or NULL where nothing is established. */

/* From a path of version 2, whose first `believed` bytes root has made. */
struct cgroup *cgroup_from_path(struct text path, size_t believed);
/* From what /proc/PID/cgroup says, of either version; believed: of the path of version
 * 2. Two answers that differ are none; so are lines that are no such file's.
 * Hierarchies without a controller ("name=systemd") say nothing: users are given parts
 * of them. */
struct cgroup *cgroup_from_lines(struct text lines, size_t believed);
/* The path of version 2 in there; empty: there is none, or none from the root of what
 * we see. */
struct text cgroup_path_in(struct text lines);

void cgroup_ref(struct cgroup *g);
void cgroup_unref(struct cgroup *g);

#endif
