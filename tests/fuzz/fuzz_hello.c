/* ClientHellos, as tls_accept gets them: bytes that were read before, and then the end.
 * An input whose first byte is even is such a stream; another is the server_name
 * extension of an otherwise good ClientHello, cut into records where that byte says.
 *
 * We are asked for a leaf once at most, with no name or with one whose only spelling as
 * an extension is what the client sent. What we refuse is over, for our reason. */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "proxy/tls.h"

#include <sys/socket.h>
#include <unistd.h>

enum {
    RECORD_HEAD = 5,
    RECORD_HANDSHAKE = 22,
    HANDSHAKE_HEAD = 4,
    CLIENT_HELLO = 1,
    NAME_MAX_BYTES = 65535 - 5
};

static struct tls_server *server;
static int ends[2]; /* ours, whose other side says no more */

/* What we were asked. */
static struct {
    unsigned times;
    bool is_named;
    struct buf name;
} asked;

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

static enum reason
choose(void *owner, struct text name, X509 **leaf, EVP_PKEY **key)
{
    PROMISE(owner == &asked);
    (void)leaf, (void)key;
    asked.times++;
    asked.is_named = name.at != NULL;
    buf_add(&asked.name, name);
    return REASON_NAMES_DISAGREE;
}

/* ---- a ClientHello around an extension */

static void
add_number(struct buf *out, size_t number, unsigned bytes)
{
    while (bytes-- > 0)
        buf_add_byte(out, (char)(number >> 8 * bytes & 0xff));
}

static void
add_extension(struct buf *out, unsigned type, struct text body)
{
    add_number(out, type, 2);
    add_number(out, body.n, 2);
    buf_add(out, body);
}

static void
add_hello(struct buf *out, struct text server_name)
{
    static const char fixed[] = "\x03\x03" /* then 32 bytes of chance, no session */
                                "................................\x00"
                                "\x00\x04\x13\x01\xc0\x2b" /* suites */
                                "\x01";                    /* compression: none */
    struct buf extensions = { 0 };
    size_t n;

    add_extension(&extensions, 0, server_name);
    add_extension(&extensions, 10, TEXT("\x00\x02\x00\x1d"));
    add_extension(&extensions, 13, TEXT("\x00\x02\x04\x03"));
    add_extension(&extensions, 43, TEXT("\x04\x03\x04\x03\x03"));
    n = buf_length(&extensions);
    add_number(out, CLIENT_HELLO, 1);
    add_number(out, sizeof fixed + 2 + n, 3);
    buf_add(out, text_of(fixed, sizeof fixed));
    add_number(out, n, 2);
    buf_add(out, buf_text(&extensions));
    buf_free(&extensions);
}

static void
add_records(struct buf *out, struct text message, size_t cut)
{
    while (message.n > 0) {
        size_t n = message.n < cut ? message.n : cut;

        add_number(out, RECORD_HANDSHAKE, 1);
        add_number(out, 0x0301, 2);
        add_number(out, n, 2);
        buf_add(out, text_of(message.at, n));
        message = text_of(message.at + n, message.n - n);
    }
}

/* ---- what is promised */

/* The only extension that says this name. */
static void
spell(struct buf *out, struct text name)
{
    struct buf body = { 0 };

    add_number(&body, name.n + 3, 2);
    add_number(&body, 0, 1);
    add_number(&body, name.n, 2);
    buf_add(&body, name);
    add_extension(out, 0, buf_text(&body));
    buf_free(&body);
}

/* What the records of a stream hold, without their heads. */
static void
add_contents(struct buf *out, struct text stream)
{
    while (stream.n > RECORD_HEAD) {
        const unsigned char *p = (const unsigned char *)stream.at;
        size_t n = (size_t)(p[3] << 8 | p[4]), left = stream.n - RECORD_HEAD;

        n = n < left ? n : left;
        buf_add(out, text_of(stream.at + RECORD_HEAD, n));
        stream = text_of(stream.at + RECORD_HEAD + n, left - n);
    }
}

static void
promise_sent(struct text stream)
{
    struct buf spelt = { 0 }, sent = { 0 };

    PROMISE(buf_length(&asked.name) > 0 && buf_length(&asked.name) <= NAME_MAX_BYTES);
    spell(&spelt, buf_text(&asked.name));
    add_contents(&sent, stream);
    PROMISE(memmem(buf_text(&sent).at, buf_length(&sent), buf_text(&spelt).at,
                   buf_length(&spelt)) != NULL);
    buf_free(&spelt);
    buf_free(&sent);
}

static void
read_alerts(void)
{
    char alerts[4096];

    while (recv(ends[1], alerts, sizeof alerts, 0) > 0)
        ;
}

static enum reason
shake_hands(struct text stream)
{
    struct buf early = { 0 };
    enum reason why;
    struct tls *t;

    buf_add(&early, stream);
    asked.times = 0;
    asked.is_named = false;
    buf_drop(&asked.name, buf_length(&asked.name));
    t = tls_accept(server, ends[0], &early, ALPN_BOTH, choose, &asked);
    PROMISE(tls_handshake(t) == IO_FAILED);
    why = tls_why(t);
    tls_free(t);
    read_alerts();
    return why;
}

static void
promise_stream(struct text stream)
{
    enum reason why = shake_hands(stream);

    PROMISE(asked.times <= 1);
    PROMISE(why == (asked.times == 1 ? REASON_NAMES_DISAGREE : REASON_SERVER_NAME) ||
            (asked.times == 0 && why == REASON_CLIENT_TLS));
    if (asked.is_named)
        promise_sent(stream);
}

/* Here all but the name is in order: its reader has the last word, and all of it. */
static void
promise_extension(struct text body, size_t cut)
{
    struct buf hello = { 0 }, stream = { 0 }, spelt = { 0 }, sent = { 0 };

    add_hello(&hello, body);
    add_records(&stream, buf_text(&hello), cut);
    promise_stream(buf_text(&stream));
    PROMISE(asked.times == asked.is_named);
    if (asked.is_named) {
        spell(&spelt, buf_text(&asked.name));
        add_extension(&sent, 0, body);
        PROMISE(text_equals(buf_text(&spelt), buf_text(&sent)));
    }
    buf_free(&hello);
    buf_free(&stream);
    buf_free(&spelt);
    buf_free(&sent);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = input_of(data, size);
    unsigned first = take_byte(&in);

    if (first % 2 == 0)
        promise_stream(in);
    else
        promise_extension(in, HANDSHAKE_HEAD + 8 * first);
    return 0;
}
