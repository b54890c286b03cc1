/* What takes time and needs no knowledge of which tasks live: done on the builder's
 * thread. */
#include "tasks/prepared.h"

#include "base/digest.h"
#include "base/memory.h"
#include "tasks/narrow.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_MARK = 6 }; /* bytes of a digest */

static struct prospect *
find(const struct table *names, const char *name)
{
    struct table_node *m = table_first(names, table_hash(text_z(name)));

    while (m != NULL &&
           strcmp(TABLE_OWNER(m, struct prospect, by_name)->grant->name, name) != 0)
        m = table_next(m);
    return TABLE_OWNER(m, struct prospect, by_name);
}

struct prospect *
prepared_find(const struct prepared *p, const char *name)
{
    return find(&p->by_name, name);
}

static struct prospect *
list_grants(const struct conf *conf, struct table *names)
{
    const struct conf_grant *grants = conf->grants.at;
    struct prospect *all = memory_new_array(conf->grants.n, sizeof *all);

    table_init(names);
    for (size_t i = 0; i < conf->grants.n; i++) {
        all[i].grant = &grants[i];
        table_add(names, &all[i].by_name, table_hash(text_z(grants[i].name)));
    }
    return all;
}

/* ---- the ids of pods' tasks */

static size_t
count_pods(const struct conf *conf)
{
    const struct conf_grant *grants = conf->grants.at;
    size_t n = 0;

    for (size_t i = 0; i < conf->grants.n; i++)
        n += grants[i].task == TASK_POD;
    return n;
}

/* The pod's uid; where several grants are the pod's, each with a mark of its grant, for
 * an id is one task's. */
static enum reason
name_pod(struct prospect *one, const char *pod, bool alone)
{
    char mark[SHA256_BASE64URL_SIZE];
    int n;

    if (one->grant->task != TASK_POD || pod == NULL)
        return REASON_OK;
    digest_sha256_base64url(text_z(one->grant->name), mark);
    n = snprintf(one->id_room, sizeof one->id_room, alone ? "%s" : "%s.%.*s", pod,
                 ID_MARK, mark);
    if (n <= 0 || (size_t)n >= sizeof one->id_room)
        return REASON_TASK_TERMS;
    one->id = text_of(one->id_room, (size_t)n);
    return REASON_OK;
}

/* ---- making */

enum reason
prospect_begin(struct authority_key *authority, const struct conf *conf,
               const struct prospect *prospect, struct task **out)
{
    const struct task_terms terms = { .conf = conf,
                                      .grant = prospect->grant,
                                      .caller = prospect->grant->caller,
                                      .id = prospect->id };

    return task_new(authority, &terms, out);
}

/* One whose time has not come, or is over, does without. */
static enum reason
make(struct prepared *p, struct prospect *one, struct authority_key *authority)
{
    enum reason why;

    if (authority == NULL || one->same || one->grant->task == TASK_REQUIRED)
        return REASON_OK;
    why = prospect_begin(authority, p->next, one, &one->made);
    return why == REASON_GRANT_EXPIRED ? REASON_OK : why;
}

static void
compare(struct prepared *p, struct prospect *one, const struct table *before)
{
    const struct prospect *was = p->now != NULL ? find(before, one->grant->name) : NULL;
    enum narrowing how = was == NULL
                             ? GRANT_NARROWER
                             : grant_compare(p->now, was->grant, p->next, one->grant);

    one->same = how == GRANT_SAME;
    one->narrower = how == GRANT_NARROWER;
}

enum reason
registry_prepare(struct authority_key *authority, const struct conf *next,
                 const struct conf *now, struct prepared **out)
{
    struct prepared *p = memory_new(sizeof *p);
    bool alone = count_pods(next) == 1;
    struct prospect *old = NULL;
    enum reason why = REASON_OK;
    struct table before;

    *out = NULL;
    p->next = next;
    p->now = now;
    p->prospects = list_grants(next, &p->by_name);
    p->n = next->grants.n;
    if (now != NULL)
        old = list_grants(now, &before);
    for (size_t i = 0; i < p->n && why == REASON_OK; i++) {
        compare(p, &p->prospects[i], &before);
        why = name_pod(&p->prospects[i], next->workload.pod, alone);
        if (why == REASON_OK)
            why = make(p, &p->prospects[i], authority);
    }
    if (now != NULL)
        table_clear(&before);
    free(old);
    if (why == REASON_OK)
        *out = p;
    else
        prepared_free(p);
    return why;
}

void
prepared_free(struct prepared *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->n; i++)
        task_unref(p->prospects[i].made);
    free(p->prospects);
    table_clear(&p->by_name);
    free(p);
}
