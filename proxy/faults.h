/* Faults on demand, for the tests that show we fail closed. Built in only with
 * -DHF_FAULTS=ON; what we ship has none. */
#ifndef PROXY_FAULTS_H
#define PROXY_FAULTS_H

#include <stdint.h>

/* HOLDFAST_FAULTS in the environment: a list of "sign", "issue", "mint",
 * "stick". */
void faults_read(void);
/* "stick": a worker that has served a request comes to a halt, for ever. */
void faults_stick(uint64_t served);

#endif
