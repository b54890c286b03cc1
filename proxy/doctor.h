/* `holdfast doctor`: inside the workload, as the workload: would its programs get
 * through Holdfast, and through nothing else? */
#ifndef PROXY_DOCTOR_H
#define PROXY_DOCTOR_H

#include <stdbool.h>

struct doctor_wish {
    const char *config; /* NULL: what the environment tells is all there is */
    long uid;           /* whose handles, with a config; -1: the workload's */
    bool json;
};

/* A finding a line, with what to do; returns an exit code. */
int holdfast_doctor(const struct doctor_wish *wish);

#endif
