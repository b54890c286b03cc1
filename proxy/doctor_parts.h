/* What doctor.c's examinations share. */
#ifndef PROXY_DOCTOR_PARTS_H
#define PROXY_DOCTOR_PARTS_H

#include "certs/trust.h"
#include "conf/conf.h"
#include "proxy/checkup.h"
#include "proxy/doctor.h"
#include "proxy/tls_sight.h"

enum { DOCTOR_FILES_MAX = 32 };

struct doctor {
    struct checkup up;
    const struct conf *conf; /* NULL: none */
    bool is_turned;          /* TCP to anywhere arrives at Holdfast */
    const char *proxy; /* the variable whose door was asked; NULL: none names one */
    struct tls_sight shown; /* by Holdfast; without a leaf: nothing */
    /* Kept to the end: most variables name the same file. */
    struct trust *trusts[DOCTOR_FILES_MAX];
    size_t n_trusts;
};

/* doctor_door.c: is there a way to Holdfast, and what does it show? */
void doctor_ask_door(struct doctor *d);

/* doctor_variables.c: those of `holdfast env`, the files they name, and the handles. */
void doctor_read_variables(struct doctor *d);
/* Those of the config, value by value. */
void doctor_compare_variables(struct doctor *d, const struct doctor_wish *wish);
void doctor_read_handles(struct doctor *d);

#endif
