/* The root of the checks, how they point at what they mean, and the small groups:
 * directories, resolver, limits. */
#include "conf/check.h"

#include "conf/pattern.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* ---- pointing */

static const struct node *
node_of(const struct check *k, const void *object)
{
    const struct node *n = fill_node_of(k->fill, object);

    /* What was never written has no place of its own: the file as a whole has one. */
    return n != NULL ? n : fill_node_of(k->fill, k->conf);
}

bool
check_has_key(const struct check *k, const void *object, const char *key)
{
    const struct node *n = fill_node_of(k->fill, object);

    return n != NULL && node_child(n, key) != NULL;
}

void
check_complain(const struct check *k, const void *object, const char *key,
               const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    node_problem(k->fill->problems, node_of(k, object), key, "%s", message);
}

void
check_complain_element(const struct check *k, const void *object, const char *key,
                       const char *value, const char *error)
{
    const struct node *list = node_child(node_of(k, object), key);

    for (const struct node *n = list == NULL ? NULL : list->first; n != NULL;
         n = n->next)
        if (n->type == NODE_STRING && strcmp(n->string, value) == 0) {
            node_problem(k->fill->problems, n, NULL, "\"%.80s\": %s", value, error);
            return;
        }
    check_complain(k, object, key, "\"%.80s\": %s", value, error);
}

void
check_value(const struct check *k, const void *object, const char *key,
            const char *value, const char *error)
{
    if (error != NULL)
        check_complain(k, object, key, "\"%.80s\": %s", value, error);
}

void
check_each(const struct check *k, const void *object, const char *key,
           const struct strings *s,
           const char *(*error_of)(struct arena *a, const char *z))
{
    for (size_t i = 0; i < s->n; i++) {
        const char *error = error_of(k->fill->scratch, s->at[i]);

        if (error != NULL)
            check_complain_element(k, object, key, s->at[i], error);
    }
}

/* Lists that operators write are short. */
void
check_no_repeats(const struct check *k, const void *object, const char *key,
                 const struct strings *s)
{
    for (size_t i = 1; i < s->n; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(s->at[i], s->at[j]) == 0) {
                check_complain(k, object, key, "says \"%.80s\" twice: write it once",
                               s->at[i]);
                return;
            }
}

/* ---- the workload, and what a way out needs */

static bool
has_get(const struct strings *methods)
{
    for (size_t i = 0; i < methods->n; i++)
        if (strcmp(methods->at[i], "GET") == 0)
            return true;
    return methods->any || methods->n == 0; /* none: complained of already */
}

void
check_websocket(const struct check *k, const void *rule, bool websocket,
                const struct strings *methods)
{
    if (websocket && !has_get(methods))
        check_complain(
            k, rule, "websocket",
            "a WebSocket is asked for by GET, which `methods` lacks: add it, "
            "or remove this");
}

bool
conf_is_loopback(const struct address *a)
{
    static const unsigned char six[16] = { [15] = 1 };

    return a->family == AF_INET ? a->bytes[0] == 127
                                : memcmp(a->bytes, six, sizeof six) == 0;
}

/* A socket in the file system is on this machine, too. */
static bool
is_near(const struct conf_door *door)
{
    return door->kind == DOOR_UNIX || conf_is_loopback(&door->listen.address);
}

static bool
has_way_out(const struct conf *c, bool near)
{
    const struct conf_door *doors = c->doors.at;

    for (size_t i = 0; i < c->doors.n; i++)
        if (conf_door_is_egress(&doors[i]) && (!near || is_near(&doors[i])))
            return true;
    return false;
}

static void
demand(const struct check *k, const void *object, const char *group, const char *key,
       const char *sample)
{
    if (check_has_key(k, object, key))
        return;
    if (fill_node_of(k->fill, object) != NULL)
        check_complain(k, object, key, "is missing, and a way out needs it: write %s",
                       sample);
    else if (!check_has_key(k, k->conf, group))
        check_complain(k, k->conf, NULL,
                       "%s.%s: is missing, and a way out needs it: write %s = { %s };",
                       group, key, group, sample);
}

static void
check_way_out_needs(const struct check *k)
{
    const struct conf *c = k->conf;

    if (!has_way_out(c, false))
        return;
    demand(k, &c->workload, "workload", "id",
           "id = \"spiffe://prod.example/ns/agents/sa/builder\";");
    if (has_way_out(c, true))
        demand(k, &c->workload, "workload", "uid", "uid = 1000;");
    demand(k, &c->ca, "ca", "keep", "keep = \"/run/holdfast/ca\";");
    demand(k, &c->ca, "ca", "publish", "publish = \"/run/holdfast/public\";");
    demand(k, &c->authority, "authority", "keep",
           "keep = \"/run/holdfast/authority\";");
    demand(k, &c->authority, "authority", "name", "name = \"prod.example\";");
}

/* ---- the ledger */

/* No ledger is a decision: it is said, and with its reason. */
static void
check_ledger_is_meant(const struct check *k)
{
    const struct conf_ledger *l = &k->conf->ledger;
    bool keep = check_has_key(k, l, "keep"), off = check_has_key(k, l, "off_because");

    if (keep && off)
        check_complain(k, l, "off_because",
                       "stands beside keep, and a ledger is kept or it is not: remove "
                       "one");
    if (!keep && !off && has_way_out(k->conf, false))
        check_complain(
            k, k->conf, check_has_key(k, k->conf, "ledger") ? "ledger" : NULL,
            "%sis missing, and a way out needs it: write ledger = { keep = "
            "\"/var/lib/holdfast/ledger\"; }; or, where nothing shall be recorded, "
            "ledger = { off_because = \"why\"; };",
            check_has_key(k, k->conf, "ledger") ? "" : "ledger: ");
}

static void
check_witness(const struct check *k)
{
    const struct conf_ledger *l = &k->conf->ledger;
    const struct conf_witness *w = &l->witness;

    if (w->url != NULL && !check_has_key(k, l, "keep"))
        check_complain(k, w, "url",
                       "is sent what is kept, and nothing is: write ledger.keep, or "
                       "remove this");
    if (w->trust != NULL && !check_has_key(k, w, "url"))
        check_complain(k, w, "url",
                       "is missing: write url = "
                       "\"https://witness.example/checkpoints\";");
    check_url(k, w, "url", w->url);
    if (w->trust != NULL)
        check_value(k, w, "trust", w->trust, pattern_file_error(w->trust));
}

/* Whoever can write beside it can write into it. */
static void
check_ledger(const struct check *k)
{
    const struct conf *c = k->conf;
    const struct conf_ledger *l = &c->ledger;
    const char *const others[] = { c->ca.keep, c->ca.publish, c->authority.keep };

    check_ledger_is_meant(k);
    check_witness(k);
    if (l->keep == NULL)
        return;
    check_value(k, l, "keep", l->keep, pattern_file_error(l->keep));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i] != NULL && strcmp(others[i], l->keep) == 0)
            check_complain(k, l, "keep",
                           "is the directory of another key's `keep` or `publish`: "
                           "write one of its own");
    if (check_is_published(k, l->keep))
        check_complain(k, l, "keep",
                       "lies in ca.publish, which the workload can read: write another "
                       "directory");
}

/* A key that others may read is no key: what is kept and what is published never share
 * a directory. */
static void
check_directories(const struct check *k)
{
    const struct conf *c = k->conf;

    if (c->ca.publish == NULL)
        return;
    if (c->ca.keep != NULL && strcmp(c->ca.keep, c->ca.publish) == 0)
        check_complain(k, &c->ca, "publish",
                       "is the directory of ca.keep, which holds the key: write "
                       "another directory");
    if (c->authority.keep != NULL && strcmp(c->authority.keep, c->ca.publish) == 0)
        check_complain(k, &c->ca, "publish",
                       "is the directory of authority.keep, which holds the key: write "
                       "another directory");
}

bool
check_is_published(const struct check *k, const char *path)
{
    const char *publish = k->conf->ca.publish;
    size_t n = publish == NULL ? 0 : strlen(publish);

    return n > 0 && strncmp(path, publish, n) == 0 &&
           (path[n] == '/' || publish[n - 1] == '/');
}

void
check_url(const struct check *k, const void *object, const char *key, const char *url)
{
    if (url != NULL)
        check_value(k, object, key, url, pattern_url_error(k->fill->scratch, url));
}

void
check_secret_file(const struct check *k, const void *object, const char *key,
                  const char *path)
{
    check_value(k, object, key, path, pattern_file_error(path));
    if (check_is_published(k, path))
        check_complain(k, object, key,
                       "lies in ca.publish, which the workload can read: write another "
                       "directory");
}

static void
check_control(const struct check *k)
{
    enum { LONGEST = sizeof((struct sockaddr_un *)0)->sun_path - 1 };
    const struct conf_control *control = &k->conf->control;

    if (control->socket == NULL)
        return;
    check_value(k, control, "socket", control->socket,
                pattern_file_error(control->socket));
    if (strlen(control->socket) > LONGEST)
        check_complain(k, control, "socket",
                       "is longer than the %d bytes of a socket's path: write a "
                       "shorter one",
                       (int)LONGEST);
    if (check_is_published(k, control->socket))
        check_complain(k, control, "socket",
                       "lies in ca.publish, which the workload can read: write another "
                       "directory");
}

/* ---- resolver and limits */

static const char *
server_error(struct arena *a, const char *z)
{
    (void)a;
    return pattern_server_error(z);
}

static const char *
address_error(struct arena *a, const char *z)
{
    struct address ignored;

    (void)a;
    return address_parse(text_z(z), &ignored) ? NULL
                                              : "is no address: write \"192.0.2.1\"";
}

static void
check_hosts_row(const struct check *k, const struct conf_hosts_row *row)
{
    struct host host;

    check_each(k, row, "addresses", &row->addresses, address_error);
    if (row->name == NULL)
        return;
    if (host_parse(text_z(row->name), &host) != REASON_OK || host.address.family != 0 ||
        strcmp(host.name, row->name) != 0)
        check_complain(k, row, "name",
                       "\"%.80s\": is no host name in lower case: write \"a.example\"",
                       row->name);
}

static void
check_resolver(const struct check *k)
{
    const struct conf_resolver *r = &k->conf->resolver;
    const struct conf_hosts_row *rows = r->hosts.at;

    check_each(k, r, "servers", &r->servers, server_error);
    for (size_t i = 0; i < r->hosts.n; i++)
        check_hosts_row(k, &rows[i]);
}

static void
check_limits(const struct check *k)
{
    const struct conf_limits *l = &k->conf->limits;

    if (l->body_digest > l->stream_buffer)
        check_complain(k, l, "body_digest",
                       "is more than limits.stream_buffer, in which the body waits for "
                       "its digest");
}

void
check_conf(const struct conf *c, struct fill *f)
{
    struct check k = { c, f };

    check_doors(&k);
    check_way_out_needs(&k);
    check_workload(&k);
    check_directories(&k);
    check_ledger(&k);
    check_control(&k);
    check_resolver(&k);
    check_limits(&k);
    check_credentials(&k);
    check_grants(&k);
}
