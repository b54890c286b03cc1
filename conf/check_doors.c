/* Doors: no two on one address; what a gate needs and what only a gate has; and that
 * there is more to do than to be watched. */
#include "conf/check.h"

#include <string.h>

static bool
is_wildcard(const struct address *a)
{
    static const struct address none;

    return memcmp(a->bytes, none.bytes, a->family == AF_INET ? 4 : 16) == 0;
}

static bool
listens_clash(const struct listen_at *a, const struct listen_at *b)
{
    if (a->port == 0 || a->port != b->port || a->address.family != b->address.family)
        return false;
    return address_equals(&a->address, &b->address) || is_wildcard(&a->address) ||
           is_wildcard(&b->address);
}

static void
check_listens(const struct check *k)
{
    const struct conf_door *doors = k->conf->doors.at;

    /* SO_REUSEPORT would bind both and let the kernel choose between them. */
    for (size_t i = 0; i < k->conf->doors.n; i++)
        for (size_t j = 0; j < i; j++)
            if (listens_clash(&doors[i].listen, &doors[j].listen)) {
                check_complain(
                    k, &doors[i], "listen",
                    "the door on line %u of %s listens here: write another port",
                    doors[j].place.line, doors[j].place.file);
                break;
            }
}

static const struct {
    const char *key;
    bool required;
    const char *sample;
} gate_keys[] = {
    { "certificate", true, "certificate = \"/etc/holdfast/gate.pem\";" },
    { "key", true, "key = \"/run/secrets/gate.key\";" },
    { "names", true, "names = [\"https://orders.example\"];" },
    { "upstream", true, "upstream = \"http://127.0.0.1:8080\";" },
    { "rules", true, "rules = ( { ... } );" },
    { "trust", false, NULL },
    { "accept", false, NULL },
    { "clients_trust", false, NULL },
    { "nonce", false, NULL },
    { "issuers", false, NULL },
    { "signature", false, NULL },
    { "upstream_trust", false, NULL },
    { "upstream_http", false, NULL },
    { "keep_proof", false, NULL },
    { "replay_entries", false, NULL },
};

static void
check_gate_keys(const struct check *k, const struct conf_door *door)
{
    bool gate = door->kind == DOOR_GATE;

    for (size_t i = 0; i < sizeof gate_keys / sizeof *gate_keys; i++) {
        const char *key = gate_keys[i].key;

        if (gate && gate_keys[i].required && !check_has_key(k, door, key))
            check_complain(k, door, key, "is missing at a gate: write %s",
                           gate_keys[i].sample);
        if (!gate && check_has_key(k, door, key))
            check_complain(k, door, key,
                           "belongs to a gate: remove it, or write kind = \"gate\"");
    }
}

static void
check_interception(const struct check *k, const struct conf_door *door)
{
    if (door->kind != DOOR_TRANSPARENT && check_has_key(k, door, "intercept"))
        check_complain(k, door, "intercept",
                       "belongs to a transparent door: remove it, or write kind = "
                       "\"transparent\"");
}

/* A gate is spoken to inside TLS alone, and of an ops door only little is asked. */
static void
check_protocols(const struct check *k, const struct conf_door *door)
{
    if (door->kind == DOOR_DNS && check_has_key(k, door, "http2"))
        check_complain(k, door, "http2", "a dns door speaks no HTTP: remove it");
    if (door->kind != DOOR_DNS && check_has_key(k, door, "refuse_with"))
        check_complain(k, door, "refuse_with",
                       "belongs to a dns door: remove it, or write kind = \"dns\"");
    if (door->kind == DOOR_OPS && check_has_key(k, door, "http2"))
        check_complain(k, door, "http2", "an ops door speaks HTTP/1.1: remove it");
    if (!conf_door_is_egress(door) && check_has_key(k, door, "h2c"))
        check_complain(k, door, "h2c",
                       "belongs to a forward, transparent or unix door: remove it, "
                       "or write kind = \"forward\"");
}

/* A door whose kind was refused may have been meant to serve. */
static void
check_someone_is_served(const struct check *k)
{
    const struct conf_door *doors = k->conf->doors.at;

    for (size_t i = 0; i < k->conf->doors.n; i++)
        if (conf_door_is_egress(&doors[i]) || doors[i].kind == DOOR_GATE)
            return;
    if (k->conf->doors.n > 0)
        check_complain(k, k->conf, "doors",
                       "an ops door tells of the others, and there is none, nor "
                       "anything that a dns door leads to: write one of kind = "
                       "\"forward\", \"transparent\", \"unix\" or \"gate\"");
}

void
check_doors(const struct check *k)
{
    const struct conf_door *doors = k->conf->doors.at;

    check_doors_apart(k);
    check_listens(k);
    check_someone_is_served(k);
    for (size_t i = 0; i < k->conf->doors.n; i++) {
        if (doors[i].kind == -1)
            continue;
        check_gate_keys(k, &doors[i]);
        check_interception(k, &doors[i]);
        check_protocols(k, &doors[i]);
        if (doors[i].kind == DOOR_GATE)
            check_gate(k, &doors[i]);
    }
}
