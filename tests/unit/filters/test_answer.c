/* answer: which answers are judged, by whose keys; and that a rule without them does
 * not open. */
#include "filters/answer.h"

#include "base/file.h"
#include "scene.h"
#include "tokens/jws.h"

#include <unistd.h>

struct stage {
    struct scene s;
    struct conf_signature how;
    struct conf_trust trust;
    char directory[32], path[64];
    struct buf report;
    void *state;
};

static int
stage_open(void **state)
{
    struct stage *g = calloc(1, sizeof *g);

    assert_non_null(g);
    scene_set(&g->s);
    strcpy(g->directory, "/tmp/holdfast-answer-XXXXXX");
    assert_non_null(mkdtemp(g->directory));
    snprintf(g->path, sizeof g->path, "%s/jwks.json", g->directory);
    g->how = (struct conf_signature){ .place = { "t.conf", 9 },
                                      .response = RESPONSE_VERIFY };
    g->s.rule.signature = &g->how;
    g->s.grant.rules = (struct groups){ .at = &g->s.rule, .n = 1 };
    g->s.conf.grants = (struct groups){ .at = &g->s.grant, .n = 1 };
    g->s.view.evidence.binding = "httpsig";
    *state = g;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *g = *state;

    if (g->state != NULL)
        answer_filter.close(g->state);
    unlink(g->path);
    rmdir(g->directory);
    buf_free(&g->report);
    scene_clear(&g->s);
    free(g);
    return 0;
}

static void
write_keys(struct stage *g)
{
    struct key *k = key_new();
    struct buf json = { 0 };

    buf_add_z(&json, "{\"keys\":[");
    jwk_print(k, "service-1", &json);
    buf_add_z(&json, "]}");
    assert_int_equal(file_write(g->path, 0644, buf_text(&json)), REASON_OK);
    buf_free(&json);
    key_free(k);
}

static enum reason
open_filter(struct stage *g)
{
    return answer_filter.open(&g->s.conf, NULL, &g->report, &g->state);
}

static void
an_answer_to_what_was_signed_is_judged_by_the_keys_of_its_rule(void **state)
{
    struct stage *g = *state;
    const struct httpsig_policy *p;

    write_keys(g);
    g->how.response_jwks_file = g->path;
    assert_int_equal(open_filter(g), REASON_OK);
    p = answer_policy(g->state, &g->s.view);
    assert_non_null(p);
    assert_int_equal(jwks_count(p->keys), 1);
    assert_int_equal(p->max_age_s, 60);
}

static void
any_other_answer_is_not_judged(void **state)
{
    struct stage *g = *state;
    struct conf_signature ignoring = { .response = RESPONSE_IGNORE };

    write_keys(g);
    g->how.response_jwks_file = g->path;
    assert_int_equal(open_filter(g), REASON_OK);
    g->s.view.evidence.binding = "wimse";
    assert_null(answer_policy(g->state, &g->s.view));
    g->s.view.evidence.binding = NULL; /* nothing was presented */
    assert_null(answer_policy(g->state, &g->s.view));
    g->s.view.evidence.binding = "httpsig";
    g->s.rule.signature = &ignoring;
    assert_null(answer_policy(g->state, &g->s.view));
    g->s.view.rule = NULL;
    assert_null(answer_policy(g->state, &g->s.view));
}

static void
a_rule_whose_keys_cannot_be_read_does_not_open(void **state)
{
    static const struct {
        const char *content; /* NULL: there is no file */
        bool is_trust;
        const char *told;
    } rows[] = {
        { NULL, false, "t.conf:9: signature.response_jwks_file: " },
        { "no", false, "t.conf:9: signature.response_jwks_file: " },
        { "{\"keys\":[]}", false, "t.conf:9: signature.response_jwks_file: " },
        { NULL, true, "t.conf:11: signature.response_trust[0].jwks_file: " },
        { "no", true, "t.conf:11: signature.response_trust[0].jwks_file: " },
    };
    struct stage *g = *state;

    g->trust = (struct conf_trust){ .place = { "t.conf", 11 },
                                    .domain = "prod.example",
                                    .jwks_file = g->path };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unlink(g->path);
        if (rows[i].content != NULL)
            assert_int_equal(file_write(g->path, 0644, text_z(rows[i].content)),
                             REASON_OK);
        g->how.response_jwks_file = rows[i].is_trust ? NULL : g->path;
        g->how.response_trust = (struct groups){ .at = &g->trust,
                                                 .n = rows[i].is_trust };
        assert_int_equal(open_filter(g), REASON_CONFIG);
        assert_null(g->state);
        assert_true(text_starts(buf_text(&g->report), text_z(rows[i].told)));
        buf_free(&g->report);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_to_what_was_signed_is_judged_by_the_keys_of_its_rule),
        TEST(any_other_answer_is_not_judged),
        TEST(a_rule_whose_keys_cannot_be_read_does_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
