/* Lines that somebody writes to the control socket. Each is one question of our table,
 * whose members are all of their kind, or a sentence about what is wrong with it, which
 * can be told in one line of JSON; never both. */
#include "tests/fuzz/fuzz.h"

#include "proxy/control.h"
#include "proxy/verbs.h"

PREPARE_NOTHING

static bool
names(const char *const members[VERB_MEMBERS], struct text name)
{
    for (size_t i = 0; i < VERB_MEMBERS && members[i] != NULL; i++)
        if (strlen(members[i]) == name.n && memcmp(members[i], name.at, name.n) == 0)
            return true;
    return false;
}

static void
promise_member(const struct verb *v, const struct json *request, struct text name,
               const struct json *value)
{
    char z[64];
    struct text t;
    int64_t number;
    bool flag;

    PROMISE(name.n < sizeof z);
    memcpy(z, name.at, name.n);
    z[name.n] = '\0';
    if (strcmp(z, "verb") == 0) {
        PROMISE(json_string(value, &t) && text_equals(t, text_z(v->name)));
    } else if (names(v->flags, name)) {
        PROMISE(json_bool(value, &flag) && verb_flag(request, z) == flag);
        PROMISE(text_is_empty(verb_text(request, z)));
    } else if (names(v->numbers, name)) {
        PROMISE(json_number(value, &number));
        PROMISE(verb_number(request, z, ~number) == number);
        PROMISE(text_is_empty(verb_text(request, z)) && !verb_flag(request, z));
    } else {
        PROMISE(names(v->texts, name) && json_string(value, &t));
        PROMISE(text_equals(verb_text(request, z), t) && !verb_flag(request, z));
    }
}

static void
promise_question(const struct verb *v, const struct json *request)
{
    const struct json *value;
    struct text name;
    size_t n = 0;

    for (; (value = json_member(request, n, &name)) != NULL; n++)
        promise_member(v, request, name, value);
    PROMISE(n > 0 && n <= 1 + 3 * VERB_MEMBERS);
    PROMISE(!verb_flag(request, "absent"));
    PROMISE(text_is_empty(verb_text(request, "absent")));
    PROMISE(verb_number(request, "absent", -7) == -7);
}

static void
promise_sentence(struct text sentence)
{
    struct buf out = { 0 };
    struct json *back;
    struct text t;

    PROMISE(sentence.n > 0);
    json_write_string(&out, sentence);
    PROMISE(memchr(buf_text(&out).at, '\n', buf_length(&out)) == NULL);
    PROMISE((back = json_parse(buf_text(&out), SIZE_MAX)) != NULL);
    PROMISE(json_string(back, &t) && text_equals(t, sentence));
    json_free(back);
    buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text line = copy_exactly(input_of(data, size));
    struct buf error = { 0 };
    struct json *request;
    const struct verb *v;
    size_t n;
    const struct verb *verbs = holdfast_verbs(&n);

    v = verb_read(verbs, n, line, &request, &error);
    PROMISE((v != NULL) == (request != NULL));
    PROMISE((v != NULL) == (buf_length(&error) == 0));
    PROMISE(v == NULL || (v >= verbs && v < verbs + n && line.n <= CONTROL_LINE_MAX));
    if (v != NULL)
        promise_question(v, request);
    else
        promise_sentence(buf_text(&error));
    json_free(request);
    buf_free(&error);
    free_copy(line);
    return 0;
}
