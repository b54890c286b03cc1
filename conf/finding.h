/* Findings: what is legal but questionable, each with its place, a word of its kind and
 * how much it weighs. What was decided on purpose and says why is a note; the rest are
 * warnings. */
#ifndef CONF_FINDING_H
#define CONF_FINDING_H

#include "base/buf.h"
#include "conf/schema.h"

enum finding_level { FINDING_NOTE, FINDING_WARNING };

struct finding {
    enum finding_level level;
    const char *kind;   /* a word that stays: scripts go by it; a constant */
    struct place place; /* line 0: of the file as a whole */
    char *message;
};

/* Zeroed, it is empty. A place's file name is on loan. */
struct findings {
    struct finding *at;
    size_t n, room;
};

void findings_add(struct findings *f, enum finding_level level, const char *kind,
                  struct place place, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
size_t findings_count(const struct findings *f, enum finding_level level);

/* A line each: "file:line: warning: message". */
void findings_print(const struct findings *f, struct buf *out);
/* The elements of a JSON array. */
void findings_write(const struct findings *f, struct buf *out);

void findings_free(struct findings *f);

#endif
