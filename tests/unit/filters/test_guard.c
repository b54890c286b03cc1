/* guard: the vectors of SSRF, and what a rule may open. */
#include "filters/guard.h"

#include "base/file.h"
#include "base/json.h"
#include "scene.h"
#include "tests/unit/base/rows.h"

struct settings {
    struct place place;
    struct cidrs also_deny;
};

static void *
opened_but(const struct cidr *also_deny, size_t n)
{
    const struct settings settings = { .also_deny = { also_deny, n } };
    const struct conf conf = { 0 };
    struct buf report = { 0 };
    void *state;

    assert_int_equal(guard_filter.settings_size, sizeof settings);
    assert_int_equal(guard_filter.open(&conf, &settings, &report, &state), REASON_OK);
    return state;
}

static void *
opened(void)
{
    return opened_but(NULL, 0);
}

static struct cidr
range(const char *z)
{
    struct cidr c;

    if (!cidr_parse(text_z(z), &c))
        fail_msg("%s is no range", z);
    return c;
}

static struct address
address(struct text t)
{
    struct address a;

    if (!address_parse(t, &a))
        fail_msg("%.*s is no address", TEXT_ARG(t));
    return a;
}

static enum reason
judge(void *guard, struct scene *s, const char *z)
{
    struct address a = address(text_z(z));

    return guard_judge_addresses(guard, &s->view, &a, 1);
}

static struct json *
read_json(const char *path, struct buf *bytes)
{
    struct json *j;

    assert_int_equal(file_read(path, 1 << 20, bytes), REASON_OK);
    j = json_parse(buf_text(bytes), 1 << 20);
    assert_non_null(j);
    return j;
}

/* ---- without a word of the operator */

static void
no_special_range_is_dialled_and_its_neighbours_are(void **state)
{
    struct buf bytes = { 0 };
    struct json *j = read_json(VECTORS "/ssrf/ranges.json", &bytes);
    const struct json *denied = json_get(j, "deny"),
                      *open = json_get(j, "must_stay_allowed");
    void *guard = opened();
    struct scene s;

    (void)state;
    scene_set(&s);
    assert_int_equal(json_count(denied), 37);
    for (size_t i = 0; i < json_count(denied); i++) {
        struct text t;
        struct cidr c;

        assert_true(json_string(json_get(json_at(denied, i), "cidr"), &t));
        assert_true(cidr_parse(t, &c));
        assert_int_equal(guard_judge_addresses(guard, &s.view, &c.base, 1),
                         REASON_ADDRESS_PROHIBITED);
    }
    assert_int_equal(json_count(open), 16);
    for (size_t i = 0; i < json_count(open); i++) {
        struct address a;
        struct text t;

        assert_true(json_string(json_at(open, i), &t));
        a = address(t);
        assert_int_equal(guard_judge_addresses(guard, &s.view, &a, 1), REASON_OK);
    }
    scene_clear(&s);
    guard_filter.close(guard);
    json_free(j);
    buf_free(&bytes);
}

/* What guard says to a target, or what the host grammar said before it could. */
static enum reason
name(void *guard, struct scene *s, struct text host)
{
    enum reason why = host_parse(host, &s->view.target.host);

    return why != REASON_OK ? why : guard_filter.on_request(guard, &s->view).reason;
}

/* Names that policy denies, and those whose addresses do, end like this. */
static bool
is_for_others(const struct scene *s)
{
    struct text host = host_text(&s->view.target.host);

    return text_ends(host, TEXT("test")) || text_ends(host, TEXT(".nip.io")) ||
           text_ends(host, TEXT(".sslip.io"));
}

static void
no_spelling_of_a_prohibited_host_passes(void **state)
{
    char host_mem[ROW_MAX], expect_mem[ROW_MAX];
    struct text host = { 0 }, expect;
    void *guard = opened();
    struct row_reader r;
    struct scene s;
    size_t denied = 0, allowed = 0;

    (void)state;
    scene_set(&s);
    rows_open(&r, VECTORS "/ssrf/hosts.json");
    for (char *line; (line = rows_next(&r)) != NULL;) {
        enum reason why;

        if (row_member(line, "host", host_mem, &host) ||
            !row_member(line, "expect", expect_mem, &expect))
            continue;
        why = name(guard, &s, host);
        denied += why != REASON_OK;
        allowed += why == REASON_OK;
        if (why == REASON_OK && !is_for_others(&s))
            fail_msg("%.*s passes", TEXT_ARG(host));
        if (why != REASON_OK && text_equals(expect, TEXT("allow")))
            fail_msg("%.*s: %s", TEXT_ARG(host), reason_token(why));
    }
    assert_int_equal(denied + allowed, 169);
    assert_true(denied > 140);
    assert_true(allowed >= 2);
    scene_clear(&s);
    guard_filter.close(guard);
}

/* Each metadata service by address and by name, without a rule and under a rule that
 * opens the whole world but none of them by its address. */
static void
no_range_opens_a_metadata_service(void **state)
{
    const struct cidr world[] = { range("0.0.0.0/0"), range("::/0"),
                                  range("169.254.169.252/31") };
    struct buf bytes = { 0 };
    struct json *j = read_json(VECTORS "/ssrf/metadata.json", &bytes);
    const struct json *services = json_get(j, "services");
    void *guard = opened();
    struct scene s;
    size_t addresses = 0, names = 0;

    (void)state;
    scene_set(&s);
    assert_int_equal(json_count(services), 34);
    for (size_t i = 0; i < json_count(services) * 2; i++) {
        const struct json *row = json_at(services, i / 2);
        struct text t;

        s.rule.addresses = (struct cidrs){ world, i % 2 == 0 ? 0 : 3 };
        if (json_string(json_get(row, "address"), &t)) {
            struct address a = address(t);

            if (guard_judge_addresses(guard, &s.view, &a, 1) !=
                REASON_ADDRESS_PROHIBITED)
                fail_msg("%.*s", TEXT_ARG(t));
            addresses++;
        }
        if (json_string(json_get(row, "name"), &t)) {
            enum reason why = name(guard, &s, t);
            bool opens = s.rule.addresses.n > 0 &&
                         !host_is_metadata(&s.view.target.host);

            if (why != (opens ? REASON_OK : REASON_NAME_PROHIBITED))
                fail_msg("%.*s: %s", TEXT_ARG(t), reason_token(why));
            names++;
        }
    }
    assert_true(addresses > 40 && names > 20);
    scene_clear(&s);
    guard_filter.close(guard);
    json_free(j);
    buf_free(&bytes);
}

/* ---- what a rule opens */

static void
a_rule_opens_what_its_addresses_say_and_no_more(void **state)
{
    static const struct {
        const char *opened, *asked;
        enum reason why;
    } rows[] = {
        { "10.0.0.0/8", "10.1.2.3", REASON_OK },
        { "10.0.0.0/8", "11.1.2.3", REASON_OK }, /* public */
        { "10.0.0.0/8", "192.168.1.1", REASON_ADDRESS_PROHIBITED },
        { "127.0.0.1", "127.0.0.1", REASON_OK },
        { "127.0.0.1", "127.0.0.2", REASON_ADDRESS_PROHIBITED },
        { "::1", "::1", REASON_OK },
        { "fd00::/8", "fd12::1", REASON_OK },
        { "fe80::/10", "fe80::1", REASON_OK },
        /* Metadata: by the exact address alone. */
        { "169.254.169.254/32", "169.254.169.254", REASON_OK },
        { "169.254.169.254/31", "169.254.169.254", REASON_ADDRESS_PROHIBITED },
        { "169.254.0.0/16", "169.254.169.254", REASON_ADDRESS_PROHIBITED },
        { "169.254.0.0/16", "169.254.1.1", REASON_OK },
        { "169.254.170.2/32", "169.254.169.254", REASON_ADDRESS_PROHIBITED },
        { "168.63.129.16/32", "168.63.129.16", REASON_OK },
        { "168.63.0.0/16", "168.63.129.16", REASON_ADDRESS_PROHIBITED },
        { "fd00:ec2::254/128", "fd00:ec2::254", REASON_OK },
        { "fd00:ec2::/64", "fd00:ec2::254", REASON_ADDRESS_PROHIBITED },
        { "fc00::/7", "fd00:ec2::254", REASON_ADDRESS_PROHIBITED },
        /* IPv4 inside IPv6: never, not even by its very spelling. */
        { "::ffff:10.0.0.1/128", "::ffff:10.0.0.1", REASON_ADDRESS_PROHIBITED },
        { "::ffff:0.0.0.0/96", "::ffff:8.8.8.8", REASON_ADDRESS_PROHIBITED },
        { "::/0", "::10.0.0.1", REASON_ADDRESS_PROHIBITED },
        { "::/0", "::2", REASON_ADDRESS_PROHIBITED },
        { "::/0", "::ffff:0:10.0.0.1", REASON_ADDRESS_PROHIBITED },
        { "64:ff9b::/96", "64:ff9b::a00:1", REASON_ADDRESS_PROHIBITED },
        { "64:ff9b:1::/48", "64:ff9b:1::a00:1", REASON_ADDRESS_PROHIBITED },
        { "2002::/16", "2002:a00:1::1", REASON_ADDRESS_PROHIBITED },
        { "2001::/32", "2001:0:a00:1::1", REASON_ADDRESS_PROHIBITED },
        { "fe80::/10", "fe80::5efe:a00:1", REASON_ADDRESS_PROHIBITED },
        { "::ffff:169.254.169.254", "::ffff:169.254.169.254",
          REASON_ADDRESS_PROHIBITED },
    };
    void *guard = opened();
    struct scene s;

    (void)state;
    scene_set(&s);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct cidr c = range(rows[i].opened);

        s.rule.addresses = (struct cidrs){ &c, 1 };
        if (judge(guard, &s, rows[i].asked) != rows[i].why)
            fail_msg("%s under %s", rows[i].asked, rows[i].opened);
    }
    scene_clear(&s);
    guard_filter.close(guard);
}

static void
what_also_deny_holds_no_rule_opens(void **state)
{
    const struct cidr deny[] = { range("10.1.0.0/16"), range("8.8.8.8"),
                                 range("169.254.169.254") };
    const struct cidr open[] = { range("10.0.0.0/8"), range("8.8.8.8"),
                                 range("169.254.169.254") };
    void *guard = opened_but(deny, 3);
    struct scene s;

    (void)state;
    scene_set(&s);
    s.rule.addresses = (struct cidrs){ open, 3 };
    assert_int_equal(judge(guard, &s, "10.1.2.3"), REASON_ADDRESS_PROHIBITED);
    assert_int_equal(judge(guard, &s, "10.2.2.3"), REASON_OK);
    assert_int_equal(judge(guard, &s, "8.8.8.8"), REASON_ADDRESS_PROHIBITED);
    assert_int_equal(judge(guard, &s, "169.254.169.254"), REASON_ADDRESS_PROHIBITED);
    assert_int_equal(judge(guard, &s, "1.1.1.1"), REASON_OK);
    scene_clear(&s);
    guard_filter.close(guard);
}

static void
one_denied_address_denies_the_whole_answer(void **state)
{
    const struct address answer[] = { address(TEXT("8.8.8.8")),
                                      address(TEXT("1.1.1.1")),
                                      address(TEXT("127.0.0.1")) };
    void *guard = opened();
    struct scene s;

    (void)state;
    scene_set(&s);
    assert_int_equal(guard_judge_addresses(guard, &s.view, answer, 2), REASON_OK);
    assert_int_equal(guard_judge_addresses(guard, &s.view, answer, 3),
                     REASON_ADDRESS_PROHIBITED);
    assert_int_equal(guard_judge_addresses(guard, &s.view, answer, 0),
                     REASON_ADDRESS_PROHIBITED);
    assert_non_null(s.view.notes);
    assert_text(s.view.notes->text, "127.0.0.1: loopback");
    scene_clear(&s);
    guard_filter.close(guard);
}

static void
names_are_judged_before_anything_is_resolved(void **state)
{
    static const struct {
        const char *host, *opened; /* opened NULL: the rule has no addresses */
        enum reason why;
    } rows[] = {
        { "api.example", NULL, REASON_OK },
        { "api.example", "10.0.0.0/8", REASON_OK },
        { "metadata.google.internal", NULL, REASON_NAME_PROHIBITED },
        { "METADATA.google.internal.", "0.0.0.0/0", REASON_NAME_PROHIBITED },
        { "metadata.google.internal", "169.254.169.254", REASON_OK },
        { "metadata.google.internal", "10.0.0.1", REASON_NAME_PROHIBITED },
        { "localhost", NULL, REASON_NAME_PROHIBITED },
        { "localhost", "127.0.0.1", REASON_OK },
        { "a.b.localhost", NULL, REASON_NAME_PROHIBITED },
        { "orders.svc.cluster.local", NULL, REASON_NAME_PROHIBITED },
        { "orders.svc.cluster.local", "10.0.0.0/8", REASON_OK },
        { "intranet", NULL, REASON_NAME_PROHIBITED },
        { "10.1.2.3", NULL, REASON_ADDRESS_PROHIBITED },
        { "10.1.2.3", "10.0.0.0/8", REASON_OK },
        { "169.254.169.254", "169.254.0.0/16", REASON_ADDRESS_PROHIBITED },
        { "[::1]", NULL, REASON_ADDRESS_PROHIBITED },
        { "[::ffff:169.254.169.254]", NULL, REASON_ADDRESS_PROHIBITED },
        { "8.8.8.8", NULL, REASON_OK },
    };
    void *guard = opened();
    struct scene s;

    (void)state;
    scene_set(&s);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cidr c = { 0 };

        if (rows[i].opened != NULL)
            c = range(rows[i].opened);
        s.rule.addresses = (struct cidrs){ &c, rows[i].opened != NULL };
        if (name(guard, &s, text_z(rows[i].host)) != rows[i].why)
            fail_msg("%s", rows[i].host);
    }
    scene_clear(&s);
    guard_filter.close(guard);
}

static void
without_a_rule_nothing_prohibited_is_opened(void **state)
{
    void *guard = opened();
    struct scene s;

    (void)state;
    scene_set(&s);
    s.view.rule = NULL;
    assert_int_equal(judge(guard, &s, "10.0.0.1"), REASON_ADDRESS_PROHIBITED);
    assert_int_equal(judge(guard, &s, "8.8.8.8"), REASON_OK);
    assert_int_equal(name(guard, &s, TEXT("localhost")), REASON_NAME_PROHIBITED);
    scene_clear(&s);
    guard_filter.close(guard);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_special_range_is_dialled_and_its_neighbours_are),
        cmocka_unit_test(no_spelling_of_a_prohibited_host_passes),
        cmocka_unit_test(no_range_opens_a_metadata_service),
        cmocka_unit_test(a_rule_opens_what_its_addresses_say_and_no_more),
        cmocka_unit_test(what_also_deny_holds_no_rule_opens),
        cmocka_unit_test(one_denied_address_denies_the_whole_answer),
        cmocka_unit_test(names_are_judged_before_anything_is_resolved),
        cmocka_unit_test(without_a_rule_nothing_prohibited_is_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
