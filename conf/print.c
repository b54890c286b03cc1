/* The tables, told: as a config of defaults and as the reference in Markdown. */
#include "conf/conf.h"
#include "conf/fill.h"
#include "conf/tables.h"
#include "conf/value.h"

#include <inttypes.h>
#include <string.h>

/* ---- the defaults */

static bool
is_holder(const struct setting *row)
{
    return row->inner != NULL && row->type != SETTING_CALLER;
}

static bool
is_bare(const struct setting *row)
{
    return row->type == SETTING_INTEGER || row->type == SETTING_BOOL ||
           row->standard[0] == '[';
}

static void
indent(struct buf *out, size_t depth, bool comment)
{
    for (size_t i = 0; i < depth; i++)
        buf_add_z(out, "    ");
    buf_add_z(out, comment ? "# " : "");
}

static void
print_default(const struct setting *row, size_t depth, bool comment, struct buf *out)
{
    const char *quote;

    indent(out, depth, comment || row->standard == NULL);
    if (row->standard == NULL) {
        fill_print_sample(row, out);
        buf_add_z(out, row->flags & SETTING_REQUIRED ? "    # required\n" : "\n");
        return;
    }
    quote = is_bare(row) ? "" : "\"";
    buf_printf(out, "%s = %s%s%s;\n", row->name, quote, row->standard, quote);
}

static void print_table(const struct setting *table, size_t depth, bool comment,
                        struct buf *out);

/* A list of groups has no default: its keys are shown as comments. */
static void
print_holder(const struct setting *row, size_t depth, bool comment, struct buf *out)
{
    static const char *const open[] = {
        [SETTING_GROUP] = "{\n",
        [SETTING_GROUP_APART] = "{\n",
        [SETTING_GROUPS] = "( {\n",
        [SETTING_NAMED_GROUPS] = "{ name = {\n",
    };
    static const char *const close[] = {
        [SETTING_GROUP] = "};\n",
        [SETTING_GROUP_APART] = "};\n",
        [SETTING_GROUPS] = "} );\n",
        [SETTING_NAMED_GROUPS] = "}; };\n",
    };
    bool inner = comment || row->type != SETTING_GROUP;

    indent(out, depth, inner);
    buf_printf(out, "%s = %s", row->name, open[row->type]);
    print_table(row->type == SETTING_NAMED_GROUPS ? row->inner + 1 : row->inner,
                depth + 1, inner, out);
    indent(out, depth, inner);
    buf_add_z(out, close[row->type]);
}

static void
print_table(const struct setting *table, size_t depth, bool comment, struct buf *out)
{
    for (const struct setting *row = table; row->name != NULL; row++) {
        if (is_holder(row))
            print_holder(row, depth, comment, out);
        else
            print_default(row, depth, comment, out);
    }
}

void
conf_print_defaults(const struct conf_filter_table *filters, size_t n_filters,
                    struct buf *out)
{
    struct arena *a = arena_new();
    struct tables t = tables_new(a, sizeof(struct conf), filters, n_filters);

    buf_add_z(out, "# Every key of Holdfast " HOLDFAST_VERSION
                   " with its default. What has none stands in a comment.\n");
    print_table(t.root, 0, false, out);
    arena_free(a);
}

/* ---- the reference */

/* Where a group stands: "doors[].trust[]". */
struct trail {
    const struct trail *up;
    const struct setting *row;
};

static void
print_trail(const struct trail *t, struct buf *out)
{
    if (t->up != NULL) {
        print_trail(t->up, out);
        buf_add_byte(out, '.');
    }
    buf_add_z(out, t->row->name);
    if (t->row->type == SETTING_GROUPS)
        buf_add_z(out, "[]");
    if (t->row->type == SETTING_NAMED_GROUPS)
        buf_add_z(out, ".NAME");
}

static void
print_choices(const struct setting *row, struct buf *out)
{
    for (size_t i = 0; row->choices[i] != NULL; i++)
        buf_printf(out, "%s`\"%s\"`", i == 0 ? "" : ", ", row->choices[i]);
}

static void
print_range(const struct setting *row, struct buf *out)
{
    if (row->min == 0 && row->max == 0)
        return;
    buf_add_z(out, ", ");
    if (row->type == SETTING_DURATION) {
        value_print_duration(row->min, out);
        buf_add_z(out, " to ");
        value_print_duration(row->max, out);
    } else if (row->type == SETTING_SIZE) {
        value_print_size(row->min, out);
        buf_add_z(out, " to ");
        value_print_size(row->max, out);
    } else {
        buf_printf(out, "%" PRId64 " to %" PRId64, row->min, row->max);
    }
}

static void
print_standard(const struct setting *row, struct buf *out)
{
    if (row->flags & SETTING_REQUIRED)
        buf_add_z(out, "required");
    else if (row->standard != NULL && is_bare(row))
        buf_printf(out, "`%s`", row->standard);
    else if (row->standard != NULL)
        buf_printf(out, "`\"%s\"`", row->standard);
}

static void
print_row(const struct setting *row, struct buf *out)
{
    buf_printf(out, "| `%s` | ", row->name);
    if (row->type == SETTING_CHOICE)
        print_choices(row, out);
    else
        buf_add_z(out, fill_type_name(row));
    print_range(row, out);
    buf_add_z(out, " | ");
    print_standard(row, out);
    buf_printf(out, " | %s |\n", row->sentence == NULL ? "" : row->sentence);
}

static void
print_section(const struct setting *table, const struct trail *up, struct buf *out)
{
    buf_add_z(out, "\n## ");
    if (up == NULL) {
        buf_add_z(out, "The file");
    } else {
        buf_add_byte(out, '`');
        print_trail(up, out);
        buf_add_byte(out, '`');
    }
    buf_add_z(out, "\n\n| key | value | default | |\n| --- | --- | --- | --- |\n");
    for (const struct setting *row = table; row->name != NULL; row++)
        print_row(row, out);
    for (const struct setting *row = table; row->name != NULL; row++) {
        struct trail here = { up, row };

        if (row->inner != NULL)
            print_section(row->type == SETTING_NAMED_GROUPS ? row->inner + 1
                                                            : row->inner,
                          &here, out);
    }
}

static const char preface[] =
    "# The config\n"
    "\n"
    "Every key, made from the tables that check it by `holdfast check --reference`: "
    "change those, not this file.\n"
    "\n"
    "The syntax is libconfig's: `key = value;`, groups `{ }`, lists of strings `[ ]`, "
    "lists of groups `( )`, comments from `#`.\n"
    "Beside the file, every `conf.d/*.conf` is read in sorted order: lists "
    "concatenate, "
    "groups merge by key, a name or a value that is\n"
    "set twice is an error. Files are UTF-8; `@include` and `\\x` escapes are not "
    "taken. "
    "An integer beyond 2147483647 ends in `L`.\n"
    "\n"
    "| value | as written |\n"
    "| --- | --- |\n"
    "| duration | a whole number and `ms`, `s`, `m`, `h` or `d`: `\"15m\"` |\n"
    "| size | bytes, or with `k`, `m`, `g` for powers of 1024: `\"64k\"` |\n"
    "| date | `\"2027-02-20\"` or `\"2027-02-20T08:00:00Z\"`, always UTC |\n"
    "| address | `\"127.0.0.1:15001\"`, `\"[::1]:15001\"` |\n"
    "| range | `\"10.0.0.0/8\"`, or one address |\n";

void
conf_print_reference(const struct conf_filter_table *filters, size_t n_filters,
                     struct buf *out)
{
    struct arena *a = arena_new();
    struct tables t = tables_new(a, sizeof(struct conf), filters, n_filters);

    buf_add_z(out, preface);
    print_section(t.root, NULL, out);
    arena_free(a);
}
