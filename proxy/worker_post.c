/* What is told to a worker from other threads, by message. */
#include "proxy/mailbox.h"
#include "proxy/worker.h"

void
worker_adopt(struct worker *w, struct generation *g, struct vault *secrets)
{
    mailbox_post(
        w->mailbox,
        &(struct message){ .kind = MESSAGE_ADOPT, .generation = g, .vault = secrets });
}

void
worker_keep(struct worker *w, struct generation *g, struct vault *secrets)
{
    mailbox_post(w->mailbox, &(struct message){ .kind = MESSAGE_SECRETS,
                                                .generation = g,
                                                .vault = secrets });
}

void
worker_open(struct worker *w)
{
    mailbox_post(w->mailbox, &(struct message){ .kind = MESSAGE_OPEN });
}

void
worker_change_task(struct worker *w, const struct task_change *change,
                   struct generation *next)
{
    if (next != NULL)
        generation_ref(next);
    if (change->begun != NULL)
        task_ref(change->begun);
    if (change->ended != NULL)
        task_ref(change->ended);
    mailbox_post(
        w->mailbox,
        &(struct message){ .kind = MESSAGE_TASK, .task = *change, .generation = next });
}

void
worker_tell_token(struct worker *w, struct task *k, const struct token_news *news)
{
    task_ref(k);
    if (news->token != NULL)
        token_ref(news->token);
    mailbox_post(w->mailbox, &(struct message){
                                 .kind = MESSAGE_TOKEN, .holder = k, .news = *news });
}

void
worker_tell_answers(struct worker *w)
{
    mailbox_post(w->mailbox, &(struct message){ .kind = MESSAGE_ANSWERED });
}

void
worker_drain(struct worker *w)
{
    mailbox_post(w->mailbox, &(struct message){ .kind = MESSAGE_DRAIN });
}

void
worker_stop(struct worker *w)
{
    mailbox_post(w->mailbox, &(struct message){ .kind = MESSAGE_STOP });
}

void
worker_dump(struct worker *w)
{
    mailbox_post(w->mailbox, &(struct message){ .kind = MESSAGE_DUMP });
}
