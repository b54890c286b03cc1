/* Addresses. As text: what is read is printed and read again as the same, and ranges
 * likewise. As bytes: what address_denied lets through is let through by the plain
 * second opinion below, which shares no code and no table with it. */
#include "tests/fuzz/fuzz.h"

#include "base/address.h"

PREPARE_NOTHING

/* ---- the second opinion */

static bool
is_special_v4(uint32_t a)
{
    return a >> 24 == 0 || a >> 24 == 10 || a >> 24 == 127 || a >> 28 >= 14 ||
           a >> 22 == (100 << 2 | 1) || a >> 16 == (169 << 8 | 254) ||
           a >> 20 == (172 << 4 | 1) || a >> 16 == (192 << 8 | 168) ||
           a >> 8 == (192 << 16) || a >> 8 == (192 << 16 | 2) ||
           a >> 8 == (192 << 16 | 88 << 8 | 99) || a >> 17 == (198 << 7 | 9) ||
           a >> 8 == (198 << 16 | 51 << 8 | 100) ||
           a >> 8 == (203u << 16 | 0 << 8 | 113) || a == 0xa83f8110;
}

static bool
is_special_inside_global(const unsigned char *b, uint32_t front)
{
    bool is_isatap = (b[8] & 0xfd) == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe;

    return is_isatap || front >> 9 == 0x20010000 >> 9 || front == 0x20010db8 ||
           front >> 16 == 0x2002 || front >> 12 == 0x3fff0;
}

/* Outside 2000::/3 nothing has been given out but this; what nobody has is not denied.
 */
static bool
is_special_outside_global(const unsigned char *b, uint32_t front)
{
    static const unsigned char nothing[12];
    bool is_nat64 = front == 0x64ff9b &&
                    (memcmp(b + 4, nothing, 8) == 0 || (b[4] == 0 && b[5] == 1));
    bool is_discard = front == 0x1000000 && b[4] == 0 && b[5] == 0 && b[6] == 0 &&
                      b[7] <= 1;

    return memcmp(b, nothing, 12) == 0 || is_nat64 || is_discard ||
           front >> 16 == 0x5f00 || b[0] >> 1 == 0xfc >> 1 ||
           front >> 23 == 0xfe80 >> 7 || b[0] == 0xff;
}

/* ::ffff:a.b.c.d and ::ffff:0:a.b.c.d. */
static bool
is_mapped(const unsigned char *b)
{
    static const unsigned char nothing[8], ones[2] = { 0xff, 0xff };

    return memcmp(b, nothing, 8) == 0 &&
           ((memcmp(b + 10, ones, 2) == 0 && b[8] == 0 && b[9] == 0) ||
            (memcmp(b + 8, ones, 2) == 0 && b[10] == 0 && b[11] == 0));
}

static bool
is_special_v6(const unsigned char *b)
{
    uint32_t front = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
                     b[3];

    return is_special_inside_global(b, front) || is_special_outside_global(b, front) ||
           is_mapped(b);
}

static void
judge(const struct address *a)
{
    const unsigned char *b = a->bytes;

    if (address_denied(a) != NULL)
        return;
    PROMISE(!address_is_metadata(a));
    if (a->family == AF_INET)
        PROMISE(!is_special_v4((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
                               (uint32_t)b[2] << 8 | b[3]));
    else
        PROMISE(!is_special_v6(b));
}

/* ---- text and socket addresses */

static void
print_and_read(const struct address *a)
{
    char printed[ADDRESS_PRINT_SIZE];
    struct sockaddr_storage storage;
    struct address again;
    uint16_t port;

    address_print(a, printed);
    PROMISE(address_parse(text_z(printed), &again) && address_equals(a, &again));
    address_to_sockaddr(a, 443, &storage);
    address_from_sockaddr((const struct sockaddr *)&storage, &again, &port);
    PROMISE(address_equals(a, &again) && port == 443);
}

static void
read_address(struct text t)
{
    struct address a;

    if (!address_parse(t, &a)) {
        PROMISE(a.family == 0 && address_denied(&a) != NULL);
        return;
    }
    print_and_read(&a);
    judge(&a);
}

/* Every address of a range begins as the range does, and is in no other that does not.
 */
static void
read_range(struct text t)
{
    struct cidr c;
    char printed[ADDRESS_PRINT_SIZE], whole[ADDRESS_PRINT_SIZE + 4];
    struct cidr again;

    if (!cidr_parse(t, &c))
        return;
    PROMISE(cidr_has(&c, &c.base));
    address_print(&c.base, printed);
    snprintf(whole, sizeof whole, "%s/%u", printed, c.bits);
    PROMISE(cidr_parse(text_z(whole), &again) && again.bits == c.bits &&
            address_equals(&c.base, &again.base));
}

static void
judge_bytes(struct text t)
{
    struct address a = { .family = t.n >= 16 ? AF_INET6 : AF_INET };
    size_t n = a.family == AF_INET6 ? 16 : 4;

    if (t.n < n)
        return;
    memcpy(a.bytes, t.at, n);
    print_and_read(&a);
    judge(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = copy_exactly(input_of(data, size));

    read_address(t);
    read_range(t);
    judge_bytes(t);
    free_copy(t);
    return 0;
}
