/* What tasks cost: N tasks of G grants are started, found and ended, by one registry
 * and one worker's roll. Prints microseconds for one start and one end (as long as
 * others live), nanoseconds for one request's look-up, and bytes for one task.
 *
 *   tasks DIRECTORY [N [G]]
 */
#include "base/clock.h"
#include "base/memory.h"
#include "tasks/registry.h"
#include "tasks/roll.h"

#include <assert.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 1000, LOOKUPS = 10000000 };

static struct registry *registry;
static struct roll *roll;

static void
obey(void *owner, const struct task_change *c)
{
    (void)owner;
    if (c->begun != NULL)
        (void)entry_presenter(roll_begin(roll, c->begun));
    if (c->ended != NULL)
        entry_unref(roll_end(roll, c->ended));
}

static void
ignore_done(void *owner, uint64_t ticket, struct task *k, enum task_cause cause,
            int64_t took_ms)
{
    (void)owner;
    (void)ticket;
    (void)k;
    (void)cause;
    (void)took_ms;
}

static void
ignore_due(void *owner, int64_t ms)
{
    (void)owner;
    (void)ms;
}

static const char *const wimse[] = { "wimse" }, *const bearer[] = { "bearer" };
static const char *const purposes[] = { "export" };
static const struct conf_rule rules[] = {
    { .host = "orders.example",
      .credential = "orders",
      .bind = { .at = wimse, .n = 1 } },
    { .host = "api.example", .credential = "api", .bind = { .at = bearer, .n = 1 } },
};
static struct conf_credential credentials[] = {
    { .name = "orders" },
    { .name = "api", .source.kind = SOURCE_FILE, .handle.shape = "ghp_{36}" },
};

static void
write_config(struct conf *conf, size_t n_grants)
{
    struct conf_grant *grants = memory_new_array(n_grants, sizeof *grants);

    for (size_t i = 0; i < n_grants; i++) {
        char *name = memory_new(32);

        (void)snprintf(name, 32, "grant-%zu", i);
        grants[i] = (struct conf_grant){
            .name = name,
            .owner = "orders-team@example.com",
            .approved_by = "iam@example.com",
            .expires_at = clock_wall_s() + 3600,
            .purposes = { .at = purposes, .n = 1 },
            .task = TASK_REQUIRED,
            .ttl_ms = 900000,
            .caller.any = true,
            .rules = { .at = (void *)(uintptr_t)rules, .n = 2 },
        };
    }
    *conf = (struct conf){ .workload.id = "spiffe://prod.example/ns/agents/sa/builder",
                           .limits.tasks = 1000000,
                           .credentials = { .at = credentials, .n = 2 },
                           .grants = { .at = grants, .n = n_grants } };
}

static struct task *
start(const struct conf *conf, size_t i)
{
    const struct conf_grant *grants = conf->grants.at;
    const struct task_terms terms = {
        .conf = conf,
        .grant = &grants[i % conf->grants.n],
        .caller.uid = (int64_t)(1000 + i / conf->grants.n),
    };
    enum reason why;
    uint64_t ticket;
    struct task *k;

    why = registry_start(registry, &terms, &k, &ticket);
    assert(why == REASON_OK);
    registry_obeyed(registry, ticket, 0);
    return k;
}

static void
look_up(const struct conf *conf, size_t n)
{
    const struct conf_grant *grants = conf->grants.at;
    int64_t now_ms = clock_monotonic_ms(), us = clock_monotonic_us();

    for (size_t j = 0; j < LOOKUPS; j++) {
        size_t i = j * 7919 % n;
        struct caller who = { .has_uid = true,
                              .uid = (uint32_t)(1000 + i / conf->grants.n) };
        struct entry *e;
        enum reason why = roll_find(roll, &grants[i % conf->grants.n], &who, NULL,
                                    now_ms, &e);

        assert(why == REASON_OK);
    }
    us = clock_monotonic_us() - us;
    printf("look-up %.1f ns\n", (double)us * 1000 / LOOKUPS);
}

/* With n others alive. */
static void
start_and_end(const struct conf *conf, size_t n)
{
    int64_t starting = 0, ending = 0, us;

    for (size_t i = 0; i < ROUNDS; i++) {
        struct task *k;
        uint64_t ticket;

        us = clock_monotonic_us();
        k = start(conf, n + i);
        starting += clock_monotonic_us() - us;
        us = clock_monotonic_us();
        ticket = registry_end(registry, task_id(k), TASK_FINISHED, NULL);
        registry_obeyed(registry, ticket, 0);
        ending += clock_monotonic_us() - us;
    }
    printf("start %.1f us, end %.1f us\n", (double)starting / ROUNDS,
           (double)ending / ROUNDS);
}

int
main(int argc, char **argv)
{
    size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 10000;
    size_t n_grants = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
    struct registry_needs needs = {
        .n_workers = 1, .tell = obey, .done = ignore_done, .due = ignore_due
    };
    struct prepared *p;
    struct conf conf;
    size_t before;

    if (argc < 2 || n == 0 || n_grants == 0)
        return 2;
    write_config(&conf, n_grants);
    if (authority_open(argv[1], "prod.example", &needs.authority) != REASON_OK ||
        registry_prepare(needs.authority, &conf, NULL, &p) != REASON_OK)
        return 1;
    registry = registry_new(&needs);
    roll = roll_new();
    registry_adopt(registry, &conf, p);
    before = mallinfo2().uordblks;
    for (size_t i = 0; i < n; i++)
        (void)start(&conf, i);
    printf("%zu tasks of %zu grants: %zu bytes each, one worker's share included\n", n,
           n_grants, (mallinfo2().uordblks - before) / n);
    start_and_end(&conf, n);
    look_up(&conf, n);
    registry_free(registry);
    roll_free(roll);
    authority_free(needs.authority);
    return 0;
}
