/* Memory that is ours but not in use, marked for AddressSanitizer: whoever touches it
 * is caught at once. Nothing at all in the build we ship. */
#ifndef BASE_POISON_H
#define BASE_POISON_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISON_WORKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON_WORKS 1
#endif
#endif

#ifdef POISON_WORKS
#include <sanitizer/asan_interface.h>
#endif

static inline void
poison(void *at, size_t n)
{
#ifdef POISON_WORKS
    __asan_poison_memory_region(at, n);
#else
    (void)at, (void)n;
#endif
}

static inline void
poison_lift(void *at, size_t n)
{
#ifdef POISON_WORKS
    __asan_unpoison_memory_region(at, n);
#else
    (void)at, (void)n;
#endif
}

#endif
