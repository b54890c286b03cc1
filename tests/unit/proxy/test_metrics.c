/* proxy/metrics.c, metrics_page.c, process.c: what is counted and how it is told. */
#include "tests/unit/certs/scratch.h"

#include "base/buf.h"
#include "conf/conf.h"
#include "proxy/metrics_page.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static struct metrics *m;
static const struct metrics *workers[2];
static struct page page;
static struct buf out;

static int
begin(void **state)
{
    (void)state;
    m = metrics_new();
    workers[0] = m;
    workers[1] = metrics_new();
    page = (struct page){ .workers = workers, .n_workers = 2 };
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    metrics_free((struct metrics *)(uintptr_t)workers[0]);
    metrics_free((struct metrics *)(uintptr_t)workers[1]);
    buf_free(&out);
    return 0;
}

#define METRICS_TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

static const char *
page_text(enum page_format format)
{
    buf_free(&out);
    metrics_page_write(&page, format, &out);
    buf_add_byte(&out, '\0');
    return buf_text(&out).at;
}

/* The line stands on the page, whole. */
static void
assert_line(const char *text, const char *line)
{
    size_t n = strlen(line);

    for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
        if ((at == text || at[-1] == '\n') && at[n] == '\n')
            return;
    fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void
a_histogram_counts_each_value_once_and_its_bounds_are_inclusive(void **state)
{
    static const struct {
        int64_t us;
        size_t bucket;
    } rows[] = { { -5, 0 },        { 0, 0 },         { 250, 0 },
                 { 251, 1 },       { 1000, 2 },      { 1001, 3 },
                 { 30000000, 15 }, { 30000001, 16 }, { INT64_C(1) << 40, 16 } };
    struct histogram h;
    uint64_t sum = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(&h, 0, sizeof h);
        histogram_add(&h, rows[i].us);
        sum = 0;
        for (size_t b = 0; b <= HISTOGRAM_BOUNDS; b++) {
            assert_int_equal(tally_read(&h.counts[b]), b == rows[i].bucket);
            sum += tally_read(&h.counts[b]);
        }
        assert_int_equal(sum, 1);
        assert_int_equal(tally_read(&h.sum_us), rows[i].us > 0 ? rows[i].us : 0);
    }
    for (size_t i = 1; i < HISTOGRAM_BOUNDS; i++)
        assert_true(histogram_bounds_us[i - 1] < histogram_bounds_us[i]);
}

static void
every_reason_has_a_decision_and_every_denial_one_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < REASON_COUNT; i++) {
        enum reason why = (enum reason)i;
        uint64_t before = 0, after = 0;

        for (size_t c = 0; c < BLOCKED_CLASSES; c++)
            before += tally_read(&m->blocked[c]);
        metrics_request(m, why, false, 10);
        for (size_t c = 0; c < BLOCKED_CLASSES; c++)
            after += tally_read(&m->blocked[c]);
        assert_int_equal(after - before, metrics_outcome(why) == OUTCOME_DENY);
        assert_int_equal(tally_read(&m->requests[i]), 1);
        if (reason_status(why) == 403)
            assert_int_equal(metrics_outcome(why), OUTCOME_DENY);
    }
    assert_int_equal(metrics_outcome(REASON_OK), OUTCOME_ALLOW);
    assert_int_equal(metrics_outcome(REASON_CLIENT_GONE), OUTCOME_FAIL);
    assert_int_equal(metrics_outcome(REASON_UPSTREAM_TIMEOUT), OUTCOME_FAIL);
    assert_int_equal(metrics_outcome(REASON_METHOD), OUTCOME_DENY);
}

static void
what_a_denied_request_tried_is_told_apart(void **state)
{
    static const struct {
        enum reason why;
        bool dialling;
        enum blocked class;
    } rows[] = {
        { REASON_HOST_NOT_ALLOWED, false, BLOCKED_OFFPOLICY },
        { REASON_NAME_PROHIBITED, false, BLOCKED_METADATA },
        { REASON_ADDRESS_PROHIBITED, false, BLOCKED_ADDRESS },
        { REASON_ADDRESS_PROHIBITED, true, BLOCKED_REBIND },
        { REASON_PEER_ADDRESS, true, BLOCKED_REBIND },
        { REASON_OWN_PORT, true, BLOCKED_LOOP },
        { REASON_NAMES_DISAGREE, false, BLOCKED_FRONTING },
        { REASON_PORT_DISAGREES, false, BLOCKED_FRONTING },
        { REASON_LENGTH_AND_CODING, false, BLOCKED_SMUGGLING },
        { REASON_REQUEST_LINE, false, BLOCKED_MALFORMED },
        { REASON_HEAD_TIMEOUT, false, BLOCKED_LIMIT },
        { REASON_RAW_CREDENTIAL, false, BLOCKED_CREDENTIAL },
        { REASON_FOREIGN_HANDLE, false, BLOCKED_CREDENTIAL },
        { REASON_SEVERAL_HANDLES, false, BLOCKED_CREDENTIAL },
        { REASON_PROXY_CREDENTIAL, false, BLOCKED_CREDENTIAL },
        { REASON_PROOF_REPLAYED, false, BLOCKED_PROOF },
        { REASON_TOKEN_UNTRUSTED, false, BLOCKED_PROOF },
        { REASON_CONTEXT_MISSING, false, BLOCKED_PROOF },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t before = tally_read(&m->blocked[rows[i].class]);

        metrics_request(m, rows[i].why, rows[i].dialling, 1);
        if (tally_read(&m->blocked[rows[i].class]) != before + 1)
            fail_msg("%s is of another class", reason_token(rows[i].why));
    }
}

static void
requests_are_told_apart_by_the_http_of_either_side(void **state)
{
    (void)state;
    metrics_spoken(m, SIDE_CLIENT, true, false);
    metrics_spoken(m, SIDE_CLIENT, true, true);
    metrics_spoken(m, SIDE_CLIENT, false, false);
    metrics_spoken(m, SIDE_UPSTREAM, false, false);
    assert_line(page_text(PAGE_TEXT),
                "holdfast_http_requests_total{side=\"client\",version=\"2\"} 2");
    assert_line(page_text(PAGE_TEXT),
                "holdfast_http_requests_total{side=\"client\",version=\"1.1\"} 1");
    assert_line(page_text(PAGE_TEXT),
                "holdfast_http_requests_total{side=\"upstream\",version=\"1.1\"} 1");
    assert_line(page_text(PAGE_TEXT),
                "holdfast_http_requests_total{side=\"upstream\",version=\"2\"} 0");
    assert_line(page_text(PAGE_TEXT),
                "holdfast_http2_streams_lost_total{side=\"client\"} 1");
    assert_line(page_text(PAGE_TEXT),
                "holdfast_http2_streams_lost_total{side=\"upstream\"} 0");
}

static void
a_handle_or_a_password_in_the_wrong_hands_is_an_alarm_of_its_kind(void **state)
{
    (void)state;
    metrics_request(m, REASON_FOREIGN_HANDLE, false, 1);
    metrics_request(m, REASON_ENDED_HANDLE, false, 1);
    metrics_request(m, REASON_HANDLE_MISPLACED, false, 1);
    metrics_request(m, REASON_RAW_CREDENTIAL, false, 1);
    metrics_request(m, REASON_PROXY_CREDENTIAL, false, 1);
    metrics_request(m, REASON_PROXY_CREDENTIAL, false, 1);
    assert_line(page_text(PAGE_TEXT), "holdfast_alarms_total{kind=\"foreign\"} 1");
    assert_line(page_text(PAGE_TEXT), "holdfast_alarms_total{kind=\"ended\"} 1");
    assert_line(page_text(PAGE_TEXT), "holdfast_alarms_total{kind=\"several\"} 0");
    assert_line(page_text(PAGE_TEXT), "holdfast_alarms_total{kind=\"misplaced\"} 1");
    assert_line(page_text(PAGE_TEXT),
                "holdfast_alarms_total{kind=\"proxy_credential\"} 2");
}

static void
what_was_stripped_is_counted_by_its_place(void **state)
{
    (void)state;
    metrics_stripped(m, "authorization", 13);
    metrics_stripped(m, "cookie", 6);
    metrics_stripped(m, "cookie2", 7);
    metrics_stripped(m, "?api_key", 8);
    metrics_stripped(m, "", 0);
    assert_line(page_text(PAGE_TEXT),
                "holdfast_credentials_stripped_total{location=\"header\"} 3");
    assert_line(page_text(PAGE_TEXT),
                "holdfast_credentials_stripped_total{location=\"cookie\"} 1");
    assert_line(page_text(PAGE_TEXT),
                "holdfast_credentials_stripped_total{location=\"query\"} 1");
}

static void
a_binding_that_nobody_knows_is_not_counted(void **state)
{
    (void)state;
    metrics_presented(m, NULL);
    metrics_presented(m, "x\"} 1\nforged 1");
    metrics_presented(m, "wimse");
    assert_line(page_text(PAGE_TEXT), "holdfast_presented_total{binding=\"wimse\"} 1");
    assert_line(page_text(PAGE_TEXT), "holdfast_tokens_issued_total{kind=\"wpt\"} 1");
    assert_null(strstr(page_text(PAGE_TEXT), "forged"));
}

static void
the_page_adds_up_what_the_workers_counted(void **state)
{
    struct metrics *other = (struct metrics *)(uintptr_t)workers[1];
    const char *text;

    (void)state;
    metrics_request(m, REASON_OK, false, 700);
    metrics_request(other, REASON_OK, false, 2600000);
    metrics_request(other, REASON_HOST_NOT_ALLOWED, false, 100);
    metrics_handshake(m, SIDE_CLIENT, true, true);
    metrics_handshake(m, SIDE_CLIENT, false, true);
    metrics_handshake(other, SIDE_UPSTREAM, true, false);
    text = page_text(PAGE_TEXT);
    assert_line(text, "holdfast_requests_total{decision=\"allow\",reason=\"ok\"} 2");
    assert_line(
        text,
        "holdfast_requests_total{decision=\"deny\",reason=\"host_not_allowed\"} 1");
    assert_line(text, "holdfast_request_duration_seconds_bucket{le=\"0.00025\"} 1");
    assert_line(text, "holdfast_request_duration_seconds_bucket{le=\"0.001\"} 2");
    assert_line(text, "holdfast_request_duration_seconds_bucket{le=\"1.0\"} 2");
    assert_line(text, "holdfast_request_duration_seconds_bucket{le=\"5.0\"} 3");
    assert_line(text, "holdfast_request_duration_seconds_bucket{le=\"+Inf\"} 3");
    assert_line(text, "holdfast_request_duration_seconds_sum 2.600800");
    assert_line(text, "holdfast_request_duration_seconds_count 3");
    assert_line(text, "holdfast_handshakes_total{side=\"client\",result=\"ok\"} 1");
    assert_line(text, "holdfast_handshakes_total{side=\"client\",result=\"failed\"} 1");
    assert_line(text, "holdfast_handshakes_resumed_total{side=\"client\"} 1");
    assert_line(text, "holdfast_handshakes_total{side=\"upstream\",result=\"ok\"} 1");
    assert_line(text, "holdfast_handshakes_resumed_total{side=\"upstream\"} 0");
}

static void
every_family_has_its_help_and_its_type_before_its_samples(void **state)
{
    struct text rest, line;
    const char *text = page_text(PAGE_TEXT);
    char family[128] = "", help[128] = "", type[16];
    size_t families = 0;

    (void)state;
    rest = text_z(text);
    while (text_split(&rest, '\n', &line)) {
        char z[512];

        snprintf(z, sizeof z, "%.*s", TEXT_ARG(line));
        if (sscanf(z, "# HELP %127s", help) == 1)
            continue;
        if (sscanf(z, "# TYPE %127s %15s", family, type) == 2) {
            assert_string_equal(family, help);
            families++;
        } else if (z[0] != '\0' && strncmp(z, family, strlen(family)) != 0) {
            fail_msg("\"%s\" is not of the family %s", z, family);
        }
    }
    assert_true(families > 30);
}

static void
a_label_cannot_end_its_line(void **state)
{
    static const struct secret_file credentials[] = {
        { "a\"b\\c\nd", true, 900, 60000, 0 }, { "plain", false, 0, 90000, 0 }
    };
    const char *text;

    (void)state;
    page.credentials = credentials;
    page.n_credentials = 2;
    text = page_text(PAGE_TEXT);
    assert_line(text, "holdfast_credential_readable{credential=\"a\\\"b\\\\c\\nd\"} 1");
    assert_line(text, "holdfast_credential_readable{credential=\"plain\"} 0");
}

static void
a_credential_is_as_old_as_its_file_and_of_no_age_while_it_cannot_be_read(void **state)
{
    static const struct secret_file credentials[] = {
        { "old", true, 900, 60000, 0 },
        { "lost", false, 0, 90000, 0 },
        { "from-the-future", true, 1300, 86400000, 0 },
    };
    const char *text;

    (void)state;
    page.credentials = credentials;
    page.n_credentials = 3;
    page.now_wall_s = 1000;
    text = page_text(PAGE_TEXT);
    assert_line(text, "holdfast_credential_age_seconds{credential=\"old\"} 100");
    assert_line(text,
                "holdfast_credential_age_seconds{credential=\"from-the-future\"} 0");
    assert_null(strstr(text, "age_seconds{credential=\"lost\"}"));
    assert_line(text,
                "holdfast_credential_rotate_every_seconds{credential=\"old\"} 60");
    assert_line(text,
                "holdfast_credential_rotate_every_seconds{credential=\"lost\"} 90");
}

static void
a_certificate_has_so_long_to_live_and_never_less_than_nothing(void **state)
{
    static const struct secret_file credentials[] = {
        { "good", true, 900, 60000, 1500 },
        { "over", true, 900, 60000, 999 },
        { "none", true, 900, 60000, 0 },
    };
    const char *text;

    (void)state;
    page.credentials = credentials;
    page.n_credentials = 3;
    page.now_wall_s = 1000;
    text = page_text(PAGE_TEXT);
    assert_line(text, "holdfast_credential_expires_seconds{credential=\"good\"} 500");
    assert_line(text, "holdfast_credential_expires_seconds{credential=\"over\"} 0");
    assert_null(strstr(text, "expires_seconds{credential=\"none\"}"));
}

static void
open_metrics_names_counters_without_total_and_ends_with_eof(void **state)
{
    const char *text = page_text(PAGE_OPEN_METRICS);
    size_t n = strlen(text);

    (void)state;
    assert_line(text, "# TYPE holdfast_requests counter");
    assert_line(text, "# TYPE holdfast_build info");
    assert_line(text, "holdfast_build_info{version=\"" HOLDFAST_VERSION "\"} 1");
    assert_string_equal(text + n - 6, "# EOF\n");
    assert_null(strstr(page_text(PAGE_TEXT), "# EOF"));
    assert_line(page_text(PAGE_TEXT), "# TYPE holdfast_build_info gauge");
}

static void
traffic_changes_figures_but_never_the_number_of_lines(void **state)
{
    size_t before = strlen(page_text(PAGE_TEXT)), lines = 0, after = 0;
    const char *at;

    (void)state;
    for (at = page_text(PAGE_TEXT); (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    for (size_t i = 0; i < REASON_COUNT; i++)
        if (reason_status((enum reason)i) != 0)
            for (int n = 0; n < 1000; n++)
                metrics_request(m, (enum reason)i, n % 2, n);
    metrics_stripped(m, "?a-name-of-the-workload's-own", 29);
    metrics_presented(m, "nothing we know");
    metrics_grant(m, 70000, REASON_OK);
    for (at = page_text(PAGE_TEXT); (at = strchr(at, '\n')) != NULL; at++)
        after++;
    assert_int_equal(after, lines);
    assert_true(strlen(page_text(PAGE_TEXT)) > before);
}

static void
figures_of_several_are_sums_and_the_worst(void **state)
{
    struct figures sum = { 0 }, one;

    (void)state;
    metrics_beat(m, 5000, 120);
    tally_set(&m->connections, 3);
    metrics_request(m, REASON_OK, false, 1);
    metrics_request(m, REASON_INTERNAL, false, 1);
    metrics_figures(m, &one);
    assert_int_equal(one.refused, 1);
    figures_add(&sum, &one);
    metrics_beat(m, 4000, 20);
    metrics_figures(m, &one);
    figures_add(&sum, &one);
    assert_int_equal(sum.connections, 6);
    assert_int_equal(sum.served, 2);
    assert_int_equal(sum.lag_us, 120);
    assert_int_equal(sum.beat_ms, 4000);
}

static void
the_process_is_read_when_no_descriptor_is_left(void **state)
{
    struct process_reader *r = process_reader_new();
    struct process seen, fuller;
    struct rlimit limit, none;

    (void)state;
    process_read(r, &seen);
    assert_true(seen.resident_bytes > 0 && seen.virtual_bytes >= seen.resident_bytes);
    assert_true(seen.descriptors >= 3);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_true(open("/dev/null", O_RDONLY) < 0);
    process_read(r, &fuller);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(fuller.descriptors, seen.descriptors);
    assert_int_equal(fuller.descriptors_max, 0);
    assert_true(fuller.resident_bytes > 0 && fuller.started_ms == seen.started_ms);
    process_reader_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        METRICS_TEST(a_histogram_counts_each_value_once_and_its_bounds_are_inclusive),
        METRICS_TEST(every_reason_has_a_decision_and_every_denial_one_class),
        METRICS_TEST(what_a_denied_request_tried_is_told_apart),
        METRICS_TEST(requests_are_told_apart_by_the_http_of_either_side),
        METRICS_TEST(a_handle_or_a_password_in_the_wrong_hands_is_an_alarm_of_its_kind),
        METRICS_TEST(what_was_stripped_is_counted_by_its_place),
        METRICS_TEST(a_binding_that_nobody_knows_is_not_counted),
        METRICS_TEST(the_page_adds_up_what_the_workers_counted),
        METRICS_TEST(every_family_has_its_help_and_its_type_before_its_samples),
        METRICS_TEST(a_label_cannot_end_its_line),
        METRICS_TEST(
            a_credential_is_as_old_as_its_file_and_of_no_age_while_it_cannot_be_read),
        METRICS_TEST(a_certificate_has_so_long_to_live_and_never_less_than_nothing),
        METRICS_TEST(open_metrics_names_counters_without_total_and_ends_with_eof),
        METRICS_TEST(traffic_changes_figures_but_never_the_number_of_lines),
        METRICS_TEST(figures_of_several_are_sums_and_the_worst),
        METRICS_TEST(the_process_is_read_when_no_descriptor_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
