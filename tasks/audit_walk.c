/* A ledger's records one after the other, for whoever asks what was done: nothing is
 * judged here. */
#include "tasks/audit.h"

#include "base/log.h"
#include "tasks/audit_files.h"

#include <stdlib.h>
#include <string.h>

/* False: enough. */
static bool
walk_segment(struct audit_segment *s,
             bool (*take)(void *owner, struct text line, const struct json *record),
             void *owner, uint64_t *bad)
{
    struct text rest = s->bytes;
    const char *newline;
    bool more = true;

    while (more && rest.n > 0 && (newline = memchr(rest.at, '\n', rest.n)) != NULL) {
        struct text line = text_of(rest.at, (size_t)(newline - rest.at));
        struct audit_line form;
        struct json *record = audit_take_apart(line, &form)
                                  ? json_parse(line, AUDIT_LINE_MAX)
                                  : NULL;

        if (record != NULL)
            more = take(owner, line, record);
        else
            ++*bad;
        json_free(record);
        rest = text_of(newline + 1, rest.n - line.n - 1);
    }
    return more;
}

enum reason
audit_walk(const char *directory,
           bool (*take)(void *owner, struct text line, const struct json *record),
           void *owner, uint64_t *bad)
{
    struct audit_segment s = { 0 };
    unsigned *numbers;
    size_t n;
    enum reason why = audit_list(directory, &numbers, &n);

    *bad = 0;
    if (why == REASON_OK && n == 0)
        why = log_reason(REASON_FILE_CONTENT, "%s: no ledger is there", directory);
    for (size_t k = 0; why == REASON_OK && k < n; k++) {
        why = audit_open(directory, numbers[k], &s);
        if (why == REASON_OK && !walk_segment(&s, take, owner, bad))
            break;
    }
    audit_close(&s);
    free(numbers);
    return why;
}
