/* Reads each file once, has scan.c look it over, lets libconfig parse those same bytes,
 * copies the outcome into a tree of our own and merges the trees. */
#include "conf/parse.h"

#include "base/file.h"
#include "conf/scan.h"

#include <dirent.h>
#include <errno.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

/* A hundred thousand rules fit in a quarter of this. */
enum { FILE_SIZE_MAX = 64 << 20 };

struct parse {
    const struct setting *table;
    struct arena *keep, *scratch;
    struct problems *problems;
    struct digest *bytes;
    struct node *root;
    bool failed;
};

/* ---- libconfig's tree to ours */

static struct node *copy_setting(struct parse *p, const char *file,
                                 config_setting_t *from);

static void
copy_children(struct parse *p, const char *file, config_setting_t *from,
              struct node *into)
{
    unsigned n = (unsigned)config_setting_length(from);

    for (unsigned i = 0; i < n; i++)
        node_adopt(into, copy_setting(p, file, config_setting_get_elem(from, i)));
}

static enum node_type
type_of(const config_setting_t *from)
{
    switch (config_setting_type(from)) {
    case CONFIG_TYPE_GROUP:
        return NODE_GROUP;
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_ARRAY:
        return NODE_LIST;
    case CONFIG_TYPE_STRING:
        return NODE_STRING;
    case CONFIG_TYPE_BOOL:
        return NODE_BOOL;
    default:
        return NODE_INTEGER;
    }
}

static struct node *
copy_setting(struct parse *p, const char *file, config_setting_t *from)
{
    struct place place = { file, config_setting_source_line(from) };
    struct node *n = node_new(p->scratch, type_of(from), config_setting_name(from),
                              place);

    if (place.line == 0)
        n->place.line = 1;
    if (n->type == NODE_GROUP || n->type == NODE_LIST)
        copy_children(p, file, from, n);
    else if (n->type == NODE_STRING)
        n->string = arena_copy_z(p->scratch, text_z(config_setting_get_string(from)));
    else if (n->type == NODE_BOOL)
        n->integer = config_setting_get_bool(from);
    else
        n->integer = config_setting_get_int64(from);
    return n;
}

/* ---- one file */

/* What scan.c lets pass and libconfig still refuses: two of its own rules, told in our
 * words. */
static void
report_refusal(struct parse *p, const char *file, struct text t, const config_t *c)
{
    const char *error = config_error_text(c) == NULL ? "" : config_error_text(c);
    unsigned line = config_error_line(c) > 0 ? (unsigned)config_error_line(c) : 1;
    struct text message = arena_printf(p->scratch, "libconfig: %s", error);

    if (strstr(error, "duplicate") != NULL)
        message = TEXT("this key stands twice in its group: remove one");
    else if (strstr(error, "mismatched") != NULL)
        message = TEXT("the elements of one list are of one type");
    scan_point(file, t, line, 0, message, p->problems);
}

static void
merge(struct parse *p, struct node *root)
{
    if (p->root == NULL)
        p->root = root;
    else
        node_merge(p->root, root, p->table, p->problems);
}

static void
parse_text(struct parse *p, const char *file, struct text t, const char *z)
{
    config_t c;

    if (!scan_text(file, t, p->problems)) {
        p->failed = true;
        return;
    }
    config_init(&c);
    if (config_read_string(&c, z) == CONFIG_TRUE) {
        merge(p, copy_setting(p, file, config_root_setting(&c)));
    } else {
        report_refusal(p, file, t, &c);
        p->failed = true;
    }
    config_destroy(&c);
}

static void
report_file(struct parse *p, const char *file, struct text message)
{
    problem_add(p->problems, (struct place){ file, 0 }, message);
    p->failed = true;
}

static void
parse_file(struct parse *p, const char *path)
{
    static const struct text mark = { "\xef\xbb\xbf", 3 };
    const char *file = arena_copy_z(p->keep, text_z(path));
    struct buf bytes = { 0 };
    enum reason why;
    struct text t;

    errno = 0;
    why = file_read(path, FILE_SIZE_MAX, &bytes);
    if (why != REASON_OK) {
        report_file(p, file,
                    arena_printf(p->scratch, "cannot be read: %s",
                                 errno != 0 ? strerror(errno) : reason_sentence(why)));
    } else {
        if (p->bytes != NULL)
            digest_add(p->bytes, buf_text(&bytes));
        /* Editors of another platform put a byte order mark in front. */
        if (text_starts(buf_text(&bytes), mark))
            buf_drop(&bytes, mark.n);
        t = buf_text(&bytes);
        parse_text(p, file, t, arena_copy_z(p->scratch, t));
    }
    buf_free(&bytes);
}

/* ---- conf.d */

static int
is_part(const struct dirent *e)
{
    struct text name = text_z(e->d_name);

    return e->d_name[0] != '.' && text_ends(name, TEXT(".conf"));
}

static int
compare_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* alphasort would ask the locale */
}

static const char *
directory_beside(struct parse *p, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct text front = text_of(path, slash == NULL ? 0 : (size_t)(slash - path) + 1);
    struct text whole = arena_printf(p->scratch, "%.*sconf.d", TEXT_ARG(front));

    return arena_copy_z(p->keep, whole);
}

static void
parse_directory(struct parse *p, const char *directory)
{
    struct dirent **entries = NULL;
    int n = scandir(directory, &entries, is_part, compare_bytes);

    if (n < 0) {
        if (errno != ENOENT)
            report_file(
                p, directory,
                arena_printf(p->scratch, "cannot be read: %s", strerror(errno)));
        return;
    }
    for (int i = 0; i < n; i++) {
        struct text path = arena_printf(p->scratch, "%s/%s", directory,
                                        entries[i]->d_name);

        parse_file(p, arena_copy_z(p->scratch, path));
        free(entries[i]);
    }
    free(entries);
}

struct node *
parse_files(const char *path, const struct setting *table, struct arena *keep,
            struct arena *scratch, struct problems *problems, struct digest *bytes)
{
    struct parse p = { .table = table,
                       .keep = keep,
                       .scratch = scratch,
                       .problems = problems,
                       .bytes = bytes };

    parse_file(&p, path);
    parse_directory(&p, directory_beside(&p, path));
    return p.failed ? NULL : p.root;
}
