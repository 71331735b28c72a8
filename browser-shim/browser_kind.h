/* What has to be known of each browser that Keyward starts; one file for each, and one table in browser.c. */
#ifndef KEYWARD_BROWSER_SHIM_BROWSER_KIND_H
#define KEYWARD_BROWSER_SHIM_BROWSER_KIND_H

#include "browser-shim/browser.h"
#include "browser-shim/profile.h"

struct browser_kind {
    const char *name;
    const char *program; /* itself: a script in /usr/bin reads files that are none of our business */
    const char *package;
    const char *runner; /* what starts the program with all its arguments behind "--"; NULL: nothing does */

    /* Written for each start, below the browser's home. */
    const struct profile_file *files;
    size_t num_files;

    /* What a kiosk forbids: a file below policy_dir, which is on the host and is covered in the browser's mount namespace. An
     * operator's own files in managed_dir stay beside it; NULL: one of the same name stays in its place. policy_dir is NULL
     * where the browser knows no policies. */
    const char *policy_dir;
    const char *managed_dir;
    struct profile_file policy;

    /* Arguments behind the program's name, and environment, for this setup. */
    void (*describe)(struct browser_command *command, const struct shim_setup *setup);
};

/* With a module for NSS. */
extern const struct browser_kind browser_chromium;
extern const struct browser_kind browser_firefox;
/* With a gateway (docs/adr/0027): their page is plain HTTP. */
extern const struct browser_kind browser_cog;
extern const struct browser_kind browser_epiphany;

/* For describe. The argument outlives the command; the variable is copied. */
void browser_argument(struct browser_command *command, const char *text);
__attribute__((format(printf, 2, 3))) void browser_variable(struct browser_command *command, const char *format, ...);

#endif
