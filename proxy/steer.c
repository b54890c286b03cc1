#include "proxy/steer.h"

#include "filters/chain.h"
#include "proxy/ctl_line.h"
#include "proxy/run.h"

#include <stdio.h>

static int
print_script(const struct steer_plan *plan)
{
    struct buf out = { 0 };

    steer_script_write(plan, &out);
    fwrite(buf_text(&out).at, 1, buf_length(&out), stdout);
    buf_free(&out);
    return EXIT_OK;
}

/* What holds although it may look like a fault, on standard error: it is no part of the
 * script. */
static void
tell_what_follows(const struct steer_plan *plan)
{
    bool none = plan->names[STEER_V4].port == 0 && plan->names[STEER_V6].port == 0;

    if (plan->mode == STEER_REDIRECT && none)
        fprintf(stderr, "holdfast: there is no dns door: the workload will resolve no "
                        "name; write one of kind = \"dns\"\n");
    if (plan->mode == STEER_REDIRECT && plan->tcp[STEER_V6].port == 0)
        fprintf(stderr,
                "holdfast: there is no transparent door on [::1]: TCP over IPv6 "
                "is refused, and clients fall back to IPv4\n");
}

static int
load(const struct steer_plan *plan)
{
    int code;

    if (plan->mode == STEER_EXPLICIT)
        return print_script(plan);
    if ((code = steer_load(plan)) != EXIT_OK)
        return code;
    printf("mode %s is in force: nothing leaves this network namespace but by uid %u, "
           "and answers to who comes from outside\n",
           steer_mode_word(plan->mode), (unsigned)plan->uid);
    return EXIT_OK;
}

static int
steer(const struct conf *conf, const struct steer_wish *wish, struct buf *report)
{
    enum steering mode = steer_mode_of(conf);
    struct steer_plan plan;
    int code;

    if (wish->mode != NULL && !steer_mode_read(wish->mode, &mode))
        return ctl_complain(false, EXIT_USAGE,
                            "there is no mode \"%s\": explicit, drop or redirect",
                            wish->mode);
    if (wish->check)
        return steer_check(conf, mode, wish);
    if (!steer_plan_make(conf, mode, wish->user, &plan, report))
        return EXIT_CONFIG;
    code = wish->load ? load(&plan) : print_script(&plan);
    if (code == EXIT_OK)
        tell_what_follows(&plan);
    return code;
}

int
holdfast_steer(const struct steer_wish *wish)
{
    struct buf report = { 0 };
    struct conf *conf = NULL;
    int code = EXIT_CONFIG;
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);

    if (wish->load + wish->remove + wish->check > 1)
        return ctl_complain(false, EXIT_USAGE,
                            "steer takes one of --load, --remove and --check");
    if (wish->remove) /* what was loaded is told by the kernel alone */
        return steer_remove();
    if (conf_load(wish->config, tables, n, &report, &conf) == REASON_OK)
        code = steer(conf, wish, &report);
    fwrite(buf_text(&report).at, 1, buf_length(&report), stderr);
    buf_free(&report);
    conf_free(conf);
    return code;
}
