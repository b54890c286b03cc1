/* Doors: no two on one address; what a gate needs and what only a gate has; whom it
 * trusts; and that there is more to do than to be watched. */
#include "conf/check.h"

#include "conf/pattern.h"

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
    { "trust", true, "trust = ( { ... } );" },
    { "rules", true, "rules = ( { ... } );" },
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

/* A gate is spoken to inside TLS alone, and of an ops door only little is asked. */
static void
check_protocols(const struct check *k, const struct conf_door *door)
{
    if (door->kind == DOOR_OPS && check_has_key(k, door, "http2"))
        check_complain(k, door, "http2", "an ops door speaks HTTP/1.1: remove it");
    if (door->kind != DOOR_FORWARD && check_has_key(k, door, "h2c"))
        check_complain(k, door, "h2c",
                       "belongs to a forward door: remove it, or write kind = "
                       "\"forward\"");
}

static const char *
https_origin_error(struct arena *a, const char *z)
{
    return pattern_origin_error(a, z, false);
}

static const char *
subject_error(struct arena *a, const char *z)
{
    (void)a;
    return pattern_identity_error(z, true);
}

/* Of what the door accepts: something proves a workload identity token. */
static bool
signs_by_authority(const struct conf_door *door)
{
    return conf_names_bind(&door->accept, BIND_WIMSE) ||
           conf_names_bind(&door->accept, BIND_HTTPSIG);
}

/* A domain may stand in several entries: each sidecar's key then speaks for its own
 * subjects alone. */
static void
check_trust(const struct check *k, const struct conf_door *door,
            const struct conf_trust *t)
{
    if (signs_by_authority(door) && !check_has_key(k, t, "jwks_file"))
        check_complain(
            k, t, "jwks_file",
            "is missing: write jwks_file = \"/etc/holdfast/prod.jwks.json\";");
    if (t->domain == NULL)
        return;
    check_value(k, t, "domain", t->domain, pattern_domain_error(t->domain));
    check_each(k, t, "subjects", &t->subjects, subject_error);
    for (size_t i = 0; i < t->subjects.n; i++)
        if (pattern_identity_error(t->subjects.at[i], true) == NULL &&
            !text_equals(pattern_identity_domain(t->subjects.at[i]), text_z(t->domain)))
            check_complain_element(
                k, t, "subjects", t->subjects.at[i],
                "is of another trust domain: trust it by an entry of its own");
}

static void
check_gate_rule(const struct check *k, const struct conf_gate_rule *r)
{
    check_each(k, r, "methods", &r->methods, pattern_method_error);
    check_websocket(k, r, r->websocket, &r->methods);
    check_each(k, r, "paths", &r->paths, pattern_path_error);
    check_each(k, r, "subjects", &r->subjects, subject_error);
}

static void
check_gate(const struct check *k, const struct conf_door *door)
{
    const struct conf_trust *trust = door->trust.at;
    const struct conf_gate_rule *rules = door->rules.at;

    check_each(k, door, "names", &door->names, https_origin_error);
    if (door->upstream != NULL)
        check_value(k, door, "upstream", door->upstream,
                    pattern_origin_error(k->fill->scratch, door->upstream, true));
    if (door->upstream_trust != NULL && door->upstream != NULL &&
        strncmp(door->upstream, "http://", 7) == 0)
        check_complain(k, door, "upstream_trust",
                       "the upstream is plain http: remove this, or write https://");
    for (size_t i = 0; i < door->trust.n; i++)
        check_trust(k, door, &trust[i]);
    for (size_t i = 0; i < door->rules.n; i++)
        check_gate_rule(k, &rules[i]);
}

/* A door whose kind was refused may have been meant to serve. */
static void
check_someone_is_served(const struct check *k)
{
    const struct conf_door *doors = k->conf->doors.at;

    for (size_t i = 0; i < k->conf->doors.n; i++)
        if (doors[i].kind != DOOR_OPS)
            return;
    if (k->conf->doors.n > 0)
        check_complain(k, k->conf, "doors",
                       "an ops door tells of the others, and there is none: write one "
                       "of kind = \"forward\" or \"gate\"");
}

void
check_doors(const struct check *k)
{
    const struct conf_door *doors = k->conf->doors.at;

    check_listens(k);
    check_someone_is_served(k);
    for (size_t i = 0; i < k->conf->doors.n; i++) {
        if (doors[i].kind == -1)
            continue;
        check_gate_keys(k, &doors[i]);
        check_protocols(k, &doors[i]);
        if (doors[i].kind == DOOR_GATE)
            check_gate(k, &doors[i]);
    }
}
