/* Orders of a credential that a program tells: the helper runs it where others ask a
 * server. */
#include "proxy/mint_parts.h"

#include "base/log.h"
#include "tokens/command_answer.h"

void
order_run(struct order *o, const struct conf_credential *c)
{
    const struct helper_ask ask = { .command = &c->source.command,
                                    .credential = c->name,
                                    .grant = task_grant(o->task),
                                    .purpose = task_purpose(o->task),
                                    .task = task_id(o->task),
                                    .timeout_ms = c->source.timeout_ms };

    digest_sha256(text_of(NULL, 0), o->details); /* it is told no others */
    outpost_ref(o->mint->at);
    o->plea = (struct plea){ .at = o->mint->at, .memory = arena_new() };
    o->run = helper_run_new(o->mint->needs.helper, &ask, &o->over);
}

/* As it was run, though the config in force may be another by now. */
static const struct conf_credential *
credential_of(const struct order *o)
{
    return sources_find(generation_sources(o->plea.at->generation), o->name.source);
}

enum reason
order_read_run(struct order *o, struct oauth_answer *answer)
{
    const struct conf_credential *c = credential_of(o);
    enum reason why = helper_run_why(o->run);

    if (why != REASON_OK)
        return why;
    return command_answer(helper_run_output(o->run), c->source.refresh_every_ms / 1000,
                          o->plea.memory, answer);
}

static const char *
advice(enum reason why)
{
    switch (why) {
    case REASON_COMMAND_FAILED:
        return "run it by hand as Holdfast's user, with an empty environment: it has "
               "to exit with 0";
    case REASON_COMMAND_MALFORMED:
        return "let it print one JSON object: {\"token\": \"...\", \"expires_in\": "
               "300}";
    case REASON_COMMAND_TOO_LARGE:
        return "let it print no more than 64 KiB";
    case REASON_COMMAND_TIMEOUT:
        return "see what it waits for, or raise the source's timeout";
    case REASON_COMMAND_UNAVAILABLE:
        return "restart Holdfast";
    default:
        return NULL;
    }
}

static struct text
cut_line_end(struct text t)
{
    while (t.n > 0 && t.at[t.n - 1] == '\n')
        t.n--;
    return t;
}

/* What it printed is the secret, or was meant to be: of that nothing. */
void
order_tell_run(const struct order *o, struct log_line *l)
{
    log_line_z(l, "command", credential_of(o)->source.command.at[0]);
    if (helper_run_status(o->run) != 0)
        log_line_number(l, "status", helper_run_status(o->run));
    if (helper_run_signal(o->run) != 0)
        log_line_number(l, "signal", helper_run_signal(o->run));
    if (!text_is_empty(helper_run_hint(o->run)) && helper_run_why(o->run) != REASON_OK)
        log_line_text(l, "stderr", cut_line_end(helper_run_hint(o->run)));
    log_line_z(l, "do", advice(o->news.why));
}
