/* Who the pod is, or whose, as the kubelet shows it in a downwardAPI volume: the pod's
 * uid stands alone in a file, the uid of a claim is the value of a label, in a file of
 * them, `name="value"` a line. What is not exactly that names nobody. */
#ifndef TOKENS_POD_H
#define TOKENS_POD_H

#include "base/text.h"
#include "conf/conf.h"

enum { POD_UID_MAX = 40 }; /* Kubernetes' have 36 */

struct pod {
    char uid[POD_UID_MAX + 1]; /* empty: not known */
    char *fault; /* what is wrong with the file; NULL: nothing, or nobody has claimed
                    the pod yet */
};

/* As the config says; of one that names no file, nothing. Reads it: not for a worker's
 * thread. pod_forget in any case. */
void pod_read(const struct conf_workload *w, struct pod *out);
void pod_forget(struct pod *p);

/* The file's bytes, without the newline behind them. False: they are no uid. */
bool pod_uid_parse(struct text file, struct text *uid);

enum pod_label { POD_LABEL_FOUND, POD_LABEL_ABSENT, POD_LABEL_BAD };
/* Bad: it stands there twice, or its value is no uid. */
enum pod_label pod_label_find(struct text file, struct text label, struct text *uid);

#endif
