#include "tasks/audit_opening.h"

#include "base/json.h"
#include "tasks/audit.h"
#include "tasks/audit_chain.h"

#include <string.h>

static bool
read_torn(const struct json *torn, struct audit_opening *o)
{
    struct text hash;
    int64_t bytes;

    o->has_torn = torn != NULL;
    if (torn == NULL)
        return true;
    if (!json_number(json_get(torn, "bytes"), &bytes) || bytes < 0 ||
        !json_string(json_get(torn, "sha256"), &hash) || hash.n != sizeof o->torn_hash)
        return false;
    o->torn_bytes = (uint64_t)bytes;
    memcpy(o->torn_hash, hash.at, hash.n);
    return true;
}

bool
audit_read_opening(const struct audit_segment *s, struct audit_opening *o)
{
    unsigned char digest[SHA256_SIZE + 1];
    struct json *j;
    size_t length;
    struct text key;
    int64_t number;
    bool is_good;

    if (s->n == 0 || s->lines[0].seq == 0 ||
        !audit_is_kind(&s->lines[0], TEXT("segment")) ||
        (s->n > 1 && !audit_links(s, 0)))
        return false;
    j = json_parse(s->lines[0].text, AUDIT_LINE_MAX);
    is_good = json_number(json_get(j, "segment"), &number) && number > 0 &&
              json_string(json_get(j, "key"), &key) && key.n == sizeof o->key &&
              read_torn(json_get(j, "torn"), o);
    /* It is told to people: nothing but what a thumbprint is made of. */
    is_good = is_good && base64url_decode(key, digest, &length);
    if (is_good) {
        o->number = (uint64_t)number;
        memcpy(o->key, key.at, key.n);
    }
    json_free(j);
    return is_good;
}
