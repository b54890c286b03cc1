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

static_assert(POD_UID_MAX + 1 + ID_MARK <= TASK_ID_MAX, "what a file names, has room");

static void
forget_name(struct prospect *one)
{
    one->id = one->pod = text_of(NULL, 0);
}

/* The pod's uid; where several grants are the pod's, each with a mark of its grant, for
 * an id is one task's. */
enum reason
prospect_name(struct prospect *one, struct text pod, bool alone)
{
    char mark[SHA256_BASE64URL_SIZE];
    int n;

    forget_name(one);
    if (one->grant->task != TASK_POD || pod.n == 0)
        return REASON_OK;
    digest_sha256_base64url(text_z(one->grant->name), mark);
    n = snprintf(one->id_room, sizeof one->id_room, alone ? "%.*s" : "%.*s.%.*s",
                 TEXT_ARG(pod), ID_MARK, mark);
    if (n <= 0 || (size_t)n >= sizeof one->id_room || pod.n >= sizeof one->pod_room)
        return REASON_TASK_TERMS;
    memcpy(one->pod_room, pod.at, pod.n);
    one->pod = text_of(one->pod_room, pod.n);
    one->id = text_of(one->id_room, (size_t)n);
    return REASON_OK;
}

static enum reason
name_from_config(struct prospect *one, const struct prepared *p)
{
    const struct conf_workload *w = &p->next->workload;

    one->is_named_late = one->grant->task == TASK_POD && conf_awaits_pod(w);
    if (one->is_named_late || w->pod == NULL)
        return REASON_OK;
    return prospect_name(one, text_z(w->pod), p->has_one_pod);
}

/* ---- making */

enum reason
prospect_begin(struct authority_key *authority, const struct conf *conf,
               const struct prospect *prospect, struct task **out)
{
    const struct task_terms terms = { .conf = conf,
                                      .grant = prospect->grant,
                                      .caller = prospect->grant->caller,
                                      .id = prospect->id,
                                      .pod = prospect->pod };

    *out = NULL;
    if (prospect->grant->task == TASK_POD && prospect->id.n == 0)
        return REASON_CLAIM_MISSING; /* nor is it given an id of its own */
    return task_new(authority, &terms, out);
}

/* One whose time has not come, or is over, does without; and one whose pod is not
 * known.
 */
static enum reason
make(struct prepared *p, struct prospect *one, struct authority_key *authority)
{
    enum reason why;

    if (authority == NULL || one->same || one->grant->task == TASK_REQUIRED)
        return REASON_OK;
    why = prospect_begin(authority, p->next, one, &one->made);
    return why == REASON_GRANT_EXPIRED || why == REASON_CLAIM_MISSING ? REASON_OK : why;
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
    struct prospect *old = NULL;
    enum reason why = REASON_OK;
    struct table before;

    *out = NULL;
    p->next = next;
    p->now = now;
    p->has_one_pod = count_pods(next) == 1;
    p->prospects = list_grants(next, &p->by_name);
    p->n = next->grants.n;
    if (now != NULL)
        old = list_grants(now, &before);
    for (size_t i = 0; i < p->n && why == REASON_OK; i++) {
        compare(p, &p->prospects[i], &before);
        why = name_from_config(&p->prospects[i], p);
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
