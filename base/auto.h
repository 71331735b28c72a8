/* Cleanup by attribute, so that an early return cannot forget it. */
#ifndef KEYWARD_BASE_AUTO_H
#define KEYWARD_BASE_AUTO_H

#include <stdlib.h>
#include <unistd.h>

/* AUTO(f) calls f with the variable's address when it goes out of scope. */
#define AUTO(f) __attribute__((cleanup(f)))

static inline void auto_close(int *fd)
{
    if (*fd >= 0) close(*fd);
}

static inline void auto_free(void *pointer)
{
    free(*(void **)pointer);
}

/* An open descriptor, or -1; closed at the end of the scope. */
#define AUTO_FD AUTO(auto_close) int

/* A pointer from malloc, or NULL; freed at the end of the scope. Written before the type: AUTO_FREE char *name. */
#define AUTO_FREE AUTO(auto_free)

/* auto_keep_fd takes the descriptor out of its scope's care. */
static inline int auto_keep_fd(int *fd)
{
    int kept = *fd;
    *fd = -1;
    return kept;
}

#endif
