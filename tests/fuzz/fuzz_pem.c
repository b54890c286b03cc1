/* PEM, as key and trust files hold it, read from a file by the calls that read ours. A
 * key that is taken signs what its own public half verifies; a trust store that is
 * taken is the same one for the same bytes; what is refused leaves nothing behind. */
#include "tests/fuzz/fuzz.h"

#include "certs/key.h"
#include "certs/trust.h"

#include <fcntl.h>
#include <unistd.h>

static char path[] = "/tmp/holdfast-fuzz-pem-XXXXXX";

static void
remove_file(void)
{
    unlink(path);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int fd = mkstemp(path); /* mode 0600, as a key's must be */

    (void)argc, (void)argv;
    PROMISE(fd >= 0 && close(fd) == 0 && atexit(remove_file) == 0);
    log_to_nowhere();
    return 0;
}

static void
write_file(struct text bytes)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    PROMISE(fd >= 0);
    PROMISE(write(fd, bytes.at, bytes.n) == (ssize_t)bytes.n);
    PROMISE(close(fd) == 0);
}

static void
promise_key(struct key *k)
{
    unsigned char x[KEY_COORDINATE_SIZE], y[KEY_COORDINATE_SIZE];
    unsigned char signature[KEY_ES256_SIGNATURE_SIZE];
    struct public_key *half;

    key_coordinates(k, x, y);
    PROMISE((half = public_key_new(KEY_P256, x, y)) != NULL);
    PROMISE(key_sign(k, TEXT("promise"), signature) == REASON_OK);
    PROMISE(public_key_verify(half, TEXT("promise"), signature, sizeof signature));
    PROMISE(!public_key_verify(half, TEXT("promises"), signature, sizeof signature));
    public_key_free(half);
}

static void
read_key(void)
{
    struct key *k;
    enum reason why = key_load(path, &k);

    PROMISE((why == REASON_OK) == (k != NULL));
    PROMISE(why == REASON_OK || why == REASON_FILE_CONTENT);
    if (k != NULL)
        promise_key(k);
    key_free(k);
}

static void
read_trust(void)
{
    struct trust *first, *second;
    enum reason why = trust_load(path, &first);

    PROMISE((why == REASON_OK) == (first != NULL));
    PROMISE(why == REASON_OK || why == REASON_FILE_CONTENT);
    PROMISE(trust_load(path, &second) == why && second == first);
    PROMISE(trust_count() == (first != NULL));
    trust_unref(first);
    trust_unref(second);
    PROMISE(trust_count() == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    write_file(input_of(data, size));
    read_key();
    read_trust();
    return 0;
}
