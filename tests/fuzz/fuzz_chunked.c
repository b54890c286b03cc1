/* Chunked bodies, as part of a request and of an answer. Both directions find the same
 * data, however it is cut, and where they find a whole body so does the plain reading
 * of RFC 9112 section 7.1 below, with the same data and the same end. */
#include "tests/fuzz/cuts.h"

#define REQUEST_HEAD                                                                   \
    "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
#define ANSWER_HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

PREPARE_NOTHING

/* ---- the plain reading: what is whole has nothing in it that this does not know */

/* A line without its CR LF; false when there is none. */
static bool
take_line(struct text *rest, struct text *line)
{
    const char *end = rest->n == 0 ? NULL : memmem(rest->at, rest->n, "\r\n", 2);

    if (end == NULL)
        return false;
    *line = text_of(rest->at, (size_t)(end - rest->at));
    *rest = text_of(end + 2, rest->n - line->n - 2);
    return true;
}

/* t: with a NUL behind it. */
static bool
read_plainly(struct text t, struct buf *data, struct text *behind)
{
    struct text line = TEXT("");

    while (take_line(&t, &line)) {
        size_t n = strtoul(line.at, NULL, 16);

        if (n == 0)
            break;
        if (t.n < n + 2)
            return false;
        buf_add(data, text_of(t.at, n));
        t = text_of(t.at + n + 2, t.n - n - 2);
    }
    while (take_line(&t, &line) && line.n > 0)
        continue;
    *behind = t;
    return line.n == 0;
}

static void
promise_plain_reading(struct text t, const struct client *answer)
{
    struct buf copy = { 0 }, data = { 0 }, heard = { 0 };
    struct text behind;

    buf_add(&copy, t);
    buf_add_byte(&copy, '\0');
    PROMISE(read_plainly(text_of(buf_text(&copy).at, t.n), &data, &behind));
    PROMISE(text_equals(behind, buf_text(&answer->in)));
    buf_add_z(&heard, "200 OK\n\n");
    buf_add(&heard, buf_text(&data));
    PROMISE(text_starts(buf_text(&answer->heard), buf_text(&heard)));
    buf_free(&copy);
    buf_free(&data);
    buf_free(&heard);
}

/* ---- both directions */

static void
hear_request(struct driver *whole, struct text t)
{
    struct buf all = { 0 };
    struct driver cut;

    buf_add_z(&all, REQUEST_HEAD);
    buf_add(&all, t);
    driver_give_whole(whole, buf_text(&all));
    driver_give_cut(&cut, buf_text(&all), CUT_BYTES);
    PROMISE(driver_heard_same(whole, &cut));
    driver_free(&cut);
    driver_give_cut(&cut, buf_text(&all), t);
    PROMISE(driver_heard_same(whole, &cut));
    driver_free(&cut);
    buf_free(&all);
}

static void
hear_answer(struct client *whole, struct text t)
{
    struct buf all = { 0 };
    struct client cut;

    buf_add_z(&all, ANSWER_HEAD);
    buf_add(&all, t);
    client_give_whole(whole, "GET", buf_text(&all));
    client_give_cut(&cut, "GET", buf_text(&all), CUT_BYTES);
    PROMISE(client_heard_same(whole, &cut));
    client_free(&cut);
    client_give_cut(&cut, "GET", buf_text(&all), t);
    PROMISE(client_heard_same(whole, &cut));
    client_free(&cut);
    buf_free(&all);
}

/* A request is refused for a trailer that an answer only loses. */
static void
promise_same(const struct driver *request, const struct client *answer)
{
    PROMISE(request->n_whole == 0 || answer->is_whole);
    PROMISE(!answer->is_whole || request->n_whole > 0 ||
            request->why == REASON_TRAILER);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = input_of(data, size);
    struct driver request;
    struct client answer;

    if (size == 0)
        return 0;
    hear_request(&request, t);
    hear_answer(&answer, t);
    promise_same(&request, &answer);
    if (answer.is_whole)
        promise_plain_reading(t, &answer);
    driver_free(&request);
    client_free(&answer);
    return 0;
}
