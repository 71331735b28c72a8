/* For our own bugs, never for what a peer sent. Always compiled in. */
#ifndef KEYWARD_BASE_CHECK_H
#define KEYWARD_BASE_CHECK_H

/* CHECK stops the process with file, line and condition on standard error if the condition does not hold. */
#define CHECK(condition)                                                \
    do {                                                                \
        if (!(condition)) check_failed(__FILE__, __LINE__, #condition); \
    } while (0)

_Noreturn void check_failed(const char *file, int line, const char *condition);

#endif
