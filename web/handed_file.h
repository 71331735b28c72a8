/* A file that the broker has opened and handed over. */
#ifndef KEYWARD_WEB_HANDED_FILE_H
#define KEYWARD_WEB_HANDED_FILE_H

#include "base/bytes.h"
#include "base/err.h"

struct handed_file {
    const char *name;   /* for the diagnostic: "client CA file" */
    const char *remedy; /* for one that is longer than max bytes */
    int fd;             /* stays the caller's; its offset, which other workers share, is left alone */
    size_t max;
};

/* handed_file_read reads all of it into memory that is to be freed. ERR_INPUT with a diagnostic: longer than max, or a private
 * key is in it (then the memory is wiped). ERR_SYSTEM, ERR_MEMORY. */
MUST_CHECK enum err handed_file_read(uint8_t **out, size_t *out_len, const struct handed_file *file, struct diag *diag);

#endif
