/* Hosts and authorities. What is read has one spelling: printed and read again it is
 * the same; a name is never anything that the system's own resolver library takes for
 * an address, and holds no byte that another reader could stumble over. */
#include "tests/fuzz/fuzz.h"

#include "base/host.h"

#include <arpa/inet.h>

PREPARE_NOTHING

static void
promise_plain_name(const struct host *h)
{
    struct in_addr v4;
    size_t label = 0;

    /* inet_aton takes "0x7f.1", "2130706433" and whatever stands behind white space. */
    PROMISE(inet_aton(h->name, &v4) == 0);
    for (size_t i = 0; i < h->n; i++) {
        char c = h->name[i];

        PROMISE((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                is_one_of((unsigned char)c, "-._"));
        label = c == '.' ? 0 : label + 1;
        PROMISE(label <= 63 && (label > 0 || (i > 0 && h->name[i - 1] != '.')));
    }
    PROMISE(label > 0);
}

/* What is below a metadata name, or stands apart from it by case or a dot, is one. */
static void
promise_judgement(const struct host *h)
{
    char below[HOST_MAX + 16];
    struct host deeper;

    snprintf(below, sizeof below, "X.%s.", h->name);
    if (h->address.family != 0)
        PROMISE(!host_is_metadata(h) && !host_is_local(h));
    else if (host_parse(text_z(below), &deeper) == REASON_OK)
        PROMISE((!host_is_metadata(h) || host_is_metadata(&deeper)) &&
                (!host_is_local(h) || memchr(h->name, '.', h->n) == NULL ||
                 host_is_local(&deeper)));
}

static void
promise_host(const struct host *h)
{
    struct host again;
    struct text spelled = host_text(h);
    char bracketed[HOST_MAX + 8];

    PROMISE(h->n > 0 && h->n <= HOST_MAX && h->name[h->n] == '\0');
    if (h->address.family == AF_INET6) {
        snprintf(bracketed, sizeof bracketed, "[%s]", h->name);
        spelled = text_z(bracketed);
    }
    PROMISE(host_parse(spelled, &again) == REASON_OK && host_equals(h, &again) &&
            address_equals(&h->address, &again.address));
    if (h->address.family == 0)
        promise_plain_name(h);
    promise_judgement(h);
}

static void
print_and_read(const struct authority *a, uint16_t standard)
{
    char room[AUTHORITY_PRINT_SIZE];
    struct text printed = authority_print(a, standard, room);
    struct authority again;

    PROMISE(printed.n < sizeof room && room[printed.n] == '\0');
    PROMISE(authority_parse(printed, standard, &again) == REASON_OK);
    PROMISE(authority_equals(a, &again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = copy_exactly(input_of(data, size));
    struct authority a;
    struct host h;

    if (host_parse(t, &h) == REASON_OK)
        promise_host(&h);
    else
        PROMISE(h.n == 0 && h.name[0] == '\0');
    if (authority_parse(t, 443, &a) == REASON_OK) {
        promise_host(&a.host);
        PROMISE(a.port != 0);
        print_and_read(&a, 443);
        print_and_read(&a, 80);
    }
    /* CONNECT: the port is written, or it is refused. */
    if (authority_parse(t, 0, &a) == REASON_OK)
        PROMISE(memrchr(t.at, ':', t.n) != NULL);
    free_copy(t);
    return 0;
}
