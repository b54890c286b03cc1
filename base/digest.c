/* SHA-256, SHA-1, base64url, base64 and random bytes. OpenSSL's own SHA-256, not by way
 * of EVP: that looks the algorithm up by name in every one-shot call, and even with a
 * context kept and the algorithm fetched it costs 620 instructions a digest, which for
 * a short text is more than the hashing. A request takes several, and each ledger
 * record one. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest.h"

#include "base/memory.h"

#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_SIZE = 512 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;

static _Thread_local struct {
    bool is_known; /* wiped at the thread's end and in a forked child */
    size_t left;   /* unused bytes, at the front */
    unsigned char bytes[POOL_SIZE];
} pool;

_Noreturn static void
die(const char *what)
{
    fprintf(stderr, "holdfast: libcrypto cannot %s, stopping\n", what);
    abort();
}

static void
wipe_pool(void *of_thread)
{
    (void)of_thread;
    explicit_bzero(&pool, sizeof(pool));
}

/* A child must not draw the bytes its parent will draw. */
static void
forget_pool(void)
{
    explicit_bzero(pool.bytes, sizeof(pool.bytes));
    pool.left = 0;
}

static void
prepare(void)
{
    if (pthread_key_create(&at_thread_end, wipe_pool) != 0 ||
        pthread_atfork(NULL, NULL, forget_pool) != 0)
        memory_exhausted();
}

static void
know_pool(void)
{
    if (pool.is_known)
        return;
    pthread_once(&once, prepare);
    if (pthread_setspecific(at_thread_end, &pool) != 0)
        memory_exhausted();
    pool.is_known = true;
}

void
digest_sha256(struct text t, unsigned char out[SHA256_SIZE])
{
    SHA256_CTX state;

    if (SHA256_Init(&state) != 1 || SHA256_Update(&state, t.at, t.n) != 1 ||
        SHA256_Final(out, &state) != 1)
        die("do SHA-256");
}

struct digest {
    SHA256_CTX state;
};

struct digest *
digest_new(void)
{
    struct digest *d = memory_new(sizeof(*d));

    if (SHA256_Init(&d->state) != 1)
        die("do SHA-256");
    return d;
}

void
digest_add(struct digest *d, struct text t)
{
    if (SHA256_Update(&d->state, t.at, t.n) != 1)
        die("do SHA-256");
}

void
digest_end(struct digest *d, unsigned char out[SHA256_SIZE])
{
    if (SHA256_Final(out, &d->state) != 1)
        die("do SHA-256");
    explicit_bzero(d, sizeof(*d));
    free(d);
}

struct digest512 {
    SHA512_CTX state;
};

struct digest512 *
digest512_new(void)
{
    struct digest512 *d = memory_new(sizeof(*d));

    if (SHA512_Init(&d->state) != 1)
        die("do SHA-512");
    return d;
}

void
digest512_add(struct digest512 *d, struct text t)
{
    if (SHA512_Update(&d->state, t.at, t.n) != 1)
        die("do SHA-512");
}

void
digest512_end(struct digest512 *d, unsigned char out[SHA512_SIZE])
{
    if (SHA512_Final(out, &d->state) != 1)
        die("do SHA-512");
    explicit_bzero(d, sizeof(*d));
    free(d);
}

void
digest_sha256_base64url(struct text t, char out[SHA256_BASE64URL_SIZE])
{
    unsigned char digest[SHA256_SIZE];

    digest_sha256(t, digest);
    base64url_encode(digest, sizeof(digest), out);
}

void
digest_sha1(struct text t, unsigned char out[SHA1_SIZE])
{
    SHA_CTX state;

    if (SHA1_Init(&state) != 1 || SHA1_Update(&state, t.at, t.n) != 1 ||
        SHA1_Final(out, &state) != 1)
        die("do SHA-1");
}

static const char alphabet[64] = {
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P',
    'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f',
    'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v',
    'w', 'x', 'y', 'z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '-', '_',
};

size_t
base64url_encode(const unsigned char *bytes, size_t n, char *out)
{
    char *at = out;
    size_t i = 0;

    for (; n - i >= 3; i += 3) {
        unsigned v = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8 |
                     bytes[i + 2];

        *at++ = alphabet[v >> 18];
        *at++ = alphabet[v >> 12 & 63];
        *at++ = alphabet[v >> 6 & 63];
        *at++ = alphabet[v & 63];
    }
    if (n - i > 0) {
        unsigned v = (unsigned)bytes[i] << 16 |
                     (n - i == 2 ? (unsigned)bytes[i + 1] << 8 : 0);

        *at++ = alphabet[v >> 18];
        *at++ = alphabet[v >> 12 & 63];
        if (n - i == 2)
            *at++ = alphabet[v >> 6 & 63];
    }
    return (size_t)(at - out);
}

/* The two differ in two characters and in the padding. */
void
base64_encode(const unsigned char *bytes, size_t n, char *out)
{
    size_t written = base64url_encode(bytes, n, out);

    for (size_t i = 0; i < written; i++) {
        if (out[i] == '-')
            out[i] = '+';
        else if (out[i] == '_')
            out[i] = '/';
    }
    while (written < BASE64_SIZE(n))
        out[written++] = '=';
}

/* The six bits a character stands for, plus one; 0 for what is no such character. */
static const unsigned char six_bits[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
    ['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
    ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
    ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
    ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
    ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
    ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63,
    ['_'] = 64,
};

/* The six bits of a character of the one alphabet or the other, plus one; 0: of
 * neither.
 */
static unsigned
six_bits_of(char c, bool is_url)
{
    if (is_url)
        return six_bits[(unsigned char)c];
    if (c == '+' || c == '/')
        return c == '+' ? six_bits['-'] : six_bits['_'];
    return c == '-' || c == '_' ? 0 : six_bits[(unsigned char)c];
}

static bool
decode(struct text t, bool is_url, unsigned char *out, size_t *n)
{
    unsigned held = 0, count = 0;
    size_t done = 0;

    if (t.n % 4 == 1)
        return false;
    for (size_t i = 0; i < t.n; i++) {
        unsigned six = six_bits_of(t.at[i], is_url);

        if (six == 0)
            return false;
        held = held << 6 | (six - 1);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[done++] = (unsigned char)(held >> count);
            held &= (1U << count) - 1;
        }
    }
    /* Spare bits that are not zero would give one token several spellings (RFC 4648
     * section 3.5). */
    if (held != 0)
        return false;
    *n = done;
    return true;
}

bool
base64url_decode(struct text t, unsigned char *out, size_t *n)
{
    return decode(t, true, out, n);
}

bool
base64_decode(struct text t, unsigned char *out, size_t *n)
{
    if (t.n % 4 != 0)
        return false;
    for (unsigned i = 0; i < 2 && t.n > 0 && t.at[t.n - 1] == '='; i++)
        t.n--;
    return decode(t, false, out, n);
}

static void
draw(void *out, size_t n)
{
    if (RAND_bytes(out, (int)n) != 1)
        die("give random bytes");
}

void
random_bytes(void *out, size_t n)
{
    unsigned char *at = out;

    know_pool();
    for (; n > POOL_SIZE; at += POOL_SIZE, n -= POOL_SIZE)
        draw(at, POOL_SIZE);
    if (n == 0)
        return;
    if (n > POOL_SIZE / 4) {
        draw(at, n);
        return;
    }
    if (pool.left < n) {
        draw(pool.bytes, POOL_SIZE);
        pool.left = POOL_SIZE;
    }
    pool.left -= n;
    memcpy(at, pool.bytes + pool.left, n);
    explicit_bzero(pool.bytes + pool.left, n);
}
