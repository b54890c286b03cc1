/* The registry: who is started, who must end, and whether every worker has obeyed. */
#include "workers.h"

#include "tests/unit/certs/scalar.h"
#include "tokens/presenter.h"

static void
a_start_is_over_when_every_worker_has_it(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    const struct said *said;
    struct entry *e;
    uint64_t ticket;
    struct task *k;

    house_adopt(s, &s->conf, NULL);
    house_settle(h);
    k = house_start(s, &ticket);
    assert_null(house_said(h, ticket));
    assert_true(worker_obey(h, 0, 0));
    assert_null(house_said(h, ticket)); /* one is slow */
    assert_true(worker_obey(h, 1, 0));
    said = house_said(h, ticket);
    assert_non_null(said);
    assert_int_equal(said->cause, TASK_LIVE);
    assert_true(text_equals(text_z(said->id), task_id(k)));
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(roll_find(h->workers[i].roll, &s->grants[REQUIRED],
                                   &(struct caller){ .has_uid = true, .uid = 1000 },
                                   NULL, clock_monotonic_ms(), &e),
                         REASON_OK);
    assert_ptr_equal(registry_find(h->registry, task_id(k)), k);
}

static void
what_cannot_be_started_is_refused_with_its_reason(void **state)
{
    struct stage *s = *state;
    struct conf_grant stale;
    uint64_t ticket;
    struct task *k;

    assert_int_equal(house_try(s, &s->conf, &s->grants[REQUIRED], &k, &ticket),
                     REASON_GRANT_UNKNOWN); /* nothing is in force */
    s->conf.limits.tasks = 4;
    house_adopt(s, &s->conf, NULL);
    stale = s->grants[REQUIRED];
    assert_int_equal(house_try(s, &s->conf, NULL, &k, &ticket), REASON_GRANT_UNKNOWN);
    assert_int_equal(house_try(s, &s->conf, &stale, &k, &ticket), REASON_GRANT_UNKNOWN);
    assert_int_equal(house_try(s, &s->conf, &s->grants[STANDING], &k, &ticket),
                     REASON_TASK_NOT_STARTED);
    assert_int_equal(house_try(s, &s->conf, &s->grants[POD], &k, &ticket),
                     REASON_TASK_NOT_STARTED);
    authority_fail_issuing(true);
    assert_int_equal(house_try(s, &s->conf, &s->grants[REQUIRED], &k, &ticket),
                     REASON_MINT_TOKEN);
    authority_fail_issuing(false);
    assert_null(k);
}

static void
there_are_never_more_tasks_than_the_limit_those_that_are_ending_included(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    uint64_t ticket;
    struct task *k;

    s->conf.limits.tasks = 4; /* two of them are the standing and the pod's */
    house_adopt(s, &s->conf, NULL);
    house_settle(h);
    (void)house_start(s, &ticket);
    k = house_start(s, &ticket);
    assert_int_equal(house_try(s, &s->conf, &s->grants[REQUIRED], &k, &ticket),
                     REASON_TOO_MANY_TASKS);
    house_settle(h);
    assert_int_equal(registry_count(h->registry), 4);
    assert_int_equal(registry_revoke(h->registry, "required", NULL, &ticket), 2);
    assert_int_equal(registry_count(h->registry), 2);
    assert_int_equal(house_try(s, &s->conf, &s->grants[REQUIRED], &k, &ticket),
                     REASON_TOO_MANY_TASKS); /* their keys are there still */
    house_settle(h);
    (void)house_start(s, &ticket);
}

/* ---- ending */

static void
an_end_is_over_when_every_worker_has_obeyed(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    struct task_counts counts;
    const struct said *said;
    uint64_t start, ticket;
    struct task *k;

    house_adopt(s, &s->conf, NULL);
    k = house_start(s, &start);
    house_settle(h);
    task_ref(k);
    ticket = registry_end(h->registry, task_id(k), TASK_FINISHED, NULL);
    assert_true(ticket > start);
    assert_false(task_is_live(k, clock_monotonic_ms())); /* at once, for every thread */
    assert_null(registry_find(h->registry, task_id(k)));
    assert_int_equal(registry_end(h->registry, task_id(k), TASK_REVOKED, NULL), 0);
    assert_true(worker_obey(h, 1, 2));
    assert_null(house_said(h, ticket));
    assert_true(worker_obey(h, 0, 3));
    said = house_said(h, ticket);
    assert_non_null(said);
    assert_int_equal(said->cause, TASK_FINISHED);
    assert_true(text_equals(text_z(said->id), task_id(k)));
    task_counts(k, &counts);
    assert_int_equal(counts.cut, 5);
    task_unref(k);
    assert_int_equal(registry_end(h->registry, TEXT("t-nobody"), TASK_FINISHED, NULL),
                     0);
}

/* The clock, a reload and Holdfast's own end are nobody's. */
static void
who_asked_first_is_remembered(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    const uid_t first = 0, second = 1000;
    struct task *ended, *revoked, *expired;
    uint64_t ticket;

    house_adopt(s, &s->conf, NULL);
    ended = house_start(s, &ticket);
    revoked = house_start(s, &ticket);
    expired = house_start(s, &ticket);
    task_ref(ended);
    task_ref(revoked);
    task_ref(expired);
    assert_int_equal(task_started_by(ended), -1);
    assert_int_equal(task_ended_by(ended), -1);
    assert_true(registry_end(h->registry, task_id(ended), TASK_FINISHED, &first) > 0);
    assert_true(registry_end(h->registry, task_id(expired), TASK_EXPIRED, NULL) > 0);
    assert_int_equal(registry_revoke(h->registry, NULL, &second, &ticket), 3);
    assert_int_equal(task_ended_by(ended), 0);
    assert_int_equal(task_ended_by(revoked), 1000);
    assert_int_equal(task_ended_by(expired), -1);
    house_settle(h);
    task_unref(ended);
    task_unref(revoked);
    task_unref(expired);
}

static void
a_task_may_end_before_every_worker_has_begun_it(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    uint64_t start, ticket;
    struct task *k;

    house_adopt(s, &s->conf, NULL);
    house_settle(h);
    k = house_start(s, &start);
    assert_true(worker_obey(h, 0, 0));
    ticket = registry_end(h->registry, task_id(k), TASK_FINISHED, NULL);
    house_settle(h);
    assert_int_equal(house_said(h, start)->cause, TASK_LIVE);
    assert_int_equal(house_said(h, ticket)->cause, TASK_FINISHED);
    assert_int_equal(roll_count(h->workers[1].roll), 2); /* standing, pod */
}

static void
its_key_is_gone_when_its_end_is_over(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    unsigned char native[SCALAR_SIZE];
    struct entry *e;
    uint64_t ticket;
    struct task *k;

    house_adopt(s, &s->conf, NULL);
    k = house_start(s, &ticket);
    house_settle(h);
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(roll_find(h->workers[i].roll, &s->grants[REQUIRED],
                                   &(struct caller){ .has_uid = true, .uid = 1000 }, k,
                                   clock_monotonic_ms(), &e),
                         REASON_OK);
        assert_non_null(entry_presenter(e));
    }
    scalar_of(task_identity(k)->key, native, true);
    assert_true(count_in_memory(native) > 0);
    assert_true(registry_end(h->registry, task_id(k), TASK_FINISHED, NULL) > 0);
    house_settle(h);
    assert_int_equal(count_in_memory(native), 0);
}

static void
a_deadline_ends_a_task_and_is_announced(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    struct task_terms terms = { .conf = &s->conf,
                                .grant = &s->grants[REQUIRED],
                                .purpose = TEXT("export"),
                                .ttl_ms = 30,
                                .caller = s->grants[REQUIRED].caller };
    uint64_t ticket;
    struct task *k, *other;

    s->conf.grants = (struct groups){ .at = &s->grants[REQUIRED], .n = 1 };
    house_adopt(s, &s->conf, NULL);
    assert_int_equal(h->due_ms, -2); /* nothing is due */
    other = house_start(s, &ticket);
    assert_in_range(h->due_ms, 0, 1000); /* the wall clock is looked at */
    assert_int_equal(registry_start(h->registry, &terms, &k, &ticket), REASON_OK);
    assert_in_range(h->due_ms, 0, 30);
    house_settle(h);
    while (task_is_live(k, clock_monotonic_ms())) {
        if (clock_monotonic_ms() < task_deadline_ms(k) - 10)
            registry_on_due(h->registry); /* too early: nothing comes of it */
    }
    task_ref(k);
    registry_on_due(h->registry);
    assert_int_equal(task_cause(k), TASK_EXPIRED);
    house_settle(h);
    assert_string_equal(task_cause_word(h->said[h->n_said - 1].cause), "expired");
    task_unref(k);
    assert_in_range(h->due_ms, 31, 1000);
    assert_ptr_equal(registry_find(h->registry, task_id(other)), other);
    assert_true(registry_end(h->registry, task_id(other), TASK_FINISHED, NULL) > 0);
    assert_int_equal(h->due_ms, -1);
}

static void
no_clock_on_the_wall_ends_a_task(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    uint64_t ticket;
    struct task *k;

    house_adopt(s, &s->conf, NULL);
    k = house_start(s, &ticket);
    for (int64_t shift_s = -10 * TTL_S; shift_s <= 10 * TTL_S; shift_s += 5 * TTL_S) {
        set_clock(shift_s);
        registry_on_due(h->registry);
        house_settle(h);
        assert_ptr_equal(registry_find(h->registry, task_id(k)), k);
        assert_true(task_is_live(k, clock_monotonic_ms()));
    }
}

static void
a_spent_budget_ends_a_task_once(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    uint64_t ticket;
    struct task *k;

    house_adopt(s, &s->conf, NULL);
    k = house_start(s, &ticket);
    house_settle(h);
    task_ref(k);
    registry_spent(h->registry, k);
    registry_spent(h->registry, k); /* two workers may say so */
    assert_int_equal(task_cause(k), TASK_SPENT);
    h->n_told = 0;
    house_settle(h);
    assert_int_equal(h->n_told, 0);
    assert_int_equal(h->said[h->n_said - 1].cause, TASK_SPENT);
    task_unref(k);
}

static void
what_drains_may_still_be_cut(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    uint64_t ticket, again;
    struct task *k;

    s->grants[REQUIRED].drain_ms = 5000;
    house_adopt(s, &s->conf, NULL);
    k = house_start(s, &ticket);
    house_settle(h);
    ticket = registry_end(h->registry, task_id(k), TASK_FINISHED, NULL);
    assert_int_equal(h->drain_ms, 5000);
    assert_true(worker_obey(h, 0, 0)); /* it had nothing that runs */
    assert_int_equal(registry_revoke(h->registry, "required", NULL, &again), 1);
    assert_int_equal(again, ticket);
    assert_int_equal(h->drain_ms, 0);
    assert_true(worker_obey(h, 1, 1));
    assert_true(worker_obey(h, 1, 0));
    assert_null(house_said(h, ticket));
    assert_true(worker_obey(h, 0, 0));
    assert_int_equal(house_said(h, ticket)->cause, TASK_FINISHED);
}

static void
whoever_revokes_waits_for_what_is_ending_already(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    uint64_t ticket, again;

    house_adopt(s, &s->conf, NULL);
    ticket = registry_end(h->registry, task_id(house_start(s, &ticket)), TASK_FINISHED,
                          NULL);
    assert_int_equal(registry_revoke(h->registry, "required", NULL, &again), 0);
    assert_int_equal(again, ticket);
    assert_int_equal(h->drain_ms, 0);
    while (worker_obey(h, 0, 0))
        ;
    assert_null(house_said(h, ticket)); /* one worker has not obeyed */
    house_settle(h);
    assert_int_equal(house_said(h, ticket)->cause, TASK_FINISHED);
    assert_int_equal(registry_revoke(h->registry, "required", NULL, &again), 0);
    assert_int_equal(again, 0);
}

static void
what_may_run_on_while_holdfast_stops_may_still_be_cut(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    uint64_t ticket, again;

    house_adopt(s, &s->conf, NULL);
    ticket = registry_end(h->registry, task_id(house_start(s, &ticket)), TASK_STOPPED,
                          NULL);
    assert_int_equal(registry_revoke(h->registry, "required", NULL, &again), 1);
    assert_int_equal(again, ticket);
    while (worker_obey(h, 0, 0))
        ;
    assert_null(house_said(h, ticket));
    registry_conclude(h->registry); /* the other one has left meanwhile */
    assert_int_equal(house_said(h, ticket)->cause, TASK_STOPPED);
    house_settle(h);
}

static void
only_what_is_finished_expired_or_spent_may_drain(void **state)
{
    static const struct {
        enum task_cause cause;
        int64_t drain_ms;
    } rows[] = {
        { TASK_FINISHED, 5000 }, { TASK_EXPIRED, 5000 }, { TASK_SPENT, 5000 },
        { TASK_REVOKED, 0 },     { TASK_STOPPED, 0 },
    };
    struct stage *s = *state;
    struct house *h = s->more;

    s->grants[REQUIRED].drain_ms = 5000;
    house_adopt(s, &s->conf, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t ticket;
        struct task *k = house_start(s, &ticket);

        (void)registry_end(h->registry, task_id(k), rows[i].cause, NULL);
        assert_int_equal(h->drain_ms, rows[i].drain_ms);
    }
}

static void
a_grants_tasks_are_revoked_and_no_others(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    uint64_t ticket, last;

    house_adopt(s, &s->conf, NULL);
    for (int i = 0; i < 3; i++)
        (void)house_start(s, &ticket);
    house_settle(h);
    assert_int_equal(registry_revoke(h->registry, "nobody's", NULL, &last), 0);
    assert_int_equal(last, 0);
    assert_int_equal(registry_revoke(h->registry, "required", NULL, &last), 3);
    assert_int_equal(registry_count(h->registry), 2);
    house_settle(h);
    assert_int_equal(house_said(h, last)->cause, TASK_REVOKED);
    (void)house_start(s, &ticket); /* a new one may be started */
    assert_int_equal(registry_revoke(h->registry, NULL, NULL, &last), 3);
    assert_int_equal(registry_count(h->registry), 0);
    house_settle(h);
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(roll_count(h->workers[i].roll), 0);
}

/* ---- what nobody starts */

struct search {
    const char *grant;
    const struct task *found;
    size_t n;
};

static bool
search(void *owner, const struct task *k)
{
    struct search *s = owner;

    if (strcmp(task_grant(k), s->grant) == 0) {
        s->found = k;
        s->n++;
    }
    return true;
}

/* NULL: none lives. */
static struct task *
only_task(struct house *h, const char *grant)
{
    struct search s = { .grant = grant };

    registry_walk(h->registry, search, &s);
    assert_true(s.n <= 1);
    return s.n == 0 ? NULL : registry_find(h->registry, task_id(s.found));
}

static void
standing_and_pod_tasks_are_begun_with_the_config(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;

    house_adopt(s, &s->conf, NULL);
    assert_int_equal(registry_count(h->registry), 2);
    assert_non_null(only_task(h, "standing"));
    assert_true(
        text_equals(task_id(only_task(h, "pod")), text_z(s->conf.workload.pod)));
    assert_int_equal(task_kind(only_task(h, "pod")), TASK_POD);
    house_settle(h);
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(roll_count(h->workers[i].roll), 2);
}

static void
two_grants_of_a_pod_have_tasks_of_two_ids(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    struct text pod = text_z(s->conf.workload.pod), a, b;

    s->grants[STANDING].task = TASK_POD;
    house_adopt(s, &s->conf, NULL);
    a = task_id(only_task(h, "standing"));
    b = task_id(only_task(h, "pod"));
    assert_true(text_starts(a, pod));
    assert_true(text_starts(b, pod));
    assert_false(text_equals(a, b));
}

static void
a_pods_uid_that_is_too_long_is_refused_before_it_serves(void **state)
{
    struct stage *s = *state;
    struct prepared *p;

    s->conf.workload.pod = "0123456789012345678901234567890123456789012345678";
    assert_int_equal(registry_prepare(s->authority, &s->conf, NULL, &p),
                     REASON_TASK_TERMS);
    assert_null(p);
}

static void
what_cannot_be_minted_refuses_the_config(void **state)
{
    struct stage *s = *state;
    struct prepared *p;

    authority_fail_issuing(true);
    assert_int_equal(registry_prepare(s->authority, &s->conf, NULL, &p),
                     REASON_MINT_TOKEN);
    assert_null(p);
    assert_int_equal(registry_prepare(NULL, &s->conf, NULL, &p), REASON_OK);
    prepared_free(p); /* without a forward door there are no tasks */
    prepared_free(NULL);
}

/* The same task, key and deadline; a worker signs by the token it was told of last. */
static void
a_started_task_has_another_token_when_the_wall_clock_was_set(void **state)
{
    static const int64_t steps_s[] = { TTL_S / 2, 2 * TTL_S, -TTL_S, -60 };
    struct stage *s = *state;
    struct house *h = s->more;
    struct identity *before;
    struct task_change told;
    struct entry *e;
    int64_t deadline_ms;
    uint64_t ticket;
    struct task *k;

    s->grants[REQUIRED].approved_at = clock_wall_s() - 10 * TTL_S;
    s->conf.grants = (struct groups){ .at = &s->grants[REQUIRED], .n = 1 };
    house_adopt(s, &s->conf, NULL);
    k = house_start(s, &ticket);
    deadline_ms = task_deadline_ms(k);
    house_settle(h);
    assert_int_equal(roll_find(h->workers[0].roll, &s->grants[REQUIRED],
                               &(struct caller){ .has_uid = true, .uid = 1000 }, NULL,
                               clock_monotonic_ms(), &e),
                     REASON_OK);
    for (size_t i = 0; i < sizeof steps_s / sizeof *steps_s; i++) {
        before = task_identity(k);
        assert_non_null(entry_presenter(e));
        set_clock(steps_s[i]);
        registry_on_due(h->registry);
        assert_ptr_not_equal(task_identity(k), before);
        assert_true(
            text_equals(identity_thumbprint(task_identity(k)),
                        identity_thumbprint(before))); /* kept till it is obeyed */
        told = h->workers[0].first->change;
        assert_true(told.lives && told.begun == k && told.ended == NULL);
        house_settle(h);
        assert_null(e->presenter);
        assert_false(task_token_is_off(k, clock_monotonic_ms(), clock_wall_s()));
        assert_int_equal(identity_expires(task_identity(k)), task_expires_s(k));
        assert_in_range(task_expires_s(k), clock_wall_s() + TTL_S - 60,
                        clock_wall_s() + TTL_S + 1);
        assert_null(house_said(h, told.ticket)); /* nothing has begun */
        assert_int_equal(task_deadline_ms(k), deadline_ms);
        assert_ptr_equal(registry_find(h->registry, task_id(k)), k);
        h->n_told = 0;
        registry_on_due(h->registry);
        assert_int_equal(h->n_told, 0);
    }
}

/* It may be prolonged, and the clock may be set back. */
static void
no_token_outlives_its_approval_and_one_is_had_once_that_is_prolonged(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    uint64_t ticket;
    struct task *k;

    s->grants[REQUIRED].expires_at = clock_wall_s() + 10 * TTL_S;
    s->conf.grants = (struct groups){ .at = &s->grants[REQUIRED], .n = 1 };
    house_adopt(s, &s->conf, NULL);
    k = house_start(s, &ticket);
    house_settle(h);
    set_clock(10 * TTL_S - 60);
    registry_on_due(h->registry);
    house_settle(h);
    assert_int_equal(task_expires_s(k), s->grants[REQUIRED].expires_at);
    set_clock(11 * TTL_S);
    h->n_told = 0;
    registry_on_due(h->registry);
    assert_int_equal(h->n_told, 0);
    assert_in_range(h->due_ms, 0, 1000);
    s->grants[REQUIRED].expires_at += 10 * TTL_S;
    while (h->n_told == 0)
        registry_on_due(h->registry);
    house_settle(h);
    assert_false(task_token_is_off(k, clock_monotonic_ms(), clock_wall_s()));
}

/* Each is told of it in the end, whatever fails at first, and none that ends meanwhile.
 */
static void
many_tokens_are_renewed_a_few_at_a_time(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    struct task *tasks[40];
    uint64_t ticket;
    size_t n_off = 0;

    s->conf.grants = (struct groups){ .at = &s->grants[REQUIRED], .n = 1 };
    house_adopt(s, &s->conf, NULL);
    for (size_t i = 0; i < 40; i++)
        tasks[i] = house_start(s, &ticket);
    house_settle(h);
    set_clock(2 * TTL_S);
    authority_fail_issuing(true);
    registry_on_due(h->registry);
    authority_fail_issuing(false);
    assert_true(h->due_ms > 0);
    assert_true(registry_end(h->registry, task_id(tasks[39]), TASK_FINISHED, NULL) > 0);
    h->n_told = 0;
    while (h->n_told == 0)
        registry_on_due(h->registry);
    assert_in_range(h->n_told, 1, 16);
    assert_int_equal(h->due_ms, 0);
    while (h->due_ms == 0)
        registry_on_due(h->registry);
    assert_int_equal(h->n_told, 39);
    for (size_t i = 0; i < 39; i++)
        n_off += task_token_is_off(tasks[i], clock_monotonic_ms(), clock_wall_s());
    assert_int_equal(n_off, 0);
    (void)registry_revoke(h->registry, NULL, NULL,
                          &ticket); /* before they are obeyed */
    house_settle(h);
}

/* Both in one message, so that no request finds neither. */
static void
a_standing_task_is_renewed_when_its_token_is_old_on_the_wall_clock(void **state)
{
    static const int64_t steps_s[] = { TTL_S * 9 / 10, 2 * TTL_S, -TTL_S };

    for (size_t i = 0; i < sizeof steps_s / sizeof *steps_s; i++) {
        struct stage *s = *state;
        struct house *h = s->more;
        struct task *old, *next;

        set_clock(0);
        s->grants[STANDING].approved_at = clock_wall_s() - 10 * TTL_S;
        if (i == 0)
            house_adopt(s, &s->conf, NULL);
        registry_on_due(h->registry);
        house_settle(h);
        old = only_task(h, "standing");
        task_ref(old);
        set_clock(steps_s[i]);
        assert_in_range(h->due_ms, 0, 1000); /* a step is seen within a second */
        h->n_told = 0;
        registry_on_due(h->registry);
        next = only_task(h, "standing");
        assert_non_null(next);
        assert_ptr_not_equal(next, old);
        assert_false(text_equals(task_id(next), task_id(old)));
        assert_true(
            task_is_live(old, clock_monotonic_ms())); /* till all have the next */
        for (size_t w = 0; w < WORKERS; w++)
            while (worker_obey(h, w, 0))
                assert_int_equal(roll_count(h->workers[w].roll), 2);
        assert_int_equal(task_cause(old), TASK_RENEWED);
        task_unref(old);
    }
}

static void
a_standing_task_is_renewed_in_its_last_tenth(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    const struct said *last;
    struct task *old;

    s->grants[STANDING].ttl_ms = 40;
    s->conf.grants.n = 1;
    house_adopt(s, &s->conf, NULL);
    house_settle(h);
    old = only_task(h, "standing");
    task_ref(old);
    while (clock_monotonic_ms() < task_renew_ms(old))
        ;
    registry_on_due(h->registry);
    assert_ptr_not_equal(only_task(h, "standing"), old);
    assert_int_equal(h->drain_ms, -1); /* what runs may run on */
    house_settle(h);
    last = &h->said[h->n_said - 1];
    assert_int_equal(last->cause, TASK_RENEWED);
    assert_true(text_equals(text_z(last->id), task_id(old)));
    task_unref(old);
}

static void
one_that_cannot_be_renewed_lives_to_its_deadline_and_comes_back_when_it_can(
    void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    struct task *old;

    s->grants[STANDING].ttl_ms = 40;
    s->conf.grants.n = 1;
    house_adopt(s, &s->conf, NULL);
    house_settle(h);
    old = only_task(h, "standing");
    task_ref(old);
    authority_fail_issuing(true);
    while (task_cause(old) == TASK_LIVE)
        registry_on_due(h->registry);
    assert_true(clock_monotonic_ms() >= task_deadline_ms(old));
    assert_int_equal(task_cause(old), TASK_EXPIRED);
    assert_null(only_task(h, "standing"));
    authority_fail_issuing(false);
    assert_in_range(h->due_ms, 0, 1000);
    while (only_task(h, "standing") == NULL) /* a second */
        registry_on_due(h->registry);
    task_unref(old);
}

static void
a_grant_whose_time_has_not_come_has_its_task_when_it_comes(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;

    s->grants[STANDING].approved_at = clock_wall_s() + 3600;
    house_adopt(s, &s->conf, NULL);
    assert_null(only_task(h, "standing"));
    assert_in_range(h->due_ms, 0, 1000);
    set_clock(3600);
    while (only_task(h, "standing") == NULL)
        registry_on_due(h->registry);
}

/* Main serves others between two turns. */
static void
not_all_keys_are_made_in_one_turn(void **state)
{
    enum { N = 100 };
    struct stage *s = *state;
    struct house *h = s->more;
    struct conf_grant grants[N];
    char names[N][16];
    unsigned turns = 0;

    for (unsigned i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof names[i], "g%u", i);
        grants[i] = s->grants[STANDING];
        grants[i].name = names[i];
    }
    s->conf.grants = (struct groups){ .at = grants, .n = N };
    house_adopt(s, &s->conf, NULL);
    house_settle(h);
    set_clock(TTL_S);
    for (h->n_told = 0; h->n_told < N; turns++) {
        registry_on_due(h->registry);
        assert_true(h->n_told == N || h->due_ms == 0);
        assert_int_equal(registry_count(h->registry), N);
    }
    assert_in_range(turns, 2, N);
    house_settle(h);
}

static void
a_revoked_grant_stays_so_until_a_reload_brings_it_anew(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    struct conf_grant changed[GRANTS];
    struct conf same = s->conf, anew = s->conf, none = s->conf, back = s->conf;
    uint64_t ticket;

    memcpy(changed, s->grants, sizeof changed);
    changed[STANDING].ticket = "T-2";
    anew.grants.at = changed;
    none.grants.n = 0;
    house_adopt(s, &s->conf, NULL);
    assert_int_equal(registry_revoke(h->registry, "standing", NULL, &ticket), 1);
    house_settle(h);
    registry_on_due(h->registry);
    assert_null(only_task(h, "standing"));
    house_adopt(s, &same, &s->conf);
    assert_null(only_task(h, "standing"));
    house_adopt(s, &anew, &same);
    assert_non_null(only_task(h, "standing"));

    assert_int_equal(registry_revoke(h->registry, NULL, NULL, &ticket), 2);
    house_settle(h);
    house_adopt(s, &none, &anew);
    house_adopt(s, &back, &none);
    assert_non_null(only_task(h, "standing"));
    assert_non_null(only_task(h, "pod"));
    /* An end is no less than a revocation. */
    assert_true(registry_end(h->registry, task_id(only_task(h, "pod")), TASK_FINISHED,
                             NULL) > 0);
    house_settle(h);
    registry_on_due(h->registry);
    assert_null(only_task(h, "pod"));
}

static void
a_reload_asked_before_somebody_revoked_does_not_undo_that(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    struct conf_grant changed[GRANTS], again[GRANTS];
    struct conf anew = s->conf, later = s->conf;
    struct prepared *p;
    uint64_t ticket;

    memcpy(changed, s->grants, sizeof changed);
    memcpy(again, s->grants, sizeof again);
    changed[STANDING].ticket = "T-2";
    again[STANDING].ticket = "T-3";
    anew.grants.at = changed;
    later.grants.at = again;
    house_adopt(s, &s->conf, NULL);
    registry_expect(h->registry);
    assert_int_equal(registry_prepare(s->authority, &anew, &s->conf, &p), REASON_OK);
    assert_int_equal(registry_revoke(h->registry, NULL, NULL, &ticket), 2);
    house_settle(h);
    registry_adopt(h->registry, &anew, p);
    registry_on_due(h->registry);
    assert_null(only_task(h, "standing"));
    house_adopt(s, &later, &anew);
    assert_non_null(only_task(h, "standing"));
    assert_null(only_task(h, "pod")); /* which nothing has brought anew */
}

/* ---- reloads */

static void
a_reload_ends_what_its_grant_no_longer_allows(void **state)
{
    static const char *const other[] = { "export", "other", "repair" };
    static const struct conf_rule another = { .host = "other.example" };
    /* What becomes of a required and of a standing task. */
    static const struct {
        const char *name;
        bool required, standing;
    } rows[] = {
        { "nothing changed", true, true },
        { "another owner", false, false },
        { "another caller", false, false },
        { "another kind", false, false },
        { "another workload", false, false },
        { "a purpose less", false, false },
        { "a purpose more", true, true },
        { "a shorter ttl", false, false },
        { "a longer ttl", true, true },
        { "an earlier end", false, false },
        { "a later end and another approver", true, true },
        { "a rule less", false, false },
        { "a rule more", true, true },
        { "a rule changed", false, false },
        { "gone", false, false },
    };
    struct stage *s = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct house *h;
        struct conf_rule rules[4];
        struct conf_grant grants[2];
        struct conf next = s->conf;
        struct task *required, *standing;
        uint64_t ticket;

        house_free(s->more);
        s->conf.grants.n = 2;
        h = house_new(s);
        house_adopt(s, &s->conf, NULL);
        required = house_start(s, &ticket);
        standing = only_task(h, "standing");
        house_settle(h);
        task_ref(required);
        task_ref(standing);
        memcpy(rules, s->rules, sizeof s->rules);
        rules[3] = another;
        memcpy(grants, s->grants, sizeof grants);
        next.grants = (struct groups){ .at = grants, .n = i == 14 ? 0 : 2 };
        if (i == 4)
            next.workload.id = "spiffe://prod.example/other";
        for (int g = 0; g < 2; g++) {
            grants[g].rules.at = rules;
            grants[g].owner = i == 1 ? "other" : grants[g].owner;
            grants[g].caller.uid += i == 2;
            if (i == 3)
                grants[g].task = g == STANDING ? TASK_REQUIRED : TASK_STANDING;
            if (i == 5)
                grants[g].purposes = (struct strings){ .at = &other[1], .n = 1 };
            if (i == 6 && g == REQUIRED) /* a standing one has one */
                grants[g].purposes = (struct strings){ .at = other, .n = 3 };
            grants[g].ttl_ms += i == 7 ? -1 : (i == 8 ? 1000 : 0);
            if (i == 9)
                grants[g].expires_at = task_expires_s(standing) - 1;
            grants[g].expires_at += i == 10 ? 1000 : 0;
            grants[g].approved_by = i == 10 ? "other" : grants[g].approved_by;
            grants[g].rules.n = i == 11 ? 2 : (i == 12 ? 4 : 3);
        }
        if (i == 13)
            rules[1].port = 8443;
        if (i == 3) /* a standing one has one purpose */
            grants[REQUIRED].purposes.n = 1;
        house_adopt(s, &next, &s->conf);
        if (task_is_live(required, clock_monotonic_ms()) != rows[i].required)
            fail_msg("required: %s", rows[i].name);
        if (!rows[i].required) {
            assert_int_equal(task_cause(required), TASK_WITHDRAWN);
            assert_int_equal(h->drain_ms, 0);
        }
        /* A standing one has a successor, in the same message. */
        if (!rows[i].standing && i != 3 && i != 14 && only_task(h, "standing") == NULL)
            fail_msg("no successor: %s", rows[i].name);
        for (size_t w = 0; w < WORKERS; w++)
            while (worker_obey(h, w, 0))
                if (i != 3 && i != 14)
                    assert_true(roll_count(h->workers[w].roll) >= 1);
        /* One with a successor is good until every worker has that. */
        if (task_is_live(standing, clock_monotonic_ms()) != rows[i].standing)
            fail_msg("standing: %s", rows[i].name);
        task_unref(required);
        task_unref(standing);
    }
}

static void
only_tasks_that_were_given_more_than_the_grant_now_gives_end(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    struct task_terms terms = { .conf = &s->conf,
                                .grant = &s->grants[REQUIRED],
                                .purpose = TEXT("repair"),
                                .ttl_ms = 60000,
                                .caller = s->grants[REQUIRED].caller };
    struct conf_grant grants[GRANTS];
    struct conf next = s->conf;
    struct task *long_one, *short_one;
    uint64_t ticket;

    house_adopt(s, &s->conf, NULL);
    long_one = house_start(s, &ticket);
    assert_int_equal(registry_start(h->registry, &terms, &short_one, &ticket),
                     REASON_OK);
    memcpy(grants, s->grants, sizeof grants);
    grants[REQUIRED].ttl_ms = 60000;
    next.grants.at = grants;
    task_ref(long_one);
    house_adopt(s, &next, &s->conf);
    assert_int_equal(task_cause(long_one), TASK_WITHDRAWN);
    assert_int_equal(task_cause(short_one), TASK_LIVE);
    task_unref(long_one);
}

static void
what_drains_is_cut_when_its_grant_is_withdrawn(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    struct conf none = s->conf;
    uint64_t ticket;
    struct task *k;

    s->grants[REQUIRED].drain_ms = 5000;
    none.grants.n = 0;
    house_adopt(s, &s->conf, NULL);
    house_settle(h);
    k = house_start(s, &ticket);
    ticket = registry_end(h->registry, task_id(k), TASK_FINISHED, NULL);
    h->n_told = 0;
    house_adopt(s, &none, &s->conf);
    assert_int_equal(h->n_told, 3); /* it, the standing, the pod's */
    house_settle(h);
    assert_non_null(house_said(h, ticket));
    assert_int_equal(registry_count(h->registry), 0);
}

/* Its token ended with the grant; now a later one can be had. */
static void
a_prolonged_grant_renews_the_task_that_would_have_ended_with_it(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    struct conf_grant grants[GRANTS];
    struct conf next = s->conf;
    struct task *old;

    s->grants[STANDING].expires_at = clock_wall_s() + 60;
    house_adopt(s, &s->conf, NULL);
    house_settle(h);
    old = only_task(h, "standing");
    memcpy(grants, s->grants, sizeof grants);
    grants[STANDING].expires_at += 3600;
    next.grants.at = grants;
    house_adopt(s, &next, &s->conf);
    assert_ptr_not_equal(only_task(h, "standing"), old);
    assert_int_equal(task_expires_s(only_task(h, "standing")),
                     task_begun_s(only_task(h, "standing")) + TTL_S + 1);
    house_settle(h);
    assert_int_equal(h->said[h->n_said - 1].cause, TASK_RENEWED);
}

/* ---- seeing */

struct walk {
    struct house *house;
    size_t n, stop;
    char last[TASK_ID_MAX + 1];
};

static bool
end_each(void *owner, const struct task *k)
{
    struct walk *w = owner;

    assert_true(registry_end(w->house->registry, task_id(k), TASK_STOPPED, NULL) > 0);
    return ++w->n < w->stop;
}

static bool
note_oldest(void *owner, const struct task *k)
{
    struct walk *w = owner;

    memcpy(w->last, task_id(k).at, task_id(k).n);
    w->n++;
    return false;
}

static void
a_walk_goes_from_the_oldest_on_and_may_end_what_it_meets(void **state)
{
    struct stage *s = *state;
    struct house *h = s->more;
    struct walk w = { .house = h, .stop = 3 };
    uint64_t ticket;
    struct task *k;

    s->conf.grants = (struct groups){ .at = &s->grants[REQUIRED], .n = 1 };
    house_adopt(s, &s->conf, NULL);
    k = house_start(s, &ticket);
    for (int i = 0; i < 4; i++)
        (void)house_start(s, &ticket);
    registry_walk(h->registry, note_oldest, &w);
    assert_int_equal(w.n, 1);
    assert_true(text_equals(text_z(w.last), task_id(k)));
    w.n = 0;
    registry_walk(h->registry, end_each, &w);
    assert_int_equal(w.n, 3);
    assert_int_equal(registry_count(h->registry), 2);
    house_settle(h);
}

/* ---- random histories against a simple model */

enum { STEPS = 10000, CONFS = 3, LIVE_MAX = 40 };

/* Rules of the required grant: a reload from one to another ends its tasks unless it
 * has as many or more. The standing grant's ticket changes with the last. */
static const size_t n_rules[CONFS] = { 3, 4, 2 };

struct model {
    struct stage *s;
    struct conf confs[CONFS];
    struct conf_grant grants[CONFS][GRANTS];
    struct conf_rule rules[4];
    size_t in_force;
    bool standing, pod; /* live */
    struct text live[LIVE_MAX];
    char ids[LIVE_MAX][TASK_ID_MAX];
    size_t n;
};

static uint32_t
draw(uint32_t below)
{
    static uint64_t seed = 20261122;

    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(seed >> 33) % below;
}

static void
model_start(struct model *m)
{
    struct conf *conf = &m->confs[m->in_force];
    uint64_t ticket;
    struct task *k;

    if (m->n == LIVE_MAX)
        return;
    assert_int_equal(
        house_try(m->s, conf, &m->grants[m->in_force][REQUIRED], &k, &ticket),
        REASON_OK);
    memcpy(m->ids[m->n], task_id(k).at, task_id(k).n);
    m->live[m->n] = text_of(m->ids[m->n], task_id(k).n);
    m->n++;
}

static void
model_end(struct model *m)
{
    struct house *h = m->s->more;
    size_t i = m->n > 0 ? draw((uint32_t)m->n) : 0;
    char id[TASK_ID_MAX];
    size_t n = m->n > 0 ? m->live[i].n : 0;

    if (m->n == 0) {
        assert_int_equal(registry_end(h->registry, TEXT("t-none"), TASK_FINISHED, NULL),
                         0);
        return;
    }
    memcpy(id, m->ids[i], n);
    if (draw(2) == 0)
        registry_spent(h->registry, registry_find(h->registry, m->live[i]));
    else
        assert_true(registry_end(h->registry, text_of(id, n), TASK_FINISHED, NULL) > 0);
    m->n--;
    memcpy(m->ids[i], m->ids[m->n], sizeof m->ids[i]);
    m->live[i] = text_of(m->ids[i], m->live[m->n].n);
    assert_int_equal(registry_end(h->registry, text_of(id, n), TASK_FINISHED, NULL), 0);
}

static void
model_revoke(struct model *m)
{
    struct house *h = m->s->more;
    uint64_t ticket;

    switch (draw(12)) {
    case 0:
        (void)registry_revoke(h->registry, NULL, NULL, &ticket);
        m->standing = m->pod = false;
        m->n = 0;
        break;
    case 1:
        (void)registry_revoke(h->registry, "standing", NULL, &ticket);
        m->standing = false;
        break;
    case 2:
        assert_true(registry_revoke(h->registry, "required", NULL, &ticket) >= m->n);
        m->n = 0;
        break;
    default:
        break;
    }
}

static void
model_adopt(struct model *m)
{
    size_t next = draw(CONFS);

    if (draw(8) != 0)
        return;
    if (next == m->in_force) /* another conf of the same words would be needed */
        return;
    house_adopt(m->s, &m->confs[next], &m->confs[m->in_force]);
    if (n_rules[next] < n_rules[m->in_force])
        m->n = 0;
    if ((next == 2) != (m->in_force == 2))
        m->standing = true;
    m->in_force = next;
}

static void
model_check(const struct model *m)
{
    struct house *h = m->s->more;

    assert_int_equal(registry_count(h->registry), m->n + m->standing + m->pod);
    for (size_t i = 0; i < m->n; i++)
        assert_non_null(registry_find(h->registry, m->live[i]));
}

/* Whoever has been told everything has on its roll what lives, and nothing else. */
static void
model_check_rolls(const struct model *m)
{
    struct house *h = m->s->more;

    for (size_t i = 0; i < WORKERS; i++)
        if (h->workers[i].first == NULL)
            assert_int_equal(roll_count(h->workers[i].roll),
                             m->n + m->standing + m->pod);
}

static void
model_open(struct model *m, struct stage *s)
{
    *m = (struct model){ .s = s, .standing = true, .pod = true };
    memcpy(m->rules, s->rules, sizeof s->rules);
    m->rules[3] = s->rules[2];
    m->rules[3].host = "other.example";
    for (size_t i = 0; i < CONFS; i++) {
        m->confs[i] = s->conf;
        memcpy(m->grants[i], s->grants, sizeof m->grants[i]);
        m->confs[i].grants.at = m->grants[i];
        m->grants[i][REQUIRED].rules = (struct groups){ .at = m->rules,
                                                        .n = n_rules[i] };
        m->grants[i][REQUIRED].drain_ms = i == 1 ? 1000 : 0;
    }
    m->grants[2][STANDING].ticket = "T-2";
}

static void
random_histories_end_as_a_simple_model_says(void **state)
{
    static struct model m;
    struct stage *s = *state;
    struct house *h = s->more;

    model_open(&m, s);
    house_adopt(s, &m.confs[0], NULL);
    for (int step = 0; step < STEPS; step++) {
        switch (draw(9)) {
        case 0:
        case 1:
            model_start(&m);
            break;
        case 2:
            model_end(&m);
            break;
        case 3:
            model_revoke(&m);
            break;
        case 4:
            model_adopt(&m);
            break;
        case 5:
            registry_on_due(h->registry);
            break;
        default:
            (void)worker_obey(h, draw(WORKERS), 0);
            break;
        }
        model_check(&m);
        model_check_rolls(&m);
    }
    house_settle(h);
    model_check_rolls(&m);
    /* Each of the tickets was told to be done, once: house_said looks at all of them.
     */
    for (size_t i = 0; i < h->n_said; i += 97)
        assert_non_null(house_said(h, h->said[i].ticket));
    assert_int_equal(h->n_said, h->last_ticket);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, house_open, house_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_start_is_over_when_every_worker_has_it),
        TEST(what_cannot_be_started_is_refused_with_its_reason),
        TEST(there_are_never_more_tasks_than_the_limit_those_that_are_ending_included),
        TEST(an_end_is_over_when_every_worker_has_obeyed),
        TEST(who_asked_first_is_remembered),
        TEST(a_task_may_end_before_every_worker_has_begun_it),
        TEST(its_key_is_gone_when_its_end_is_over),
        TEST(a_deadline_ends_a_task_and_is_announced),
        TEST(no_clock_on_the_wall_ends_a_task),
        TEST(a_started_task_has_another_token_when_the_wall_clock_was_set),
        TEST(no_token_outlives_its_approval_and_one_is_had_once_that_is_prolonged),
        TEST(many_tokens_are_renewed_a_few_at_a_time),
        TEST(a_spent_budget_ends_a_task_once),
        TEST(what_drains_may_still_be_cut),
        TEST(whoever_revokes_waits_for_what_is_ending_already),
        TEST(what_may_run_on_while_holdfast_stops_may_still_be_cut),
        TEST(only_what_is_finished_expired_or_spent_may_drain),
        TEST(a_grants_tasks_are_revoked_and_no_others),
        TEST(standing_and_pod_tasks_are_begun_with_the_config),
        TEST(two_grants_of_a_pod_have_tasks_of_two_ids),
        TEST(a_pods_uid_that_is_too_long_is_refused_before_it_serves),
        TEST(what_cannot_be_minted_refuses_the_config),
        TEST(a_standing_task_is_renewed_when_its_token_is_old_on_the_wall_clock),
        TEST(a_standing_task_is_renewed_in_its_last_tenth),
        TEST(
            one_that_cannot_be_renewed_lives_to_its_deadline_and_comes_back_when_it_can),
        TEST(a_grant_whose_time_has_not_come_has_its_task_when_it_comes),
        TEST(not_all_keys_are_made_in_one_turn),
        TEST(a_revoked_grant_stays_so_until_a_reload_brings_it_anew),
        TEST(a_reload_asked_before_somebody_revoked_does_not_undo_that),
        TEST(a_reload_ends_what_its_grant_no_longer_allows),
        TEST(only_tasks_that_were_given_more_than_the_grant_now_gives_end),
        TEST(what_drains_is_cut_when_its_grant_is_withdrawn),
        TEST(a_prolonged_grant_renews_the_task_that_would_have_ended_with_it),
        TEST(a_walk_goes_from_the_oldest_on_and_may_end_what_it_meets),
        TEST(random_histories_end_as_a_simple_model_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
