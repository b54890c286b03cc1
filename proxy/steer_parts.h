/* What steer_script.c and steer_turn.c share: the words of nft(8). */
#ifndef PROXY_STEER_PARTS_H
#define PROXY_STEER_PARTS_H

#include "proxy/steer.h"

/* Marks on connections. */
enum { BEGAN_BY_US = 0x48460001, BEGAN_OUTSIDE = 0x48460002 };

extern const char *const steer_family_words[STEER_FAMILIES];  /* "ipv4" */
extern const char *const steer_address_words[STEER_FAMILIES]; /* "ip" */

/* A door on every address of its family. */
bool steer_is_everywhere(const struct address *a);

void steer_write_turn(const struct steer_plan *plan, struct buf *out);
/* Nothing where no door takes it. */
void steer_write_tproxy(const struct steer_plan *plan, struct buf *out);

#endif
