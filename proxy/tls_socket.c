/* The socket, as OpenSSL reads it: bytes read early first, and never a SIGPIPE. */
#include "proxy/tls_parts.h"

#include "base/memory.h"
#include "base/shelf.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* What one system call may bring: four records with their frames, when they are there.
 * OpenSSL can read ahead itself, but moves all that is left to the front of its buffer
 * for every record it takes: of many small ones in one segment, which is how HTTP/2
 * answers, that costs more than all else. These are sealed bytes: nothing to wipe. */
enum { READ_AHEAD = 68 * 1024 };

static _Thread_local struct shelf blocks = { .size = READ_AHEAD, .keep = 32 };

void
tls_forget_ahead(struct tls *t)
{
    if (t->ahead != NULL)
        shelf_give(&blocks, t->ahead);
    t->ahead = NULL;
}

/* Straight to where it is wanted, and ahead what comes behind it. */
static size_t
read_ahead(BIO *b, struct tls *t, char *at, size_t room)
{
    char *block = shelf_take(&blocks);
    struct iovec parts[] = { { at, room }, { block, blocks.size } };
    ssize_t got;

    if (block == NULL)
        parts[1].iov_base = block = memory_new_raw(blocks.size);
    do
        got = readv(t->fd, parts, 2);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(b);
    if (got == 0)
        BIO_set_flags(b, BIO_FLAGS_IN_EOF);
    if (got <= (ssize_t)room) {
        shelf_give(&blocks, block);
        return got > 0 ? (size_t)got : 0;
    }
    t->ahead = block;
    t->ahead_at = 0;
    t->ahead_end = (size_t)got - room;
    return room;
}

/* From what was read before; a block that empties is another connection's. */
static size_t
take_ahead(struct tls *t, char *at, size_t room)
{
    size_t left = t->ahead_end - t->ahead_at, n = left < room ? left : room;

    memory_copy(at, t->ahead + t->ahead_at, n);
    t->ahead_at += n;
    if (n == left)
        tls_forget_ahead(t);
    return n;
}

static int
socket_read(BIO *b, char *at, size_t room, size_t *n)
{
    struct tls *t = BIO_get_data(b);
    size_t waiting = buf_length(&t->early);

    BIO_clear_retry_flags(b);
    *n = 0;
    if (t->chatter > TLS_CHATTER_MAX)
        return 0; /* read as a failed socket: the connection ends */
    if (waiting > 0) {
        *n = waiting < room ? waiting : room;
        memcpy(at, buf_text(&t->early).at, *n);
        buf_drop(&t->early, *n);
        return 1;
    }
    *n = t->ahead != NULL ? take_ahead(t, at, room) : read_ahead(b, t, at, room);
    return *n > 0;
}

static int
socket_write(BIO *b, const char *at, size_t length, size_t *n)
{
    struct tls *t = BIO_get_data(b);
    ssize_t put;

    BIO_clear_retry_flags(b);
    do
        put = send(t->fd, at, length, MSG_NOSIGNAL | (t->more_follows ? MSG_MORE : 0));
    while (put < 0 && errno == EINTR);
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_write(b);
    *n = put > 0 ? (size_t)put : 0;
    return put > 0;
}

static long
socket_control(BIO *b, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}

static int
socket_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

static BIO_METHOD *method;

static void
make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                          "holdfast socket");
    assert(method != NULL);
    BIO_meth_set_read_ex(method, socket_read);
    BIO_meth_set_write_ex(method, socket_write);
    BIO_meth_set_ctrl(method, socket_control);
    BIO_meth_set_create(method, socket_create);
}

struct tls *
tls_attach(SSL_CTX *ctx, int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct tls *t = calloc(1, sizeof *t);
    BIO *bio;

    pthread_once(&once, make_method);
    assert(t != NULL);
    t->fd = fd;
    t->ssl = SSL_new(ctx);
    bio = BIO_new(method);
    assert(t->ssl != NULL && bio != NULL);
    BIO_set_data(bio, t);
    SSL_set_bio(t->ssl, bio, bio);
    return t;
}
