/* Where a process runs, by the paths of control groups: the published samples of real
 * runtimes (HOLDFAST_VECTORS, attestation/), forms of our own, and what is no answer.
 */
#include "tasks/cgroup.h"

#include "base/buf.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba98765432100123456789abcdef0123456789abcdef0123456789abcdef"
#define POD   "7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11"
#define POD_  "7d9c1a52_0f3e_4b1d_8f43_6f2d1f0b9c11"

static void
expect(const char *what, const struct cgroup *g, const char *path, const char *pod,
       const char *container)
{
    const char *said_path = g != NULL ? g->path : NULL;
    const char *said_pod = g != NULL ? g->pod : "";
    const char *said_id = g != NULL ? g->container : "";

    if (strcmp(said_pod, pod) != 0 || strcmp(said_id, container) != 0)
        fail_msg("%s: pod \"%s\", container \"%s\"", what, said_pod, said_id);
    if ((path == NULL) != (said_path == NULL) ||
        (path != NULL && strcmp(path, said_path) != 0))
        fail_msg("%s: path \"%s\"", what, said_path != NULL ? said_path : "none");
}

/* ---- paths */

static const struct {
    const char *path, *pod, *container;
} paths[] = {
    { "/docker/" ID, "", ID },
    { "/system.slice/docker-" ID ".scope", "", ID },
    { "/kubepods/burstable/pod" POD "/" ID, POD, ID },
    { "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_
      ".slice/cri-containerd-" ID ".scope",
      POD, ID },
    { "/kubepods.slice/kubepods-pod" POD_ ".slice/crio-" ID ".scope", POD, ID },
    { "/kubepods.slice/kubepods-pod" POD_ ".slice/crio-" ID ".scope/container", POD,
      ID },
    { "/system.slice/containerd.service/kubepods-burstable-pod" POD_
      ".slice:cri-containerd:" ID,
      POD, ID },
    { "/machine.slice/libpod-" ID ".scope/container", "", ID },
    { "/docker/" OTHER "/kubepods/besteffort/pod" POD "/" ID, POD, ID },
    { "/docker/" OTHER "/docker/" ID, "", ID },
    { "/docker/" OTHER "/system.slice/containerd.service", "", OTHER },
    /* what is none */
    { "/", "", "" },
    { "/user.slice/user-1000.slice/session-2.scope", "", "" },
    { "/kubepods/burstable/pod" POD, "", "" }, /* the pod's own group holds nobody */
    { "/system.slice/crio-conmon-" ID ".scope", "", "" },
    { "/machine.slice/libpod-conmon-" ID ".scope", "", "" },
    { "/docker/0123456789ab", "", "" },
    { "/docker/" ID "0", "", "" },
    { "/docker/x" ID, "", "" },
    { "/docker/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "",
      "" },
    { "/docker/" ID ".service", "", "" },
    { "/kubepods/podx/" ID, "", ID },
    { "/kubepods/pod" POD "x/" ID, "", ID },
    { "/kubepods/xpod" POD "/" ID, "", ID },
    { "/kubepods/pod7d9c1a52-0f3e_4b1d-8f43-6f2d1f0b9c11/" ID, "", ID },
    { "/kubepods/pod7d9c1a520f3e4b1d8f436f2d1f0b9c11/" ID, "", ID },
};

static void
a_path_says_what_its_runtime_wrote_into_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct cgroup *g = cgroup_from_path(text_z(paths[i].path), SIZE_MAX);

        expect(paths[i].path, g, paths[i].path, paths[i].pod, paths[i].container);
        cgroup_unref(g);
    }
}

static void
a_path_outside_what_we_see_or_of_a_group_that_is_gone_is_none(void **state)
{
    static const char *const none[] = { "", "docker", "/../docker/" ID,
                                        "/docker/" ID " (deleted)" };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(cgroup_from_path(text_z(none[i]), SIZE_MAX));
    assert_null(cgroup_from_path(text_of("/a\0b", 4), SIZE_MAX));
}

/* What the workload could have made itself says nothing, and hides nothing. */
static void
names_are_believed_as_far_as_root_made_them(void **state)
{
    const char *path = "/docker/" OTHER "/docker/" ID;
    size_t outer = strlen("/docker/" OTHER);

    (void)state;
    for (size_t n = 0; n <= strlen(path) + 1; n++) {
        struct cgroup *g = cgroup_from_path(text_z(path), n);

        /* A part of a segment is never asked with: it only must not be misread. */
        if (n == outer)
            expect("outer", g, path, "", OTHER);
        else if (n == 0)
            expect("nothing", g, path, "", "");
        else if (n >= strlen(path))
            expect("all", g, path, "", ID);
        cgroup_unref(g);
    }
}

/* ---- lines */

static const struct {
    const char *lines, *path, *pod, *container;
} files[] = {
    { "0::/docker/" ID "\n", "/docker/" ID, "", ID },
    { "0::/../" ID, NULL, "", ID },
    { "0::/../kubepods-pod" POD_ ".slice/crio-" ID ".scope\n", NULL, POD, ID },
    { "2:cpu:/docker/" ID "\n1:name=systemd:/user.slice\n0::/system.slice\n",
      "/system.slice", "", ID },
    { "3:cpu:/kubepods/pod" POD "/" ID "\n2:rdma:/\n0::/docker/" OTHER "\n",
      "/docker/" OTHER, POD, ID },
    /* two answers are none */
    { "3:cpu:/docker/" ID "\n2:memory:/docker/" OTHER "\n", NULL, "", "" },
    { "3:cpu:/kubepods/pod" POD "/" ID "\n2:memory:/kubepods/pod" POD "/" OTHER "\n",
      NULL, "", "" },
    { "3:cpu:/kubepods/pod" POD "/" ID
      "\n2:memory:/kubepods/pod00000000-1111-2222-3333-444444444444/" ID "\n",
      NULL, "", "" },
    /* … whatever they come between */
    { "3:cpu:/docker/" OTHER "\n2:pids:/docker/" ID "\n1:memory:/kubepods/pod" POD
      "/" ID "\n",
      NULL, POD, ID },
    /* users are given parts of it */
    { "1:name=systemd:/user.slice/user-1000.slice/docker-" ID ".scope\n0::/\n", "/", "",
      "" },
    /* no such file */
    { "", NULL, "", "" },
    { "\n\n", NULL, "", "" },
    { "0::/docker/" ID "\nnonsense\n", NULL, "", "" },
    { "0:/docker/" ID "\n", NULL, "", "" },
    { "0::docker/" ID "\n", NULL, "", "" },
};

static void
lines_say_it_together_or_not_at_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct cgroup *g = cgroup_from_lines(text_z(files[i].lines), SIZE_MAX);

        expect(files[i].lines, g, files[i].path, files[i].pod, files[i].container);
        cgroup_unref(g);
    }
}

static void
of_lines_too_only_what_root_made_is_believed(void **state)
{
    const char *lines = "0::/user.slice/docker-" ID ".scope\n";
    struct text path = cgroup_path_in(text_z(lines));
    struct cgroup *g = cgroup_from_lines(text_z(lines), strlen("/user.slice"));

    (void)state;
    assert_true(text_equals(path, TEXT("/user.slice/docker-" ID ".scope")));
    expect("believed", g, "/user.slice/docker-" ID ".scope", "", "");
    cgroup_unref(g);
}

/* ---- the published samples */

#define K8S  "pkg/agent/plugin/workloadattestor/k8s/testdata/"
#define INFO "pkg/common/containerinfo/testdata/"

static const struct {
    const char *file, *pod, *container;
} samples[] = {
    { K8S "cgroups_init_pid_in_pod.txt", "d488cae9-b2a0-11e7-9350-020968147796",
      "34a2062fd26c805aa8cf814cdfe479322b791f80afb9ea4db02d50375df14b41" },
    { K8S "cgroups_pid_in_pod.txt", "2c48913c-b29f-11e7-9350-020968147796",
      "9bca8d63d5fa610783847915bcff0ecac1273e5b4bed3f6fa1b07350e0135961" },
    { K8S "systemd_cgroups_pid_in_pod.txt", "2c48913c-b29f-11e7-9350-020968147796",
      "9bca8d63d5fa610783847915bcff0ecac1273e5b4bed3f6fa1b07350e0135961" },
    { K8S "cgroups_pid_in_kind_pod.txt", "a2830d0d-b0f0-4ff0-81b5-0ee4e299cf80",
      "09bc3d7ade839efec32b6bec4ec79d099027a668ddba043083ec21d3c3b8f1e6" },
    { K8S "systemd_crio_cgroups_pid_in_pod.txt", "a2830d0d-b0f0-4ff0-81b5-0ee4e299cf80",
      "09bc3d7ade839efec32b6bec4ec79d099027a668ddba043083ec21d3c3b8f1e6" },
    { K8S "cgroups_pid_in_crio_pod.txt", "",
      "09bc3d7ade839efec32b6bec4ec79d099027a668ddba043083ec21d3c3b8f1e6" },
    { K8S "cgroups_pid_not_in_pod.txt", "", "" },
    { INFO "other/cgroup-primary/proc/123/cgroup", "", ID },
    /* Its mount table says another's pod and container, and is not asked. */
    { INFO "other/mountinfo-impersonation/proc/123/cgroup", "", ID },
    { INFO "other/mountinfo-fallback/proc/123/cgroup", "", "" },
};

/* Of a mount table the roots of its control groups' mounts, as lines of version 1: what
 * those runtimes call their groups. */
static const struct {
    const char *file, *pod, *container;
} tables[] = {
    { INFO "docker/v1", "", ID },
    { INFO "docker/v2", "", ID },
    { INFO "docker/cgroup-mount-at-slash/v1", "", ID },
    { INFO "docker/container-id-conflict", "", "" },
    { INFO "docker/no-cgroup-mount", "", "" },
    { INFO "docker/tmpfs-empty-source", "", ID },
    { INFO "k8s/v1", "00000000-1111-2222-3333-444444444444", ID },
    { INFO "k8s/v2", "00000000-1111-2222-3333-444444444444", ID },
    { INFO "k8s/container-id-conflict", "", "" },
    { INFO "k8s/pod-uid-conflict", "", "" },
    { INFO "k8s/pod-uid-override", "00000000-1111-2222-3333-444444444444", ID },
    { INFO "k8s/no-cgroup-mount", "", "" },
    { INFO "other/malformed", "", "" },
};

static bool
read_sample(const char *file, const char *end, struct buf *out)
{
    const char *base = getenv("HOLDFAST_VECTORS");
    char path[512];

    snprintf(path, sizeof path, "%s/attestation/%s%s",
             base != NULL ? base : PUBLISHED_VECTORS, file, end);
    if (access(path, F_OK) != 0)
        return false;
    assert_int_equal(file_read(path, 1 << 20, out), REASON_OK);
    return true;
}

static void
the_published_samples_are_read_as_they_are_meant(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct buf bytes = { 0 };
        struct cgroup *g;

        if (!read_sample(samples[i].file, "", &bytes))
            skip();
        g = cgroup_from_lines(buf_text(&bytes), SIZE_MAX);
        if (strcmp(g != NULL ? g->pod : "", samples[i].pod) != 0 ||
            strcmp(g != NULL ? g->container : "", samples[i].container) != 0)
            fail_msg("%s: pod \"%s\", container \"%s\"", samples[i].file,
                     g != NULL ? g->pod : "", g != NULL ? g->container : "");
        cgroup_unref(g);
        buf_free(&bytes);
    }
}

static void
add_roots(struct text table, struct buf *lines)
{
    struct text line, field;

    while (text_split(&table, '\n', &line)) {
        struct text rest = line, root = { 0 }, type = { 0 };

        for (int i = 0; text_split(&rest, ' ', &field); i++)
            if (i == 3)
                root = field;
            else if (text_equals(field, TEXT("-")))
                (void)text_split(&rest, ' ', &type);
        if (text_starts(type, TEXT("cgroup")))
            buf_printf(lines, "1:any:%.*s\n", TEXT_ARG(root));
    }
}

static void
runtimes_call_their_groups_as_they_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct buf table = { 0 }, lines = { 0 };
        struct cgroup *g;

        if (!read_sample(tables[i].file, "/proc/123/mountinfo", &table))
            skip();
        add_roots(buf_text(&table), &lines);
        g = cgroup_from_lines(buf_text(&lines), SIZE_MAX);
        expect(tables[i].file, g, NULL, tables[i].pod, tables[i].container);
        cgroup_unref(g);
        buf_free(&table);
        buf_free(&lines);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_says_what_its_runtime_wrote_into_it),
        cmocka_unit_test(a_path_outside_what_we_see_or_of_a_group_that_is_gone_is_none),
        cmocka_unit_test(names_are_believed_as_far_as_root_made_them),
        cmocka_unit_test(lines_say_it_together_or_not_at_all),
        cmocka_unit_test(of_lines_too_only_what_root_made_is_believed),
        cmocka_unit_test(the_published_samples_are_read_as_they_are_meant),
        cmocka_unit_test(runtimes_call_their_groups_as_they_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
