#include "web/http/etag.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

void etag_of_file(char out[ETAG_MAX], const struct stat *stat, const char *form)
{
    unsigned long long nanoseconds =
        (unsigned long long)stat->st_mtim.tv_sec * 1000000000u + (unsigned long long)stat->st_mtim.tv_nsec;
    snprintf(out, ETAG_MAX, "\"%llx-%llx-%llx%s\"", nanoseconds, (unsigned long long)stat->st_size,
             (unsigned long long)stat->st_ino, form);
}

void etag_of_form(char out[ETAG_MAX], const char *etag, const char *form)
{
    const size_t len = strlen(etag) - 1, form_len = strlen(form);
    CHECK(len + form_len + 2 <= ETAG_MAX);
    memcpy(out, etag, len);
    memcpy(out + len, form, form_len);
    memcpy(out + len + form_len, "\"", 2);
}
