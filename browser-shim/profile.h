/* The files that a browser finds before it first runs: where its PKCS#11 module is, that the page may have the client
 * certificate without a question, and what it has to leave alone. Which they are is each browser's (browser_kind.h). */
#ifndef KEYWARD_BROWSER_SHIM_PROFILE_H
#define KEYWARD_BROWSER_SHIM_PROFILE_H

#include <stddef.h>

#include "base/err.h"
#include "base/limits.h"

#define PROFILE_ORIGIN (sizeof("https://:65535") + LIMIT_NAME)

/* profile_origin writes the origin of an https URL (RFC 6454, 4), such as "https://localhost:9000". ERR_INPUT. */
MUST_CHECK enum err profile_origin(char out[PROFILE_ORIGIN], const char *url, struct diag *diag);

/* A file, below some directory; its text may have @ORIGIN@, @SITE@ (the origin without a port) and @MODULE@
 * in it. */
struct profile_file {
    const char *path;
    const char *text;
};

/* The longest text, words filled in. */
#define PROFILE_TEXT 4096

struct profile_words {
    const char *origin; /* as profile_origin writes it, so that nothing in it needs escaping */
    const char *module; /* the PKCS#11 module's path */
};

/* profile_write makes one file, mode 0600, and the directories on the way to it, mode 0700. base is there. */
MUST_CHECK enum err profile_write(const char *base, const struct profile_file *file, const struct profile_words *words,
                                  struct diag *diag);

/* profile_make makes home, mode 0700, with the files in it and an empty runtime directory home/run; an older one is removed
 * first. */
MUST_CHECK enum err profile_make(const char *home, const struct profile_file *files, size_t num_files,
                                 const struct profile_words *words, struct diag *diag);

#endif
