/* JSON of strangers. What is read is bounded and walks without a slip; what we write of
 * any text is one JSON string that is read back as that text, if it was UTF-8. */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "base/json.h"

enum { DEPTH_MAX = 32, MEMBERS_MAX = 256 };

PREPARE_NOTHING

static void
walk_leaf(const struct json *j)
{
    struct text t;
    int64_t number;
    bool boolean;

    PROMISE(json_count(j) == 0 && json_at(j, 0) == NULL && json_get(j, "a") == NULL);
    if (json_string(j, &t))
        PROMISE(memchr(t.at, '\0', t.n) == NULL && json_is_string(j));
    if (json_number(j, &number))
        PROMISE(number <= INT64_C(1) << 53 && number >= -(INT64_C(1) << 53));
    if (json_bool(j, &boolean))
        PROMISE(!json_is_string(j) && !json_number(j, &number));
}

static void
walk(const struct json *j, unsigned depth)
{
    bool is_object = json_is_object(j);

    PROMISE(j != NULL && depth <= DEPTH_MAX);
    if (!is_object && !json_is_array(j)) {
        walk_leaf(j);
        return;
    }
    PROMISE(!is_object || json_count(j) <= MEMBERS_MAX);
    for (size_t i = 0; i < json_count(j); i++) {
        struct text name = { NULL, 0 };

        walk(is_object ? json_member(j, i, &name) : json_at(j, i), depth + 1);
        PROMISE(!is_object || name.at != NULL);
    }
    PROMISE(json_at(j, json_count(j)) == NULL);
}

static void
read_text(struct text t)
{
    struct json *j = json_parse(t, 4096);

    if (j != NULL) {
        PROMISE(t.n <= 4096);
        walk(j, 0);
    }
    json_free(j);
}

/* UTF-8, in jansson's opinion, and nothing that must be escaped. */
static bool
is_plain(struct text t)
{
    struct buf quoted = { 0 };
    struct json *j;
    bool plain = t.n == 0 || memchr(t.at, '\\', t.n) == NULL;

    buf_add_byte(&quoted, '"');
    buf_add(&quoted, t);
    buf_add_byte(&quoted, '"');
    j = json_parse(buf_text(&quoted), SIZE_MAX);
    plain = plain && j != NULL;
    json_free(j);
    buf_free(&quoted);
    return plain;
}

/* Bytes that are no UTF-8 become characters, which the log's reader can tell apart;
 * jansson takes no NUL in a string. */
static void
write_and_read(struct text t)
{
    struct buf out = { 0 };
    struct json *j;
    struct text back;

    json_write_string(&out, t);
    PROMISE(memchr(buf_text(&out).at, '\n', buf_length(&out)) == NULL);
    j = json_parse(buf_text(&out), SIZE_MAX);
    PROMISE(j != NULL || memchr(t.at, '\0', t.n) != NULL);
    if (j != NULL && is_plain(t))
        PROMISE(json_string(j, &back) && text_equals(back, t));
    json_free(j);
    buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = copy_exactly(input_of(data, size));

    read_text(t);
    write_and_read(t);
    free_copy(t);
    return 0;
}
