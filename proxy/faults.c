#include "proxy/faults.h"

#ifdef HF_FAULTS

#include "base/log.h"
#include "certs/key.h"
#include "certs/leaf.h"
#include "tokens/authority.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool sticks; /* set before there are workers */

void
faults_read(void)
{
    const char *list = getenv("HOLDFAST_FAULTS");

    if (list == NULL)
        return;
    log_warn("faults injected: %s", list);
    if (strstr(list, "sign") != NULL)
        key_fail_signing_after(
            1); /* the task's token is issued, its proofs are not made */
    authority_fail_issuing(strstr(list, "issue") != NULL);
    leaf_fail_minting(strstr(list, "mint") != NULL);
    sticks = strstr(list, "stick") != NULL;
}

void
faults_stick(uint64_t served)
{
    while (sticks && served > 0)
        pause();
}

#else

void
faults_read(void)
{
}

void
faults_stick(uint64_t served)
{
    (void)served;
}

#endif
