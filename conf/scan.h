/* The text of a config file, looked over before libconfig reads it. libconfig 1.5 wraps
 * 3000000000 to a negative number, reads on past a missing quote, stops at a NUL and
 * says only "syntax error"; what it would misread or not explain is found and explained
 * here. What it means is not our business. */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include "conf/pieces.h"
#include "conf/problem.h"

/* True when libconfig will read the text as it was meant; then it is cut into pieces.
 */
bool scan_text(const char *file, struct text t, struct pieces *pieces,
               struct problems *problems);

/* A problem with the line, the line before it and a caret; `column` counts bytes from
 * 0. */
void scan_point(const char *file, struct text t, unsigned line, size_t column,
                struct text message, struct problems *problems);

#endif
