/* keep holds on to what a test makes once and needs until its process ends, so that the leak checker asks about everything
 * else. What is kept may still be freed. */
#ifndef KEYWARD_TESTS_UNIT_KEEP_H
#define KEYWARD_TESTS_UNIT_KEEP_H

#include <stddef.h>

static inline void *keep(void *made)
{
    static void *volatile kept[8192];
    static size_t num;
    if (num < sizeof kept / sizeof *kept) kept[num++] = made;
    return made;
}

#endif
