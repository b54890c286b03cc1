/* The engine behind the tables: one reader per type of setting. A key is looked up in
 * its table, its value read into the field at the row's offset; a key that is absent
 * takes the row's default through the same reader. */
#include "conf/fill.h"
#include "conf/suggest.h"
#include "conf/value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Printed values are an operator's own words, of any length. */
#define SHOWN "%.60s"

typedef void (*reader)(struct fill *f, const struct setting *row, const struct node *n,
                       void *field);

static const struct type {
    const char *name;
    const char *sample; /* for `key = …;` */
    enum node_type node;
    reader read;
} types[];

enum { ROWS_MAX = 64 }; /* of one table */

/* ---- anchors */

static void
anchor_add(struct fill *f, const void *object, const struct node *node)
{
    if (f->n == f->room) {
        size_t room = f->room == 0 ? 64 : f->room * 2;
        struct anchor *grown = arena_alloc(f->scratch, room * sizeof *grown);

        if (f->n > 0)
            memcpy(grown, f->anchors, f->n * sizeof *grown);
        f->anchors = grown;
        f->room = room;
    }
    f->anchors[f->n++] = (struct anchor){ object, node };
}

static int
compare_anchors(const void *left, const void *right)
{
    uintptr_t a = (uintptr_t)((const struct anchor *)left)->object;
    uintptr_t b = (uintptr_t)((const struct anchor *)right)->object;

    return a < b ? -1 : a > b;
}

const struct node *
fill_node_of(struct fill *f, const void *object)
{
    struct anchor wanted = { object, NULL };
    const struct anchor *found;

    if (f->n == 0)
        return NULL;
    if (!f->sorted)
        qsort(f->anchors, f->n, sizeof *f->anchors, compare_anchors);
    f->sorted = true;
    /* Checks go from one to the next, and ask for each several times. */
    for (size_t i = f->last; i < f->n && i < f->last + 2; i++)
        if (f->anchors[i].object == object)
            return f->anchors[f->last = i].node;
    found = bsearch(&wanted, f->anchors, f->n, sizeof *f->anchors, compare_anchors);
    if (found == NULL)
        return NULL;
    f->last = (size_t)(found - f->anchors);
    return found->node;
}

/* ---- messages */

void
fill_print_sample(const struct setting *row, struct buf *out)
{
    buf_printf(out, "%s = ", row->name);
    if (row->type != SETTING_CHOICE) {
        buf_printf(out, "%s;", types[row->type].sample);
        return;
    }
    for (size_t i = 0; row->choices[i] != NULL; i++)
        buf_printf(out, "%s\"%s\"", i == 0 ? "" : " or ", row->choices[i]);
    buf_add_byte(out, ';');
}

const char *
fill_type_name(const struct setting *row)
{
    return types[row->type].name;
}

/* "…: write owner = "..."; */
__attribute__((format(printf, 5, 6))) static void
complain(struct fill *f, const struct setting *row, const struct node *n,
         const char *key, const char *format, ...)
{
    struct buf message = { 0 };
    char what[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    buf_printf(&message, "%s: write ", what);
    fill_print_sample(row, &message);
    node_problem(f->problems, n, key, "%.*s", TEXT_ARG(buf_text(&message)));
    buf_free(&message);
}

static void
print_bound(enum setting_type type, int64_t value, struct buf *out)
{
    if (type == SETTING_DURATION)
        value_print_duration(value, out);
    else if (type == SETTING_SIZE)
        value_print_size(value, out);
    else
        buf_printf(out, "%" PRId64, value);
}

static void
check_range(struct fill *f, const struct setting *row, const struct node *n,
            int64_t value)
{
    const char *quote = row->type == SETTING_INTEGER ? "" : "\"";
    struct buf range = { 0 };

    if ((row->min == 0 && row->max == 0) || (value >= row->min && value <= row->max))
        return;
    buf_add_z(&range, quote);
    print_bound(row->type, row->min, &range);
    buf_printf(&range, "%s to %s", quote, quote);
    print_bound(row->type, row->max, &range);
    buf_add_z(&range, quote);
    node_problem(f->problems, n, NULL, "is out of range: write a value from %.*s",
                 TEXT_ARG(buf_text(&range)));
    buf_free(&range);
}

/* ---- scalars */

/* In names, purposes and owners a control byte would forge lines of the ledger and bend
 * terminals. */
static bool
is_printable(struct fill *f, const struct node *n)
{
    for (const char *c = n->string; *c != '\0'; c++) {
        if ((unsigned char)*c >= 0x20 && *c != 0x7f)
            continue;
        node_problem(f->problems, n, NULL,
                     "holds a line break or another control character: remove it");
        return false;
    }
    return true;
}

static void
read_string(struct fill *f, const struct setting *row, const struct node *n,
            void *field)
{
    if (n->string[0] == '\0' && !(row->flags & SETTING_ALLOW_EMPTY))
        complain(f, row, n, NULL, "is empty");
    else if (is_printable(f, n))
        *(const char **)field = n->string;
}

static void
read_integer(struct fill *f, const struct setting *row, const struct node *n,
             void *field)
{
    *(int64_t *)field = n->integer;
    check_range(f, row, n, n->integer);
}

static void
read_duration(struct fill *f, const struct setting *row, const struct node *n,
              void *field)
{
    if (value_duration(n->string, field))
        check_range(f, row, n, *(int64_t *)field);
    else
        complain(f, row, n, NULL,
                 "\"" SHOWN "\" is no duration (a whole number and ms, s, m, h or d)",
                 n->string);
}

static void
read_size(struct fill *f, const struct setting *row, const struct node *n, void *field)
{
    if (value_size(n->string, field))
        check_range(f, row, n, *(int64_t *)field);
    else
        complain(f, row, n, NULL,
                 "\"" SHOWN
                 "\" is no size (a whole number of bytes, or with k, m or g)",
                 n->string);
}

static void
read_bool(struct fill *f, const struct setting *row, const struct node *n, void *field)
{
    (void)f;
    (void)row;
    *(bool *)field = n->integer != 0;
}

static void
read_choice(struct fill *f, const struct setting *row, const struct node *n,
            void *field)
{
    struct suggestion near = { 0 };

    for (int i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(n->string, row->choices[i]) == 0) {
            *(int *)field = i;
            return;
        }
        suggest(&near, n->string, row->choices[i]);
    }
    if (is_later_word(row->name, n->string))
        complain(f, row, n, NULL, "\"" SHOWN "\" is not built yet", n->string);
    else if (near.word != NULL)
        complain(f, row, n, NULL, "\"" SHOWN "\" is no choice, did you mean \"%s\"?",
                 n->string, near.word);
    else
        complain(f, row, n, NULL, "\"" SHOWN "\" is no choice", n->string);
}

static void
read_date(struct fill *f, const struct setting *row, const struct node *n, void *field)
{
    if (!value_date(n->string, row->flags & SETTING_LAST_SECOND, field))
        complain(f, row, n, NULL, "\"" SHOWN "\" is no date", n->string);
}

static void
read_listen(struct fill *f, const struct setting *row, const struct node *n,
            void *field)
{
    if (!value_listen(n->string, field))
        complain(f, row, n, NULL, "\"" SHOWN "\" is no address with a port", n->string);
}

/* ---- lists */

/* A default in brackets: every other piece between quotes is a word. */
static struct node *
list_of(struct fill *f, const char *standard, struct place place)
{
    struct node *list = node_new(f->scratch, NODE_LIST, NULL, place), *n;
    struct text rest = text_z(standard), piece;
    bool word = false;

    for (; text_split(&rest, '"', &piece); word = !word) {
        if (!word)
            continue;
        n = node_new(f->scratch, NODE_STRING, NULL, place);
        n->string = arena_copy_z(f->keep, piece);
        node_adopt(list, n);
    }
    return list;
}

static bool
is_empty_list(const char *standard)
{
    return standard != NULL && strcmp(standard, "[]") == 0;
}

/* False: an element is not what it should be, or there is none. */
static bool
check_elements(struct fill *f, const struct setting *row, const struct node *list,
               enum node_type type)
{
    bool ok = true;

    if (list->n == 0 && !(row->flags & SETTING_ALLOW_EMPTY) &&
        !is_empty_list(row->standard)) {
        complain(f, row, list, NULL, "is empty");
        return false;
    }
    for (const struct node *n = list->first; n != NULL; n = n->next) {
        if (n->type == type)
            continue;
        node_problem(f->problems, n, NULL, "must be a %s",
                     type == NODE_GROUP ? "group: write { ... }"
                                        : "string: write \"...\"");
        ok = false;
    }
    return ok;
}

static void
read_strings(struct fill *f, const struct setting *row, const struct node *list,
             void *field)
{
    struct strings *out = field;
    const char **at;

    if (!check_elements(f, row, list, NODE_STRING))
        return;
    at = arena_alloc(f->keep, list->n * sizeof *at);
    for (const struct node *n = list->first; n != NULL; n = n->next) {
        if (n->string[0] == '\0')
            node_problem(f->problems, n, NULL, "is empty: remove it");
        else if (is_printable(f, n))
            at[out->n++] = n->string;
    }
    out->at = at;
}

static void
read_strings_or_any(struct fill *f, const struct setting *row, const struct node *n,
                    void *field)
{
    struct strings *out = field;

    if (n->type == NODE_LIST)
        read_strings(f, row, n, field);
    else if (strcmp(n->string, "any") == 0)
        out->any = true;
    else
        complain(f, row, n, NULL, "must be a list or the word \"any\"");
}

static void
read_cidrs(struct fill *f, const struct setting *row, const struct node *list,
           void *field)
{
    struct cidrs *out = field;
    struct cidr *at;

    if (!check_elements(f, row, list, NODE_STRING))
        return;
    at = arena_alloc(f->keep, list->n * sizeof *at);
    for (const struct node *n = list->first; n != NULL; n = n->next) {
        if (cidr_parse(text_z(n->string), &at[out->n]))
            out->n++;
        else
            node_problem(f->problems, n, NULL,
                         "\"" SHOWN "\" is no address or range: write \"10.0.0.0/8\", "
                         "with no bits set behind the prefix",
                         n->string);
    }
    out->at = at;
}

/* ---- groups */

static void
read_group(struct fill *f, const struct setting *row, const struct node *n, void *field)
{
    fill_group(f, row->inner, row->name, n, n->place, field);
}

static void
read_group_apart(struct fill *f, const struct setting *row, const struct node *n,
                 void *field)
{
    void *made = arena_alloc(f->keep, row->inner_size);

    fill_group(f, row->inner, row->name, n, n->place, made);
    *(const void **)field = made;
}

/* One for all that do not write it: there may be 100,000. */
static void
lend_group(struct fill *f, const struct setting *row, struct place place, void *field)
{
    size_t i = 0;

    while (i < f->n_lent && f->lent[i].row != row)
        i++;
    assert(i < sizeof f->lent / sizeof *f->lent);
    if (i == f->n_lent) {
        f->lent[f->n_lent++] = (struct lent){ row,
                                              arena_alloc(f->keep, row->inner_size) };
        fill_group(f, row->inner, row->name, NULL, place, f->lent[i].made);
    }
    *(const void **)field = f->lent[i].made;
}

static void
read_caller(struct fill *f, const struct setting *row, const struct node *n,
            void *field)
{
    struct conf_caller *out = field;

    out->uid = out->gid = -1;
    if (n->type == NODE_GROUP) {
        read_group(f, row, n, field);
        out->has_gid = out->gid >= 0;
        return;
    }
    out->place = n->place;
    out->any = strcmp(n->string, "any") == 0;
    if (!out->any)
        complain(f, row, n, NULL, "must be a group or the word \"any\"");
}

static void
read_groups(struct fill *f, const struct setting *row, const struct node *list,
            void *field)
{
    struct groups *out = field;
    char *at;

    if (!check_elements(f, row, list, NODE_GROUP))
        return;
    at = arena_alloc(f->keep, list->n * row->inner_size);
    for (const struct node *n = list->first; n != NULL; n = n->next)
        read_group(f, row, n, at + out->n++ * row->inner_size);
    out->at = at;
}

/* A name goes into the ledger, the log and messages: letters, digits, '-', '_'. */
static void
check_name(struct fill *f, const struct node *n)
{
    if (strchr(n->name, '*') != NULL)
        node_problem(f->problems, n, NULL,
                     "a name is made of letters, digits, '-' and '_'");
}

static void
read_named_groups(struct fill *f, const struct setting *row, const struct node *group,
                  void *field)
{
    struct groups *out = field;
    char *at = arena_alloc(f->keep, group->n * row->inner_size);

    for (const struct node *n = group->first; n != NULL; n = n->next) {
        char *one = at + out->n * row->inner_size;

        if (n->type != NODE_GROUP) {
            node_problem(f->problems, n, NULL, "must be a group: write %s = { ... };",
                         n->name);
            continue;
        }
        check_name(f, n);
        out->n++;
        *(const char **)(void *)(one + row->inner->offset) = arena_copy_z(
            f->keep, text_z(n->name));
        fill_group(f, row->inner + 1, row->name, n, n->place, one);
    }
    out->at = at;
}

/* ---- the types */

static const struct type types[] = {
    [SETTING_STRING] = { "string", "\"...\"", NODE_STRING, read_string },
    [SETTING_INTEGER] = { "integer", "1000", NODE_INTEGER, read_integer },
    [SETTING_DURATION] = { "duration", "\"15m\"", NODE_STRING, read_duration },
    [SETTING_SIZE] = { "size", "\"64k\"", NODE_STRING, read_size },
    [SETTING_BOOL] = { "boolean", "true", NODE_BOOL, read_bool },
    [SETTING_CHOICE] = { "choice", "", NODE_STRING, read_choice },
    [SETTING_DATE] = { "date", "\"2027-02-20\" or \"2027-02-20T08:00:00Z\"",
                       NODE_STRING, read_date },
    [SETTING_LISTEN] = { "address", "\"127.0.0.1:15001\" or \"[::1]:15001\"",
                         NODE_STRING, read_listen },
    [SETTING_STRINGS] = { "list of strings", "[\"...\"]", NODE_LIST, read_strings },
    [SETTING_STRINGS_OR_ANY] = { "list of strings, or `\"any\"`",
                                 "[\"...\"] or \"any\"", NODE_LIST,
                                 read_strings_or_any },
    [SETTING_CIDRS] = { "list of addresses and ranges", "[\"10.0.0.0/8\"]", NODE_LIST,
                        read_cidrs },
    [SETTING_CALLER] = { "group, or `\"any\"`", "{ uid = 1000; } or \"any\"",
                         NODE_GROUP, read_caller },
    [SETTING_GROUP] = { "group", "{ ... }", NODE_GROUP, read_group },
    [SETTING_GROUP_APART] = { "group", "{ ... }", NODE_GROUP, read_group_apart },
    [SETTING_GROUPS] = { "list of groups", "( { ... } )", NODE_LIST, read_groups },
    [SETTING_NAMED_GROUPS] = { "group of named groups", "{ name = { ... }; }",
                               NODE_GROUP, read_named_groups },
};

static bool
may_be_any(const struct setting *row)
{
    return row->type == SETTING_STRINGS_OR_ANY || row->type == SETTING_CALLER;
}

static void
fill_written(struct fill *f, const struct setting *row, const struct node *n,
             void *field)
{
    const struct type *type = &types[row->type];

    if (n->type == type->node || (may_be_any(row) && n->type == NODE_STRING))
        type->read(f, row, n, field);
    else if (n->type == NODE_INTEGER && type->node == NODE_STRING)
        complain(f, row, n, NULL, "is a bare number, and a %s stands in quotes",
                 type->name);
    else
        complain(f, row, n, NULL, "must be %s%s",
                 type->node == NODE_INTEGER ? "an " : "a ", type->name);
}

/* A default goes through the reader of its type: it cannot mean anything that could not
 * be written. */
static void
fill_standard(struct fill *f, const struct setting *row, struct place place,
              void *field)
{
    struct node n = { .type = types[row->type].node, .place = place };
    size_t before = f->problems->n;
    bool ok = true;

    if (row->type == SETTING_GROUP) {
        fill_group(f, row->inner, row->name, NULL, place, field);
        return;
    }
    if (row->type == SETTING_GROUP_APART) {
        lend_group(f, row, place, field);
        return;
    }
    if (row->standard == NULL || is_empty_list(row->standard))
        return;
    if (may_be_any(row))
        n.type = NODE_STRING;
    n.string = row->standard;
    if (n.type == NODE_LIST)
        n = *list_of(f, row->standard, place);
    else if (n.type == NODE_BOOL)
        n.integer = strcmp(row->standard, "true") == 0;
    else if (n.type == NODE_INTEGER)
        ok = value_integer(row->standard, &n.integer);
    types[row->type].read(f, row, &n, field);
    assert(ok && f->problems->n == before);
}

static void
report_unknown(struct fill *f, const struct setting *table, const char *name,
               const struct node *n)
{
    struct suggestion near = { 0 };

    if (is_later_key(name, n->name)) {
        node_problem(f->problems, n, NULL, "is not built yet: remove it");
        return;
    }
    for (const struct setting *row = table; row->name != NULL; row++)
        suggest(&near, n->name, row->name);
    if (near.word != NULL)
        node_problem(f->problems, n, NULL, "unknown key, did you mean %s?", near.word);
    else
        node_problem(f->problems, n, NULL, "unknown key: remove it (docs/CONFIG.md)");
}

/* A bit for each row that the group has a key of; the others are told of. */
static uint64_t
find_rows(struct fill *f, const struct setting *table, const char *name,
          const struct node *group)
{
    uint64_t written = 0;

    for (const struct node *n = group->first; n != NULL; n = n->next) {
        const struct setting *row = table;

        while (row->name != NULL && !node_same_key(row->name, n->name))
            row++;
        assert(row - table < ROWS_MAX);
        if (row->name == NULL)
            report_unknown(f, table, name, n);
        else
            written |= UINT64_C(1) << (row - table);
    }
    return written;
}

/* Another key of the group says that it has no use for this one. */
static bool
is_excused(const struct setting *row, const struct node *group)
{
    const struct node *n = row->unless != NULL ? node_child(group, row->unless) : NULL;

    return n != NULL && n->type == NODE_BOOL && n->integer != 0;
}

void
fill_group(struct fill *f, const struct setting *table, const char *name,
           const struct node *group, struct place place, void *out)
{
    uint64_t written = 0;

    assert(!f->sorted);
    *(struct place *)out = place;
    if (group != NULL) {
        anchor_add(f, out, group);
        written = find_rows(f, table, name, group);
    }
    for (const struct setting *row = table; row->name != NULL; row++, written >>= 1) {
        void *field = (char *)out + row->offset;

        /* A choice that is refused is none of them, for the checks across keys. */
        if (row->type == SETTING_CHOICE)
            *(int *)field = -1;
        if ((written & 1) != 0)
            fill_written(f, row, node_child(group, row->name), field);
        else if (group != NULL && (row->flags & SETTING_REQUIRED) &&
                 !is_excused(row, group))
            complain(f, row, group, row->name, "is missing");
        else
            fill_standard(f, row, place, field);
    }
}
