/* Reads each file once, has scan.c look it over and cut it, lets libconfig parse those
 * same bytes, piece by piece, copies the outcome into a tree of our own and merges the
 * trees. */
#include "conf/parse.h"

#include "base/file.h"
#include "conf/scan.h"
#include "conf/words.h"

#include <dirent.h>
#include <errno.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

/* A hundred thousand rules fit in a quarter of this. */
enum { FILE_SIZE_MAX = 64 << 20, PIECE = 32 << 10 };

struct parse {
    const struct setting *table;
    struct arena *keep, *scratch;
    struct words keys, values;
    struct problems *problems;
    struct digest *bytes;
    struct node *root;
    bool failed;
};

/* A piece of a file that libconfig has read. */
struct reading {
    struct parse *parse;
    const char *file;
    struct text all;
    const struct pieces *pieces;
    const struct piece *piece;
    const struct gap *gap; /* whose mark comes next */
    struct buf *room;
};

/* ---- libconfig's tree to ours */

static struct node *copy_setting(struct reading *r, config_setting_t *from);
static struct node *read_piece(const struct reading *around, const struct piece *piece);

static bool
is_mark(const config_setting_t *from)
{
    return config_setting_type(from) == CONFIG_TYPE_STRING &&
           strcmp(config_setting_get_string(from), PIECES_MARK) == 0;
}

/* False: there is a slip in them. */
static bool
copy_missing(struct reading *r, struct node *into)
{
    const struct gap *gap = r->gap;

    r->gap = gap->next;
    for (const struct piece *p = gap->pieces; p != NULL; p = p->next) {
        struct node *elements = read_piece(r, p);

        if (elements == NULL)
            return false;
        node_adopt_all(into, elements->first);
    }
    return true;
}

static bool
copy_children(struct reading *r, config_setting_t *from, struct node *into)
{
    unsigned n = (unsigned)config_setting_length(from);

    for (unsigned i = 0; i < n; i++) {
        config_setting_t *child = config_setting_get_elem(from, i);
        struct node *copy;

        if (is_mark(child))
            return copy_missing(r, into);
        if ((copy = copy_setting(r, child)) == NULL)
            return false;
        node_adopt(into, copy);
    }
    return true;
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

static struct place
place_of(const struct reading *r, const config_setting_t *from)
{
    unsigned line = config_setting_source_line(from);

    return (struct place){ r->file, r->piece->line + (line > 0 ? line - 1 : 0) };
}

static struct node *
copy_setting(struct reading *r, config_setting_t *from)
{
    struct parse *p = r->parse;
    const char *key = config_setting_name(from);
    struct node *n = node_new(p->scratch, type_of(from),
                              key == NULL ? NULL : words_keep(&p->keys, key),
                              place_of(r, from));

    if (n->type == NODE_STRING)
        n->string = words_keep(&p->values, config_setting_get_string(from));
    else if (n->type == NODE_BOOL)
        n->integer = config_setting_get_bool(from);
    else if (n->type == NODE_INTEGER)
        n->integer = config_setting_get_int64(from);
    else if (!copy_children(r, from, n))
        return NULL;
    return n;
}

/* ---- one file */

/* What scan.c lets pass and libconfig still refuses: two of its own rules, told in our
 * words. */
static void
report_refusal(const struct reading *r, const config_t *c)
{
    struct parse *p = r->parse;
    const char *error = config_error_text(c) == NULL ? "" : config_error_text(c);
    unsigned line = config_error_line(c) > 0 ? (unsigned)config_error_line(c) - 1 : 0;
    struct text message = arena_printf(p->scratch, "libconfig: %s", error);

    if (strstr(error, "duplicate") != NULL)
        message = TEXT("this key stands twice in its group: remove one");
    else if (strstr(error, "mismatched") != NULL)
        message = TEXT("the elements of one list are of one type");
    scan_point(r->file, r->all, r->piece->line + line, 0, message, p->problems);
}

/* The root, or a group with the list of these elements in it; NULL: there is a slip. */
static struct node *
read_piece(const struct reading *around, const struct piece *piece)
{
    struct reading r = *around;
    struct node *root = NULL;
    config_t c;

    r.piece = piece;
    r.gap = piece->gaps;
    buf_truncate(r.room, 0);
    piece_write(r.pieces, piece, r.all, r.room);
    config_init(&c);
    if (config_read_string(&c, buf_text(r.room).at) == CONFIG_TRUE)
        root = copy_setting(&r, config_root_setting(&c));
    else
        report_refusal(&r, &c);
    config_destroy(&c);
    return root;
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
parse_text(struct parse *p, const char *file, struct text t)
{
    struct pieces pieces = { .arena = p->scratch, .size = PIECE };
    struct buf room = { 0 };
    struct reading r = {
        .parse = p, .file = file, .all = t, .pieces = &pieces, .room = &room
    };
    struct node *root = NULL;

    if (scan_text(file, t, &pieces, p->problems))
        root = read_piece(&r, &pieces.whole);
    if (root != NULL)
        merge(p, root);
    else
        p->failed = true;
    buf_free(&room);
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
        parse_text(p, file, buf_text(&bytes));
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

static void
parse_all(struct parse *p, const char *path)
{
    parse_file(p, path);
    parse_directory(p, directory_beside(p, path));
}

struct node *
parse_files(const char *path, const struct setting *table, struct arena *keep,
            struct arena *scratch, struct problems *problems, struct digest *bytes)
{
    struct parse p = { .table = table,
                       .keep = keep,
                       .scratch = scratch,
                       .keys = { .arena = scratch },
                       .values = { .arena = keep },
                       .problems = problems,
                       .bytes = bytes };

    parse_all(&p, path);
    return p.failed ? NULL : p.root;
}

struct node *
parse_what_can_be(const char *path, struct arena *scratch, struct problems *problems,
                  bool *whole)
{
    struct parse p = { .keep = scratch,
                       .scratch = scratch,
                       .keys = { .arena = scratch },
                       .values = { .arena = scratch },
                       .problems = problems };

    parse_all(&p, path);
    *whole = !p.failed;
    return p.root;
}
