/* `holdfast check` and `holdfast version`. */
#include "base/clock.h"
#include "filters/chain.h"
#include "proxy/resolve.h"
#include "proxy/run.h"

#include <event2/event.h>
#include <openssl/crypto.h>
#include <stdio.h>

static void
print(FILE *to, const struct buf *b)
{
    fwrite(buf_text(b).at, 1, buf_length(b), to);
}

static int
lint_config(const struct conf *conf)
{
    struct buf report = { 0 };
    size_t n = conf_lint(conf, clock_wall_s(), &report);

    print(stdout, &report);
    buf_free(&report);
    return n == 0 ? EXIT_OK : EXIT_RUNTIME;
}

/* Reads the config as `run` would and opens its filters; touches no key and no door. */
int
holdfast_check(const char *path, int lint)
{
    struct buf report = { 0 };
    struct conf *conf = NULL;
    struct chain *chain = NULL;
    int code = EXIT_CONFIG;
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);

    if (conf_load(path, tables, n, &report, &conf) == REASON_OK &&
        chain_open(conf, &report, &chain) == REASON_OK)
        code = lint ? lint_config(conf) : EXIT_OK;
    print(code == EXIT_CONFIG ? stderr : stdout, &report);
    if (code == EXIT_OK && !lint)
        printf("%s: no errors\n", path);
    chain_close(chain);
    conf_free(conf);
    buf_free(&report);
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
