/* How a row of a table is written, for the files that hold tables; and what they lend
 * each other. */
#ifndef CONF_ROWS_H
#define CONF_ROWS_H

#include "conf/conf.h"

/* One element of each list, and one of conf_trust, wherever it stands. */
extern const struct setting rows_door[], rows_credential[], rows_grant[], rows_trust[];

/* The words of enum conf_http and enum conf_slashes, for either kind of rule. */
extern const char *const rows_http[], *const rows_slashes[];

/* The words of enum conf_grant_type and enum conf_client_auth, by index. */
extern const char *const rows_grant_types[], *const rows_client_auths[];

/* clang-format off */
#define IN(holder, field) offsetof(struct holder, field)
#define MUST SETTING_REQUIRED

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define DAY ((int64_t)24 * HOUR)
#define KIB ((int64_t)1024)
#define MIB (1024 * KIB)

#define STRING(key, at, must, text) \
    { .name = key, .type = SETTING_STRING, .offset = at, .flags = must, .sentence = text }
#define STRINGS(key, at, must, text) \
    { .name = key, .type = SETTING_STRINGS, .offset = at, .flags = must, .sentence = text }
#define STRINGS_NORMALLY(key, at, normal, text) \
    { .name = key, .type = SETTING_STRINGS, .offset = at, .standard = normal, .sentence = text }
#define STRING_NORMALLY(key, at, normal, text) \
    { .name = key, .type = SETTING_STRING, .offset = at, .standard = normal, .sentence = text }
#define STRINGS_OR_ANY(key, at, text) \
    { .name = key, .type = SETTING_STRINGS_OR_ANY, .offset = at, .flags = MUST, .sentence = text }
#define STRINGS_OR_ANY_UNLESS(other, key, at, text) \
    { .name = key, .type = SETTING_STRINGS_OR_ANY, .offset = at, .flags = MUST, .unless = other, .sentence = text }
#define INTEGER(key, at, normal, least, most, text) \
    { .name = key, .type = SETTING_INTEGER, .offset = at, .standard = normal, .min = least, .max = most, \
      .sentence = text }
#define DURATION(key, at, must, normal, least, most, text) \
    { .name = key, .type = SETTING_DURATION, .offset = at, .flags = must, .standard = normal, .min = least, \
      .max = most, .sentence = text }
#define SIZE(key, at, normal, least, most, text) \
    { .name = key, .type = SETTING_SIZE, .offset = at, .standard = normal, .min = least, .max = most, \
      .sentence = text }
#define BOOL(key, at, normal, text) \
    { .name = key, .type = SETTING_BOOL, .offset = at, .standard = normal, .sentence = text }
#define CHOICE(key, at, must, normal, words, text) \
    { .name = key, .type = SETTING_CHOICE, .offset = at, .flags = must, .standard = normal, .choices = words, \
      .sentence = text }
#define DATE(key, at, how, text) \
    { .name = key, .type = SETTING_DATE, .offset = at, .flags = how, .sentence = text }
#define GROUP(key, at, must, table, text) \
    { .name = key, .type = SETTING_GROUP, .offset = at, .flags = must, .inner = table, .sentence = text }
#define GROUP_APART(key, at, table, holder, text) \
    { .name = key, .type = SETTING_GROUP_APART, .offset = at, .inner = table, \
      .inner_size = sizeof(struct holder), .sentence = text }
#define GROUPS(key, at, must, table, holder, text) \
    { .name = key, .type = SETTING_GROUPS, .offset = at, .flags = must, .inner = table, \
      .inner_size = sizeof(struct holder), .sentence = text }
#define END { .name = NULL }
/* clang-format on */

#endif
