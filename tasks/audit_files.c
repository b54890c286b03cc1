#include "tasks/audit_files.h"

#include "base/log.h"
#include "base/memory.h"
#include "tasks/audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum reason
failed(const char *path, const char *doing)
{
    return log_reason(REASON_FILE_UNREADABLE, "%s: %s: %s", path, doing,
                      strerror(errno));
}

/* ---- which there are */

/* "ledger-00000012.jsonl"; 0 for any other name. */
static unsigned
number_of(const char *name)
{
    static const char before[] = "ledger-", after[] = ".jsonl";
    enum { DIGITS = 8 };
    struct text t = text_z(name);
    uint64_t number;

    if (t.n != sizeof before - 1 + DIGITS + sizeof after - 1 ||
        !text_starts(t, TEXT("ledger-")) || !text_ends(t, TEXT(".jsonl")) ||
        !text_to_u64(text_of(name + sizeof before - 1, DIGITS), UINT_MAX, &number))
        return 0;
    return (unsigned)number;
}

static int
ascending(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return (x > y) - (x < y);
}

enum reason
audit_list(const char *directory, unsigned **numbers, size_t *n)
{
    DIR *d = opendir(directory);
    const struct dirent *e;
    size_t room = 0;

    *numbers = NULL;
    *n = 0;
    if (d == NULL)
        return failed(directory, "open");
    while ((e = readdir(d)) != NULL) {
        unsigned number = number_of(e->d_name);

        if (number == 0)
            continue;
        if (*n == room) {
            room = room == 0 ? 64 : 2 * room;
            *numbers = reallocarray(*numbers, room, sizeof **numbers);
            if (*numbers == NULL)
                memory_exhausted();
        }
        (*numbers)[(*n)++] = number;
    }
    closedir(d);
    if (*n > 0)
        qsort(*numbers, *n, sizeof **numbers, ascending);
    return REASON_OK;
}

/* ---- one of them */

static void
forget(struct audit_segment *s)
{
    if (s->bytes.n > 0)
        munmap((void *)(uintptr_t)s->bytes.at, s->bytes.n);
    s->bytes = s->tail = text_of("", 0);
    s->n = 0;
}

void
audit_close(struct audit_segment *s)
{
    forget(s);
    free(s->lines);
    *s = (struct audit_segment){ 0 };
}

enum reason
audit_open(const char *directory, unsigned number, struct audit_segment *s)
{
    enum reason why = REASON_FILE_UNREADABLE;
    char path[PATH_MAX];
    struct stat st;
    void *at;
    int fd;

    forget(s);
    s->number = number;
    snprintf(s->name, sizeof s->name, "ledger-%08u.jsonl", number);
    snprintf(path, sizeof path, "%s/%s", directory, s->name);
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        failed(path, "open");
        goto done;
    }
    if (!S_ISREG(st.st_mode)) {
        log_reason(why, "%s: not a regular file", path);
        goto done;
    }
    why = REASON_OK;
    if (st.st_size == 0)
        goto done;
    at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) {
        why = failed(path, "map");
        goto done;
    }
    madvise(at, (size_t)st.st_size, MADV_SEQUENTIAL);
    s->bytes = text_of(at, (size_t)st.st_size);
done:
    if (fd >= 0)
        close(fd);
    return why;
}

/* ---- its lines */

static bool
take(struct text *rest, struct text what)
{
    if (!text_starts(*rest, what))
        return false;
    *rest = text_of(rest->at + what.n, rest->n - what.n);
    return true;
}

/* Everything before the next quote, at most 64 bytes. */
static bool
take_quoted(struct text *rest, struct text *out)
{
    const char *quote = rest->n == 0
                            ? NULL
                            : memchr(rest->at, '"', rest->n < 64 ? rest->n : 64);

    if (quote == NULL)
        return false;
    *out = text_of(rest->at, (size_t)(quote - rest->at));
    *rest = text_of(quote + 1, rest->n - out->n - 1);
    return true;
}

/* One number has one spelling: no zero in front. */
static bool
take_seq(struct text *rest, uint64_t *seq)
{
    uint64_t n = 0;
    size_t i = 0;

    while (i < rest->n && i < 18 && rest->at[i] >= '0' && rest->at[i] <= '9')
        n = n * 10 + (uint64_t)(rest->at[i++] - '0');
    if (i == 0 || rest->at[0] == '0')
        return false;
    *seq = n;
    *rest = text_of(rest->at + i, rest->n - i);
    return true;
}

bool
audit_take_apart(struct text line, struct audit_line *out)
{
    struct text rest = line, prev, ts, kind;
    uint64_t seq;

    *out = (struct audit_line){ .text = line };
    if (line.n > AUDIT_LINE_MAX || !take(&rest, TEXT("{\"seq\":")) ||
        !take_seq(&rest, &seq) || !take(&rest, TEXT(",\"prev\":\"")) ||
        !take_quoted(&rest, &prev) || prev.n != SHA256_BASE64URL_SIZE ||
        !take(&rest, TEXT(",\"ts\":\"")) || !take_quoted(&rest, &ts) ||
        ts.n != AUDIT_TS_LENGTH || !take(&rest, TEXT(",\"kind\":\"")) ||
        !take_quoted(&rest, &kind) || kind.n == 0 || rest.n == 0 ||
        (rest.at[0] != ',' && rest.at[0] != '}') || line.at[line.n - 1] != '}')
        return false;
    out->seq = seq;
    out->prev = (unsigned char)(prev.at - line.at);
    out->kind = (unsigned char)(kind.at - line.at);
    out->kind_length = (unsigned char)kind.n;
    return true;
}

static struct audit_line *
one_more(struct audit_segment *s)
{
    if (s->n == s->room) {
        s->room = s->room == 0 ? 4096 : 2 * s->room;
        s->lines = reallocarray(s->lines, s->room, sizeof *s->lines);
        if (s->lines == NULL)
            memory_exhausted();
    }
    return &s->lines[s->n++];
}

void
audit_read_lines(struct audit_segment *s)
{
    struct text rest = s->bytes;
    const char *newline;

    s->n = 0;
    while (rest.n > 0 && (newline = memchr(rest.at, '\n', rest.n)) != NULL) {
        size_t length = (size_t)(newline - rest.at);
        struct audit_line *l = one_more(s);

        (void)audit_take_apart(text_of(rest.at, length), l);
        digest_sha256_base64url(l->text, l->hash);
        rest = text_of(newline + 1, rest.n - length - 1);
    }
    s->tail = rest;
}
