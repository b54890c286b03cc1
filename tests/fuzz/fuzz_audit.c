/* Ledgers: up to nine segments, parted by lines of "====", under a key that is known.
 * Whatever stands there is judged whole or has a fault that can be told in one line. Of
 * one that is whole no record but the last can be changed unseen, and no byte of one
 * that was closed in order; whoever walks it takes as many records as were verified. */
#include "tests/fuzz/fuzz.h"

#include "base/file.h"
#include "tasks/audit.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { SEGMENTS_MAX = 9 };

static const char jwk[] = "{\"alg\":\"ES256\",\"crv\":\"P-256\",\"kty\":\"EC\","
                          "\"x\":\"IVxjp2WYRhka3_rLaLMZlu6MFXW4GBlOOVDFUOBb-wg\","
                          "\"y\":\"aXem5Fils9lt_U42Urg7QvKlpKZw4PAZ8LwUuIUXNDo\"}";

static char folder[64], key[80], segments[SEGMENTS_MAX][96];

static void
leave(void)
{
    for (unsigned i = 0; i < SEGMENTS_MAX; i++)
        unlink(segments[i]);
    unlink(key);
    rmdir(folder);
}

static void
put_file(const char *path, struct text t)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    PROMISE(fd >= 0 && write(fd, t.at, t.n) == (ssize_t)t.n);
    close(fd);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_to_nowhere();
    snprintf(folder, sizeof folder, "/tmp/holdfast-fuzz-XXXXXX");
    PROMISE(mkdtemp(folder) != NULL);
    snprintf(key, sizeof key, "%s/key.jwk", folder);
    for (unsigned i = 0; i < SEGMENTS_MAX; i++)
        snprintf(segments[i], sizeof segments[i], "%s/ledger-%08u.jsonl", folder,
                 i + 1);
    put_file(key, TEXT(jwk));
    atexit(leave);
    return 0;
}

/* Nobody writes: nothing to wait for. */
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);
int
__wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    (void)wanted, (void)left;
    return 0;
}

static void
put_files(struct text rest)
{
    static const struct text mark = { "====\n", 5 };

    for (unsigned i = 0; i < SEGMENTS_MAX; i++) {
        const char *at = rest.n == 0 ? NULL : memmem(rest.at, rest.n, mark.at, mark.n);
        size_t n = at == NULL ? rest.n : (size_t)(at - rest.at);

        if (n > 0)
            put_file(segments[i], text_of(rest.at, n));
        else
            unlink(segments[i]);
        n += at == NULL ? 0 : mark.n;
        rest = text_of(rest.at + n, rest.n - n);
    }
}

static void
verify(struct audit_result *result)
{
    struct audit_asked asked = { .directory = folder };
    struct buf report = { 0 };
    struct text rest, line;
    size_t told = 0;

    PROMISE(audit_verify(&asked, &report, result) == REASON_OK);
    rest = buf_text(&report);
    for (size_t i = 0; i < rest.n; i++)
        PROMISE((rest.at[i] >= ' ' && rest.at[i] != 0x7f) || rest.at[i] == '\n');
    while (text_split(&rest, '\n', &line)) {
        PROMISE(line.n == 0 || text_starts(line, TEXT("ledger-")));
        told += line.n > 0;
    }
    /* One that is whole and not closed says that, too. */
    PROMISE(told == (result->faults > 100 ? 100
                     : result->faults > 0 ? result->faults
                                          : !result->is_ended));
    buf_free(&report);
}

static bool
count(void *owner, struct text line, const struct json *record)
{
    int64_t seq;

    PROMISE(json_number(json_get(record, "seq"), &seq) && line.n > 0);
    ++*(uint64_t *)owner;
    return true;
}

/* Another time of day for the first record of all. */
static void
spoil(void)
{
    struct buf bytes = { 0 };
    char *at;

    PROMISE(file_read(segments[0], SIZE_MAX / 2, &bytes) == REASON_OK);
    at = memmem(bytes.mem + bytes.start, buf_length(&bytes), "\"ts\":\"", 6);
    PROMISE(at != NULL);
    at[6] = at[6] == '2' ? '3' : '2';
    put_file(segments[0], buf_text(&bytes));
    buf_free(&bytes);
}

/* Another byte in the last segment, anywhere. */
static void
spoil_any(const char *segment, struct text chance)
{
    struct buf bytes = { 0 };
    size_t at = 5381;

    for (size_t i = 0; i < chance.n; i++)
        at = at * 33 + (unsigned char)chance.at[i];
    PROMISE(file_read(segment, SIZE_MAX / 2, &bytes) == REASON_OK);
    at %= buf_length(&bytes);
    bytes.mem[bytes.start + at] ^= (char)(1U << chance.n % 8);
    put_file(segment, buf_text(&bytes));
    buf_free(&bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct audit_result result;
    uint64_t taken = 0, bad;

    put_files(input_of(data, size));
    verify(&result);
    PROMISE(audit_walk(folder, count, &taken, &bad) ==
            (result.segments > 0 ? REASON_OK : REASON_FILE_CONTENT));
    if (result.faults > 0)
        return 0;
    /* That of members nobody verified may be no JSON. */
    PROMISE(taken + bad == result.records && result.last == result.records);
    if (result.last < 2)
        return 0;
    if (result.is_ended) {
        spoil_any(segments[result.segments - 1], input_of(data, size));
        verify(&result);
        PROMISE(result.faults > 0);
        put_files(input_of(data, size));
    }
    spoil();
    verify(&result);
    PROMISE(result.faults > 0);
    return 0;
}
