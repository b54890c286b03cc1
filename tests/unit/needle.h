/* Where 32 bytes that should be gone stand in this process's memory. They are told with
 * each byte flipped, so that the search itself is not found. */
#ifndef TESTS_UNIT_NEEDLE_H
#define TESTS_UNIT_NEEDLE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { NEEDLE_SIZE = 32 };

static inline bool
is_at(const unsigned char *p, const unsigned char flipped[NEEDLE_SIZE])
{
    for (int i = 0; i < NEEDLE_SIZE; i++)
        if ((p[i] ^ flipped[i]) != 0xff)
            return false;
    return true;
}

static inline unsigned
count_in(const unsigned char *p, size_t n, const unsigned char flipped[NEEDLE_SIZE])
{
    const unsigned char *end = p + n;
    unsigned count = 0;

    while (n >= NEEDLE_SIZE &&
           (p = memchr(p, flipped[0] ^ 0xff, n - NEEDLE_SIZE + 1))) {
        count += is_at(p, flipped);
        p++;
        n = (size_t)(end - p);
    }
    return count;
}

/* How often it stands in memory we can write to, read the way a debugger would.
 */
static inline unsigned
count_in_memory(const unsigned char flipped[NEEDLE_SIZE])
{
    enum { PIECE = 64 * 1024, REGION_MAX = 256 * 1024 * 1024 };
    static unsigned char piece[PIECE + NEEDLE_SIZE];
    FILE *maps = fopen("/proc/self/maps", "r");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    unsigned long from, to;
    char mode[8], line[512];
    unsigned count = 0;

    assert_true(maps != NULL && mem >= 0);
    while (fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' ||
            to - from > REGION_MAX ||
            (from <= (uintptr_t)piece && (uintptr_t)piece < to))
            continue;
        for (; from < to; from += PIECE) {
            size_t want = to - from < sizeof piece ? to - from : sizeof piece;
            ssize_t got = pread(mem, piece, want, (off_t)from);

            if (got > 0)
                count += count_in(piece, (size_t)got, flipped);
        }
    }
    explicit_bzero(piece, sizeof piece);
    close(mem);
    fclose(maps);
    return count;
}

#endif
