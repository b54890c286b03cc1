/* The files are the kubelet's, so they are judged as any that root mounts for us: what
 * the workload could have written says nothing. */
#include "tokens/pod.h"

#include "base/buf.h"
#include "base/memory.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 256 * 1024 };

/* ---- what stands in them */

static bool
is_uid(struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        char c = t.at[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return false;
    }
    return t.n > 0 && t.n <= POD_UID_MAX;
}

bool
pod_uid_parse(struct text file, struct text *uid)
{
    *uid = is_uid(file) ? file : text_of(NULL, 0);
    return uid->n > 0;
}

static struct text
take_line(struct text *rest)
{
    const char *end = rest->n > 0 ? memchr(rest->at, '\n', rest->n) : NULL;
    size_t n = end != NULL ? (size_t)(end - rest->at) : rest->n;
    struct text line = text_of(rest->at, n);
    size_t taken = end != NULL ? n + 1 : n;

    *rest = text_of(rest->at + taken, rest->n - taken);
    return line;
}

/* `label=` and what follows. */
static bool
is_of(struct text line, struct text label, struct text *value)
{
    if (line.n <= label.n || line.at[label.n] != '=' ||
        memcmp(line.at, label.at, label.n) != 0)
        return false;
    *value = text_of(line.at + label.n + 1, line.n - label.n - 1);
    return true;
}

enum pod_label
pod_label_find(struct text file, struct text label, struct text *uid)
{
    enum pod_label found = POD_LABEL_ABSENT;
    struct text value;

    *uid = text_of(NULL, 0);
    while (file.n > 0) {
        if (!is_of(take_line(&file), label, &value))
            continue;
        if (found == POD_LABEL_FOUND || value.n < 2 || value.at[0] != '"' ||
            value.at[value.n - 1] != '"' ||
            !is_uid(text_of(value.at + 1, value.n - 2))) {
            *uid = text_of(NULL, 0);
            return POD_LABEL_BAD;
        }
        *uid = text_of(value.at + 1, value.n - 2);
        found = POD_LABEL_FOUND;
    }
    return found;
}

/* ---- reading them */

static const char *
find_uid(const struct conf_workload *w, struct text file, struct text *uid)
{
    if (w->claim_file == NULL)
        return pod_uid_parse(file, uid)
                   ? NULL
                   : "does not hold the uid of a pod, alone and on one line";
    if (pod_label_find(file, text_z(w->claim_label), uid) == POD_LABEL_BAD)
        return "has the label of the claim twice, or with a value that is no uid";
    return NULL;
}

static void
take_uid(const struct conf_workload *w, const char *path, struct text file,
         struct pod *out, struct buf *fault)
{
    struct text uid;
    const char *wrong = find_uid(w, file, &uid);

    if (wrong != NULL)
        buf_printf(fault, "%s: %s", path, wrong);
    else if (uid.n > 0)
        memcpy(out->uid, uid.at, uid.n);
}

void
pod_read(const struct conf_workload *w, struct pod *out)
{
    const char *path = w->claim_file != NULL ? w->claim_file : w->pod_file;
    struct secret *held = NULL;
    struct buf fault = { 0 };

    *out = (struct pod){ 0 };
    if (path == NULL)
        return;
    if (secret_read_shown(path, FILE_MAX, &fault, &held) == REASON_OK)
        take_uid(w, path, secret_reveal(held), out, &fault);
    secret_free(held);
    if (buf_length(&fault) > 0) {
        buf_add_byte(&fault, '\0');
        out->fault = memory_copy_z(buf_text(&fault).at);
    }
    buf_free(&fault);
}

void
pod_forget(struct pod *p)
{
    free(p->fault);
    *p = (struct pod){ 0 };
}
