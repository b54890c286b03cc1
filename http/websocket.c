#include "http/websocket.h"

#include "base/digest.h"

#include <string.h>

#define KEY     TEXT("Sec-WebSocket-Key")
#define VERSION TEXT("Sec-WebSocket-Version")
#define ACCEPT  TEXT("Sec-WebSocket-Accept")

enum { KEY_BYTES = 16, KEY_PADDING = 2 };

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

void
websocket_make_key(char key[WEBSOCKET_KEY_SIZE])
{
    unsigned char bytes[KEY_BYTES];

    random_bytes(bytes, sizeof bytes);
    base64_encode(bytes, sizeof bytes, key);
}

void
websocket_accept(const char key[WEBSOCKET_KEY_SIZE], char accept[WEBSOCKET_ACCEPT_SIZE])
{
    char both[WEBSOCKET_KEY_SIZE + sizeof guid - 1];
    unsigned char digest[SHA1_SIZE];

    memcpy(both, key, WEBSOCKET_KEY_SIZE);
    memcpy(both + WEBSOCKET_KEY_SIZE, guid, sizeof guid - 1);
    digest_sha1(text_of(both, sizeof both), digest);
    base64_encode(digest, sizeof digest, accept);
}

/* Its one value; empty when it does not stand there once. */
static struct text
take(struct headers *h, struct text name)
{
    const struct field *f = headers_get(h, name);
    struct text value = f != NULL ? f->value : text_of("", 0);

    return headers_remove(h, name) == 1 ? value : text_of("", 0);
}

/* An answer of ours that says which versions there are tells only who asked for another
 * one: a handshake without any is no handshake. */
enum reason
websocket_take_version(struct headers *h)
{
    struct text version = take(h, VERSION);

    if (text_is_empty(version))
        return REASON_WEBSOCKET_HANDSHAKE;
    return text_equals(version, TEXT("13")) ? REASON_OK : REASON_WEBSOCKET_VERSION;
}

static bool
is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '+' || c == '/';
}

/* The bits that its last character has to spare are left alone: the key goes nowhere,
 * and some clients make theirs of any characters. */
static bool
is_key(struct text t)
{
    enum { CHARACTERS = WEBSOCKET_KEY_SIZE - KEY_PADDING };

    if (t.n != WEBSOCKET_KEY_SIZE || !text_ends(t, TEXT("==")))
        return false;
    for (size_t i = 0; i < CHARACTERS; i++)
        if (!is_base64(t.at[i]))
            return false;
    return true;
}

enum reason
websocket_take_key(struct headers *h, struct text *key)
{
    *key = take(h, KEY);
    return is_key(*key) ? REASON_OK : REASON_WEBSOCKET_HANDSHAKE;
}

enum reason
websocket_take_accept(struct headers *h, const char key[WEBSOCKET_KEY_SIZE])
{
    char expected[WEBSOCKET_ACCEPT_SIZE];

    websocket_accept(key, expected);
    return text_equals(take(h, ACCEPT), text_of(expected, sizeof expected))
               ? REASON_OK
               : REASON_UPSTREAM_WEBSOCKET;
}

void
websocket_forget(struct headers *h)
{
    headers_remove(h, KEY);
    headers_remove(h, VERSION);
    headers_remove(h, ACCEPT);
}
