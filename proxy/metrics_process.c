#include "proxy/metrics_sections.h"

#include "proxy/metrics_page.h"

/* What the page was given to tell. */
#define GIVEN(name, figure)                                                            \
    static void write_##name(struct exposition *w, const struct family *f)             \
    {                                                                                  \
        sample_one(w, f, w->page->figure);                                             \
    }

GIVEN(log_lost, log_lost)
GIVEN(reload_ok, reload_ok)
GIVEN(generation, generation)
GIVEN(generations, generations)
GIVEN(resident, process.resident_bytes)
GIVEN(virtual, process.virtual_bytes)
GIVEN(descriptors, process.descriptors)
GIVEN(descriptors_max, process.descriptors_max)

static void
write_reload_time(struct exposition *w, const struct family *f)
{
    sample_begin(w, f, "");
    sample_value_ms(w, w->page->reloaded_ms);
}

/* A gate alone has none. */
static void
write_helper(struct exposition *w, const struct family *f)
{
    if (w->page->has_helper)
        sample_one(w, f, !w->page->helper_is_gone);
}

static void
write_build(struct exposition *w, const struct family *f)
{
    sample_begin(w, f, "_info");
    sample_label(w, "version", HOLDFAST_VERSION);
    sample_value(w, 1);
}

static void
write_started(struct exposition *w, const struct family *f)
{
    sample_begin(w, f, "");
    sample_value_ms(w, w->page->process.started_ms);
}

static void
write_cpu(struct exposition *w, const struct family *f)
{
    sample_begin(w, f, "_total");
    sample_value_us(w, w->page->process.cpu_us);
}

/* ---- the ledger: without one there is nothing to say of it */

#define OF_LEDGER(field)                                                               \
    static void write_ledger_##field(struct exposition *w, const struct family *f)     \
    {                                                                                  \
        if (w->page->ledger != NULL)                                                   \
            sample_one(w, f, w->page->ledger->field);                                  \
    }

OF_LEDGER(records)
OF_LEDGER(lost)
OF_LEDGER(queued)
OF_LEDGER(failed)
OF_LEDGER(last)
OF_LEDGER(checkpoint)

/* ---- its witness, likewise */

#define OF_WITNESS(name, figure)                                                       \
    static void write_witness_##name(struct exposition *w, const struct family *f)     \
    {                                                                                  \
        if (w->page->witness != NULL)                                                  \
            sample_one(w, f, w->page->witness->figure);                                \
    }

OF_WITNESS(acknowledged, acknowledged)
OF_WITNESS(failures, failures)
OF_WITNESS(passed_over, passed_over)

static void
write_since(struct exposition *w, const struct family *f, int64_t since_ms)
{
    sample_begin(w, f, "");
    sample_value_ms(w, since_ms > 0 ? w->page->now_ms - since_ms : 0);
}

static void
write_witness_age(struct exposition *w, const struct family *f)
{
    if (w->page->witness != NULL && w->page->witness->acknowledged > 0)
        write_since(w, f, w->page->witness->acknowledged_ms);
}

static void
write_witness_waiting(struct exposition *w, const struct family *f)
{
    if (w->page->witness != NULL)
        write_since(w, f, w->page->witness->since_ms);
}

/* ---- docs/OPERATING.md has the same rows */

/* clang-format off */
static const struct family families[] = {
    { "holdfast_log_lines_lost", COUNTER, "Log lines that could not be written.", write_log_lost, 0 },
    { "holdfast_ledger_records", COUNTER, "Records written to the ledger.", write_ledger_records, 0 },
    { "holdfast_ledger_records_lost", COUNTER, "Records of refusals, alarms and tasks that could not be entered: the queue was full or the ledger failed.", write_ledger_lost, 0 },
    { "holdfast_ledger_queued", GAUGE, "Records accepted and not yet written.", write_ledger_queued, 0 },
    { "holdfast_ledger_failed", GAUGE, "1 while the ledger cannot be written, and so nothing leaves.", write_ledger_failed, 0 },
    { "holdfast_ledger_last_record", GAUGE, "The number of the last record written.", write_ledger_last, 0 },
    { "holdfast_ledger_last_checkpoint", GAUGE, "The number of the last checkpoint on the disk.", write_ledger_checkpoint, 0 },
    { "holdfast_witness_last_checkpoint", GAUGE, "The number of the last checkpoint that the witness has acknowledged.", write_witness_acknowledged, 0 },
    { "holdfast_witness_age_seconds", GAUGE, "Since it acknowledged that one.", write_witness_age, 0 },
    { "holdfast_witness_waiting_seconds", GAUGE, "How long the oldest checkpoint waits that it has not acknowledged; 0: it has them all.", write_witness_waiting, 0 },
    { "holdfast_witness_failures", COUNTER, "Requests to the witness that it did not acknowledge.", write_witness_failures, 0 },
    { "holdfast_witness_passed_over", COUNTER, "Checkpoints it was never sent, because newer ones took their place.", write_witness_passed_over, 0 },
    { "holdfast_generations_alive", GAUGE, "Configs that exchanges still live under, the one in force included.", write_generations, 0 },
    { "holdfast_config_generation", GAUGE, "The config in force.", write_generation, 0 },
    { "holdfast_config_last_reload_successful", GAUGE, "0 when the last reload was refused.", write_reload_ok, 0 },
    { "holdfast_config_last_reload_success_timestamp_seconds", GAUGE, "When the config in force was taken over.", write_reload_time, 0 },
    { "holdfast_helper_running", GAUGE, "0 when the process that runs the programs of `command` credentials is gone.", write_helper, 0 },
    { "holdfast_build", INFO, "The version.", write_build, 0 },
    { "process_start_time_seconds", GAUGE, "When the process started.", write_started, 0 },
    { "process_cpu_seconds", COUNTER, "CPU time, user and system.", write_cpu, 0 },
    { "process_resident_memory_bytes", GAUGE, "Memory in RAM.", write_resident, 0 },
    { "process_virtual_memory_bytes", GAUGE, "Address space.", write_virtual, 0 },
    { "process_open_fds", GAUGE, "Open descriptors.", write_descriptors, 0 },
    { "process_max_fds", GAUGE, "The most there may be.", write_descriptors_max, 0 },
};
/* clang-format on */

const struct section metrics_of_process = { families,
                                            sizeof families / sizeof families[0] };
