/* A ledger's records, a line each, for a human or as they are. */
#ifndef PROXY_AUDIT_PRINT_H
#define PROXY_AUDIT_PRINT_H

#include "base/json.h"

struct audit_choice {
    const char *task, *grant; /* NULL: any */
    char since[25];           /* as records spell time */
    bool denied;              /* refusals and alarms alone */
    bool json;                /* the lines as they are */
};

/* For audit_walk; owner is the choice. False: nobody reads on. */
bool audit_show(void *owner, struct text line, const struct json *record);

#endif
