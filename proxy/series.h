/* Series: which grants have figures of their own. A slot belongs to a grant's name as
 * long as a config has it; there are GRANT_SERIES of them, and slot 0 is everybody
 * else's. A slot let go is given to another name only when no generation that knew the
 * old one can be alive, and then begins at nought. Main alone calls; what it gives out
 * is read by the workers. */
#ifndef PROXY_SERIES_H
#define PROXY_SERIES_H

#include "conf/conf.h"
#include "proxy/metrics.h"

struct series;

struct series *series_new(void);
void series_free(struct series *s);

/* The slots of this config's grants, in their order: the caller's to free. The config
 * is the one of this generation, which is about to be in force. `workers` are asked for
 * what a slot stands at when it changes hands. */
uint16_t *series_assign(struct series *s, const struct conf *conf, uint64_t generation,
                        const struct metrics *const *workers, size_t n_workers);

/* The grant's name; NULL: nobody has this slot. Of slot 0: "". */
const char *series_name(const struct series *s, size_t slot);
/* What stood in the slot when its grant took it over. */
uint64_t series_before(const struct series *s, size_t slot, enum outcome decision);

#endif
