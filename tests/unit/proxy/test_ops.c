/* proxy/ops.c: the three paths, what is not one of them, and visitors who mean ill. */
#include "tests/unit/proxy/stage.h"

#include "proxy/ops.h"

#include <errno.h>
#include <sys/resource.h>

static struct ops *ops;
static int listener;
static uint16_t port;
static bool healthy, ready;
static unsigned pages;
static enum page_format format;
static size_t page_size;
static int visitor;
static struct buf got;

static bool
is_healthy(void *owner, struct buf *why)
{
    assert_ptr_equal(owner, &ops);
    buf_add_z(why, healthy ? "" : "worker 1 is stuck\n");
    return healthy;
}

static bool
is_ready(void *owner, struct buf *why)
{
    (void)owner;
    buf_add_z(why, ready ? "" : "draining\n");
    return ready;
}

static void
write_metrics(void *owner, enum page_format asked, struct buf *out)
{
    (void)owner;
    pages++;
    format = asked;
    for (size_t i = 0; i < page_size; i++)
        buf_add_byte(out, 'm');
}

static int
begin(void **state)
{
    static const struct ops_answers answers = { is_healthy, is_ready, write_metrics,
                                                &ops };

    if (stage_begin(state) != 0)
        return -1;
    listener = listening_socket(&port);
    not_blocking(listener);
    healthy = ready = true;
    pages = 0;
    page_size = 10;
    visitor = -1;
    ops = ops_new(loop_base(loop), listener, &answers);
    return 0;
}

static int
finish(void **state)
{
    if (visitor >= 0)
        close(visitor);
    ops_free(ops);
    close(listener);
    buf_free(&got);
    return stage_end(state);
}

#define OPS_TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

static int
come(void)
{
    struct sockaddr_storage to;
    struct address here = loopback();
    socklen_t n = address_to_sockaddr(&here, port, &to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&to, n), 0);
    not_blocking(fd);
    return fd;
}

/* Reads what is there; true when the door has closed. */
static bool
has_closed(int fd)
{
    ssize_t n;

    while ((n = recv(fd, buf_reserve(&got, 65536), 65536, 0)) > 0)
        buf_commit(&got, (size_t)n);
    buf_commit(&got, 0);
    return n == 0 || errno == ECONNRESET;
}

static const char *
ask(const char *request)
{
    buf_free(&got);
    visitor = come();
    put_bytes(visitor, text_z(request));
    assert_int_equal(shutdown(visitor, SHUT_WR), 0);
    UNTIL(has_closed(visitor));
    close(visitor);
    visitor = -1;
    buf_add_byte(&got, '\0');
    return buf_text(&got).at;
}

static void
assert_answer(const char *request, const char *status, const char *words)
{
    const char *answer = ask(request);
    char line[32];

    snprintf(line, sizeof line, "HTTP/1.1 %s ", status);
    if (strncmp(answer, line, strlen(line)) != 0 || strstr(answer, words) == NULL)
        fail_msg("\"%s\" was answered \"%s\"", request, answer);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: ops\r\n\r\n"

static void
the_three_paths_are_answered(void **state)
{
    (void)state;
    assert_answer(GET("/healthz"), "200", "\r\n\r\nok\n");
    assert_answer(GET("/readyz"), "200", "\r\n\r\nok\n");
    assert_answer(GET("/readyz?verbose"), "200", "\r\n\r\nok\n");
    assert_answer(GET("/metrics"), "200", "\r\n\r\nmmmmmmmmmm");
    assert_answer(GET("/metrics"), "200", "text/plain; version=0.0.4");
    assert_answer("GET /healthz HTTP/1.0\r\n\r\n", "200", "\r\n\r\nok\n");
}

static void
what_is_wrong_is_a_503_that_says_why(void **state)
{
    (void)state;
    healthy = ready = false;
    assert_answer(GET("/healthz"), "503", "\r\n\r\nworker 1 is stuck\n");
    assert_answer(GET("/readyz"), "503", "\r\n\r\ndraining\n");
}

static void
a_head_has_the_length_and_not_the_body(void **state)
{
    (void)state;
    assert_answer("HEAD /metrics HTTP/1.1\r\nHost: ops\r\n\r\n", "200",
                  "Content-Length: 10\r\n");
    assert_null(strstr(buf_text(&got).at, "mmm"));
}

static void
nothing_else_is_there_and_nothing_can_be_done(void **state)
{
    static const struct {
        const char *request, *status, *words;
    } rows[] = {
        { GET("/"), "404", "" },
        { GET("/metrics/"), "404", "" },
        { GET("/Healthz"), "404", "" },
        { GET("/healthz%00"), "404", "" },
        { GET("//healthz"), "404", "" },
        { GET("http://ops/healthz"), "404", "" },
        { "OPTIONS * HTTP/1.1\r\nHost: ops\r\n\r\n", "405", "Allow: GET, HEAD\r\n" },
        { "POST /healthz HTTP/1.1\r\nHost: ops\r\nContent-Length: 2\r\n\r\nno", "405",
          "Allow: GET, HEAD\r\n" },
        { "DELETE /metrics HTTP/1.1\r\nHost: ops\r\n\r\n", "405", "" },
        { "CONNECT ops:443 HTTP/1.1\r\nHost: ops:443\r\n\r\n", "405", "" },
        { "BREW /metrics HTTP/1.1\r\nHost: ops\r\n\r\n", "405", "Allow: GET, HEAD" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_answer(rows[i].request, rows[i].status, rows[i].words);
    assert_int_equal(pages, 0);
}

static void
bytes_that_are_no_request_are_refused(void **state)
{
    static const struct {
        const char *request, *status;
    } rows[] = {
        { "GET /healthz HTTP/1.1\n\n", "400" },
        { "GET /healthz HTTP/9.9\r\nHost: ops\r\n\r\n", "505" },
        { "GET /healthz HTTP/1.1\r\n\r\n", "400" },
        { "GET /healthz HTTP/1.1\r\nHost: ops\r\nContent-Length: 1\r\n"
          "Transfer-Encoding: chunked\r\n\r\n",
          "400" },
        { "\x16\x03\x01\x02\x05\x01\x01\x01", "400" },
    };
    static const char front[] = "GET /healthz HTTP/1.1\r\nHost: ops\r\nX: ";
    char large[8192];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_answer(rows[i].request, rows[i].status, "Connection: close\r\n");
    memset(large, 'a', sizeof large - 1);
    memcpy(large, front, sizeof front - 1);
    large[sizeof large - 1] = '\0';
    assert_answer(large, "431", "Connection: close\r\n");
    assert_true(strlen(ask("GET /healthz HTT")) == 0);
}

static void
open_metrics_is_for_those_who_ask(void **state)
{
    static const struct {
        const char *accept;
        enum page_format format;
    } rows[] = {
        { "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3",
          PAGE_OPEN_METRICS },
        { "text/plain, Application/OpenMetrics-Text", PAGE_OPEN_METRICS },
        { "*/*", PAGE_TEXT },
        { "text/plain;version=0.0.4", PAGE_TEXT },
        { "application/openmetrics-text;q=0", PAGE_TEXT },
        { "application/openmetrics-text; version=1.0.0; q=0.000, */*", PAGE_TEXT },
        { "application/openmetrics-text2", PAGE_TEXT },
        { "", PAGE_TEXT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char request[256];

        snprintf(request, sizeof request,
                 "GET /metrics HTTP/1.1\r\nHost: ops\r\nAccept: %s\r\n\r\n",
                 rows[i].accept);
        assert_answer(request, "200",
                      rows[i].format == PAGE_OPEN_METRICS
                          ? "application/openmetrics-text; version=1.0.0"
                          : "text/plain; version=0.0.4");
        assert_int_equal(format, rows[i].format);
    }
}

static bool
has_words(int fd, const char *words)
{
    size_t n = strlen(words);

    (void)has_closed(fd);
    for (size_t i = 0; i + n <= buf_length(&got); i++)
        if (memcmp(buf_text(&got).at + i, words, n) == 0)
            return true;
    return false;
}

static void
a_visitor_may_ask_again_and_again(void **state)
{
    (void)state;
    visitor = come();
    for (int i = 0; i < 20; i++) {
        buf_free(&got);
        put_bytes(visitor, TEXT(GET("/healthz")));
        UNTIL(has_words(visitor, "\r\n\r\nok\n"));
        assert_false(has_words(visitor, "Connection: close"));
    }
}

static void
who_does_not_wait_for_the_answer_is_answered_once(void **state)
{
    (void)state;
    visitor = come();
    put_bytes(visitor, TEXT(GET("/metrics") GET("/metrics") GET("/metrics")));
    UNTIL(has_closed(visitor));
    assert_int_equal(pages, 1);
    assert_true(has_words(visitor, "Connection: close"));
}

static void
a_page_larger_than_the_socket_comes_whole(void **state)
{
    size_t body;

    (void)state;
    page_size = 6 * 1024 * 1024;
    (void)ask(GET("/metrics"));
    body = strspn(strstr(buf_text(&got).at, "\r\n\r\n") + 4, "m");
    assert_int_equal(body, page_size);
}

static void
the_one_who_waits_longest_makes_way(void **state)
{
    int silent[OPS_CONNECTIONS];

    (void)state;
    for (size_t i = 0; i < OPS_CONNECTIONS; i++) {
        silent[i] = come();
        settle();
    }
    assert_false(has_closed(silent[0]));
    assert_answer(GET("/healthz"), "200", "\r\n\r\nok\n");
    UNTIL(has_closed(silent[0]));
    assert_false(has_closed(silent[1]));
    for (size_t i = 0; i < OPS_CONNECTIONS; i++)
        close(silent[i]);
}

/* Byte by byte does not put it off. */
static void
a_head_that_drips_is_cut_at_its_deadline(void **state)
{
    int64_t next = 0, began = clock_monotonic_ms();

    (void)state;
    visitor = come();
    put_bytes(visitor, TEXT("GET /healthz HTTP/1.1\r\nX: "));
    while (!has_closed(visitor)) {
        assert_true(clock_monotonic_ms() < began + 3 * PATIENCE_MS);
        if (clock_monotonic_ms() >= next) {
            (void)(send(visitor, "x", 1, MSG_NOSIGNAL) < 0);
            next = clock_monotonic_ms() + 100;
        }
        turn();
    }
    assert_int_equal(pages, 0);
}

/* No descriptor is left: it rests, does not spin, and comes back. */
static void
without_descriptors_it_rests_and_comes_back(void **state)
{
    struct rlimit limit, none;
    int log = open(in_scratch("log"), O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(lseek(log, 0, SEEK_END), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    visitor = come();
    put_bytes(visitor, TEXT(GET("/healthz")));
    none = limit;
    none.rlim_cur = 1; /* not nought: the log's poll(2) would be refused too */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    UNTIL(lseek(log, 0, SEEK_END) > 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    close(log);
    assert_true(log_says("the ops door rests"));
    UNTIL(has_words(visitor, "\r\n\r\nok\n"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        OPS_TEST(the_three_paths_are_answered),
        OPS_TEST(what_is_wrong_is_a_503_that_says_why),
        OPS_TEST(a_head_has_the_length_and_not_the_body),
        OPS_TEST(nothing_else_is_there_and_nothing_can_be_done),
        OPS_TEST(bytes_that_are_no_request_are_refused),
        OPS_TEST(open_metrics_is_for_those_who_ask),
        OPS_TEST(a_visitor_may_ask_again_and_again),
        OPS_TEST(who_does_not_wait_for_the_answer_is_answered_once),
        OPS_TEST(a_page_larger_than_the_socket_comes_whole),
        OPS_TEST(the_one_who_waits_longest_makes_way),
        OPS_TEST(a_head_that_drips_is_cut_at_its_deadline),
        OPS_TEST(without_descriptors_it_rests_and_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
