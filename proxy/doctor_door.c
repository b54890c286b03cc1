/* The way to Holdfast: a proxy that the environment names, or a kernel that leads there
 * whoever goes anywhere. */
#include "base/digest.h"
#include "proxy/bypass.h"
#include "proxy/doctor.h"
#include "proxy/doctor_parts.h"
#include "proxy/knock.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reserved: no rule names it, and no name server knows it (RFC 6761). */
#define STRANGER "doctor.invalid"

/* ---- the proxy's URL */

struct proxy {
    struct text credential; /* at NULL: none */
    struct text host, port;
};

static bool
split_port(struct text t, struct proxy *out)
{
    const char *colon = t.n == 0 ? NULL : memrchr(t.at, ':', t.n);
    uint64_t port;

    if (colon == NULL)
        return false;
    out->host = text_of(t.at, (size_t)(colon - t.at));
    out->port = text_of(colon + 1, (size_t)(t.at + t.n - colon - 1));
    if (out->host.n > 2 && out->host.at[0] == '[')
        out->host = text_of(out->host.at + 1, out->host.n - 2);
    return out->host.n > 0 && text_to_u64(out->port, 65535, &port);
}

static bool
split_url(const char *z, struct proxy *out)
{
    struct text t = text_z(z);
    const char *at, *slash;

    *out = (struct proxy){ 0 };
    if (!text_starts(t, TEXT("http://")))
        return false;
    t = text_of(t.at + 7, t.n - 7);
    if ((slash = memchr(t.at, '/', t.n)) != NULL)
        t.n = (size_t)(slash - t.at);
    if ((at = memrchr(t.at, '@', t.n)) != NULL) {
        out->credential = text_of(t.at, (size_t)(at - t.at));
        t = text_of(at + 1, (size_t)(t.at + t.n - at - 1));
    }
    return split_port(t, out);
}

/* Without the password. */
static void
print_proxy(const struct proxy *p, char *out, size_t size)
{
    snprintf(out, size, "%.*s port %.*s", TEXT_ARG(p->host), TEXT_ARG(p->port));
}

static int
connect_first(const struct addrinfo *list)
{
    struct address address;
    uint16_t port;
    int fd = -1;

    for (; list != NULL && fd < 0; list = list->ai_next) {
        address_from_sockaddr(list->ai_addr, &address, &port);
        fd = knock_connect(&address, port);
    }
    return fd;
}

/* -1, and in `why` what was in the way. */
static int
connect_proxy(const struct proxy *p, const char **why)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_NUMERICSERV };
    struct addrinfo *list = NULL;
    char host[256], port[8];
    int fd = -1, error;

    snprintf(host, sizeof host, "%.*s", TEXT_ARG(p->host));
    snprintf(port, sizeof port, "%.*s", TEXT_ARG(p->port));
    if ((error = getaddrinfo(host, port, &hints, &list)) != 0) {
        *why = gai_strerror(error);
        return -1;
    }
    if ((fd = connect_first(list)) < 0)
        *why = strerror(errno);
    freeaddrinfo(list);
    return fd;
}

/* ---- who is there */

static void
write_authorization(const struct proxy *p, struct buf *out)
{
    char spelt[512];

    if (p->credential.at == NULL || BASE64_SIZE(p->credential.n) >= sizeof spelt)
        return;
    base64_encode((const unsigned char *)p->credential.at, p->credential.n, spelt);
    buf_printf(out, "Proxy-Authorization: Basic %.*s\r\n",
               (int)BASE64_SIZE(p->credential.n), spelt);
}

/* Its certificates stand inside a tunnel to anywhere. */
static void
look_through(struct doctor *d, const struct proxy *p)
{
    struct buf question = { 0 };
    const char *why;
    int fd = connect_proxy(p, &why);

    buf_add_z(&question,
              "CONNECT " STRANGER ":443 HTTP/1.1\r\nHost: " STRANGER ":443\r\n");
    write_authorization(p, &question);
    buf_add_z(&question, "\r\n");
    if (fd >= 0 && knock_opens_tunnel(fd, buf_text(&question)))
        (void)tls_sight_take(fd, STRANGER, &d->shown);
    if (fd >= 0)
        close(fd);
    buf_wipe(&question);
}

static bool
is_holdfasts(int fd)
{
    return knock_is_holdfast(fd, TEXT("GET http://" STRANGER "/ HTTP/1.1\r\n"
                                      "Host: " STRANGER "\r\n\r\n"));
}

static void
ask_proxy(struct doctor *d, const char *variable, const char *value)
{
    const char *why = "";
    struct proxy p;
    char there[300];
    int fd;

    if (!split_url(value, &p)) {
        checkup_say(&d->up, false, "door",
                    "%s is no URL of a door (http://HOST:PORT): set what holdfast env "
                    "prints",
                    variable);
        return;
    }
    print_proxy(&p, there, sizeof there);
    if ((fd = connect_proxy(&p, &why)) < 0)
        checkup_say(&d->up, false, "door",
                    "%s names %s, where nobody answers (%s): is Holdfast running, and "
                    "is that its forward door?",
                    variable, there, why);
    else if (!is_holdfasts(fd))
        checkup_say(&d->up, false, "door",
                    "%s names %s, and who answers there is not Holdfast: set what "
                    "holdfast env prints",
                    variable, there);
    else
        checkup_say(&d->up, true, "door", "%s names %s: Holdfast answers", variable,
                    there);
    if (fd >= 0)
        close(fd);
    look_through(d, &p);
}

static void
look_beyond(struct doctor *d)
{
    struct address anywhere = bypass_nobody(AF_INET);
    int fd = knock_connect(&anywhere, 443);

    checkup_say(&d->up, true, "door",
                "no proxy has to be named: TCP is turned round "
                "to Holdfast");
    if (fd >= 0)
        (void)tls_sight_take(fd, STRANGER, &d->shown);
    if (fd >= 0)
        close(fd);
}

void
doctor_ask_door(struct doctor *d)
{
    const char *variable = "HTTPS_PROXY", *value = getenv(variable);

    if (value == NULL || value[0] == '\0')
        value = getenv(variable = "https_proxy");
    d->is_turned = bypass_is_turned();
    if (value != NULL && value[0] != '\0')
        ask_proxy(d, d->proxy = variable, value);
    else if (d->is_turned)
        look_beyond(d);
    else
        checkup_say(
            &d->up, false, "door",
            "HTTPS_PROXY is not set, and nothing leads to Holdfast without: set "
            "what holdfast env prints");
}
