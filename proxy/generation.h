/* A generation: one loaded config with everything made from it. Built whole, away from
 * the workers; then one pointer moves. An exchange keeps the generation it began with,
 * and the last to leave hands it to the reaper. */
#ifndef PROXY_GENERATION_H
#define PROXY_GENERATION_H

#include "conf/conf.h"
#include "filters/chain.h"
#include "http/wire.h"
#include "proxy/sources.h"
#include "proxy/tls.h"

struct generation;

/* Reads the config at `path`, opens the filters, loads keys and trust stores. On
 * failure every error is in `report`, a line each, and nothing is kept. One reference
 * is the caller's. Any thread. */
MUST_USE enum reason generation_build(const char *path, uint64_t number,
                                      struct buf *report, struct generation **out);
/* The same; but unless `always`, nothing is made of the very bytes that `tried` is the
 * digest of: REASON_OK and no generation. `tried` becomes the digest of what was read.
 */
MUST_USE enum reason generation_build_unless(const char *path, uint64_t number,
                                             unsigned char tried[SHA256_SIZE],
                                             bool always, struct buf *report,
                                             struct generation **out);
void generation_ref(struct generation *g);
/* The last one has it freed by the reaper: until then it is alive. Any thread. */
void generation_unref(struct generation *g);

/* Where the requests of the i-th grant are counted (proxy/series.h): given once, before
 * any worker has it, and its own from then on. */
void generation_give_series(struct generation *g, uint16_t *slots);
unsigned generation_series(const struct generation *g, const struct conf_grant *grant);

/* What is the same in the record of every decision by this grant: members that name it,
 * its owner, its approver and its only purpose; and one that is begun, `"rule":"FILE:`,
 * for a rule that stands in the grant's own file. One lies right behind the other. */
struct approval {
    struct text members, rule;
};
struct approval generation_approval(const struct generation *g,
                                    const struct conf_grant *grant);

/* How many live in this process, the current one included. */
unsigned generations_alive(void);

/* Makes its handles, which keep the values of those before (NULL: there are none).
 * Errors are in `report`; REASON_CONFIG. Before it is shared with anybody. */
MUST_USE enum reason generation_make_handles(struct generation *g,
                                             const struct generation *before,
                                             struct buf *report);
/* NULL: none were made. */
const struct handles *generation_handles(const struct generation *g);

uint64_t generation_number(const struct generation *g);
const struct conf *generation_conf(const struct generation *g);
/* Some grant is for callers of a control group, a container or a pod. */
bool generation_asks_where(const struct generation *g);
struct chain *generation_chain(const struct generation *g);
const struct conf_door *generation_door(const struct generation *g, size_t i);
/* What the i-th door shows its clients: minted leaves, or a gate's own certificate. */
struct tls_server *generation_server(const struct generation *g, size_t i);
/* What upstreams of this trust file (NULL: the system's roots) are verified against. */
struct tls_client *generation_client(const struct generation *g,
                                     const char *trust_file);

const struct sources *generation_sources(const struct generation *g);

/* How much of a link is read ahead of its reader: a whole head or a body to be held
 * must fit, or they would never be whole. */
size_t generation_ceiling(const struct generation *g);
/* What a wire of this generation may hold. */
struct wire_limits generation_wire_limits(const struct generation *g);

/* What a reload may not change (doors, identities, who we are): appends a line for each
 * difference. */
bool generation_may_follow(const struct generation *next, const struct generation *now,
                           struct buf *report);

#endif
