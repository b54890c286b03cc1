/* From files to one tree: the main file and, beside it, every .conf file of conf.d in
 * sorted order, merged. libconfig's one door. Everything that goes wrong is a problem
 * with its place. */
#ifndef CONF_PARSE_H
#define CONF_PARSE_H

#include "base/digest.h"
#include "conf/tree.h"

/* The merged root, living in `scratch`; the file names in its places live in `keep`.
 * NULL when a file could not be read as it was meant: then there is no telling what
 * else is wrong. What was read goes into `bytes` (NULL: not wanted) as well. */
struct node *parse_files(const char *path, const struct setting *table,
                         struct arena *keep, struct arena *scratch,
                         struct problems *problems, struct digest *bytes);

/* Those of the files that can be read, merged; NULL when none can. `*whole`: all could.
 */
struct node *parse_what_can_be(const char *path, struct arena *scratch,
                               struct problems *problems, bool *whole);

#endif
