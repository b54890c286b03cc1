#include "tasks/cgroup.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { ID_DIGITS = 64, POD_DIGITS = 36 };

/* What one path says. */
struct names {
    struct text container, pod; /* a pod's dashes may be written as underscores */
};

/* ---- one segment */

static bool
is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool
is_id(struct text t)
{
    size_t i = 0;

    while (i < t.n && is_hex(t.at[i]))
        i++;
    return i == ID_DIGITS && t.n == ID_DIGITS;
}

/* 8-4-4-4-12, with one mark between throughout. */
static bool
is_uid(struct text t)
{
    if (t.n != POD_DIGITS || (t.at[8] != '-' && t.at[8] != '_'))
        return false;
    for (size_t i = 0; i < t.n; i++) {
        bool mark = i == 8 || i == 13 || i == 18 || i == 23;

        if (mark ? t.at[i] != t.at[8] : !is_hex(t.at[i]))
            return false;
    }
    return true;
}

static struct text
without_end(struct text t, struct text end)
{
    return text_ends(t, end) ? text_of(t.at, t.n - end.n) : t;
}

/* The last n bytes, and what stands before them. */
static bool
cut_last(struct text t, size_t n, struct text *front, struct text *last)
{
    if (t.n < n)
        return false;
    *front = text_of(t.at, t.n - n);
    *last = text_of(t.at + t.n - n, n);
    return true;
}

static bool
ends_in_mark(struct text front, struct text marks)
{
    return front.n == 0 || text_has_byte(marks, front.at[front.n - 1]);
}

/* "ID", "docker-ID.scope", "crio-ID", "…-podUID.slice:cri-containerd:ID". The process
 * that watches over a container ("crio-conmon-ID.scope") is not in it. */
static bool
find_container(struct text segment, struct text *id)
{
    struct text front;

    return cut_last(without_end(segment, TEXT(".scope")), ID_DIGITS, &front, id) &&
           is_id(*id) && ends_in_mark(front, TEXT("-:")) &&
           !text_ends(front, TEXT("conmon-"));
}

/* "podUID", "kubepods-burstable-podUID.slice", and what stands before a colon. */
static bool
find_pod(struct text segment, struct text *uid)
{
    struct text front, rest = segment, slice;

    return text_split(&rest, ':', &slice) &&
           cut_last(without_end(slice, TEXT(".slice")), POD_DIGITS, &front, uid) &&
           is_uid(*uid) && text_ends(front, TEXT("pod")) &&
           ends_in_mark(without_end(front, TEXT("pod")), TEXT("-"));
}

/* ---- a path */

static struct text
take_last(struct text *path)
{
    const char *slash = memrchr(path->at, '/', path->n);
    size_t from = slash == NULL ? 0 : (size_t)(slash - path->at) + 1;
    struct text segment = text_of(path->at + from, path->n - from);

    path->n = from > 0 ? from - 1 : 0;
    return segment;
}

/* From the right: of a container in a container it is the inner one; then the pod that
 * stands nearest to its left. */
static struct names
read_path(struct text path)
{
    struct names said = { 0 };
    struct text found;

    while (path.n > 0) {
        struct text segment = take_last(&path);

        if (said.container.n == 0 && find_container(segment, &found))
            said.container = found;
        if (said.container.n > 0 && find_pod(segment, &found)) {
            said.pod = found;
            break;
        }
    }
    return said;
}

/* The uid as its API writes it. */
static void
keep_pod(struct text uid, char out[CGROUP_POD_SIZE])
{
    for (size_t i = 0; i < uid.n; i++)
        out[i] = '-';
    for (size_t i = 0; i < uid.n; i++)
        if (is_hex(uid.at[i]))
            out[i] = uid.at[i];
}

static struct cgroup *
keep(struct text path, const struct names *said)
{
    struct cgroup *g;

    if (path.n == 0 && said->container.n == 0)
        return NULL;
    g = memory_new(sizeof *g);
    atomic_init(&g->references, 1);
    if (said->container.n > 0)
        memcpy(g->container, said->container.at, said->container.n);
    keep_pod(said->pod, g->pod);
    if (path.n > 0) {
        g->path = memory_new_raw(path.n + 1);
        memcpy(g->path, path.at, path.n);
        g->path[path.n] = '\0';
    }
    return g;
}

/* One outside what we see ("/../…") has no path here, and neither has one that is
 * gone. */
static bool
is_path_of_ours(struct text path)
{
    return text_starts(path, TEXT("/")) && !text_starts(path, TEXT("/..")) &&
           !text_ends(path, TEXT(" (deleted)")) &&
           memchr(path.at, '\0', path.n) == NULL;
}

static struct text
front_of(struct text path, size_t n)
{
    return text_of(path.at, path.n < n ? path.n : n);
}

struct cgroup *
cgroup_from_path(struct text path, size_t believed)
{
    struct names said = read_path(front_of(path, believed));

    return is_path_of_ours(path) ? keep(path, &said) : NULL;
}

/* ---- a file: "4:memory:/docker/ID", "0::/../ID" */

/* Between lines of one rank only one answer may stand. */
struct sum {
    struct names said;
    bool conflict;
};

/* A pod's container outdoes one without a pod: that is the node, which may be a
 * container itself. */
struct reading {
    struct sum pods, others;
};

static void
add_up(struct sum *s, const struct names *said)
{
    if (s->said.container.n == 0)
        s->said = *said;
    s->conflict |= !text_equals(s->said.container, said->container) ||
                   !text_equals(s->said.pod, said->pod);
}

struct row {
    struct text number, controllers, path;
};

static bool
read_row(struct text line, struct row *out)
{
    out->path = line;
    return text_split(&out->path, ':', &out->number) &&
           text_split(&out->path, ':', &out->controllers) &&
           text_starts(out->path, TEXT("/"));
}

static bool
is_second_version(const struct row *r)
{
    return text_equals(r->number, TEXT("0")) && text_is_empty(r->controllers);
}

static void
read_names(struct reading *r, const struct row *row, size_t believed)
{
    bool second = is_second_version(row) && is_path_of_ours(row->path);
    struct names said = read_path(front_of(row->path, second ? believed : SIZE_MAX));

    if (said.container.n > 0 && !text_starts(row->controllers, TEXT("name=")))
        add_up(said.pod.n > 0 ? &r->pods : &r->others, &said);
}

struct text
cgroup_path_in(struct text lines)
{
    struct text line;
    struct row row;

    while (text_split(&lines, '\n', &line))
        if (read_row(line, &row) && is_second_version(&row) &&
            is_path_of_ours(row.path))
            return row.path;
    return (struct text){ 0 };
}

struct cgroup *
cgroup_from_lines(struct text lines, size_t believed)
{
    static const struct names nothing;
    struct reading r = { 0 };
    const struct sum *sum;
    struct text line, rest = lines;
    struct row row;

    while (text_split(&rest, '\n', &line)) {
        if (text_is_empty(line))
            continue;
        if (!read_row(line, &row))
            return NULL;
        read_names(&r, &row, believed);
    }
    sum = r.pods.said.container.n > 0 ? &r.pods : &r.others;
    return keep(cgroup_path_in(lines), sum->conflict ? &nothing : &sum->said);
}

void
cgroup_ref(struct cgroup *g)
{
    if (g != NULL)
        atomic_fetch_add(&g->references, 1);
}

void
cgroup_unref(struct cgroup *g)
{
    if (g == NULL || atomic_fetch_sub(&g->references, 1) != 1)
        return;
    free(g->path);
    free(g);
}
