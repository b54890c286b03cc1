/* "Did you mean": the nearest of some words, when it is near enough to be a slip of the
 * fingers. */
#ifndef CONF_SUGGEST_H
#define CONF_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

/* Keeps the nearest word offered; a zeroed one knows none. */
struct suggestion {
    const char *word;
    size_t distance;
};

void suggest(struct suggestion *s, const char *written, const char *word);

/* Keys that DESIGN.md names and this version does not have: an operator who writes one
 * did not mistype. `group` is the key of the group or list around it, NULL for the
 * root. */
bool is_later_key(const char *group, const char *key);
bool is_later_word(const char *key, const char *word);

#endif
