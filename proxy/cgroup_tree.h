/* The control groups (version 2) that we see: which of them has an id, and how much of
 * its path root alone can have made. Reads directories, so no worker asks. */
#ifndef PROXY_CGROUP_TREE_H
#define PROXY_CGROUP_TREE_H

#include "base/buf.h"

/* Where it is mounted, open; -1: nowhere that we look. */
int cgroup_tree_open(void);

/* Appends the path of the group of this id, and says how much of it is root's. False:
 * it is none that we see, or stands too deep, or there are too many to look at. */
bool cgroup_tree_find(int tree, uint64_t id, struct buf *path, size_t *believed);

/* How many of this path's first bytes root made: everything when there is no tree. */
size_t cgroup_tree_believes(int tree, struct text path);

#endif
