/* A config whose files all exist, in the scratch folder, for tests to load and to
 * spoil. */
#ifndef TESTS_UNIT_PROXY_HOUSE_H
#define TESTS_UNIT_PROXY_HOUSE_H

#include "tests/unit/proxy/stage.h"

#include "certs/ca.h"
#include "certs/key.h"
#include "proxy/generation.h"

#include <pthread.h>

/* Everything a generation loads: a gate's certificate and key, anchors, a trust file.
 * {} is the folder. */
static const char house_config[] =
    "workload = { id = \"spiffe://prod.example/sa/a\"; uid = 1000; };\n"
    "user = \"4321\";\n"
    "ca = { keep = \"{}/keep\"; publish = \"{}/public\"; };\n"
    "authority = { keep = \"{}/authority\"; name = \"prod.example\"; };\n"
    "ledger = { keep = \"{}/ledger\"; };\n"
    "doors = (\n"
    "  { kind = \"forward\"; listen = \"127.0.0.1:15001\"; },\n"
    "  { kind = \"gate\"; listen = \"127.0.0.1:15002\";\n"
    "    certificate = \"{}/ca/ca.pem\"; key = \"{}/ca/ca.key\";\n"
    "    names = [\"https://orders.example\"];\n"
    "    upstream = \"https://127.0.0.1:8443\"; upstream_trust = \"{}/ca/ca.pem\";\n"
    "    trust = ( { domain = \"prod.example\"; jwks_file = \"{}/jwks.json\";\n"
    "                subjects = [\"spiffe://prod.example/sa/*\"]; } );\n"
    "    rules = ( { methods = [\"GET\"]; paths = \"any\"; subjects = \"any\";\n"
    "                grants = \"any\"; purposes = \"any\"; } ); }\n"
    ");\n"
    "grants = ( { name = \"nightly\"; owner = \"a@example\"; approved_by = "
    "\"b@example\";\n"
    "    ticket = \"SEC-1\"; approved_at = \"2026-01-01\"; expires_at = "
    "\"2099-01-01\";\n"
    "    purposes = [\"export\"]; task = \"standing\"; ttl = \"15m\"; caller = "
    "\"any\";\n"
    "    rules = ( { host = \"api.example\"; methods = [\"GET\"]; paths = \"any\";\n"
    "                upstream_trust = \"{}/roots.pem\"; } ); } );\n";

/* {} becomes the folder. */
static inline void
house_furnish(struct buf *b, const char *z, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (z[i] == '{' && z[i + 1] == '}') {
            buf_add_z(b, scratch);
            i++;
        } else {
            buf_add_byte(b, z[i]);
        }
    }
}

/* The config with `from` (which stands in it once; NULL: nothing) made `to`. */
static inline void
house_write(const char *from, const char *to)
{
    const char *hit = from != NULL ? strstr(house_config, from) : house_config;
    size_t skipped = from != NULL ? strlen(from) : 0;
    struct buf b = { 0 };

    if (hit == NULL || (from != NULL && strstr(hit + 1, from) != NULL))
        fail_msg("\"%s\" does not stand once in the config", from);
    house_furnish(&b, house_config, (size_t)(hit - house_config));
    if (to != NULL)
        house_furnish(&b, to, strlen(to));
    house_furnish(&b, hit + skipped, strlen(hit + skipped));
    buf_add_byte(&b, '\0');
    write_text(in_scratch("main.conf"), 0600, buf_text(&b).at);
    buf_free(&b);
}

static inline void
copy_file(const char *from, const char *to)
{
    char *text = read_text(in_scratch(from));

    write_text(in_scratch(to), 0644, text);
    free(text);
}

static inline int
house_begin(void **state)
{
    static const char jwks[] =
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k1\",\"alg\":\"ES256\","
        "\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\","
        "\"y\":\"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU\"}]}";
    struct ca *ca;

    if (stage_begin(state) != 0)
        return -1;
    assert_int_equal(ca_open(in_scratch("ca"), INT64_C(86400) * 1000, &ca), REASON_OK);
    ca_free(ca);
    copy_file("ca/ca.pem", "roots.pem");
    write_text(in_scratch("jwks.json"), 0644, jwks);
    house_write(NULL, NULL);
    return 0;
}

#define HOUSE_TEST(name) cmocka_unit_test_setup_teardown(name, house_begin, stage_end)

static inline struct generation *
house_build(uint64_t number)
{
    struct buf report = { 0 };
    struct generation *g = NULL;

    if (generation_build(in_scratch("main.conf"), number, &report, &g) != REASON_OK)
        fail_msg("%.*s", TEXT_ARG(buf_text(&report)));
    buf_free(&report);
    return g;
}

/* From now on no thread can be started: its stack would be larger than any address
 * space. */
static inline void
threads_fail(bool fail)
{
    static pthread_attr_t usual;
    pthread_attr_t vast;

    if (!fail) {
        assert_int_equal(pthread_setattr_default_np(&usual), 0);
        return;
    }
    assert_int_equal(pthread_getattr_default_np(&usual), 0);
    assert_int_equal(pthread_getattr_default_np(&vast), 0);
    assert_int_equal(pthread_attr_setstacksize(&vast, (size_t)1 << 47), 0);
    assert_int_equal(pthread_setattr_default_np(&vast), 0);
    pthread_attr_destroy(&vast);
}

#endif
