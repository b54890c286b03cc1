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

/* ---- the folder of a test: made empty before it, removed behind it */

static struct folder folder;

static inline int
folder_begin(void **state)
{
    (void)state;
    folder_make(&folder);
    return 0;
}

static inline int
folder_end(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_begin, folder_end)

/* What a text becomes that is a good config. */
static inline const struct conf *
load(const char *text)
{
    folder_write(&folder, "main.conf", text);
    if (folder_load(&folder) != REASON_OK)
        fail_msg("%s", folder_report(&folder));
    assert_string_equal(folder_report(&folder), "");
    return folder.conf;
}

/* ---- configs that tests spoil */

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
    /* 38 */ "filters = { strip = { on_sight = \"refuse\"; }; };\n"
    /* 39 */ "ledger = { keep = \"/run/ledger\"; };\n";
/* clang-format on */

/* Secrets, handles and what may be done with them; tests spoil this one as well. */
/* clang-format off */
static const char secret_config[] =
    /*  1 */ "workload = { id = \"spiffe://prod.example/sa/builder\"; uid = 1000; };\n"
    /*  2 */ "ca = { keep = \"/run/ca\"; publish = \"/run/public\"; };\n"
    /*  3 */ "authority = { keep = \"/run/authority\"; name = \"prod.example\"; };\n"
    /*  4 */ "control = { socket = \"/run/control/control.sock\"; };\n"
    /*  5 */ "workers = 2; watch = true;\n"
    /*  6 */ "doors = (\n"
    /*  7 */ "  { kind = \"forward\"; listen = \"127.0.0.1:15001\"; },\n"
    /*  8 */ "  { kind = \"ops\"; listen = \"0.0.0.0:15021\"; }\n"
    /*  9 */ ");\n"
    /* 10 */ "credentials = {\n"
    /* 11 */ "  github = { owner = \"o\"; approved_by = \"a\"; ticket = \"t\"; rotate_every = \"30d\";\n"
    /* 12 */ "    privileges = \"read acme\"; source = { kind = \"file\"; path = \"/run/secrets/github\"; };\n"
    /* 13 */ "    handle = { shape = \"ghp_{36}\"; env = \"GITHUB_TOKEN\"; }; };\n"
    /* 14 */ "  jira-eu = { owner = \"o\"; approved_by = \"a\"; ticket = \"t\"; rotate_every = \"7d\";\n"
    /* 15 */ "    privileges = \"read boards\"; source = { kind = \"file\"; path = \"/run/secrets/jira\"; };\n"
    /* 16 */ "    handle = { value = \"jira-0123456789abcdef\"; };\n"
    /* 17 */ "    header = \"X-Api-Key\"; prefix = \"key \"; };\n"
    /* 18 */ "  orders = { owner = \"o\"; approved_by = \"a\"; ticket = \"t\"; rotate_every = \"1h\";\n"
    /* 19 */ "    privileges = \"write orders\"; source = { kind = \"authority\"; }; };\n"
    /* 20 */ "};\n"
    /* 21 */ "grants = (\n"
    /* 22 */ "  { name = \"nightly\"; owner = \"a@example\"; approved_by = \"security@example\";\n"
    /* 23 */ "    ticket = \"SEC-1\"; approved_at = \"2026-11-20\"; expires_at = \"2027-02-20\";\n"
    /* 24 */ "    purposes = [\"export\"]; task = \"standing\"; ttl = \"15m\"; caller = { uid = 1000; };\n"
    /* 25 */ "    rules = (\n"
    /* 26 */ "      { host = \"api.github.com\"; methods = [\"GET\"]; paths = \"any\";\n"
    /* 27 */ "        credential = \"github\"; bind = [\"bearer\"]; unbound_because = \"bearer only\"; },\n"
    /* 28 */ "      { host = \"jira.example\"; methods = [\"GET\"]; paths = \"any\";\n"
    /* 29 */ "        credential = \"jira-eu\"; bind = [\"header\"]; unbound_because = \"keys only\"; },\n"
    /* 30 */ "      { host = \"orders.example\"; methods = [\"GET\"]; paths = \"any\";\n"
    /* 31 */ "        credential = \"orders\"; bind = [\"wimse\"]; inject = \"always\"; },\n"
    /* 32 */ "      { host = \"pypi.org\"; methods = [\"GET\"]; paths = \"any\"; }\n"
    /* 33 */ "    ); }\n"
    /* 34 */ ");\n"
    /* 35 */ "ledger = { off_because = \"a test\"; };\n";
/* clang-format on */

/* One of them with `from` (which stands in it once) made `to`. */
static inline char *
spoil(const char *whole, const char *from, const char *to)
{
    const char *at = strstr(whole, from);
    size_t size = strlen(whole) + strlen(to) + 1;
    char *out = malloc(size);

    if (at == NULL || strstr(at + 1, from) != NULL)
        fail_msg("\"%s\" does not stand once in the config", from);
    snprintf(out, size, "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
    return out;
}

static inline char *
whole_with(const char *from, const char *to)
{
    return spoil(whole_config, from, to);
}

/* How many messages a report holds: source lines under a message are indented. */
static inline size_t
count_messages(const char *report)
{
    size_t n = 0;

    for (const char *at = report; *at != '\0'; at = strchr(at, '\n') + 1)
        n += *at != ' ';
    return n;
}

/* Loading this text is refused with n messages, one of them at that line, about that
 * key, and with the fragment in it. */
static inline void
folder_expect(struct folder *f, const char *text, unsigned line, const char *key,
              const char *fragment, size_t n)
{
    char start[256];
    const char *said, *at;

    folder_write(f, "main.conf", text);
    if (folder_load(f) != REASON_CONFIG)
        fail_msg("loaded, but expected line %u: %s: %s", line, key, fragment);
    assert_null(f->conf);
    said = folder_report(f);
    snprintf(start, sizeof start, "main.conf:%u: %s%s", line, key,
             key[0] == '\0' ? "" : ": ");
    at = strstr(said, start);
    if (at == NULL || strstr(at, fragment) == NULL)
        fail_msg("expected \"%s ... %s\", got:\n%s", start, fragment, said);
    if (count_messages(said) != n)
        fail_msg("%zu messages were expected:\n%s", n, said);
}

#endif
