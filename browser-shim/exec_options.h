/* The command line of browser-shim exec. */
#ifndef KEYWARD_BROWSER_SHIM_EXEC_OPTIONS_H
#define KEYWARD_BROWSER_SHIM_EXEC_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

/* Which process of the command's tree may sign. */
enum exec_pin {
    EXEC_PIN_COMMAND, /* the one that executes the command */
    EXEC_PIN_FIRST,   /* the first one that loads the module */
};

struct exec_options {
    bool help;
    bool verbose;
    bool p11_kit;            /* has p11-kit find the module too */
    const char *runtime_dir; /* NULL: the usual one */
    const char *label;
    uint32_t lifetime_s;
    uint64_t max_signatures; /* 0: no limit */
    enum exec_pin pin;
    char **command; /* NULL-terminated, at least its name */
};

extern const char exec_usage[];

/* exec_options_parse reads argv, whose second entry is "exec". ERR_INPUT. */
MUST_CHECK enum err exec_options_parse(struct exec_options *out, int argc, char **argv, struct diag *diag);

#endif
