/* Credentials of the workload's own. An input is fields, a line each, an empty line,
 * and a query. What strip lets through holds no credential that a plain look finds, is
 * in the order and spelling it came in, and another pass takes nothing more. */
#include "tests/fuzz/fuzz.h"

#include "base/path.h"
#include "filters/strip.h"
#include "tests/unit/filters/scene.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const plain_fields[] = { "authorization", "proxy-authorization",
                                            "cookie", "x-api-key", "x-auth-token" };
static const char *const plain_parameters[] = { "access_token", "api_key", "token" };

/* As filters/strip.c fills it. */
struct settings {
    struct place place;
    int on_sight;
    struct strings also, also_query;
    struct strings keep, keep_query;
};

static void *strip_state;

/* ---- before the first input, and after the last */

static void
leave(void)
{
    strip_filter.close(strip_state);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct settings settings;
    const struct conf conf = { 0 };
    struct buf report = { 0 };

    (void)argc, (void)argv;
    log_to_nowhere();
    PROMISE(strip_filter.open(&conf, &settings, &report, &strip_state) == REASON_OK);
    atexit(leave);
    return 0;
}

/* ---- the request */

static bool
is_token(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.at[i] <= ' ' || t.at[i] >= 0x7f ||
            is_one_of((unsigned char)t.at[i], "()<>@,;:\\\"/[]?={}"))
            return false;
    return t.n > 0;
}

/* As the wire would hand them on. */
static void
add_fields(struct scene *s, struct text *in)
{
    struct text line, name;

    while (in->n > 0 && (line = take_part(in, '\n')).n > 0) {
        name = take_part(&line, ':');
        if (is_token(name) && memchr(line.at, '\r', line.n) == NULL &&
            memchr(line.at, '\0', line.n) == NULL)
            headers_add(&s->request.headers, name, text_trim(line));
    }
}

static bool
add_query(struct scene *s, struct text in)
{
    struct text target = arena_printf(s->arena, "/?%.*s", TEXT_ARG(in)), path;

    return path_normalise(s->arena, target, &path, &s->view.query) == REASON_OK;
}

/* ---- the plain look */

static bool
is_among(struct text name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_equals_nocase(name, text_z(names[i])))
            return true;
    return false;
}

static void
promise_stripped(const struct view *v)
{
    const struct headers *h = &v->request->headers;
    struct text rest = v->query, part;

    for (size_t i = 0; i < h->n; i++)
        PROMISE(!is_among(h->at[i].name, plain_fields, COUNT(plain_fields)));
    while (rest.at != NULL && text_split(&rest, '&', &part))
        PROMISE(!is_among(take_part(&part, '='), plain_parameters,
                          COUNT(plain_parameters)));
}

/* ---- the passes */

static void
strip(struct scene *s)
{
    struct headers *h = &s->request.headers;
    struct text query = s->view.query;
    size_t n = h->n, taken = s->view.n_stripped;
    struct field *before = arena_alloc(s->arena, n * sizeof *before);

    if (n > 0)
        memcpy(before, h->at, n * sizeof *before);
    PROMISE(strip_filter.on_request(strip_state, &s->view).answer == PASS);
    PROMISE(s->view.query.n <= query.n && h->n <= n);
    for (size_t i = 0, j = 0; i < h->n; i++, j++) {
        while (j < n && before[j].name.at != h->at[i].name.at)
            j++;
        PROMISE(j < n && text_equals(before[j].value, h->at[i].value));
    }
    PROMISE(s->view.n_stripped - taken >= n - h->n);
    promise_stripped(&s->view);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = copy_exactly(input_of(data, size)), rest = in;
    struct scene s;

    scene_set(&s);
    add_fields(&s, &rest);
    if (add_query(&s, rest)) {
        size_t taken;

        strip(&s);
        taken = s.view.n_stripped;
        strip(&s);
        PROMISE(s.view.n_stripped == taken);
    }
    scene_clear(&s);
    free_copy(in);
    return 0;
}
