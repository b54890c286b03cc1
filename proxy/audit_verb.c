#include "proxy/audit_verb.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "conf/value.h"
#include "filters/chain.h"
#include "proxy/audit_print.h"
#include "proxy/audit_report.h"
#include "proxy/ctl_print.h"
#include "proxy/run.h"
#include "tasks/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- where it is */

/* The directory that the config names; the caller frees. NULL, told: there is none. */
static char *
directory_of_config(const char *config)
{
    struct buf report = { 0 };
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);
    struct conf *conf = NULL;
    char *directory = NULL;

    if (conf_load(config, tables, n, &report, &conf) != REASON_OK)
        fwrite(buf_text(&report).at, 1, buf_length(&report), stderr);
    else if (conf->ledger.keep == NULL)
        fprintf(stderr, "holdfast: %s names no ledger.keep: give --ledger\n", config);
    else
        directory = memory_copy_z(conf->ledger.keep);
    buf_free(&report);
    conf_free(conf);
    return directory;
}

static char *
find_directory(const struct audit_wish *w)
{
    return w->ledger != NULL ? memory_copy_z(w->ledger)
                             : directory_of_config(w->config);
}

/* ---- verify */

static const char *
plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void
say_result(const struct audit_wish *w, const struct audit_result *r)
{
    printf("%" PRIu64 " record%s (%" PRIu64 " to %" PRIu64 ") in %" PRIu64
           " segment%s%s\n",
           r->records, plural(r->records), r->first, r->last, r->segments,
           plural(r->segments), r->is_ended ? ", closed in order" : "");
    printf("signed up to record %" PRIu64 ", %" PRIu64 " checkpoint%s, by %s\n",
           r->covered, r->checkpoints, plural(r->checkpoints),
           w->key != NULL ? "the key given"
                          : "the directory's own key, which proves less");
    if (r->torn > 0)
        printf("%" PRIu64 " torn tail%s, sealed\n", r->torn, plural(r->torn));
    if (r->lost > 0)
        printf("%" PRIu64 " record%s could not be entered\n", r->lost, plural(r->lost));
    if (r->faults == 0)
        printf("whole%s\n",
               w->checkpoint != NULL ? ", and holds the checkpoint given" : "");
    else
        printf("%" PRIu64 " fault%s\n", r->faults, plural(r->faults));
}

static void
say_faults(struct text report)
{
    struct text line;

    while (text_split(&report, '\n', &line)) {
        if (line.n == 0)
            continue;
        print_text(stdout, line);
        putchar('\n');
    }
}

static void
write_result(const struct audit_wish *w, const struct audit_result *r,
             struct text report)
{
    struct buf out = { 0 };
    struct text line;

    json_open(&out, NULL, '{');
    json_put_bool(&out, "whole", r->faults == 0);
    json_put_number(&out, "records", (int64_t)r->records);
    json_put_number(&out, "segments", (int64_t)r->segments);
    json_put_number(&out, "checkpoints", (int64_t)r->checkpoints);
    json_put_number(&out, "first", (int64_t)r->first);
    json_put_number(&out, "last", (int64_t)r->last);
    json_put_number(&out, "covered", (int64_t)r->covered);
    json_put_number(&out, "torn", (int64_t)r->torn);
    json_put_number(&out, "lost", (int64_t)r->lost);
    json_put_bool(&out, "ended", r->is_ended);
    json_put_number(&out, "faults", (int64_t)r->faults);
    json_put_bool(&out, "key_given", w->key != NULL);
    json_put_bool(&out, "checkpoint_given", w->checkpoint != NULL);
    json_open(&out, "report", '[');
    while (text_split(&report, '\n', &line))
        if (line.n > 0)
            json_put_text(&out, NULL, line);
    json_close(&out, ']');
    json_close(&out, '}');
    printf("%.*s\n", TEXT_ARG(buf_text(&out)));
    buf_free(&out);
}

int
audit_verb_verify(const struct audit_wish *w)
{
    struct buf report = { 0 };
    struct audit_result result;
    char *directory = find_directory(w);
    struct audit_asked asked = { .directory = directory,
                                 .key = w->key,
                                 .checkpoint = w->checkpoint };
    int code = EXIT_CONFIG;

    if (directory != NULL && audit_verify(&asked, &report, &result) == REASON_OK) {
        code = result.faults == 0 ? EXIT_OK : EXIT_RUNTIME;
        if (w->json) {
            write_result(w, &result, buf_text(&report));
        } else {
            say_faults(buf_text(&report));
            say_result(w, &result);
        }
    }
    buf_free(&report);
    free(directory);
    return code;
}

/* ---- show and report */

static bool
read_since(const char *z, struct audit_choice *out)
{
    int64_t ms = z == NULL ? 0 : clock_parse(z);

    if (ms > 0)
        ms *= 1000;
    else if (ms < 0 && value_duration(z, &ms))
        ms = clock_wall_ms() - ms;
    if (ms < 0)
        return false;
    clock_format(ms, out->since);
    return true;
}

static int
tell_bad(uint64_t bad)
{
    if (bad == 0)
        return EXIT_OK;
    fprintf(stderr,
            "holdfast: %" PRIu64 " lines are no records: `audit verify` says why\n",
            bad);
    return EXIT_RUNTIME;
}

static int
walk(const struct audit_wish *w,
     bool (*take)(void *owner, struct text line, const struct json *record),
     void *owner)
{
    char *directory = find_directory(w);
    uint64_t bad = 0;
    int code = EXIT_CONFIG;

    if (directory != NULL && audit_walk(directory, take, owner, &bad) == REASON_OK)
        code = tell_bad(bad);
    free(directory);
    return code;
}

int
audit_verb_show(const struct audit_wish *w)
{
    struct audit_choice choice = {
        .task = w->task, .grant = w->grant, .denied = w->denied, .json = w->json
    };

    if (!read_since(w->since, &choice)) {
        fprintf(stderr,
                "holdfast: --since is a time such as 2026-11-22T08:00:00Z, or a "
                "while such as 10m or 2d\n");
        return EXIT_USAGE;
    }
    return walk(w, audit_show, &choice);
}

int
audit_verb_report(const struct audit_wish *w)
{
    struct audit_book *book = audit_book_new(w->grant);
    int code = walk(w, audit_book_take, book);

    if (code != EXIT_CONFIG && audit_book_lacks(book)) {
        fprintf(stderr, "holdfast: the ledger knows no grant \"%s\"\n", w->grant);
        code = EXIT_RUNTIME;
    }
    if (code != EXIT_CONFIG)
        audit_book_print(book, w->json);
    audit_book_free(book);
    return code;
}
