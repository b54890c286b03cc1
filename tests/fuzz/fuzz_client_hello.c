/* The ClientHello that passes unopened. The first byte says where a connection brings
 * the rest in two parts.
 *
 * What is waited for may become one, what is broken stays so, and whole is whole at one
 * byte. OpenSSL, asked the same bytes, reads the same name or none at all. */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "http/client_hello.h"
#include "proxy/tls.h"

#include <sys/socket.h>
#include <unistd.h>

static struct tls_server *server;
static int ends[2]; /* ours, whose other side says no more */

static struct {
    bool is_asked;
    struct buf name;
} other;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_to_nowhere();
    PROMISE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    PROMISE(shutdown(ends[1], SHUT_WR) == 0);
    PROMISE((server = tls_server_new()) != NULL);
    return 0;
}

static enum flow
read_copy(struct text in, struct client_hello *out)
{
    struct text copy = copy_exactly(in);
    enum flow flow = client_hello_read(copy, out);

    free_copy(copy);
    return flow;
}

static void
promise_part(struct text in, size_t n, enum flow whole, const struct client_hello *said)
{
    struct client_hello h;
    enum flow part = read_copy(text_of(in.at, n), &h);

    if (whole == FLOW_WAIT)
        PROMISE(part == FLOW_WAIT);
    if (part == FLOW_BROKEN)
        PROMISE(whole == FLOW_BROKEN);
    if (whole == FLOW_OK)
        PROMISE(part == (n < said->n ? FLOW_WAIT : FLOW_OK));
}

/* ---- the other reader */

static enum reason
choose(void *owner, struct text name, X509 **leaf, EVP_PKEY **key)
{
    PROMISE(owner == &other);
    (void)leaf, (void)key;
    other.is_asked = true;
    buf_add(&other.name, name);
    return REASON_NAMES_DISAGREE;
}

static void
ask_other(struct text stream)
{
    struct buf early = { 0 };
    char alerts[4096];
    struct tls *t;

    buf_add(&early, stream);
    other.is_asked = false;
    buf_drop(&other.name, buf_length(&other.name));
    t = tls_accept(server, ends[0], &early, ALPN_BOTH, choose, &other);
    (void)tls_handshake(t);
    tls_free(t);
    while (recv(ends[1], alerts, sizeof alerts, 0) > 0)
        ;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = input_of(data, size);
    size_t first = take_byte(&in);
    struct client_hello h;
    enum flow flow = read_copy(in, &h);

    PROMISE(flow == FLOW_OK || flow == FLOW_WAIT || flow == FLOW_BROKEN);
    promise_part(in, in.n * first / 256, flow, &h);
    if (flow != FLOW_OK)
        return 0;
    PROMISE(h.n <= in.n && h.n > 0 && h.name_n <= sizeof h.name);
    ask_other(text_of(in.at, h.n));
    if (other.is_asked)
        PROMISE(text_equals(buf_text(&other.name), client_hello_name(&h)));
    return 0;
}
