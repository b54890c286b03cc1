#include "proxy/faults.h"

#ifdef HF_FAULTS

#include "base/log.h"
#include "certs/key.h"
#include "certs/leaf.h"
#include "tokens/authority.h"

#include <stdlib.h>
#include <string.h>

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
}

#else

void
faults_read(void)
{
}

#endif
