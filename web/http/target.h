/* A request's target (RFC 9112, 3.2) made into a path that is safe to use. */
#ifndef KEYWARD_WEB_HTTP_TARGET_H
#define KEYWARD_WEB_HTTP_TARGET_H

#include <stddef.h>

#include "base/limits.h"

/* Why a request is not answered as asked. Zero state: nothing is wrong. */
struct fault {
    unsigned status;    /* an HTTP status code, 0 if all is well */
    const char *reason; /* a constant, for the log; NULL: nothing worth a line, such as a page that is not there */
};

enum target_form {
    TARGET_ORIGIN,    /* /path?query */
    TARGET_ABSOLUTE,  /* https://host/path?query */
    TARGET_ASTERISK,  /* *, for OPTIONS */
    TARGET_AUTHORITY, /* host:port, for CONNECT */
};

struct target {
    enum target_form form;
    /* Percent-decoded, without the query. Begins with '/', has no '.' or '..' segment, no NUL or other control
     * character, and no '/' that was encoded. "" for the last two forms. */
    char *path;
    char
        *raw; /* as it was sent, from the path on, with the query: what an application is to see; "" for the same two */
    char authority[LIMIT_NAME + sizeof(":65535")]; /* absolute form only, otherwise "" */
};

/* target_parse reads the len bytes at text. Whatever it says, target_cleanup is due. */
struct fault target_parse(struct target *out, const char *text, size_t len);

void target_cleanup(struct target *target);

/* target_check_authority says whether text is a host with an optional port and nothing else (RFC 9110, 4.2; no
 * user information). */
struct fault target_check_authority(const char *text, size_t len);

/* target_encode writes path with everything but unreserved characters and '/' percent-encoded; out has room for
 * 3 * strlen(path) + 1. */
void target_encode(char *out, const char *path);

#endif
