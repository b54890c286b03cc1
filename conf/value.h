/* Values that are written as strings: durations, sizes, dates, where to listen, ranges
 * of addresses. Strict both ways: what value_print_* prints, the reader takes. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "base/buf.h"
#include "conf/conf.h"

/* "250ms" "10s" "15m" "1h" "30d". */
bool value_duration(const char *z, int64_t *ms);
/* "512" "16k" "2m" "1g". */
bool value_size(const char *z, int64_t *bytes);
/* As clock_parse; last_second: a bare day means its last. */
bool value_date(const char *z, bool last_second, int64_t *seconds);
/* "127.0.0.1:15001", "[::1]:0". */
bool value_listen(const char *z, struct listen_at *out);
/* In decimal, with a sign when negative. */
bool value_integer(const char *z, int64_t *out);

/* In the largest unit that leaves no rest. */
void value_print_duration(int64_t ms, struct buf *out);
void value_print_size(int64_t bytes, struct buf *out);

#endif
