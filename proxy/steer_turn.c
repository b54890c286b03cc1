/* Turning round: by address translation to a door of the packet's family, or, for
 * TPROXY, by a mark and a route. Only what `judge` has let pass comes here. */
#include "proxy/steer_parts.h"

#include <string.h>
#include <sys/socket.h>

static bool
is_first_loopback(const struct address *a)
{
    static const unsigned char four[4] = { 127, 0, 0, 1 }, six[16] = { [15] = 1 };

    return a->family == AF_INET6 ? memcmp(a->bytes, six, 16) == 0
                                 : memcmp(a->bytes, four, 4) == 0;
}

static void
write_to(struct buf *out, const struct steer_door *d, int family)
{
    char printed[ADDRESS_PRINT_SIZE];

    address_print(&d->address, printed);
    if (steer_is_everywhere(&d->address) || is_first_loopback(&d->address))
        buf_printf(out, "redirect to :%u\n", d->port);
    else
        buf_printf(out,
                   family == STEER_V6 ? "dnat ip6 to [%s]:%u\n" : "dnat ip to %s:%u\n",
                   printed, d->port);
}

void
steer_write_turn(const struct steer_plan *plan, struct buf *out)
{
    buf_printf(out,
               "    chain turn {\n"
               "        type nat hook output priority -110; policy accept;\n"
               "        meta skuid %u accept\n",
               (unsigned)plan->uid);
    for (int f = STEER_V4; f <= STEER_V6; f++) {
        if (plan->names[f].port == 0)
            continue;
        buf_printf(out,
                   "        meta nfproto %s meta l4proto { tcp, udp } th dport 53 ",
                   steer_family_words[f]);
        write_to(out, &plan->names[f], f);
    }
    buf_add_z(out, "        oifname \"lo\" accept\n");
    for (int f = STEER_V4; f <= STEER_V6; f++) {
        if (plan->tcp[f].port == 0 || plan->tcp[f].is_tproxy)
            continue;
        buf_printf(out, "        meta nfproto %s meta l4proto tcp ",
                   steer_family_words[f]);
        write_to(out, &plan->tcp[f], f);
    }
    buf_add_z(out, "    }\n");
}

static void
write_take(struct buf *out, const struct steer_door *d, int family)
{
    char printed[ADDRESS_PRINT_SIZE] = "";

    if (!steer_is_everywhere(&d->address))
        address_print(&d->address, printed);
    buf_printf(out,
               "        meta nfproto %s iifname \"lo\" meta mark 0x%x meta l4proto tcp "
               "tproxy %s to ",
               steer_family_words[family], STEER_MARK, steer_address_words[family]);
    buf_printf(out,
               family == STEER_V6 && printed[0] != '\0' ? "[%s]:%u accept\n"
                                                        : "%s:%u accept\n",
               printed, d->port);
}

/* A marked packet is routed anew, to the loopback, and comes in again. */
void
steer_write_tproxy(const struct steer_plan *plan, struct buf *out)
{
    if (!steer_needs_routes(plan, STEER_V4) && !steer_needs_routes(plan, STEER_V6))
        return;
    buf_printf(out,
               "    chain lead {\n"
               "        type route hook output priority -140; policy accept;\n"
               "        meta skuid %u accept\n"
               "        oifname \"lo\" accept\n"
               "        meta l4proto tcp th dport 53 accept\n"
               "        ct direction reply accept\n"
               "        ct mark 0x%x accept\n",
               (unsigned)plan->uid, BEGAN_BY_US);
    for (int f = STEER_V4; f <= STEER_V6; f++)
        if (steer_needs_routes(plan, f))
            buf_printf(out,
                       "        meta nfproto %s meta l4proto tcp meta mark set 0x%x\n",
                       steer_family_words[f], STEER_MARK);
    buf_add_z(out, "    }\n"
                   "    chain take {\n"
                   "        type filter hook prerouting priority mangle; policy "
                   "accept;\n");
    for (int f = STEER_V4; f <= STEER_V6; f++)
        if (steer_needs_routes(plan, f))
            write_take(out, &plan->tcp[f], f);
    buf_add_z(out, "    }\n");
}
