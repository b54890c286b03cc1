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

void check_workload(const struct check *k);
void check_doors(const struct check *k);
/* Where each stands, and what it is called. */
void check_doors_apart(const struct check *k);
void check_grants(const struct check *k);
void check_caller(const struct check *k, const struct conf_caller *c);
void check_credentials(const struct check *k);
void check_source(const struct check *k, const struct conf_source *s);
void check_opaque(const struct check *k, const struct conf_rule *r);
void check_bindings(const struct check *k, const struct conf_rule *r);
/* c: the rule's credential; NULL: there is none of that name. */
void check_signature(const struct check *k, const struct conf_rule *r,
                     const struct conf_credential *c);
void check_gate(const struct check *k, const struct conf_door *door);
void check_issuers(const struct check *k, const struct conf_door *door);
/* needs_keys: something is verified by that domain's. */
void check_trust(const struct check *k, const struct conf_trust *t, bool needs_keys);

/* Was this key written in the group that filled the object? */
bool check_has_key(const struct check *k, const void *object, const char *key);

/* Where the workload reads, nothing of ours may lie. */
bool check_is_published(const struct check *k, const char *path);

/* Where Holdfast itself sends something; NULL is nothing. */
void check_url(const struct check *k, const void *object, const char *key,
               const char *url);
/* A file that nobody but Holdfast may read. */
void check_secret_file(const struct check *k, const void *object, const char *key,
                       const char *path);

/* This name, written there, is no credential's. */
void check_credential_name(const struct check *k, const void *object, const char *key,
                           const char *name);

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

/* Nothing stands in a list twice. */
void check_no_repeats(const struct check *k, const void *object, const char *key,
                      const struct strings *s);

/* A rule of either kind that lets a WebSocket through lets through what asks for one.
 */
void check_websocket(const struct check *k, const void *rule, bool websocket,
                     const struct strings *methods);

#endif
