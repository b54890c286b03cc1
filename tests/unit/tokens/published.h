/* Published vectors, read where they lie. */
#ifndef TESTS_TOKENS_PUBLISHED_H
#define TESTS_TOKENS_PUBLISHED_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The file as JSON; a file that is not there skips the test by name. */
#define published(file) published_read(__func__, file)

static inline struct json *
published_read(const char *test, const char *file)
{
    const char *base = getenv("HOLDFAST_VECTORS");
    struct buf bytes = { 0 };
    char path[512];
    struct json *j;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", base != NULL ? base : PUBLISHED_VECTORS, file);
    if ((f = fopen(path, "rb")) == NULL) {
        printf("SKIPPED: %s: %s is not there\n", test, path);
        skip();
    }
    while (!feof(f) && !ferror(f))
        buf_commit(&bytes, fread(buf_reserve(&bytes, 65536), 1, 65536, f));
    fclose(f);
    j = json_parse(buf_text(&bytes), 4 * 1024 * 1024);
    buf_free(&bytes);
    assert_non_null(j);
    return j;
}

static inline struct text
member_text(const struct json *object, const char *name)
{
    struct text t = { NULL, 0 };

    (void)json_string(json_get(object, name), &t);
    return t;
}

#endif
