/* Notes: what filters leave for the log and for `explain`. */
#include "filters/filter.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NOTE_MAX = 512, FIRST_ROOM = 4 };

void
note(struct view *v, const char *format, ...)
{
    char line[NOTE_MAX];
    struct note *made = arena_alloc(v->arena, sizeof *made);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    made->text = arena_copy(v->arena, text_z(line));
    made->next = v->notes;
    v->notes = made;
}

/* One spelling in the log, whatever the workload wrote. */
static struct text
lower_case(struct arena *a, struct text name)
{
    char *mem = arena_alloc(a, name.n);

    for (size_t i = 0; i < name.n; i++)
        mem[i] = name.at[i] >= 'A' && name.at[i] <= 'Z' ? (char)(name.at[i] + 32)
                                                        : name.at[i];
    return text_of(mem, name.n);
}

void
note_stripped(struct view *v, struct text name)
{
    if (v->n_stripped == v->stripped_room) {
        size_t room = v->stripped_room == 0 ? FIRST_ROOM : 2 * v->stripped_room;
        struct text *names = arena_alloc(v->arena, room * sizeof *names);

        if (v->n_stripped > 0)
            memcpy(names, v->stripped, v->n_stripped * sizeof *names);
        v->stripped = names;
        v->stripped_room = room;
    }
    v->stripped[v->n_stripped++] = lower_case(v->arena, name);
}
