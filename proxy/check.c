/* `holdfast check` and `holdfast version`. */
#include "base/clock.h"
#include "base/json_write.h"
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
    struct buf errors; /* a line each */
    struct findings findings;
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
        findings_add(&k->findings, FINDING_WARNING, "user",
                     (struct place){ k->path, 0 },
                     "user: is missing, and who starts it as root must write it");
    else
        (void)identity_fears_nobody(k->conf, k->who.uid, &k->errors);
    buf_free(&report);
    return buf_length(&k->errors) == before;
}

/* What one uid may not read another may: only as the one who will read it, or as root,
 * is there anything to be told. The config is none the worse for that: a note. */
static bool
become_reader(struct look *k)
{
    bool same = k->who.uid == geteuid(), root = geteuid() == 0;

    if (!same && !root)
        findings_add(&k->findings, FINDING_NOTE, "not_looked_at",
                     (struct place){ k->path, 0 },
                     "user: this is uid %u, which cannot look with the eyes of uid %u: "
                     "keys, secrets and directories were not looked at",
                     (unsigned)geteuid(), (unsigned)k->who.uid);
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
                                 .findings = &k->findings };
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

/* ---- what is told */

static bool
has_errors(const struct look *k)
{
    return buf_length(&k->errors) > 0;
}

static void
tell_text(const struct look *k, bool lint)
{
    struct buf out = { 0 };

    /* The errors last, where they are looked for; that root must name a user is found
     * first, and told so. */
    findings_print(&k->findings, &out);
    print(has_errors(k) ? stderr : stdout, &out);
    print(stderr, &k->errors);
    if (!lint && !has_errors(k))
        printf("%s: no errors\n", k->path);
    buf_free(&out);
}

static void
write_lines(struct buf *out, const char *key, struct text lines)
{
    struct text line;

    json_open(out, key, '[');
    while (text_split(&lines, '\n', &line))
        if (line.n > 0)
            json_put_text(out, NULL, line);
    json_close(out, ']');
}

static void
tell_json(const struct look *k)
{
    struct buf out = { 0 };

    json_open(&out, NULL, '{');
    json_put_z(&out, "config", k->path);
    write_lines(&out, "errors", buf_text(&k->errors));
    json_open(&out, "findings", '[');
    findings_write(&k->findings, &out);
    json_close(&out, ']');
    json_close(&out, '}');
    buf_add_byte(&out, '\n');
    print(stdout, &out);
    buf_free(&out);
}

/* What was decided on purpose, with its reason, stops nobody who has not asked for
 * that. */
static int
exit_code_of(const struct look *k, const struct check_wish *wish)
{
    size_t n = findings_count(&k->findings, FINDING_WARNING);

    if (has_errors(k))
        return EXIT_CONFIG;
    if (wish->strict)
        n += findings_count(&k->findings, FINDING_NOTE);
    return wish->lint && n > 0 ? EXIT_RUNTIME : EXIT_OK;
}

/* Reads the config and looks at what it names as `run` would; makes nothing and opens
 * no door. */
int
holdfast_check(const struct check_wish *wish)
{
    struct look k = { .path = wish->path };
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);
    int code;

    if (conf_load(k.path, tables, n, &k.errors, &k.conf) == REASON_OK)
        look_around(&k);
    if (wish->lint && !has_errors(&k))
        conf_lint(k.conf, clock_wall_s(), &k.findings);
    if (wish->json)
        tell_json(&k);
    else
        tell_text(&k, wish->lint);
    code = exit_code_of(&k, wish);
    findings_free(&k.findings);
    conf_free(k.conf);
    buf_free(&k.errors);
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
