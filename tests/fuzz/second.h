/* http-parser by itself, over bytes that we wrote; apart from llhttp, whose header has
 * the same names. */
#ifndef TESTS_FUZZ_SECOND_H
#define TESTS_FUZZ_SECOND_H

#include "base/text.h"

/* One request, and no byte left; with this Host alone; and told as
 * tests/unit/http/driver.h tells it. Prints what it found when it is something else. */
bool second_reads(struct text sent, struct text told, struct text host);

#endif
