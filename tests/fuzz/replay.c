/* Gives a target the files of its corpus and what was found before, once each: an
 * ordinary test, with any compiler, that takes no more time than that. A directory that
 * is not there holds nothing. */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>

enum { INPUT_MAX = 1 << 20 };

static int
is_input(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void
replay(const char *path)
{
    struct buf bytes = { 0 };
    struct text t;

    fprintf(stderr, "%s\n", path); /* the last line says which it was */
    PROMISE(file_read(path, INPUT_MAX, &bytes) == REASON_OK);
    t = copy_exactly(buf_text(&bytes));
    LLVMFuzzerTestOneInput((const uint8_t *)t.at, t.n);
    free_copy(t);
    buf_free(&bytes);
}

static size_t
replay_directory(const char *directory)
{
    struct dirent **entries = NULL;
    int n = scandir(directory, &entries, is_input, alphasort);

    for (int i = 0; i < n; i++) {
        char path[4096];

        snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
        replay(path);
        free(entries[i]);
    }
    free(entries);
    return n > 0 ? (size_t)n : 0;
}

int
main(int argc, char **argv)
{
    size_t n = 0;

    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        n += replay_directory(argv[i]);
    printf("%zu inputs\n", n);
    return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
