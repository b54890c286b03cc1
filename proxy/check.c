/* `holdfast check` and `holdfast version`. */
#include "base/clock.h"
#include "proxy/generation.h"
#include "proxy/premises.h"
#include "proxy/privilege.h"
#include "proxy/resolve.h"
#include "proxy/run.h"

#include <event2/event.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <unistd.h>

static void
print(FILE *to, const struct buf *b)
{
    fwrite(buf_text(b).at, 1, buf_length(b), to);
}

struct look {
    const char *path;
    struct conf *conf;
    struct identity who;
    struct buf errors, warnings;
};

/* As whom start would go on; false: as nobody. */
static bool
find_identity(struct look *k)
{
    size_t before = buf_length(&k->errors);
    struct buf report = { 0 };

    if (identity_find(k->conf, &k->who, &report) != REASON_OK)
        buf_printf(&k->errors, "%s: %.*s", k->path, TEXT_ARG(buf_text(&report)));
    else if (k->who.uid == 0 && k->conf->user != NULL)
        buf_printf(&k->errors, "%s: user: Holdfast does not run on as root\n", k->path);
    else if (k->who.uid == 0)
        buf_printf(&k->warnings,
                   "%s: user: is missing, and who starts it as root must write it\n",
                   k->path);
    else
        (void)identity_fears_nobody(k->conf, k->who.uid, &k->errors);
    buf_free(&report);
    return buf_length(&k->errors) == before;
}

/* What one uid may not read another may: only as the one who will read it, or as root,
 * is there anything to be told. */
static bool
become_reader(struct look *k)
{
    bool same = k->who.uid == geteuid(), root = geteuid() == 0;

    if (!same && !root)
        buf_printf(&k->warnings,
                   "%s: user: this is uid %u, which cannot look with the eyes of uid "
                   "%u: keys, secrets and directories were not looked at\n",
                   k->path, (unsigned)geteuid(), (unsigned)k->who.uid);
    if (same || !root)
        return same;
    if (identity_choose(k->conf, &k->who) == REASON_OK &&
        identity_assume(&k->who) == REASON_OK)
        return true;
    buf_printf(&k->errors, "%s: user: uid %u cannot be taken on\n", k->path,
               (unsigned)k->who.uid);
    return false;
}

/* Nothing fails without a line. */
static void
take_verdict(struct look *k, enum reason why)
{
    if (why != REASON_OK && buf_length(&k->errors) == 0)
        buf_printf(&k->errors, "%s: %s\n", k->path, reason_sentence(why));
}

/* Everything start would open and load, in its order: only here nothing is made, bound
 * or written. */
static void
look_around(struct look *k)
{
    struct premises premises = { .conf = k->conf,
                                 .root_starts = geteuid() == 0,
                                 .now_s = clock_wall_s(),
                                 .errors = &k->errors,
                                 .warnings = &k->warnings };
    struct generation *generation = NULL;
    struct chain *chain = NULL;
    struct handles *handles = NULL;

    take_verdict(k, handles_new(k->conf, NULL, &k->errors, &handles));
    handles_unref(handles);
    if (!find_identity(k) || !become_reader(k)) {
        take_verdict(k, chain_open(k->conf, &k->errors, &chain));
        chain_close(chain);
        return;
    }
    premises_look(&premises);
    take_verdict(k, generation_build(k->path, 1, &k->errors, &generation));
    generation_unref(generation);
}

static int
tell_findings(struct look *k, bool lint)
{
    size_t n = buf_length(&k->warnings);

    if (buf_length(&k->errors) > 0) {
        print(stderr, &k->errors);
        print(stderr, &k->warnings);
        return EXIT_CONFIG;
    }
    if (lint)
        n += conf_lint(k->conf, clock_wall_s(), &k->warnings);
    print(stdout, &k->warnings);
    if (!lint)
        printf("%s: no errors\n", k->path);
    return lint && n > 0 ? EXIT_RUNTIME : EXIT_OK;
}

/* Reads the config and looks at what it names as `run` would; makes nothing and opens
 * no door. */
int
holdfast_check(const char *path, int lint)
{
    struct look k = { .path = path };
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);
    int code;

    if (conf_load(path, tables, n, &k.errors, &k.conf) == REASON_OK)
        look_around(&k);
    code = tell_findings(&k, lint);
    conf_free(k.conf);
    buf_free(&k.errors);
    buf_free(&k.warnings);
    return code;
}

int
holdfast_print(void (*print_tables)(const struct conf_filter_table *filters, size_t n,
                                    struct buf *out))
{
    struct buf out = { 0 };
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);

    print_tables(tables, n, &out);
    print(stdout, &out);
    buf_free(&out);
    return EXIT_OK;
}

int
holdfast_print_reasons(void)
{
    printf("# Reasons\n\nEvery way of saying no, made from base/reason.def. The word "
           "stands in the "
           "log, in `Proxy-Status`\nand in the problem document; a status of `-` is "
           "never told to "
           "a client.\n\n| reason | status | RFC 9209 error | |\n|---|---|---|---|\n");
    for (int i = REASON_OK + 1; i < REASON_COUNT; i++) {
        enum reason why = (enum reason)i;
        int status = reason_status(why);

        printf("| `%s` | ", reason_token(why));
        if (status != 0)
            printf("%d | `%s`", status, reason_proxy_error(why));
        else
            printf("- | -");
        printf(" | %s |\n", reason_sentence(why));
    }
    return EXIT_OK;
}

int
holdfast_version(void)
{
    printf("holdfast %s\n", HOLDFAST_VERSION);
    printf("  %s\n", OpenSSL_version(OPENSSL_VERSION));
    printf("  libevent %s\n", event_get_version());
    printf("  c-ares %s\n", resolver_library());
    return EXIT_OK;
}
