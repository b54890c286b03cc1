/* The schema: every key of the config is one row of a table, and the tables check the
 * file, print the defaults and generate docs/CONFIG.md. A filter exports a table of its
 * own in the same form. */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_type {
    SETTING_STRING,   /* const char *   */
    SETTING_INTEGER,  /* int64_t, between min and max  */
    SETTING_DURATION, /* int64_t milliseconds, written "250ms" "10s" "15m" "1h" "30d";
                         min, max   */
    SETTING_SIZE, /* int64_t bytes, written "512" "16k" "2m" "1g" (powers of 1024); min,
                     max  */
    SETTING_BOOL, /* bool */
    SETTING_CHOICE,  /* int or an enum: the index in `choices`  */
    SETTING_DATE,    /* int64_t seconds since 1970; a bare day means its first second */
    SETTING_LISTEN,  /* struct listen_at: "127.0.0.1:15001", "[::1]:0"  */
    SETTING_STRINGS, /* struct strings: a list of strings */
    SETTING_STRINGS_OR_ANY, /* struct strings, or the word "any" */
    SETTING_CIDRS,          /* struct cidrs: a list of addresses and ranges          */
    SETTING_CALLER,         /* struct conf_caller: a group, or the word "any"         */
    SETTING_GROUP,          /* the struct itself, its rows in `inner`          */
    SETTING_GROUP_APART,    /* a pointer to one of inner_size bytes: all that are not
                               written share one, never NULL        */
    SETTING_GROUPS, /* struct groups: a list of groups, each inner_size bytes         */
    SETTING_NAMED_GROUPS, /* struct groups of a group of groups; row 0 of `inner` takes
                             the name      */
};

enum {
    SETTING_REQUIRED = 1,    /* no default: absence is an error */
    SETTING_ALLOW_EMPTY = 2, /* an empty string or list is meant */
    SETTING_LAST_SECOND = 4  /* of a SETTING_DATE: a bare day means its last second */
};

struct setting {
    const char *name; /* as written in the config; NULL ends a table */
    enum setting_type type;
    size_t offset; /* of the field in the struct that the table fills */
    unsigned flags;
    const char *standard; /* the default, as it would be written, without quotes; NULL:
                             none (zero, empty) */
    int64_t min, max;     /* both zero: no range */
    const char *const *choices; /* NULL-terminated */
    const struct setting *inner;
    size_t inner_size;
    const char *unless; /* a SETTING_BOOL beside it: where that is true, what is REQUIRED
                           may be absent; NULL: nowhere */
    const char *sentence; /* for docs/CONFIG.md */
};

/* Where something stands in the config: for every message, and for `rule` in the log.
 * The first field of every struct that a SETTING_GROUP, _GROUP_APART, _GROUPS or
 * _NAMED_GROUPS row fills. */
struct place {
    const char *file;
    unsigned line;
};

struct strings {
    const char *const *at;
    size_t n;
    bool any; /* written "any" */
};

struct groups {
    void *at; /* n structs of inner_size bytes */
    size_t n;
};

#endif
