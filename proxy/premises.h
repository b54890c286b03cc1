/* Premises: what a config takes for granted on this machine, the directories it keeps
 * things in, its log, its secrets. Looked at and left as it is: for `check`, which
 * tells before the start what the start would stumble over. */
#ifndef PROXY_PREMISES_H
#define PROXY_PREMISES_H

#include "conf/conf.h"
#include "conf/finding.h"

struct premises {
    const struct conf *conf;
    bool root_starts; /* whoever starts it is root, and makes what is missing */
    int64_t now_s;
    struct buf *errors;        /* a line each: with these it would not start */
    struct findings *findings; /* … and with these it starts, and refuses or is in
                                  arrears */
};

/* As the identity that will use them. */
void premises_look(const struct premises *p);

#endif
