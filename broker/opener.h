/* Opening what an operator names: at the start by its path; at a reload, when the broker has given up its right to, out of what the
 * loader has opened. Whoever opens a file or a directory that the configuration names does it through this, and then both work. */
#ifndef KEYWARD_BROKER_OPENER_H
#define KEYWARD_BROKER_OPENER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/limits.h"

/* What the loader has opened. */
struct opened {
    char path[LIMIT_PATH + 1];
    int fd; /* -1: it has been taken */
};

/* Zero state: opens paths, and tells nobody. */
struct opener {
    /* Told of each that was opened by its path; the descriptor stays whose it is. NULL: nobody is. */
    enum err (*opened)(void *context, const char *path, int fd);
    void *context;
    /* If not NULL, no path is opened: these are given out instead, each once, read from its beginning. */
    struct opened *files;
    size_t num_files;
};

/* opener_open is open(2) without making anything; O_CLOEXEC and O_NOCTTY are added. opener may be NULL. -1 with errno; EACCES
 * where the loader has opened no such file. */
int opener_open(struct opener *opener, const char *path, int flags);

/* opener_takes says whether the loader has opened, and has looked at what needs its rights. */
bool opener_takes(const struct opener *opener);

#endif
