/* Inside tokens/: what the files of message signatures share. */
#ifndef TOKENS_SIGNATURE_PARTS_H
#define TOKENS_SIGNATURE_PARTS_H

#include "tokens/signature_base.h"

#define FIELD_SIGNATURE       TEXT("Signature")
#define FIELD_SIGNATURE_INPUT TEXT("Signature-Input")

/* What the last line of a base begins with. */
#define SIGNATURE_PARAMS "\"@signature-params\": "

/* Appends what a component with an '@' stands for; false: it stands for nothing here.
 */
bool component_add_derived(const struct signature_scene *s, const struct component *c,
                           struct arena *a, struct buf *out);

#endif
