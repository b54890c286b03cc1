/* Edit distance, and the words of features that are designed and not built. */
#include "conf/suggest.h"

#include <string.h>

enum { WORD_MAX = 64 };

static size_t
least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Insertions, deletions, replacements and swaps of neighbours, each one step. */
static size_t
edit_distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= m; j++)
        above[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *spare = before;

        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least(above[j] + 1, row[j - 1] + 1,
                           above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[m];
}

void
suggest(struct suggestion *s, const char *written, const char *word)
{
    size_t n = strlen(written), m = strlen(word), distance;

    if (n == 0 || n > WORD_MAX || m > WORD_MAX)
        return;
    distance = edit_distance(written, n, word, m);
    /* A third of the letters wrong is another word. */
    if (distance > 1 + n / 4 || distance >= m)
        return;
    if (s->word == NULL || distance < s->distance) {
        s->word = word;
        s->distance = distance;
    }
}

static const struct {
    const char *group, *key;
} later_keys[] = {
    { "source", "value" },
    { "trust", "jwks_url" },
};

static const struct {
    const char *key, *word;
} later_words[] = {
    { "kind", "aws" },     { "kind", "azure" }, { "kind", "gcp" },
    { "kind", "reverse" }, { "kind", "socks" }, { "kind", "spiffe" },
    { "kind", "vault" },   { "bind", "basic" }, { "bind", "path" },
    { "bind", "query" },   { "bind", "sigv4" },
};

bool
is_later_key(const char *group, const char *key)
{
    for (size_t i = 0; i < sizeof later_keys / sizeof *later_keys; i++) {
        const char *where = later_keys[i].group;

        if (strcmp(key, later_keys[i].key) == 0 && (where == NULL) == (group == NULL) &&
            (where == NULL || strcmp(where, group) == 0))
            return true;
    }
    return false;
}

bool
is_later_word(const char *key, const char *word)
{
    for (size_t i = 0; i < sizeof later_words / sizeof *later_words; i++)
        if (strcmp(key, later_words[i].key) == 0 &&
            strcmp(word, later_words[i].word) == 0)
            return true;
    return false;
}
