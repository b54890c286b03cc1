/* Fields and a query in which handles may stand: a line each, "Name: value", or the
 * query behind a '?'. Looking changes nothing; a field that is a handle and nothing
 * else is found; and what strip leaves has none in it. */
#include "tests/fuzz/fuzz.h"

#include "filters/handle.h"
#include "filters/strip.h"

#define OWN     "ghp_own_handle_of_1000"
#define FOREIGN "crm_handle_of_1001_only"

static struct conf_credential credentials[] = {
    { .name = "own", .source.kind = SOURCE_FILE, .handle.value = OWN },
    { .name = "foreign",
      .source.kind = SOURCE_FILE,
      .handle.value = FOREIGN,
      .header = "X-Plain" },
};
static struct conf_rule rules[] = { { .credential = "own" },
                                    { .credential = "foreign" } };
static struct conf_grant grants[] = {
    { .caller.uid = 1000, .rules = { .at = &rules[0], .n = 1 } },
    { .caller.uid = 1001, .rules = { .at = &rules[1], .n = 1 } },
};
static struct conf conf = { .credentials = { .at = credentials, .n = 2 },
                            .grants = { .at = grants, .n = 2 } };

static struct handles *handles;
static struct positions *positions;
static void *find, *strip;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char no_settings[1024]; /* of strip: nothing more, nothing kept */
    struct buf report = { 0 };

    (void)argc, (void)argv;
    log_to_nowhere();
    PROMISE(strip_filter.settings_size <= sizeof no_settings);
    PROMISE(handles_new(&conf, NULL, &report, &handles) == REASON_OK);
    PROMISE(handle_filter.open(&conf, NULL, &report, &find) == REASON_OK);
    PROMISE(strip_filter.open(&conf, no_settings, &report, &strip) == REASON_OK);
    positions = strip_positions(&conf);
    return 0;
}

static void
read_lines(struct text in, struct headers *h, struct text *query)
{
    struct text line, name;

    while (text_split(&in, '\n', &line)) {
        if (line.n > 0 && line.at[0] == '?') {
            *query = text_of(line.at + 1, line.n - 1);
            continue;
        }
        name = take_part(&line, ':');
        headers_add(h, name, text_trim(line));
    }
}

static bool
is_handle_alone(const struct headers *h)
{
    for (size_t i = 0; i < h->n; i++) {
        enum position p = positions_header(positions, h->at[i].name);

        if ((p == POSITION_CREDENTIAL || p == POSITION_COOKIE) &&
            (text_equals(h->at[i].value, TEXT(OWN)) ||
             text_equals(h->at[i].value, TEXT(FOREIGN))))
            return true;
    }
    return false;
}

static void
judge(struct view *v)
{
    struct headers *h = &v->request->headers;
    size_t n = h->n;
    bool alone = is_handle_alone(h);
    struct text query = v->query;
    struct verdict verdict = handle_filter.on_request(find, v);

    PROMISE(h->n == n && v->query.at == query.at && v->query.n == query.n);
    PROMISE(verdict.answer == PASS || v->handle == NULL);
    PROMISE(!alone || verdict.answer == DENY || v->handle != NULL);
    PROMISE(v->handle == NULL || handle_is_for(v->handle, v->caller, "own"));
    PROMISE(strip_filter.on_request(strip, v).answer == PASS);
    PROMISE(handle_filter.on_request(find, v).answer == PASS && v->handle == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct caller caller = { .has_uid = true, .uid = 1000 };
    struct text in = copy_exactly(input_of(data, size));
    struct arena *a = arena_new();
    struct request request = { .method = TEXT("GET") };
    struct view v = { .arena = a,
                      .conf = &conf,
                      .caller = &caller,
                      .request = &request,
                      .handles = handles };

    headers_init(&request.headers, a);
    read_lines(in, &request.headers, &v.query);
    judge(&v);
    arena_free(a);
    free_copy(in);
    return 0;
}
