/* Inside tokens/: what the files of message signatures share. */
#ifndef TOKENS_SIGNATURE_PARTS_H
#define TOKENS_SIGNATURE_PARTS_H

#include "tokens/signature_base.h"

/* Appends what a component with an '@' stands for; false: it stands for nothing here.
 */
bool component_add_derived(const struct signature_scene *s, const struct component *c,
                           struct arena *a, struct buf *out);

#endif
