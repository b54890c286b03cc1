/* A folder of config files for one test, and what loading them said. */
#ifndef TESTS_UNIT_CONF_FOLDER_H
#define TESTS_UNIT_CONF_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"

/* A filter table as filters/ exports them. */
struct fake_settings {
    struct place place;
    int on_sight;
    struct strings also;
    struct cidrs ranges;
    int64_t window_ms;
};

static const char *const fake_choices[] = { "strip", "refuse", NULL };

static const struct setting fake_table[] = {
    { .name = "on_sight",
      .type = SETTING_CHOICE,
      .offset = offsetof(struct fake_settings, on_sight),
      .standard = "strip",
      .choices = fake_choices,
      .sentence = "What is done on sight." },
    { .name = "also",
      .type = SETTING_STRINGS,
      .offset = offsetof(struct fake_settings, also),
      .standard = "[]",
      .sentence = "More names." },
    { .name = "also_deny",
      .type = SETTING_CIDRS,
      .offset = offsetof(struct fake_settings, ranges),
      .sentence = "More ranges." },
    { .name = "window",
      .type = SETTING_DURATION,
      .offset = offsetof(struct fake_settings, window_ms),
      .standard = "90s",
      .min = 1000,
      .max = 3600000,
      .sentence = "How long." },
    { .name = NULL },
};

static const struct conf_filter_table fake_filters[] = {
    { "strip", fake_table, sizeof(struct fake_settings) },
    { "policy", NULL, 0 },
    { "guard", fake_table, sizeof(struct fake_settings) },
};
enum { N_FAKE = sizeof fake_filters / sizeof *fake_filters };

struct folder {
    char path[64];
    char main[80];
    struct buf report;
    struct conf *conf;
};

static inline void
folder_make(struct folder *f)
{
    char d[80];

    memset(f, 0, sizeof *f);
    strcpy(f->path, "/tmp/holdfast-conf-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    snprintf(f->main, sizeof f->main, "%s/main.conf", f->path);
    snprintf(d, sizeof d, "%s/conf.d", f->path);
    assert_int_equal(mkdir(d, 0700), 0);
}

static inline void
folder_write_bytes(struct folder *f, const char *name, const char *bytes, size_t n)
{
    char path[128];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s", f->path, name);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
}

static inline void
folder_write(struct folder *f, const char *name, const char *text)
{
    folder_write_bytes(f, name, text, strlen(text));
}

static inline enum reason
folder_load(struct folder *f)
{
    enum reason why;

    conf_free(f->conf);
    buf_free(&f->report);
    why = conf_load(f->main, fake_filters, N_FAKE, &f->report, &f->conf);
    buf_add_byte(&f->report, '\0');
    return why;
}

/* What was said, as a string, with the folder's own path taken out. */
static inline const char *
folder_report(struct folder *f)
{
    static char said[65536];
    const char *from = buf_text(&f->report).at, *hit;
    size_t n = 0, cut = strlen(f->path) + 1;

    while ((hit = strstr(from, f->path)) != NULL) {
        n += (size_t)snprintf(said + n, sizeof said - n, "%.*s", (int)(hit - from),
                              from);
        from = hit + cut;
    }
    snprintf(said + n, sizeof said - n, "%s", from);
    return said;
}

static inline void
folder_remove(struct folder *f)
{
    char command[128];

    conf_free(f->conf);
    buf_free(&f->report);
    snprintf(command, sizeof command, "rm -rf '%s'", f->path);
    assert_int_equal(system(command), 0);
}

/* A config that has something of everything; tests spoil it. Its line numbers are what
 * tests expect. */
/* clang-format off */
static const char whole_config[] =
    /*  1 */
    "workload = { id = \"spiffe://prod.example/sa/builder\"; uid = 1000; };\n"
    /*  2 */ "ca = { keep = \"/run/ca\"; publish = \"/run/public\"; };\n"
    /*  3 */ "authority = { keep = \"/run/authority\"; name = \"prod.example\"; };\n"
    /*  4 */ "doors = (\n"
    /*  5 */ "  { kind = \"forward\"; listen = \"127.0.0.1:15001\"; },\n"
    /*  6 */ "  { kind = \"gate\"; listen = \"127.0.0.1:15002\";\n"
    /*  7 */ "    certificate = \"/e/gate.pem\"; key = \"/e/gate.key\";\n"
    /*  8 */ "    names = [\"https://orders.example\"];\n"
    /*  9 */ "    upstream = \"http://127.0.0.1:8080\";\n"
    /* 10 */ "    trust = ( { domain = \"prod.example\"; jwks_file = \"/e/jwks.json\";\n"
    /* 11 */ "                subjects = [\"spiffe://prod.example/sa/*\"]; } );\n"
    /* 12 */ "    rules = ( { methods = [\"PUT\"]; paths = [\"/v2/**\"]; subjects = \"any\";\n"
    /* 13 */ "                grants = [\"nightly\"]; purposes = \"any\"; } ); }\n"
    /* 14 */ ");\n"
    /* 15 */ "credentials = {\n"
    /* 16 */ "  orders = {\n"
    /* 17 */ "    owner = \"orders-team@example\"; approved_by = \"iam@example\";\n"
    /* 18 */ "    ticket = \"SEC-101\"; rotate_every = \"1h\"; privileges = \"write orders\";\n"
    /* 19 */ "    source = { kind = \"authority\"; };\n"
    /* 20 */ "  };\n"
    /* 21 */ "};\n"
    /* 22 */ "grants = (\n"
    /* 23 */ "  { name = \"nightly\"; owner = \"a@example\"; approved_by = \"security@example\";\n"
    /* 24 */ "    ticket = \"SEC-1\"; approved_at = \"2026-11-20\"; expires_at = \"2027-02-20\";\n"
    /* 25 */ "    purposes = [\"export\"];\n"
    /* 26 */ "    task = \"standing\"; ttl = \"15m\";\n"
    /* 27 */ "    caller = { uid = 1001; };\n"
    /* 28 */ "    rules = (\n"
    /* 29 */ "      { host = \"orders.example\"; methods = [\"GET\", \"POST\"];\n"
    /* 30 */ "        paths = [\"/v1/orders/**\"];\n"
    /* 31 */ "        credential = \"orders\"; bind = [\"wimse\"]; inject = \"always\";\n"
    /* 32 */ "        addresses = [\"10.0.0.0/8\"]; },\n"
    /* 33 */ "      { host = \"pypi.org\"; methods = [\"HEAD\"]; paths = \"any\"; port = 444; }\n"
    /* 34 */ "    ); }\n"
    /* 35 */ ");\n"
    /* 36 */ "resolver = { servers = [\"127.0.0.1:5353\"]; };\n"
    /* 37 */ "limits = { pool = 8; drain = \"10s\"; head = \"16k\"; };\n"
    /* 38 */ "filters = { strip = { on_sight = \"refuse\"; }; };\n";
/* clang-format on */

/* The whole config with `from` (which stands in it once) made `to`. */
static inline char *
whole_with(const char *from, const char *to)
{
    const char *at = strstr(whole_config, from);
    size_t size = sizeof whole_config + strlen(to);
    char *out = malloc(size);

    if (at == NULL || strstr(at + 1, from) != NULL)
        fail_msg("\"%s\" does not stand once in the config", from);
    snprintf(out, size, "%.*s%s%s", (int)(at - whole_config), whole_config, to,
             at + strlen(from));
    return out;
}

#endif
