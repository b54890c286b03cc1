/* Faults on demand, for the tests that show we fail closed. Built in only with
 * -DHF_FAULTS=ON; what we ship has none. */
#ifndef PROXY_FAULTS_H
#define PROXY_FAULTS_H

/* HOLDFAST_FAULTS in the environment: a list of "sign", "issue", "mint". */
void faults_read(void);

#endif
