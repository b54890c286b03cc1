/* What /proc/PID/cgroup may say. The first byte says how much of a path is believed.
 *
 * What is told is well formed and stands in the input; a pod has its container; what is
 * said of the file is said of it twice over; and of what nobody believes nothing is
 * said but where it is. */
#include "tests/fuzz/fuzz.h"

#include "tasks/cgroup.h"

PREPARE_NOTHING

static bool
is_hex_or(const char *z, size_t n, char mark)
{
    size_t i = 0;

    while (z[i] != '\0' && (strchr("0123456789abcdef", z[i]) != NULL || z[i] == mark))
        i++;
    return i == n && z[n] == '\0';
}

static void
promise_form(struct text in, const struct cgroup *g)
{
    if (g->path != NULL) {
        PROMISE(g->path[0] == '/' && strncmp(g->path, "/..", 3) != 0);
        PROMISE(memmem(in.at, in.n, g->path, strlen(g->path)) != NULL);
    }
    if (g->container[0] != '\0') {
        PROMISE(is_hex_or(g->container, CGROUP_CONTAINER_SIZE - 1, '0'));
        PROMISE(memmem(in.at, in.n, g->container, strlen(g->container)) != NULL);
    }
    if (g->pod[0] != '\0') {
        PROMISE(g->container[0] != '\0');
        PROMISE(is_hex_or(g->pod, CGROUP_POD_SIZE - 1, '-'));
    }
    PROMISE(g->path != NULL || g->container[0] != '\0');
}

static bool
same(const struct cgroup *a, const struct cgroup *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return (a->path == NULL) == (b->path == NULL) &&
           (a->path == NULL || strcmp(a->path, b->path) == 0) &&
           strcmp(a->container, b->container) == 0 && strcmp(a->pod, b->pod) == 0;
}

/* The same lines once more are the same answer. */
static void
promise_again(struct text lines, size_t believed, const struct cgroup *said)
{
    char *twice = malloc(2 * lines.n + 1);
    struct cgroup *g;

    PROMISE(twice != NULL);
    memcpy(twice, lines.at, lines.n);
    twice[lines.n] = '\n';
    memcpy(twice + lines.n + 1, lines.at, lines.n);
    g = cgroup_from_lines(text_of(twice, 2 * lines.n + 1), believed);
    PROMISE(same(g, said));
    cgroup_unref(g);
    free(twice);
}

static void
promise_path(struct text lines)
{
    struct text path = cgroup_path_in(lines);
    struct cgroup *g;

    if (path.n == 0)
        return;
    g = cgroup_from_path(path, 0);
    PROMISE(g != NULL && g->container[0] == '\0' && g->pod[0] == '\0');
    PROMISE(strlen(g->path) == path.n);
    cgroup_unref(g);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = input_of(data, size), lines;
    unsigned char first = take_byte(&in);
    size_t believed = first == 255 ? SIZE_MAX : first;
    struct cgroup *g;

    if (in.n == 0)
        return 0;
    lines = copy_exactly(in);
    g = cgroup_from_lines(lines, believed);
    if (g != NULL)
        promise_form(lines, g);
    promise_again(lines, believed, g);
    promise_path(lines);
    cgroup_unref(g);
    free_copy(lines);
    return 0;
}
