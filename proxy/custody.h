/* Main's custody of the tasks: it begins those of the config in force, tells every
 * worker what begins and what ends, wakes the registry when one is due, and ends them
 * all when Holdfast stops. What must be revoked elsewhere is handed over here, as a
 * task ends. */
#ifndef PROXY_CUSTODY_H
#define PROXY_CUSTODY_H

#include "proxy/holdfast.h"
#include "proxy/revocation.h"
#include "tasks/registry.h"

/* Before there are workers; h->n_workers is how many there will be. NULL without a
 * way out: the other calls do nothing then. */
struct custody *custody_new(struct holdfast *h);
void custody_free(struct custody *c);

/* The tasks of h->generation, made beforehand; taken over. After this the workers may
 * be opened. */
void custody_adopt(struct custody *c, struct prepared *tasks);
/* As registry_name_pod: what the vault in force says. */
void custody_name_pod(struct custody *c, struct text uid);
/* A reload begins to read. */
void custody_expect(struct custody *c);
/* MESSAGE_OBEYED, MESSAGE_SPENT. */
void custody_hear(struct custody *c, const struct message *m);
/* Every task ends, and none begins any more. What runs may go on for so long. */
void custody_stop(struct custody *c, int64_t drain_ms);
/* The workers have been joined. What was told to one that had left already is over. */
void custody_conclude(struct custody *c);

/* For the revocation (revocation_needs; the owner is the holdfast): a task's end is
 * recorded and told; and what has come of one that was told as pending. */
void custody_part(void *owner, const struct parting *p, const char *outcome);
void custody_hear_late(void *owner, const struct task *k, const char *outcome);

/* As registry_revoke; NULL for all grants. *number: what whoever has revoked waits for
 * (WAIT_REVOKED), until the last of them is over; 0: nothing. */
size_t custody_revoke(struct custody *c, const char *grant, const uid_t *by,
                      uint64_t *number);
struct registry *custody_registry(const struct custody *c);
/* What whoever started it is told: members of a JSON object. Its password and handles
 * are among them. */
void custody_write_started(const struct task *k, struct buf *out);

#endif
