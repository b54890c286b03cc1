#include "proxy/token_record.h"

enum reason
token_record_got(struct ledger *l, const struct task *k, const char *credential,
                 const struct token *t)
{
    struct buf members = { 0 };
    enum reason why;

    if (l == NULL)
        return REASON_OK;
    record_token(&members, k, credential, t);
    why = ledger_enter(l, "token", buf_text(&members), NULL);
    buf_free(&members);
    return why;
}

void
token_record_spurned(struct ledger *l, const struct task *k, const char *credential,
                     const struct token *t)
{
    struct buf members = { 0 };

    if (l == NULL)
        return;
    record_token(&members, k, credential, t);
    ledger_enter_own(l, "token", buf_text(&members));
    buf_free(&members);
}

void
token_record_over(struct ledger *l, const struct task *k, const char *credential,
                  const struct token *t, const char *outcome)
{
    struct buf members = { 0 };

    if (l == NULL)
        return;
    record_token_end(&members, k, credential, t, outcome);
    ledger_enter_own(l, "token_end", buf_text(&members));
    buf_free(&members);
}
