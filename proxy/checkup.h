/* A list of findings for a person, or as JSON: each a sentence, and whether all is well
 * with it. For `steer --check` and `doctor`. */
#ifndef PROXY_CHECKUP_H
#define PROXY_CHECKUP_H

#include "base/buf.h"

struct checkup {
    bool json;
    size_t n_failed;
    struct buf out;
};

void checkup_begin(struct checkup *c, bool json);
/* name: one word, for programs. */
void checkup_say(struct checkup *c, bool is_well, const char *name, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));
/* Prints it all. EXIT_OK, or EXIT_RUNTIME where something was not well. */
int checkup_end(struct checkup *c);

#endif
