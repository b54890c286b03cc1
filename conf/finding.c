#include "conf/finding.h"

#include "base/json_write.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const levels[] = {
    [FINDING_NOTE] = "note", [FINDING_WARNING] = "warning"
};

static void
make_room(struct findings *f)
{
    struct finding *old = f->at;

    if (f->n < f->room)
        return;
    f->room = f->room == 0 ? 16 : 2 * f->room;
    f->at = memory_new_array(f->room, sizeof *f->at);
    if (f->n > 0)
        memcpy(f->at, old, f->n * sizeof *old);
    free(old);
}

void
findings_add(struct findings *f, enum finding_level level, const char *kind,
             struct place place, const char *format, ...)
{
    char message[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    make_room(f);
    f->at[f->n++] = (struct finding){ level, kind, place, memory_copy_z(message) };
}

size_t
findings_count(const struct findings *f, enum finding_level level)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        n += f->at[i].level == level;
    return n;
}

void
findings_print(const struct findings *f, struct buf *out)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct finding *at = &f->at[i];

        buf_add_z(out, at->place.file);
        if (at->place.line > 0)
            buf_printf(out, ":%u", at->place.line);
        buf_printf(out, ": %s: ", levels[at->level]);
        buf_add_z(out, at->message);
        buf_add_byte(out, '\n');
    }
}

void
findings_write(const struct findings *f, struct buf *out)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct finding *at = &f->at[i];

        json_open(out, NULL, '{');
        json_put_z(out, "level", levels[at->level]);
        json_put_z(out, "kind", at->kind);
        json_put_z(out, "file", at->place.file);
        if (at->place.line > 0)
            json_put_number(out, "line", at->place.line);
        json_put_z(out, "message", at->message);
        json_close(out, '}');
    }
}

void
findings_free(struct findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->at[i].message);
    free(f->at);
    *f = (struct findings){ 0 };
}
