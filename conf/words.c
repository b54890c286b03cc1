#include "conf/words.h"

#include <string.h>

enum { PLACES = sizeof((struct words *)0)->at / sizeof(char *) };

const char *
words_keep(struct words *w, const char *z)
{
    const char **place;
    unsigned h = 0;
    size_t n = 0;

    for (; z[n] != '\0'; n++)
        h = h * 31 + (unsigned char)z[n];
    place = &w->at[(h ^ h >> 8) % PLACES];
    if (*place == NULL || strcmp(*place, z) != 0)
        *place = arena_copy_z(w->arena, text_of(z, n));
    return *place;
}
