/* An authority in a directory of its own, for tests in which something is signed. */
#ifndef TESTS_UNIT_FILTERS_AUTHORITY_H
#define TESTS_UNIT_FILTERS_AUTHORITY_H

#include "scene.h"

#include <unistd.h>

#define WORKLOAD "spiffe://prod.example/ns/agents/sa/builder"

struct authority_scene {
    char directory[40], keep[64], jwks[64];
    struct authority_key *key;
};

static inline void
authority_set(struct authority_scene *a)
{
    strcpy(a->directory, "/tmp/holdfast-filters-XXXXXX");
    assert_non_null(mkdtemp(a->directory));
    (void)snprintf(a->keep, sizeof a->keep, "%s/keep", a->directory);
    (void)snprintf(a->jwks, sizeof a->jwks, "%s/jwks.json", a->directory);
    assert_int_equal(authority_open(a->keep, "prod.example", &a->key), REASON_OK);
    assert_int_equal(authority_publish(a->key, a->directory), REASON_OK);
}

static inline void
authority_clear(struct authority_scene *a)
{
    char file[96];

    authority_free(a->key);
    (void)snprintf(file, sizeof file, "%s/authority.key", a->keep);
    (void)unlink(file);
    (void)rmdir(a->keep);
    (void)unlink(a->jwks);
    (void)rmdir(a->directory);
}

#endif
