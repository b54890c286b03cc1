/* The members of the ledger's records, by kind: what `audit` reads and people sign for.
 * Written with base/json_write.h into a buf, for ledger_enter. None may be called seq,
 * prev, ts or kind: those are the frame's, and a name stands once in a record. What is
 * not known is not there.
 *
 *   grant        of a generation, before it serves: "generation","name","owner",
 *                "approved_by","ticket","approved_at","expires_at" (RFC 3339),
 *                "purposes":[…],"task","ttl_s","caller","rules": how many,
 *                "digest": of its rules, in hex; the same rules, the same digest
 *   credential   likewise: "generation","name","owner","approved_by","ticket",
 *                "rotate_every_s","privileges","source": its kind,
 *                "revocation": how it is taken back at a task's end ("none")
 *   generation   behind them, and before it serves: "generation",
 *                "digest": of the config's bytes, in hex,"grants","credentials": how
 *                many
 *   task_start   "task","grant","owner","approved_by","purpose",
 *                "mode": as "task" of its grant,"caller","ttl_s","max_requests"?,
 *                "key"?: thumbprint,"by"?: uid that asked; none has one that
 *                Holdfast began itself
 *   task_end     "task","grant","cause","allowed","refused",
 *                "cut": exchanges that were in flight,
 *                "ms": until every worker had obeyed,"revocation": of the task's
 *                access tokens: "none" (to be taken back), "revoked",
 *                "failed:REASON", or "pending": a record of its own follows
 *                "by"?: uid that ended or revoked it
 *   revocation   of tokens of a task whose end was told as pending, or that came
 *                late: "task","grant","outcome"
 *   token        an access token was got for a task; before anything leaves with it:
 *                "task","grant","credential","token": what it is called,
 *                TOKEN_ID_SIZE characters of its digest,"form": "bearer", "dpop",
 *                "mtls","expires_at"
 *   token_end    what came of it: the same but "form", and "outcome": "revoked";
 *                "failed:REASON"; "none" (its server takes nothing back); "expired",
 *                before it was to be taken back. A token without one was in use when
 *                the records end, or was left behind by a crash
 *   decision "x","verdict":"allow"|"refuse","reason"?,"step"?,"rule","grant","owner",
 *                "approved_by","task","purpose","who","to","method","path",
 *                "stripped":[…],"credential","binding","proof","key",
 *                "unbound_because"; at a gate, of an access token: "issuer","client"
 *   alarm        a handle in the wrong hands: "alarm": which,"task"?,"credential",
 *                "grant"?,"who","to"
 *   start        of a process: "version","config": digest,"workload"
 *   stop         "why"
 */
#ifndef TASKS_RECORD_H
#define TASKS_RECORD_H

#include "base/buf.h"
#include "conf/conf.h"
#include "tasks/task.h"
#include "tokens/token.h"

/* Of a decision by this grant: "grant","owner","approved_by", and "purpose" where it
 * has but one. */
void record_approval(struct buf *out, const struct conf_grant *g);
void record_grant(struct buf *out, uint64_t generation, const struct conf_grant *g);
void record_credential(struct buf *out, uint64_t generation,
                       const struct conf_credential *c);
void record_start(struct buf *out, const char *version, const struct conf *conf);
void record_task_start(struct buf *out, const struct task *k);
void record_revocation(struct buf *out, const struct task *k, const char *outcome);
/* credential: by its name; NULL: not known any more. */
void record_token(struct buf *out, const struct task *k, const char *credential,
                  const struct token *t);
void record_token_end(struct buf *out, const struct task *k, const char *credential,
                      const struct token *t, const char *outcome);
void record_task_end(struct buf *out, const struct task *k, enum task_cause cause,
                     int64_t took_ms, const char *revocation);
void record_generation(struct buf *out, uint64_t generation, const struct conf *conf);

#endif
