/* Steering: the kernel's rules that leave no way out of a network namespace but
 * Holdfast. One table of nftables, `inet holdfast`: loaded whole or not at all, and
 * loaded again it takes its own place.
 *
 * What passes is told by who holds the socket: Holdfast's uid, and nobody else's. What
 * ends inside the namespace passes, answers to connections that came from outside do,
 * and what the kernel itself says at the end of Holdfast's connections. All else is
 * refused and counted. steer_script.c is the whole of it; steer_load.c has it loaded;
 * steer_check.c tries from inside whether it holds. */
#ifndef PROXY_STEER_H
#define PROXY_STEER_H

#include "base/buf.h"
#include "conf/conf.h"

#include <sys/types.h>

enum steering {
    STEER_EXPLICIT, /* no rules: a workload that will not use its proxy is not held */
    STEER_DROP,     /* nothing leaves but by a forward or unix door */
    STEER_REDIRECT  /* … and TCP and DNS are turned round to doors of ours */
};

enum { STEER_V4, STEER_V6, STEER_FAMILIES };

/* Where a family's packets are turned to; port 0: nowhere. */
struct steer_door {
    struct address address;
    uint16_t port;
    bool is_tproxy;
};

struct steer_plan {
    enum steering mode;
    uid_t uid; /* Holdfast's */
    struct steer_door tcp[STEER_FAMILIES];
    struct steer_door names[STEER_FAMILIES];
    const struct conf *conf; /* on loan */
};

/* NULL: none of that name. */
const char *steer_mode_word(enum steering mode);
bool steer_mode_read(const char *word, enum steering *mode);
/* What the config's doors are made for. */
enum steering steer_mode_of(const struct conf *conf);

/* user: Holdfast's, by name or number, where the config has none; NULL otherwise.
 * False, and a line for each reason in `report`: by these doors nothing could be
 * steered. */
bool steer_plan_make(const struct conf *conf, enum steering mode, const char *user,
                     struct steer_plan *out, struct buf *report);

/* The script for nft(8). A function of the plan alone. */
void steer_script_write(const struct steer_plan *plan, struct buf *out);
/* Takes the table away, whether it is there or not. */
void steer_script_remove(struct buf *out);

/* What TPROXY needs beside the table: a mark's packets are the machine's own. */
enum { STEER_MARK = 0x4846, STEER_ROUTES = 18502 };
bool steer_needs_routes(const struct steer_plan *plan, int family);

/* Has the kernel take the routes, then the script. Returns an exit code, and has told
 * in one sentence what went wrong; the rules that were in force before are then the
 * same. */
int steer_load(const struct steer_plan *plan);
int steer_remove(void);

struct steer_wish {
    const char *config, *mode, *user;
    long uid; /* the workload's, for `check`; -1: the config's */
    bool load, remove, check, json;
};
/* From inside: as the workload where we are root, else as who we are. A line for each
 * way that was tried, and for each door; returns an exit code. */
int steer_check(const struct conf *conf, enum steering mode,
                const struct steer_wish *wish);

/* `holdfast steer` */
int holdfast_steer(const struct steer_wish *wish);

#endif
