/* What a kernel lacks cannot be tested on it. Criterion says nothing of a skipped test, so this does, in a line that CI
 * counts (.ci/count.py). For the kernel's features alone: what needs a privilege fails without it. */
#ifndef KEYWARD_TESTS_UNIT_SKIP_H
#define KEYWARD_TESTS_UNIT_SKIP_H

#include <criterion/criterion.h>
#include <stdio.h>

#define SKIP_ON_THIS_KERNEL(reason)               \
    do {                                          \
        fprintf(stderr, "SKIPPED: %s\n", reason); \
        fflush(stderr);                           \
        cr_skip_test("%s", reason);               \
    } while (0)

#endif
