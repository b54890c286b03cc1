#include "proxy/environment.h"

#include "base/file.h"
#include "base/json_write.h"
#include "filters/chain.h"
#include "proxy/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HANDLES_MAX = 1 << 20 };

/* The bundle is the system's roots and our CA; what
 * adds to roots of its own is given the CA alone. */
enum value {
    VALUE_PROXY,
    VALUE_DIRECT,
    VALUE_ONE,
    VALUE_BUNDLE,
    VALUE_DIRECTORY,
    VALUE_CA,
    VALUE_JAVA,
    VALUES
};

static const struct {
    const char *name;
    enum value value;
} variables[] = {
    { "HTTPS_PROXY", VALUE_PROXY },
    { "https_proxy", VALUE_PROXY },
    { "HTTP_PROXY", VALUE_PROXY },
    { "http_proxy", VALUE_PROXY },
    { "NO_PROXY", VALUE_DIRECT },
    { "no_proxy", VALUE_DIRECT },
    { "NODE_USE_ENV_PROXY", VALUE_ONE },
    { "SSL_CERT_FILE", VALUE_BUNDLE },
    { "SSL_CERT_DIR", VALUE_DIRECTORY },
    { "CURL_CA_BUNDLE", VALUE_BUNDLE },
    { "REQUESTS_CA_BUNDLE", VALUE_BUNDLE },
    { "GIT_SSL_CAINFO", VALUE_BUNDLE },
    { "AWS_CA_BUNDLE", VALUE_BUNDLE },
    { "PIP_CERT", VALUE_BUNDLE },
    { "CARGO_HTTP_CAINFO", VALUE_BUNDLE },
    { "NIX_SSL_CERT_FILE", VALUE_BUNDLE },
    { "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", VALUE_BUNDLE },
    { "npm_config_cafile", VALUE_BUNDLE },
    { "NODE_EXTRA_CA_CERTS", VALUE_CA },
    { "DENO_CERT", VALUE_CA },
    { "JAVA_TOOL_OPTIONS", VALUE_JAVA },
};

const char *
environment_name(size_t i, enum environment_kind *kind)
{
    static const enum environment_kind kinds[VALUES] = {
        [VALUE_PROXY] = ENVIRONMENT_PROXY,  [VALUE_DIRECT] = ENVIRONMENT_PROXY,
        [VALUE_ONE] = ENVIRONMENT_PROXY,    [VALUE_BUNDLE] = ENVIRONMENT_FILE,
        [VALUE_CA] = ENVIRONMENT_FILE,      [VALUE_DIRECTORY] = ENVIRONMENT_DIRECTORY,
        [VALUE_JAVA] = ENVIRONMENT_OPTIONS,
    };

    if (i >= sizeof variables / sizeof variables[0])
        return NULL;
    *kind = kinds[variables[i].value];
    return variables[i].name;
}

/* ---- where the door is */

static const struct conf_door *
forward_door(const struct conf *conf)
{
    const struct conf_door *doors = conf->doors.at;

    for (size_t i = 0; i < conf->doors.n; i++)
        if (doors[i].kind == DOOR_FORWARD)
            return &doors[i];
    return NULL;
}

/* A door on every address is reached by loopback. */
static void
write_host(const struct address *address, char out[ADDRESS_PRINT_SIZE + 2])
{
    static const unsigned char none[16];
    bool six = address->family == AF_INET6;
    bool any = memcmp(address->bytes, none, six ? 16 : 4) == 0;
    char printed[ADDRESS_PRINT_SIZE];

    address_print(address, printed);
    if (any)
        strcpy(printed, six ? "::1" : "127.0.0.1");
    snprintf(out, ADDRESS_PRINT_SIZE + 2, six ? "[%s]" : "%s", printed);
}

/* The kernel's choice, as the one that runs tells it: behind the last colon. */
static uint16_t
port_in(const struct json *status)
{
    const struct json *doors = json_get(status, "doors");
    struct text kind, at;
    uint64_t port;

    for (size_t i = 0; i < json_count(doors); i++) {
        const struct json *d = json_at(doors, i);
        const char *colon;

        if (!json_string(json_get(d, "kind"), &kind) ||
            !json_string(json_get(d, "address"), &at) ||
            !text_equals(kind, TEXT("forward")))
            continue;
        colon = memrchr(at.at, ':', at.n);
        if (colon != NULL &&
            text_to_u64(text_of(colon + 1, (size_t)(at.at + at.n - colon - 1)), 65535,
                        &port))
            return (uint16_t)port;
    }
    return 0;
}

static uint16_t
ask_port(const struct ctl *c)
{
    struct buf answer = { 0 };
    struct json *status;
    uint16_t port = 0;

    if (ctl_ask(c, TEXT("{\"verb\":\"status\"}\n"), true, &answer) == EXIT_OK) {
        status = json_parse(buf_text(&answer), buf_length(&answer));
        port = port_in(status);
        json_free(status);
    }
    buf_free(&answer);
    return port;
}

/* Java reads none of the others; loopback it leaves out by itself. */
static void
write_java(const char *host, uint16_t port, struct buf *out)
{
    static const char *const schemes[] = { "https", "http" };

    for (size_t i = 0; i < 2; i++)
        buf_printf(out, " -D%s.proxyHost=%s -D%s.proxyPort=%u", schemes[i], host,
                   schemes[i], port);
}

/* Where the kernel leads everything to a door, nothing needs to be told of it. */
static int
has_other_way_out(const struct conf *conf)
{
    if (conf_has_egress(conf))
        return EXIT_OK;
    fprintf(stderr, "holdfast: the config has no forward door: there is no proxy\n");
    return EXIT_CONFIG;
}

static int
find_proxy(const struct environment *e, struct buf values[VALUES])
{
    const struct conf_door *door = forward_door(e->conf);
    const char *at = text_is_empty(e->credential) ? "" : "@";
    char host[ADDRESS_PRINT_SIZE + 2];
    uint16_t port;

    if (door == NULL)
        return has_other_way_out(e->conf);
    port = door->listen.port != 0 ? door->listen.port : ask_port(e->ctl);
    if (port == 0) {
        fprintf(stderr,
                "%s:%u: the kernel picks the port of this door, and nobody "
                "answers on control.socket to tell it\n",
                door->place.file, door->place.line);
        return EXIT_RUNTIME;
    }
    write_host(&door->listen.address, host);
    buf_printf(&values[VALUE_PROXY], "http://%.*s%s%s:%u", TEXT_ARG(e->credential), at,
               host, port);
    buf_add_z(&values[VALUE_DIRECT], "127.0.0.1,localhost,::1");
    buf_add_z(&values[VALUE_ONE], "1");
    write_java(host, port, &values[VALUE_JAVA]);
    return EXIT_OK;
}

/* ---- handles.env */

static bool
is_variable(struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        char c = t.at[i];

        if (!(c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return t.n > 0;
}

static void
read_handles(const struct conf *conf, long uid, struct buf *out)
{
    struct buf path = { 0 };

    buf_printf(&path, "%s/handles", conf->ca.publish);
    if (uid >= 0 && uid != conf->workload.uid)
        buf_printf(&path, ".uid-%ld", uid);
    buf_add_z(&path, ".env");
    buf_add_byte(&path, '\0');
    /* Nothing to hold: no file. */
    if (access(buf_text(&path).at, F_OK) == 0)
        (void)(file_read(buf_text(&path).at, HANDLES_MAX, out) == REASON_OK);
    buf_free(&path);
}

/* ---- telling */

static void
tell_variables(const struct buf *values, environment_take *take, void *to)
{
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        if (buf_length(&values[variables[i].value]) > 0)
            take(to, variables[i].name, buf_text(&values[variables[i].value]));
}

static void
tell_handles(struct text lines, environment_take *take, void *to)
{
    struct text line, name;

    while (text_split(&lines, '\n', &line)) {
        char *z;

        if (!text_split(&line, '=', &name) || line.at == NULL || !is_variable(name))
            continue;
        if ((z = strndup(name.at, name.n)) != NULL)
            take(to, z, line);
        free(z);
    }
}

int
environment_tell(const struct environment *e, environment_take *take, void *to)
{
    struct buf values[VALUES] = { 0 }, handles = { 0 };
    const char *in = e->conf->ca.publish;
    int code;

    buf_printf(&values[VALUE_JAVA],
               "-Djavax.net.ssl.trustStore=%s/truststore.p12 "
               "-Djavax.net.ssl.trustStoreType=PKCS12 "
               "-Djavax.net.ssl.trustStorePassword=changeit",
               in);
    if ((code = find_proxy(e, values)) != EXIT_OK)
        goto done;
    buf_printf(&values[VALUE_BUNDLE], "%s/bundle.pem", in);
    buf_printf(&values[VALUE_DIRECTORY], "%s/certs", in);
    buf_printf(&values[VALUE_CA], "%s/ca.pem", in);
    read_handles(e->conf, e->uid, &handles);
    tell_variables(values, take, to);
    tell_handles(buf_text(&handles), take, to);
done:
    for (size_t i = 0; i < VALUES; i++)
        buf_free(&values[i]);
    buf_free(&handles);
    return code;
}

/* ---- printing */

/* In single quotes nothing means anything but a single quote. */
static void
write_sh(struct buf *out, const char *name, struct text value)
{
    buf_printf(out, "export %s='", name);
    for (size_t i = 0; i < value.n; i++) {
        if (value.at[i] == '\'')
            buf_add_z(out, "'\\''");
        else
            buf_add_byte(out, value.at[i]);
    }
    buf_add_z(out, "'\n");
}

static void
write_docker(struct buf *out, const char *name, struct text value)
{
    buf_printf(out, "%s=%.*s\n", name, TEXT_ARG(value));
}

/* Of a container's `env`; a JSON string is one of YAML's. */
static void
write_k8s(struct buf *out, const char *name, struct text value)
{
    buf_printf(out, "- name: %s\n  value: ", name);
    json_write_string(out, value);
    buf_add_byte(out, '\n');
}

static void
write_json(struct buf *out, const char *name, struct text value)
{
    json_put_text(out, name, value);
}

static const struct format {
    const char *name;
    void (*write)(struct buf *out, const char *name, struct text value);
} formats[] = { { "sh", write_sh },
                { "docker", write_docker },
                { "k8s", write_k8s },
                { "json", write_json } };

struct printing {
    const struct format *format;
    struct buf *out;
};

static void
print_one(void *to, const char *name, struct text value)
{
    const struct printing *p = to;

    p->format->write(p->out, name, value);
}

static int
print(const struct environment *e, const struct format *f)
{
    struct buf out = { 0 };
    struct printing p = { f, &out };
    bool is_json = f->write == write_json;
    int code;

    if (is_json)
        json_open(&out, NULL, '{');
    code = environment_tell(e, print_one, &p);
    if (is_json)
        buf_add_z(&out, "}\n");
    if (code == EXIT_OK)
        fwrite(buf_text(&out).at, 1, buf_length(&out), stdout);
    buf_free(&out);
    return code;
}

int
holdfast_env(const struct ctl *c, long uid, const char *format)
{
    const struct format *f = NULL;
    struct buf report = { 0 };
    struct conf *conf = NULL;
    int code = EXIT_CONFIG;
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].name, format) == 0)
            f = &formats[i];
    if (f == NULL) {
        fprintf(stderr,
                "holdfast: there is no format \"%s\": sh, docker, k8s or json\n",
                format);
        return EXIT_USAGE;
    }
    if (conf_load(c->config, tables, n, &report, &conf) == REASON_OK)
        code = print(&(struct environment){ .ctl = c, .conf = conf, .uid = uid }, f);
    fwrite(buf_text(&report).at, 1, buf_length(&report), stderr);
    buf_free(&report);
    conf_free(conf);
    return code;
}
