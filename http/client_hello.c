#include "http/client_hello.h"

#include <string.h>

enum {
    RECORD_HANDSHAKE = 22,
    RECORD_HEAD = 5,
    HANDSHAKE_CLIENT_HELLO = 1,
    HANDSHAKE_HEAD = 4,
    MAJOR = 3,
    TLS12 = 0x0303,
    RANDOM_SIZE = 32,
    SESSION_ID_MAX = 32,
    NAME_TYPE_HOST = 0
};

enum extension {
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_ECH_FIRST_DRAFT = 0xfe08,
    EXTENSION_ECH = 0xfe0d,
    EXTENSION_ESNI = 0xffce /* what ECH was before */
};

/* ---- the message, out of its records */

struct message {
    unsigned char at[CLIENT_HELLO_MAX];
    size_t n;
};

/* What has come of the record that `in` begins with; it is taken off there. */
static enum flow
take_record(struct text *in, struct message *m)
{
    const unsigned char *p = (const unsigned char *)in->at;
    size_t n, came;

    if ((in->n > 0 && p[0] != RECORD_HANDSHAKE) || (in->n > 1 && p[1] != MAJOR))
        return FLOW_BROKEN;
    if (in->n < RECORD_HEAD)
        return FLOW_WAIT;
    n = (size_t)(p[3] << 8 | p[4]);
    if (n == 0 || n > sizeof m->at - m->n)
        return FLOW_BROKEN;
    came = in->n - RECORD_HEAD < n ? in->n - RECORD_HEAD : n;
    memcpy(m->at + m->n, p + RECORD_HEAD, came);
    m->n += came;
    *in = text_of(in->at + RECORD_HEAD + came, in->n - RECORD_HEAD - came);
    return came < n ? FLOW_WAIT : FLOW_OK;
}

/* A ClientHello ends where a record ends (RFC 8446 section 5.1): whatever else stands
 * there, or is announced by the record's length and still to come, would be read by
 * some services and not by others. */
static enum flow
look_at_length(const struct message *m, enum flow record)
{
    size_t whole;

    if (m->n > 0 && m->at[0] != HANDSHAKE_CLIENT_HELLO)
        return FLOW_BROKEN;
    if (m->n < HANDSHAKE_HEAD)
        return FLOW_WAIT;
    whole = HANDSHAKE_HEAD + (size_t)(m->at[1] << 16 | m->at[2] << 8 | m->at[3]);
    if (whole > sizeof m->at || m->n > whole)
        return FLOW_BROKEN;
    if (m->n < whole)
        return FLOW_WAIT;
    return record == FLOW_OK ? FLOW_OK : FLOW_BROKEN;
}

static enum flow
gather(struct text *in, struct message *m)
{
    for (unsigned i = 0; i < CLIENT_HELLO_RECORDS; i++) {
        enum flow record = take_record(in, m);
        enum flow message = record == FLOW_BROKEN ? record : look_at_length(m, record);

        if (message != FLOW_WAIT)
            return message;
        if (record == FLOW_WAIT)
            return FLOW_WAIT;
    }
    return FLOW_BROKEN;
}

/* ---- its parts */

struct part {
    const unsigned char *at;
    size_t n;
};

static bool
take(struct part *from, size_t n, struct part *out)
{
    if (from->n < n)
        return false;
    *out = (struct part){ from->at, n };
    *from = (struct part){ from->at + n, from->n - n };
    return true;
}

static bool
take_number(struct part *from, size_t bytes, size_t *out)
{
    struct part p;

    if (!take(from, bytes, &p))
        return false;
    *out = 0;
    for (size_t i = 0; i < bytes; i++)
        *out = *out << 8 | p.at[i];
    return true;
}

/* What its own length stands before. */
static bool
take_vector(struct part *from, size_t bytes, struct part *out)
{
    size_t n;

    return take_number(from, bytes, &n) && take(from, n, out);
}

/* RFC 6066 section 3: one entry, of type host_name, and nothing behind it. Two of them,
 * or two such extensions, would be two names. */
static bool
read_name(struct part body, struct client_hello *out)
{
    struct part list, name;
    size_t type;

    if (out->name_n > 0 || !take_vector(&body, 2, &list) || body.n > 0)
        return false;
    if (!take_number(&list, 1, &type) || type != NAME_TYPE_HOST)
        return false;
    if (!take_vector(&list, 2, &name) || list.n > 0)
        return false;
    if (name.n == 0 || name.n > sizeof out->name)
        return false;
    memcpy(out->name, name.at, name.n);
    out->name_n = name.n;
    return true;
}

static bool
read_extensions(struct part all, struct client_hello *out)
{
    struct part body;
    size_t type;

    while (all.n > 0) {
        if (!take_number(&all, 2, &type) || !take_vector(&all, 2, &body))
            return false;
        if (type == EXTENSION_SERVER_NAME && !read_name(body, out))
            return false;
        if ((type >= EXTENSION_ECH_FIRST_DRAFT && type <= EXTENSION_ECH) ||
            type == EXTENSION_ESNI)
            out->hides_name = true;
    }
    return true;
}

static bool
read_lists(struct part *hello)
{
    struct part session, suites, compression;

    return take_vector(hello, 1, &session) && session.n <= SESSION_ID_MAX &&
           take_vector(hello, 2, &suites) && suites.n >= 2 && suites.n % 2 == 0 &&
           take_vector(hello, 1, &compression) && compression.n > 0;
}

/* Without extensions there is no name, which is somebody else's to say. */
static bool
read_hello(struct part hello, struct client_hello *out)
{
    struct part random, extensions;
    size_t version;

    if (!take_number(&hello, 2, &version) || version >> 8 != MAJOR || version < TLS12)
        return false;
    if (!take(&hello, RANDOM_SIZE, &random) || !read_lists(&hello))
        return false;
    if (hello.n == 0)
        return true;
    return take_vector(&hello, 2, &extensions) && hello.n == 0 &&
           read_extensions(extensions, out);
}

enum flow
client_hello_read(struct text in, struct client_hello *out)
{
    struct text rest = in;
    struct message m;
    enum flow flow;

    m.n = 0;
    out->n = out->name_n = 0;
    out->hides_name = false;
    if ((flow = gather(&rest, &m)) != FLOW_OK)
        return flow;
    out->n = in.n - rest.n;
    return read_hello((struct part){ m.at + HANDSHAKE_HEAD, m.n - HANDSHAKE_HEAD }, out)
               ? FLOW_OK
               : FLOW_BROKEN;
}
