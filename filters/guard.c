/* guard: what may be named, and what may be dialled. */
#include "filters/guard.h"

#include "base/memory.h"

#include <stdlib.h>

struct guard_settings {
    struct place place;
    struct cidrs also_deny;
};

struct guard {
    struct cidrs also_deny; /* on loan from the conf, which lives as long */
};

static const struct setting guard_settings[] = {
    { .name = "also_deny",
      .type = SETTING_CIDRS,
      .offset = offsetof(struct guard_settings, also_deny),
      .flags = SETTING_ALLOW_EMPTY,
      .standard = "[]",
      .sentence = "Addresses and ranges that no rule may open." },
    { .name = NULL },
};

static enum reason
guard_open(const struct conf *conf, const void *settings, struct buf *report,
           void **state)
{
    const struct guard_settings *given = settings;
    struct guard *g = memory_new(sizeof *g);

    (void)conf;
    (void)report;
    g->also_deny = given->also_deny;
    *state = g;
    return REASON_OK;
}

static void
guard_close(void *state)
{
    free(state);
}

/* ---- addresses */

static bool
has(const struct cidrs *ranges, const struct address *a)
{
    for (size_t i = 0; i < ranges->n; i++) {
        if (cidr_has(&ranges->at[i], a))
            return true;
    }
    return false;
}

static bool
has_exactly(const struct cidrs *ranges, const struct address *a)
{
    unsigned bits = a->family == AF_INET ? 32 : 128;

    for (size_t i = 0; i < ranges->n; i++) {
        if (ranges->at[i].bits == bits && address_equals(&ranges->at[i].base, a))
            return true;
    }
    return false;
}

#define V6(a, b, c, d, e, f)                                                           \
    {                                                                                  \
        AF_INET6,                                                                      \
        {                                                                              \
            (a) >> 8, (a)&0xff, (b) >> 8, (b)&0xff, (c) >> 8, (c)&0xff, (d) >> 8,      \
                (d)&0xff, (e) >> 8, (e)&0xff, (f) >> 8, (f)&0xff                       \
        }                                                                              \
    }

/* Two spellings of one destination are one too many: whoever means the IPv4 address
 * names it as such. */
static bool
carries_ipv4(const struct address *a)
{
    static const struct cidr forms[] = {
        { V6(0, 0, 0, 0, 0, 0xffff), 96 },    /* mapped */
        { V6(0, 0, 0, 0, 0xffff, 0), 96 },    /* translated */
        { V6(0x64, 0xff9b, 0, 0, 0, 0), 96 }, /* NAT64 */
        { V6(0x64, 0xff9b, 1, 0, 0, 0), 48 }, /* local NAT64 */
        { V6(0x2001, 0, 0, 0, 0, 0), 32 },    /* Teredo */
        { V6(0x2002, 0, 0, 0, 0, 0), 16 },    /* 6to4 */
    };
    static const struct cidr compatible = { V6(0, 0, 0, 0, 0, 0), 96 };

    if (a->family != AF_INET6)
        return false;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (cidr_has(&forms[i], a))
            return true;
    }
    /* RFC 5214: ISATAP, under any prefix. */
    if ((a->bytes[8] & 0xfd) == 0 && a->bytes[9] == 0 && a->bytes[10] == 0x5e &&
        a->bytes[11] == 0xfe)
        return true;
    /* :: and ::1 stand in this range and carry nothing. */
    return cidr_has(&compatible, a) && (a->bytes[12] != 0 || a->bytes[13] != 0 ||
                                        a->bytes[14] != 0 || a->bytes[15] > 1);
}

static bool
may_dial(const struct guard *g, const struct cidrs *opened, const struct address *a)
{
    if (has(&g->also_deny, a) || carries_ipv4(a))
        return false;
    if (address_denied(a) == NULL)
        return true;
    return address_is_metadata(a) ? has_exactly(opened, a) : has(opened, a);
}

static struct cidrs
opened_by(const struct conf_rule *r)
{
    return r != NULL ? r->addresses : (struct cidrs){ 0 };
}

enum reason
guard_judge_addresses(void *state, struct view *v, const struct address *addresses,
                      size_t n)
{
    const struct guard *g = state;
    const struct cidrs opened = opened_by(v->rule);

    for (size_t i = 0; i < n; i++) {
        char printed[ADDRESS_PRINT_SIZE];
        const char *what;

        if (may_dial(g, &opened, &addresses[i]))
            continue;
        what = address_denied(&addresses[i]);
        address_print(&addresses[i], printed);
        v->prohibited = arena_printf(v->arena, "%s: %s", printed,
                                     what != NULL ? what : "in also_deny");
        note(v, "%.*s", TEXT_ARG(v->prohibited));
        return REASON_ADDRESS_PROHIBITED;
    }
    return n > 0 ? REASON_OK : REASON_ADDRESS_PROHIBITED;
}

/* ---- names */

/* Does the rule name a metadata service by its very address? Only then may it be called
 * by its name. */
static bool
opens_metadata(const struct cidrs *opened)
{
    for (size_t i = 0; i < opened->n; i++) {
        const struct address *a = &opened->at[i].base;

        if (address_is_metadata(a) && has_exactly(opened, a))
            return true;
    }
    return false;
}

static struct verdict
guard_request(void *state, struct view *v)
{
    const struct host *h = &v->target.host;
    const struct cidrs opened = opened_by(v->rule);

    if (h->address.family != 0) {
        enum reason why = guard_judge_addresses(state, v, &h->address, 1);

        return why == REASON_OK ? pass() : deny(why);
    }
    if (host_is_metadata(h))
        return opens_metadata(&opened) ? pass() : deny(REASON_NAME_PROHIBITED);
    if (host_is_local(h))
        return opened.n > 0 ? pass() : deny(REASON_NAME_PROHIBITED);
    return pass();
}

const struct filter guard_filter = {
    .name = "guard",
    .settings = guard_settings,
    .settings_size = sizeof(struct guard_settings),
    .open = guard_open,
    .on_request = guard_request,
    .close = guard_close,
};
