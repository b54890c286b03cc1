/* What one table row cannot see: checks across keys. Each finding is a problem at the
 * key it is about. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/fill.h"

struct check {
    const struct conf *conf;
    struct fill *fill;
};

/* Takes a conf with holes (what failed in the tables is zero, or -1 for a choice) and
 * says nothing twice. */
void check_conf(const struct conf *c, struct fill *f);

void check_doors(const struct check *k);
void check_grants(const struct check *k);
void check_credentials(const struct check *k);

/* Was this key written in the group that filled the object? */
bool check_has_key(const struct check *k, const void *object, const char *key);

/* Where the workload reads, nothing of ours may lie. */
bool check_is_published(const struct check *k, const char *path);

/* At that key of the object's group; at the group when the key is absent. */
void check_complain(const struct check *k, const void *object, const char *key,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* At one element of a list, found by its value: elements that were refused left no
 * trace in the conf. */
void check_complain_element(const struct check *k, const void *object, const char *key,
                            const char *value, const char *error);

/* Complains when there is an error. */
void check_value(const struct check *k, const void *object, const char *key,
                 const char *value, const char *error);
void check_each(const struct check *k, const void *object, const char *key,
                const struct strings *s,
                const char *(*error_of)(struct arena *a, const char *z));

/* A rule of either kind that lets a WebSocket through lets through what asks for one.
 */
void check_websocket(const struct check *k, const void *rule, bool websocket,
                     const struct strings *methods);

#endif
