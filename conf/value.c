/* Readers and printers of values with units. A number without its unit is never guessed
 * at. */
#include "conf/value.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {
    { "d", 24 * 60 * 60 * 1000 },
    { "h", 60 * 60 * 1000 },
    { "m", 60 * 1000 },
    { "s", 1000 },
    { "ms", 1 },
};

static const struct unit sizes[] = {
    { "g", INT64_C(1) << 30 },
    { "m", INT64_C(1) << 20 },
    { "k", INT64_C(1) << 10 },
    { "", 1 },
};

static bool
read_unit(const char *z, const struct unit *units, size_t n, int64_t *out)
{
    size_t digits = strspn(z, "0123456789");
    uint64_t count;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(z + digits, units[i].name) != 0)
            continue;
        if (!text_to_u64(text_of(z, digits), (uint64_t)(INT64_MAX / units[i].factor),
                         &count))
            return false;
        *out = (int64_t)count * units[i].factor;
        return true;
    }
    return false;
}

static void
print_unit(int64_t value, const struct unit *units, size_t n, struct buf *out)
{
    size_t i = 0;

    while (i + 1 < n && (value == 0 || value % units[i].factor != 0))
        i++;
    buf_printf(out, "%" PRId64 "%s", value / units[i].factor, units[i].name);
}

bool
value_duration(const char *z, int64_t *ms)
{
    return read_unit(z, durations, sizeof durations / sizeof *durations, ms);
}

bool
value_size(const char *z, int64_t *bytes)
{
    return read_unit(z, sizes, sizeof sizes / sizeof *sizes, bytes);
}

void
value_print_duration(int64_t ms, struct buf *out)
{
    print_unit(ms, durations, sizeof durations / sizeof *durations, out);
}

void
value_print_size(int64_t bytes, struct buf *out)
{
    print_unit(bytes, sizes, sizeof sizes / sizeof *sizes, out);
}

bool
value_date(const char *z, bool last_second, int64_t *seconds)
{
    enum { BARE_DAY = 10, LAST_SECOND = 24 * 60 * 60 - 1 };

    *seconds = clock_parse(z);
    if (*seconds < 0)
        return false;
    if (last_second && strlen(z) == BARE_DAY)
        *seconds += LAST_SECOND;
    return true;
}

bool
value_integer(const char *z, int64_t *out)
{
    bool negative = *z == '-';
    uint64_t n;

    if (!text_to_u64(text_z(negative ? z + 1 : z), INT64_MAX, &n))
        return false;
    *out = negative ? -(int64_t)n : (int64_t)n;
    return true;
}

static bool
is_plain_port(struct text t)
{
    return t.n == 1 || (t.n > 1 && t.at[0] != '0');
}

bool
value_listen(const char *z, struct listen_at *out)
{
    const char *colon = strrchr(z, ':');
    struct text host, port;
    struct address address;
    uint64_t n;

    if (colon == NULL)
        return false;
    host = text_of(z, (size_t)(colon - z));
    port = text_z(colon + 1);
    if (host.n > 2 && host.at[0] == '[' && host.at[host.n - 1] == ']')
        host = text_of(host.at + 1, host.n - 2);
    else if (text_has_byte(host, ':'))
        return false;
    if (!is_plain_port(port) || !text_to_u64(port, UINT16_MAX, &n))
        return false;
    if (!address_parse(host, &address) || (address.family == AF_INET6) != (z[0] == '['))
        return false;
    *out = (struct listen_at){ address, (uint16_t)n };
    return true;
}
