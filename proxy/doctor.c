#include "proxy/doctor.h"

#include "base/clock.h"
#include "base/log.h"
#include "certs/certificate.h"
#include "filters/chain.h"
#include "proxy/bypass.h"
#include "proxy/doctor_parts.h"
#include "proxy/run.h"

#include <stdio.h>
#include <unistd.h>

/* Its certificates are as young as minutes and as old as days: a clock that is off by
 * more is what programs stumble over. */
static void
judge_clock(struct doctor *d)
{
    struct validity v;
    int64_t now_s = clock_wall_s();

    if (d->shown.leaf == NULL || !certificate_validity(d->shown.leaf, &v))
        checkup_say(&d->up, false, "tls",
                    "Holdfast shows no certificate here: look at its log; is there a "
                    "grant for uid %u?",
                    (unsigned)geteuid());
    else if (now_s < v.from_s)
        checkup_say(&d->up, false, "clock",
                    "this clock is behind: Holdfast's certificate is good in %lld s "
                    "only: set it",
                    (long long)(v.from_s - now_s));
    else if (now_s > v.until_s)
        checkup_say(&d->up, false, "clock",
                    "this clock is ahead: Holdfast's certificate was good until %lld s "
                    "ago: set it",
                    (long long)(now_s - v.until_s));
    else
        checkup_say(&d->up, true, "clock",
                    "by this clock Holdfast's certificate is good");
}

static int
examine(const struct conf *conf, const struct doctor_wish *wish)
{
    struct doctor d = { .conf = conf };
    int code;

    checkup_begin(&d.up, wish->json);
    doctor_ask_door(&d);
    judge_clock(&d);
    doctor_read_variables(&d);
    if (conf != NULL)
        doctor_compare_variables(&d, wish);
    doctor_read_handles(&d);
    bypass_try_all(&d.up);
    code = checkup_end(&d.up);
    tls_sight_clear(&d.shown);
    for (size_t i = 0; i < d.n_trusts; i++)
        trust_unref(d.trusts[i]);
    return code;
}

int
holdfast_doctor(const struct doctor_wish *wish)
{
    struct buf report = { 0 };
    struct conf *conf = NULL;
    int code = EXIT_CONFIG;
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);

    /* What is wrong with a file is told as a finding. */
    if (log_open("/dev/null", LOG_SHORT, LOG_ERROR) != REASON_OK)
        return EXIT_RUNTIME;
    if (wish->config == NULL ||
        conf_load(wish->config, tables, n, &report, &conf) == REASON_OK)
        code = examine(conf, wish);
    fwrite(buf_text(&report).at, 1, buf_length(&report), stderr);
    buf_free(&report);
    conf_free(conf);
    log_close();
    return code;
}
