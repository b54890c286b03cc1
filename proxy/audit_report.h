/* What was done under each grant, gathered from the ledger: who owned and approved it
 * and what it could use, who worked under it and for what, what it reached, what it was
 * refused, how it ended, and which access tokens nobody has taken back. */
#ifndef PROXY_AUDIT_REPORT_H
#define PROXY_AUDIT_REPORT_H

#include "base/json.h"

struct audit_book;

/* grant: that one alone; NULL: all, and what no grant allowed. */
struct audit_book *audit_book_new(const char *grant);
/* For audit_walk; owner is the book. */
bool audit_book_take(void *owner, struct text line, const struct json *record);
/* To standard output. */
void audit_book_print(const struct audit_book *b, bool json);
/* The grant that was asked for is nowhere in it. */
bool audit_book_lacks(const struct audit_book *b);
void audit_book_free(struct audit_book *b);

#endif
