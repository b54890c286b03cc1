/* tokens/pod.c: what the kubelet shows, what else stands there, and that nothing else
 * names anybody. */
#include "tests/unit/certs/scratch.h"

#include "tokens/pod.h"
#include "tokens/vault.h"

#define UID   "7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11"
#define LABEL "agents.x-k8s.io/claim-uid"

static const struct {
    const char *file, *uid; /* NULL: it is none */
} uids[] = {
    { UID, UID },
    { "static-pod.node_1", "static-pod.node_1" },
    { "0123456789012345678901234567890123456789",
      "0123456789012345678901234567890123456789" },
    { "01234567890123456789012345678901234567890", NULL },
    { "", NULL },
    { UID "\n" UID, NULL },
    { " " UID, NULL },
    { UID "\r", NULL },
    { "a\"b", NULL },
    { "a/b", NULL },
    { "\xc3\xa4", NULL },
};

static void
a_uid_stands_alone_in_its_file(void **state)
{
    struct text uid;

    (void)state;
    for (size_t i = 0; i < sizeof uids / sizeof *uids; i++) {
        bool is = pod_uid_parse(text_z(uids[i].file), &uid);

        if (is != (uids[i].uid != NULL) ||
            (is && !text_equals(uid, text_z(uids[i].uid))))
            fail_msg("\"%s\"", uids[i].file);
    }
}

static const struct {
    const char *file;
    enum pod_label found;
    const char *uid;
} labels[] = {
    { LABEL "=\"" UID "\"", POD_LABEL_FOUND, UID },
    { LABEL "=\"" UID "\"\n", POD_LABEL_FOUND, UID },
    { "app=\"agent\"\n" LABEL "=\"" UID "\"\nzone=\"a\"", POD_LABEL_FOUND, UID },
    { "", POD_LABEL_ABSENT, "" },
    { "\n\n", POD_LABEL_ABSENT, "" },
    { "app=\"agent\"", POD_LABEL_ABSENT, "" },
    { LABEL, POD_LABEL_ABSENT, "" },
    { LABEL "-hash=\"" UID "\"", POD_LABEL_ABSENT, "" },
    { "x" LABEL "=\"" UID "\"", POD_LABEL_ABSENT, "" },
    { " " LABEL "=\"" UID "\"", POD_LABEL_ABSENT, "" },
    { "note=\"" LABEL "=\\\"" UID "\\\"\"", POD_LABEL_ABSENT, "" },
    { LABEL "=\"\"", POD_LABEL_BAD, "" },
    { LABEL "=", POD_LABEL_BAD, "" },
    { LABEL "=\"", POD_LABEL_BAD, "" },
    { LABEL "=" UID, POD_LABEL_BAD, "" },
    { LABEL "=\"" UID, POD_LABEL_BAD, "" },
    { LABEL "=\"" UID "\" ", POD_LABEL_BAD, "" },
    { LABEL "=\"a b\"", POD_LABEL_BAD, "" },
    { LABEL "=\"a\\nb\"", POD_LABEL_BAD, "" },
    { LABEL "=\"" UID UID "\"", POD_LABEL_BAD, "" },
    { LABEL "=\"" UID "\"\n" LABEL "=\"" UID "\"", POD_LABEL_BAD, "" },
};

static void
a_claim_is_the_value_of_its_label_and_of_no_other(void **state)
{
    struct text uid;

    (void)state;
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        enum pod_label found = pod_label_find(text_z(labels[i].file), TEXT(LABEL),
                                              &uid);

        if (found != labels[i].found || !text_equals(uid, text_z(labels[i].uid)))
            fail_msg("\"%s\": %d", labels[i].file, (int)found);
    }
}

/* ---- from files, into a vault */

static void
put(const char *name, mode_t mode, const char *bytes)
{
    assert_int_equal(file_write(in_scratch(name), mode, text_z(bytes)), REASON_OK);
}

static void
expect(const struct conf_workload *w, const char *uid, const char *fault)
{
    const struct conf conf = { .workload = *w };
    struct vault *v = vault_read(&conf);
    struct pod pod;

    pod_read(w, &pod);
    assert_string_equal(pod.uid, uid);
    if (fault == NULL)
        assert_null(pod.fault);
    else if (pod.fault == NULL || strstr(pod.fault, fault) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", pod.fault, fault);
    assert_true(text_equals(vault_pod(v), text_z(uid)));
    assert_int_equal(vault_lacks_pod(v), uid[0] == '\0' && conf_awaits_pod(w));
    vault_tell(v);
    vault_unref(v);
    pod_forget(&pod);
}

static void
a_pod_is_known_by_its_file_alone(void **state)
{
    const struct conf_workload w = { .pod_file = in_scratch("uid") };

    (void)state;
    expect(&(struct conf_workload){ 0 }, "", NULL);
    expect(&(struct conf_workload){ .pod = UID }, "", NULL); /* the config knows it */
    expect(&w, "", "No such file");
    put("uid", 0644, UID);
    expect(&w, UID, NULL);
    put("uid", 0644, UID "\n");
    expect(&w, UID, NULL);
    put("uid", 0644, "");
    expect(&w, "", "is empty");
    put("uid", 0644, "not a uid");
    expect(&w, "", "does not hold the uid of a pod");
    put("uid", 0666, UID);
    assert_int_equal(chmod(w.pod_file, 0666), 0);
    expect(&w, "", "lets group or others write");
}

static void
a_pod_that_nobody_has_claimed_is_no_fault(void **state)
{
    const struct conf_workload w = { .claim_file = in_scratch("labels"),
                                     .claim_label = LABEL };

    (void)state;
    expect(&w, "", "No such file");
    put("labels", 0644, "app=\"agent\"");
    expect(&w, "", NULL);
    put("labels", 0644, "");
    expect(&w, "", "is empty");
    put("labels", 0644, "app=\"agent\"\n" LABEL "=\"" UID "\"");
    expect(&w, UID, NULL);
    put("labels", 0644, LABEL "=\"two words\"");
    expect(&w, "", "with a value that is no uid");
}

#define IN_SCRATCH(name)                                                               \
    cmocka_unit_test_setup_teardown(name, scratch_begin, scratch_end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uid_stands_alone_in_its_file),
        cmocka_unit_test(a_claim_is_the_value_of_its_label_and_of_no_other),
        IN_SCRATCH(a_pod_is_known_by_its_file_alone),
        IN_SCRATCH(a_pod_that_nobody_has_claimed_is_no_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
