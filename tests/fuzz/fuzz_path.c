/* Targets in origin form. What path_normalise lets through is in one spelling: doing it
 * again changes nothing, no segment is a dot segment even to a reader who decodes again
 * and again or cuts parameters off, and every byte may stand in a request line. */
#include "tests/fuzz/fuzz.h"

#include "base/path.h"

PREPARE_NOTHING

/* ---- the careless reader: decodes all that can be decoded, in place */

static int
digit_value(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)((at - digits) % 16);
}

static size_t
decode_once(char *at, size_t n)
{
    size_t to = 0;

    for (size_t i = 0; i < n; i++, to++) {
        int high = i + 2 < n ? digit_value(at[i + 1]) : -1;
        int low = i + 2 < n ? digit_value(at[i + 2]) : -1;
        bool is_escape = at[i] == '%' && high >= 0 && low >= 0;

        at[to] = is_escape ? (char)(high * 16 + low) : at[i];
        i += is_escape ? 2 : 0;
    }
    return to;
}

static void
promise_no_dot_segment(const char *at, size_t n)
{
    size_t length = 0;

    for (size_t i = 0; i <= n; i++) {
        bool is_end = i == n || at[i] == '/' || at[i] == '\\' || at[i] == ';';

        if (!is_end) {
            length++;
            continue;
        }
        PROMISE(!(length == 1 && at[i - 1] == '.'));
        PROMISE(!(length == 2 && at[i - 1] == '.' && at[i - 2] == '.'));
        length = 0;
    }
}

static void
read_carelessly(struct text path)
{
    struct text copy = copy_exactly(path);
    char *at = (char *)(uintptr_t)copy.at;
    size_t n = copy.n, before;

    do {
        promise_no_dot_segment(at, n);
        before = n;
        n = decode_once(at, n);
        PROMISE(memchr(at, '\0', n) == NULL || before != path.n);
    } while (n < before);
    free_copy(copy);
}

/* ---- what may stand there */

static void
promise_clean(struct text path, struct text query)
{
    for (size_t i = 0; i < path.n; i++)
        PROMISE(path.at[i] > ' ' && path.at[i] < 0x7f &&
                !is_one_of((unsigned char)path.at[i], "?#\\\"<>^`{|}[]"));
    for (size_t i = 0; i < query.n; i++)
        PROMISE(query.at[i] > ' ' && query.at[i] < 0x7f && query.at[i] != '#');
}

static void
normalise_again(struct arena *a, struct text path, struct text query)
{
    struct text target = arena_printf(a, "%.*s%s%.*s", TEXT_ARG(path),
                                      query.at == NULL ? "" : "?", TEXT_ARG(query));
    struct text path_again, query_again;

    PROMISE(path_normalise(a, target, &path_again, &query_again) == REASON_OK);
    PROMISE(text_equals(path, path_again) && text_equals(query, query_again));
    PROMISE((query.at == NULL) == (query_again.at == NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text target = copy_exactly(input_of(data, size)), path, query;
    struct arena *a = arena_new();

    if (path_normalise(a, target, &path, &query) == REASON_OK) {
        PROMISE(path.n > 0 && path.n + query.n <= target.n);
        PROMISE(path.at[0] == '/' || text_equals(target, TEXT("*")));
        promise_clean(path, query);
        normalise_again(a, path, query);
        read_carelessly(path);
    } else {
        PROMISE(path.n == 0 && query.n == 0);
    }
    arena_free(a);
    free_copy(target);
    return 0;
}
