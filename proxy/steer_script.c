/* The rules. Two marks on connections say who began them: Holdfast, or somebody
 * outside. A packet without a process behind it (the kernel's own at the end of a
 * connection) is judged by them; one that has a process is judged by its uid first,
 * so that no leftover of a connection of Holdfast's can be taken over.
 *
 * `judge` sees what a process asked for, before any address is translated: a port 53
 * that Docker turns into its own resolver's is a port 53 there. `guard` sees what is
 * about to leave, after all translation, and lets the same few things pass: what the
 * first left for the doors and did not get there ends here. */
#include "proxy/steer_parts.h"

#include <string.h>
#include <sys/socket.h>

#define SYN    "tcp flags & (fin | syn | rst | ack) == syn"
#define NO_SYN "tcp flags & (fin | syn | rst | ack) != syn"

const char *const steer_family_words[] = { [STEER_V4] = "ipv4", [STEER_V6] = "ipv6" };
const char *const steer_address_words[] = { [STEER_V4] = "ip", [STEER_V6] = "ip6" };

static const struct {
    const char *name, *sentence;
} counters[] = {
    { "holdfast", "sent by Holdfast" },
    { "answered", "answers to who came from outside" },
    { "turned", "connections turned round to a transparent door" },
    { "asked", "DNS turned round to a dns door" },
    { "unanswered", "DNS refused" },
    { "quic", "UDP to port 443, refused: clients fall back to TCP" },
    { "metadata", "to metadata and link-local addresses, dropped" },
    { "ops", "to Holdfast's ops doors, from others than root" },
    { "refused", "whatever else wanted to leave" },
    { "stray", "the kernel's, of connections that are gone" },
    { "forwarded", "of networks behind this one" },
    { "guarded", "stopped at the last moment, such as sockets bound to a device" },
};

static void
write_counters(struct buf *out)
{
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        buf_printf(out, "    # %s\n    counter %s {\n    }\n", counters[i].sentence,
                   counters[i].name);
}

/* ---- addresses */

static int
family_of(const struct address *a)
{
    return a->family == AF_INET6 ? STEER_V6 : STEER_V4;
}

bool
steer_is_everywhere(const struct address *a)
{
    static const unsigned char none[16];

    return memcmp(a->bytes, none, a->family == AF_INET6 ? 16 : 4) == 0;
}

/* "ip daddr 127.0.0.1 "; nothing for a door on every address of its family. */
static void
write_where(struct buf *out, const struct address *a)
{
    char printed[ADDRESS_PRINT_SIZE];

    address_print(a, printed);
    if (steer_is_everywhere(a))
        buf_printf(out, "meta nfproto %s ", steer_family_words[family_of(a)]);
    else
        buf_printf(out, "%s daddr %s ", steer_address_words[family_of(a)], printed);
}

/* ---- who may pass */

/* A workload may put another's address on what it sends to our doors: our answers to
 * it must not carry its words out. What we begin may look like an answer as well, to a
 * packet that it has made up before, and passes. */
static void
write_answers(const struct steer_plan *plan, struct buf *out)
{
    const struct conf_door *doors = plan->conf->doors.at;

    buf_add_z(out, "    chain answers {\n"
                   "        tcp flags & (syn | ack) == (syn | ack) counter name "
                   "\"refused\" drop\n");
    for (size_t i = 0; i < plan->conf->doors.n; i++)
        if (doors[i].kind == DOOR_DNS)
            buf_printf(out,
                       "        meta nfproto %s udp sport %u counter name \"refused\" "
                       "drop\n",
                       steer_family_words[family_of(&doors[i].listen.address)],
                       doors[i].listen.port);
    buf_add_z(out, "    }\n");
}

static void
write_passes(const struct steer_plan *plan, struct buf *out)
{
    buf_printf(
        out,
        "    chain passes {\n"
        "        meta skuid %u ct direction reply ct mark != 0x%x jump answers\n"
        "        meta skuid %u accept\n"
        "        ct direction reply ct mark 0x%x accept\n"
        "        meta skuid != %u return\n"
        "        # no process behind it: the kernel ends Holdfast's connections, "
        "and looks for neighbours\n"
        "        meta l4proto tcp " NO_SYN " ct state established ct mark 0x%x "
        "accept\n"
        "        meta l4proto { icmp, icmpv6 } ct state related ct mark { 0x%x, "
        "0x%x } accept\n"
        "        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, "
        "nd-router-solicit } accept\n"
        "    }\n",
        (unsigned)plan->uid, BEGAN_OUTSIDE, (unsigned)plan->uid, BEGAN_OUTSIDE,
        (unsigned)plan->uid, BEGAN_BY_US, BEGAN_BY_US, BEGAN_OUTSIDE);
}

static void
write_judge(const struct steer_plan *plan, struct buf *out)
{
    buf_printf(out,
               "    chain judge {\n"
               "        type filter hook output priority mangle; policy drop;\n"
               "        oifname \"lo\" goto within\n"
               "        meta skuid %u counter name \"holdfast\"\n"
               "        meta skuid %u ct direction original ct mark set 0x%x\n"
               "        meta skuid != %u ct direction reply ct mark 0x%x counter name "
               "\"answered\"\n"
               "        jump passes\n"
               "        goto outside\n"
               "    }\n",
               (unsigned)plan->uid, (unsigned)plan->uid, BEGAN_BY_US,
               (unsigned)plan->uid, BEGAN_OUTSIDE);
}

/* ---- what ends inside */

static void
write_ops(const struct steer_plan *plan, struct buf *out)
{
    const struct conf_door *doors = plan->conf->doors.at;

    for (size_t i = 0; i < plan->conf->doors.n; i++) {
        if (doors[i].kind != DOOR_OPS || doors[i].listen.port == 0)
            continue;
        buf_add_z(out, "        ");
        write_where(out, &doors[i].listen.address);
        buf_printf(out,
                   "tcp dport %u meta skuid != 0 counter name \"ops\" reject with tcp "
                   "reset\n",
                   doors[i].listen.port);
    }
}

/* Docker's resolver asks outside for whoever asks it, at port 53 or where that is
 * translated to; and nobody but root, who it runs as, may answer in its place. */
static void
write_within(const struct steer_plan *plan, struct buf *out)
{
    buf_printf(out,
               "    chain within {\n"
               "        meta skuid %u accept\n"
               "        ip saddr 127.0.0.11 meta skuid != 0 counter name \"refused\" "
               "drop\n"
               "        ct direction reply accept\n",
               (unsigned)plan->uid);
    write_ops(plan, out);
    buf_add_z(out,
              "        meta l4proto { tcp, udp } th dport 53 goto names\n"
              "        ip daddr 127.0.0.11 counter name \"unanswered\" reject with "
              "icmpx type admin-prohibited\n"
              "        accept\n"
              "    }\n");
}

static void
write_names(const struct steer_plan *plan, struct buf *out)
{
    buf_add_z(out, "    chain names {\n");
    for (int f = STEER_V4; f <= STEER_V6; f++) {
        const struct steer_door *d = &plan->names[f];

        if (d->port == 0)
            continue;
        if (plan->mode == STEER_REDIRECT) {
            buf_printf(out, "        meta nfproto %s counter name \"asked\" accept\n",
                       steer_family_words[f]);
        } else if (d->port == 53) {
            buf_add_z(out, "        oifname \"lo\" ");
            write_where(out, &d->address);
            buf_add_z(out, "accept\n");
        }
    }
    buf_add_z(out, "        meta l4proto tcp counter name \"unanswered\" reject with "
                   "tcp reset\n"
                   "        counter name \"unanswered\" reject with icmpx type "
                   "admin-prohibited\n"
                   "    }\n");
}

/* ---- what wants to leave */

/* Link-local ranges whole, and the services that have another address. */
static void
write_metadata(struct buf *out)
{
    static const struct cidr local[] = {
        { { AF_INET, { 169, 254 } }, 16 },
        { { AF_INET6, { 0xfe, 0x80 } }, 10 },
    };
    static const char *const ranges[] = { "169.254.0.0/16", "fe80::/10" };
    char printed[ADDRESS_PRINT_SIZE];
    size_t n;
    const struct address *services = address_services(&n);

    for (int f = STEER_V4; f <= STEER_V6; f++) {
        buf_printf(out, "        %s daddr { %s", steer_address_words[f], ranges[f]);
        for (size_t i = 0; i < n; i++) {
            if (family_of(&services[i]) != f || cidr_has(&local[f], &services[i]))
                continue;
            address_print(&services[i], printed);
            buf_printf(out, ", %s", printed);
        }
        buf_add_z(out, " } counter name \"metadata\" drop\n");
    }
}

/* A connection that was there before the rules has no translation, and gets none. */
static void
write_turned(const struct steer_plan *plan, struct buf *out)
{
    for (int f = STEER_V4; f <= STEER_V6; f++) {
        if (plan->tcp[f].port == 0)
            continue;
        buf_printf(out,
                   "        meta nfproto %s meta l4proto tcp ct state new " SYN
                   " counter name \"turned\" accept\n",
                   steer_family_words[f]);
        if (plan->tcp[f].is_tproxy)
            buf_printf(out, "        meta nfproto %s meta l4proto tcp accept\n",
                       steer_family_words[f]);
        else
            buf_printf(out,
                       "        meta nfproto %s meta l4proto tcp ct state established "
                       "ct status dnat accept\n",
                       steer_family_words[f]);
    }
}

static void
write_outside(const struct steer_plan *plan, struct buf *out)
{
    buf_add_z(out, "    chain outside {\n"
                   "        meta l4proto { tcp, udp } th dport 53 goto names\n");
    write_metadata(out);
    write_turned(plan, out);
    buf_printf(
        out,
        "        udp dport 443 counter name \"quic\" reject with icmpx type "
        "admin-prohibited\n"
        "        meta skuid != %u goto refused\n"
        "        meta l4proto tcp " NO_SYN " counter name \"stray\" drop\n"
        "        goto refused\n"
        "    }\n"
        "    chain refused {\n"
        "        meta l4proto tcp counter name \"refused\" reject with tcp reset\n"
        "        counter name \"refused\" reject with icmpx type admin-prohibited\n"
        "    }\n",
        (unsigned)plan->uid);
}

/* ---- the other ways */

static void
write_guard(struct buf *out)
{
    buf_printf(out,
               "    chain guard {\n"
               "        type filter hook postrouting priority 310; policy drop;\n"
               "        oifname \"lo\" accept\n"
               "        jump passes\n"
               "        counter name \"guarded\" drop\n"
               "    }\n"
               "    chain through {\n"
               "        type filter hook forward priority mangle; policy drop;\n"
               "        counter name \"forwarded\" drop\n"
               "    }\n"
               "    chain arrives {\n"
               "        type filter hook input priority mangle; policy accept;\n"
               "        iifname \"lo\" accept\n"
               "        meta l4proto tcp " NO_SYN " accept\n"
               "        ct state new ct mark set 0x%x\n"
               "    }\n",
               BEGAN_OUTSIDE);
}

/* ---- the whole */

bool
steer_needs_routes(const struct steer_plan *plan, int family)
{
    return plan->tcp[family].port != 0 && plan->tcp[family].is_tproxy;
}

static void
write_routes(const struct steer_plan *plan, struct buf *out)
{
    static const char *const options[] = { [STEER_V4] = "-4", [STEER_V6] = "-6" };

    for (int f = STEER_V4; f <= STEER_V6; f++)
        if (steer_needs_routes(plan, f))
            buf_printf(out,
                       "# besides: ip %s rule add fwmark 0x%x table %d\n"
                       "#          ip %s route replace local default dev lo table %d\n",
                       options[f], STEER_MARK, STEER_ROUTES, options[f], STEER_ROUTES);
}

void
steer_script_remove(struct buf *out)
{
    buf_add_z(out, "table inet holdfast\ndelete table inet holdfast\n");
}

static void
write_explicit(struct buf *out)
{
    buf_add_z(
        out,
        "# mode explicit: there is nothing to load. Programs that heed HTTPS_PROXY "
        "go through Holdfast;\n"
        "# one that does not is not held: any address, IPv6, UDP, DNS and raw "
        "sockets lead out past it.\n"
        "# Rely on it only where no other way leads out of the network (an internal "
        "one, a NetworkPolicy).\n");
}

void
steer_script_write(const struct steer_plan *plan, struct buf *out)
{
    if (plan->mode == STEER_EXPLICIT) {
        write_explicit(out);
        return;
    }
    buf_printf(out,
               "# Made by holdfast steer --mode %s. Whoever runs as uid %u is exempt: "
               "that is Holdfast, and should be\n"
               "# nobody else.\n",
               steer_mode_word(plan->mode), (unsigned)plan->uid);
    write_routes(plan, out);
    steer_script_remove(out);
    buf_add_z(out, "table inet holdfast {\n");
    write_counters(out);
    write_answers(plan, out);
    write_passes(plan, out);
    write_judge(plan, out);
    write_within(plan, out);
    write_names(plan, out);
    write_outside(plan, out);
    write_guard(out);
    if (plan->mode == STEER_REDIRECT)
        steer_write_turn(plan, out);
    steer_write_tproxy(plan, out);
    buf_add_z(out, "}\n");
}
