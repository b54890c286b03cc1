#include "proxy/rate.h"

enum { SECOND_US = 1000000 };

bool
rate_take(struct rate *r, int64_t per_second, int64_t now_ms)
{
    int64_t now_us = now_ms * 1000, each_us = SECOND_US / per_second;
    long long until = atomic_load(&r->taken_until_us), next;

    do {
        next = (until > now_us ? until : now_us) + each_us;
        if (next > now_us + SECOND_US)
            return false;
    } while (!atomic_compare_exchange_weak(&r->taken_until_us, &until, next));
    return true;
}
