#include "proxy/exposition.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- samples */

void
sample_begin(struct exposition *w, const struct family *f, const char *suffix)
{
    buf_add_z(w->out, f->name);
    buf_add_z(w->out, suffix);
    w->has_labels = false;
}

/* Both formats: backslash, quote and line feed are escaped in a label's value. */
void
sample_label(struct exposition *w, const char *name, const char *value)
{
    buf_add_byte(w->out, w->has_labels ? ',' : '{');
    w->has_labels = true;
    buf_add_z(w->out, name);
    buf_add_z(w->out, "=\"");
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            buf_add_byte(w->out, '\\');
        if (*value == '\n')
            buf_add_z(w->out, "\\n");
        else
            buf_add_byte(w->out, *value);
    }
    buf_add_byte(w->out, '"');
}

void
sample_label_number(struct exposition *w, const char *name, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, value);
    sample_label(w, name, text);
}

static void
begin_value(struct exposition *w)
{
    if (w->has_labels)
        buf_add_byte(w->out, '}');
    buf_add_byte(w->out, ' ');
}

void
sample_value(struct exposition *w, uint64_t n)
{
    begin_value(w);
    buf_add_u64(w->out, n);
    buf_add_byte(w->out, '\n');
}

void
sample_value_us(struct exposition *w, uint64_t us)
{
    begin_value(w);
    buf_printf(w->out, "%" PRIu64 ".%06" PRIu64 "\n", us / 1000000, us % 1000000);
}

void
sample_value_ms(struct exposition *w, int64_t ms)
{
    sample_value_us(w, (uint64_t)ms * 1000);
}

void
sample_one(struct exposition *w, const struct family *f, uint64_t n)
{
    sample_begin(w, f, f->kind == COUNTER ? "_total" : "");
    sample_value(w, n);
}

/* ---- what stands above */

/* The older format knows no info, and calls a counter by its sample's name. */
void
family_head(struct exposition *w, const struct family *f)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram", "info" };
    bool open = w->format == PAGE_OPEN_METRICS;
    const char *suffix = "", *kind = kinds[f->kind];

    if (!open && f->kind == COUNTER)
        suffix = "_total";
    if (!open && f->kind == INFO) {
        suffix = "_info";
        kind = "gauge";
    }
    buf_printf(w->out, "# HELP %s%s ", f->name, suffix);
    for (const char *c = f->help; *c != '\0'; c++) {
        if (open && *c == '"')
            buf_add_byte(w->out, '\\');
        buf_add_byte(w->out, *c);
    }
    buf_printf(w->out, "\n# TYPE %s%s %s\n", f->name, suffix, kind);
}
