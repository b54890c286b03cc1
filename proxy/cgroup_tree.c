#include "proxy/cgroup_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { LOOKED_AT_MAX = 16384, DEPTH_MAX = 32, CGROUP2_MAGIC = 0x63677270 };

static int
open_directory(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Alone, or beside the hierarchies of version 1. */
int
cgroup_tree_open(void)
{
    static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int fd = open_directory(AT_FDCWD, places[i]);
        struct statfs fs;

        if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_MAGIC)
            return fd;
        if (fd >= 0)
            close(fd);
    }
    return -1;
}

/* What stands in it root has put there. */
static bool
is_roots(int directory)
{
    struct stat st;

    return fstat(directory, &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0;
}

/* ---- by id */

struct search {
    uint64_t id;
    struct buf *path;
    size_t looked_at, believed;
};

/* The names in a directory are its maker's: those in root's are believed, as long as
 * all above were. */
static void
step_down(struct search *s, const char *name, bool believed)
{
    buf_add_byte(s->path, '/');
    buf_add_z(s->path, name);
    if (believed)
        s->believed = buf_length(s->path);
}

static bool
is_group(const struct dirent *e)
{
    return e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 &&
           strcmp(e->d_name, "..") != 0;
}

/* As deep as DEPTH_MAX. Takes the descriptor. */
static bool
look_in(struct search *s, int directory, bool believed, unsigned depth)
{
    DIR *d = fdopendir(directory);
    bool found = false;
    struct dirent *e;

    if (d == NULL) {
        close(directory);
        return false;
    }
    believed = believed && is_roots(directory);
    while (!found && s->looked_at < LOOKED_AT_MAX && (e = readdir(d)) != NULL) {
        size_t before = buf_length(s->path), trusted = s->believed;
        int below;

        if (!is_group(e))
            continue;
        s->looked_at++;
        step_down(s, e->d_name, believed);
        found = e->d_ino == s->id;
        if (!found && depth > 0 && (below = open_directory(directory, e->d_name)) >= 0)
            found = look_in(s, below, believed, depth - 1);
        if (!found) {
            buf_truncate(s->path, before);
            s->believed = trusted;
        }
    }
    closedir(d);
    return found;
}

bool
cgroup_tree_find(int tree, uint64_t id, struct buf *path, size_t *believed)
{
    struct search s = { .id = id, .path = path };
    int root = tree < 0 ? -1 : open_directory(tree, ".");
    struct stat st;

    *believed = 0;
    if (root < 0)
        return false;
    if (fstat(root, &st) == 0 && st.st_ino == id) {
        close(root);
        buf_add_byte(path, '/');
        return true;
    }
    if (!look_in(&s, root, true, DEPTH_MAX))
        return false;
    *believed = s.believed;
    return true;
}

/* ---- by path */

/* The next segment as a name; false: there is none, or none that could be one. */
static bool
next_name(struct text *rest, char out[NAME_MAX + 1])
{
    struct text segment;

    do
        if (!text_split(rest, '/', &segment))
            return false;
    while (text_is_empty(segment));
    if (segment.n > NAME_MAX)
        return false;
    memcpy(out, segment.at, segment.n);
    out[segment.n] = '\0';
    return strcmp(out, "..") != 0 && strcmp(out, ".") != 0;
}

size_t
cgroup_tree_believes(int tree, struct text path)
{
    int here = tree < 0 ? -1 : open_directory(tree, ".");
    struct text rest = path;
    char name[NAME_MAX + 1];
    size_t believed = 0;

    if (tree < 0)
        return SIZE_MAX;
    while (here >= 0 && is_roots(here) && next_name(&rest, name)) {
        int below = open_directory(here, name);

        close(here);
        here = below;
        believed = rest.at == NULL ? path.n : (size_t)(rest.at - path.at) - 1;
    }
    if (here >= 0)
        close(here);
    return believed;
}
