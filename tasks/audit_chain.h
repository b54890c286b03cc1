/* Does each record follow the one before? Where it does not, the chain says what was
 * done, as far as it can be told from what is left, and finds its place again behind
 * it: one fault has one name, and the next is found as well. Knows numbers and hashes,
 * no key. */
#ifndef TASKS_AUDIT_CHAIN_H
#define TASKS_AUDIT_CHAIN_H

#include "base/buf.h"
#include "tasks/audit.h"
#include "tasks/audit_files.h"

enum { AUDIT_FAULTS_TOLD = 100 };

/* Where a record stands. */
struct audit_place {
    char name[32];
    size_t line; /* from 1; 0: the segment as a whole */
};

struct audit_chain {
    uint64_t next;                    /* the number the next record must have */
    char hash[SHA256_BASE64URL_SIZE]; /* … and what it must follow */
    bool is_blind; /* the record `next` is spoilt: nobody knows what the one behind it
                      follows */
    struct audit_place last; /* the record before `next` */
    /* Does this very line stand in another segment? */
    bool (*stands_elsewhere)(void *owner, const struct audit_segment *s,
                             const struct audit_line *l);
    /* A record that is in its place. */
    void (*take)(void *owner, struct audit_segment *s, size_t i);
    void *owner;
    struct buf *report;
    struct audit_result *result;
};

/* "FILE:LINE: …", counted; told up to AUDIT_FAULTS_TOLD. */
void audit_fault(struct audit_chain *c, const struct audit_place *at,
                 const char *format, ...) __attribute__((format(printf, 3, 4)));
struct audit_place audit_place_of(const struct audit_segment *s, size_t i);
/* The segment of this number, there or missing, as a whole. */
struct audit_place audit_place_of_segment(unsigned number);

/* The line follows what `c` has come to. */
bool audit_fits(const struct audit_chain *c, const struct audit_line *l);
/* line i + 1 was written behind line i. */
bool audit_links(const struct audit_segment *s, size_t i);
/* From here on the chain goes as this line says. */
void audit_resume(struct audit_chain *c, const struct audit_line *l);

/* All lines of a segment. */
void audit_follow(struct audit_chain *c, struct audit_segment *s);

#endif
