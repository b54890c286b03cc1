/* What lint says of a config that loads. */
#ifndef TESTS_UNIT_CONF_LINTED_H
#define TESTS_UNIT_CONF_LINTED_H

#include "folder.h"

#include "conf/finding.h"

enum { NOW = 1795305600 }; /* 2026-11-22 */

static inline const char *
lint(const char *text, size_t expected)
{
    static char said[4096];
    struct findings found = { 0 };
    struct buf report = { 0 };
    size_t n;

    conf_lint(load(text), NOW, &found);
    n = found.n;
    findings_print(&found, &report);
    findings_free(&found);
    snprintf(said, sizeof said, "%.*s", TEXT_ARG(buf_text(&report)));
    buf_free(&report);
    if (n != expected)
        fail_msg("%zu lines were expected: %s", expected, said);
    return said;
}

#endif
