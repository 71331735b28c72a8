#include "base/check.h"

#include <stdio.h>
#include <unistd.h>

_Noreturn void check_failed(const char *file, int line, const char *condition)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "%s:%d: check failed: %s\n", file, line, condition);
    if (len >= (int)sizeof(text)) len = (int)sizeof(text) - 1;
    if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0) {
        /* Nobody is left to tell. */
    }
    /* A trap rather than abort(): it needs no system call, so it also works inside the narrowest sandbox. */
    __builtin_trap();
}
