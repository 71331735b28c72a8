#include "web/http/etag.h"

#include <stdio.h>

void etag_of_file(char out[ETAG_MAX], const struct stat *stat, const char *form)
{
    unsigned long long nanoseconds =
        (unsigned long long)stat->st_mtim.tv_sec * 1000000000u + (unsigned long long)stat->st_mtim.tv_nsec;
    snprintf(out, ETAG_MAX, "\"%llx-%llx-%llx%s\"", nanoseconds, (unsigned long long)stat->st_size,
             (unsigned long long)stat->st_ino, form);
}
