/* Who the workload is: its identifier, and where the uid of its pod or claim stands. */
#include "conf/check.h"

#include "conf/pattern.h"

#include <string.h>

enum { LABEL_MAX = 253 + 1 + 63 };

static void
check_identity(const struct check *k)
{
    const char *id = k->conf->workload.id, *name = k->conf->authority.name;
    const char *error = id == NULL ? NULL : pattern_identity_error(id, false);

    if (name != NULL)
        check_value(k, &k->conf->authority, "name", name, pattern_domain_error(name));
    if (error != NULL)
        check_complain(k, &k->conf->workload, "id", "\"%.80s\": %s", id, error);
    else if (id != NULL && name != NULL && pattern_domain_error(name) == NULL &&
             !text_equals(pattern_identity_domain(id), text_z(name)))
        check_complain(
            k, &k->conf->workload, "id",
            "is of another trust domain than authority.name: write one in \"%s\"",
            name);
}

/* ---- its pod, or claim */

/* Whoever writes this file says whose tasks these are: the workload must not. */
static void
check_shown_file(const struct check *k, const char *key, const char *path)
{
    const struct conf_workload *w = &k->conf->workload;

    if (path == NULL)
        return;
    check_value(k, w, key, path, pattern_file_error(path));
    if (check_is_published(k, path))
        check_complain(k, w, key,
                       "lies in ca.publish: write the path of a downwardAPI volume "
                       "that the sidecar alone mounts");
}

static const char *
label_error(const char *z)
{
    const char *slash = strchr(z, '/');

    if (strlen(z) > LABEL_MAX)
        return "a label has at most 317 characters";
    if (z[strspn(z, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                    "._-/")] != '\0' ||
        (slash != NULL && (slash == z || slash[1] == '\0' || strchr(slash + 1, '/'))))
        return "a label is made of letters, digits, '.', '_' and '-', with a domain "
               "and '/' before it or not: write \"agents.x-k8s.io/claim-uid\"";
    return NULL;
}

static void
check_claim(const struct check *k)
{
    const struct conf_workload *w = &k->conf->workload;

    check_shown_file(k, "claim_file", w->claim_file);
    if (w->claim_label != NULL)
        check_value(k, w, "claim_label", w->claim_label, label_error(w->claim_label));
    if (w->claim_file != NULL && !check_has_key(k, w, "claim_label"))
        check_complain(k, w, "claim_file",
                       "needs the label whose value is the claim's uid: write "
                       "claim_label = \"agents.x-k8s.io/claim-uid\";");
    if (w->claim_label != NULL && !check_has_key(k, w, "claim_file"))
        check_complain(k, w, "claim_label",
                       "needs the file of the pod's labels: write claim_file = "
                       "\"/etc/podinfo/labels\";");
}

void
check_workload(const struct check *k)
{
    static const char *const keys[] = { "pod", "pod_file", "claim_file" };
    const struct conf_workload *w = &k->conf->workload;
    const char *first = NULL;

    check_identity(k);
    if (w->pod != NULL)
        check_value(k, w, "pod", w->pod, pattern_name_error(w->pod));
    check_shown_file(k, "pod_file", w->pod_file);
    check_claim(k);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!check_has_key(k, w, keys[i]))
            continue;
        if (first != NULL)
            check_complain(k, w, keys[i],
                           "stands beside %s, and the tasks of a pod have one name: "
                           "remove one",
                           first);
        first = keys[i];
    }
}
