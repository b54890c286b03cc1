/* Client certificates, made by openssl in the scratch directory: an authority is
 * NAME.pem and NAME.key, and so is who it signs for. */
#ifndef TESTS_UNIT_CERTS_CLIENTS_H
#define TESTS_UNIT_CERTS_CLIENTS_H

#include "certs/pair.h"
#include "tests/unit/certs/scratch.h"

/* sans: as openssl's subjectAltName writes it, "URI:spiffe://a.example"; NULL: none. */
static inline void
make_authority(const char *name, const char *sans)
{
    assert_int_equal(
        run("cd %s && umask 077 && openssl req -x509 -nodes -subj /CN=%s -days 30 "
            "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout %s.key -out %s.pem "
            "-addext keyUsage=critical,keyCertSign,cRLSign %s%s 2>openssl.log",
            scratch, name, name, name, sans != NULL ? "-addext subjectAltName=" : "",
            sans != NULL ? sans : ""),
        0);
}

/* extensions: lines as openssl's x509v3_config has them, divided by \n; NULL: none.
 * key: what openssl makes one by; NULL: P-256. */
static inline void
make_client_of_kind(const char *authority, const char *name, const char *extensions,
                    const char *key)
{
    assert_int_equal(
        run("cd %s && umask 077 && printf '%s\\n' >ext && "
            "openssl req -new -nodes -subj /CN=%s -newkey %s -keyout %s.key -out csr "
            "2>openssl.log && openssl x509 -req -in csr -CA %s.pem -CAkey %s.key "
            "-CAcreateserial -days 30 -extfile ext -out %s.pem 2>>openssl.log",
            scratch, extensions != NULL ? extensions : "basicConstraints=CA:FALSE",
            name, key != NULL ? key : "ec -pkeyopt ec_paramgen_curve:P-256", name,
            authority, authority, name),
        0);
}

static inline void
make_client(const char *authority, const char *name, const char *extensions)
{
    make_client_of_kind(authority, name, extensions, NULL);
}

/* The caller's. */
static inline struct pair *
pair_of(const char *name)
{
    char file[2][64], *chain, *key;
    struct buf fault = { 0 };
    struct pair *p;

    snprintf(file[0], sizeof file[0], "%s.pem", name);
    snprintf(file[1], sizeof file[1], "%s.key", name);
    chain = read_text(in_scratch(file[0]));
    key = read_text(in_scratch(file[1]));
    if (pair_from_pem(text_z(chain), text_z(key), &fault, &p) != REASON_OK)
        fail_msg("%s: %.*s", name, TEXT_ARG(buf_text(&fault)));
    buf_free(&fault);
    free(chain);
    free(key);
    return p;
}

#endif
