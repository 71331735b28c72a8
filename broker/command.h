/* The command line: which subcommand, with which configuration. */
#ifndef KEYWARD_BROKER_COMMAND_H
#define KEYWARD_BROKER_COMMAND_H

#include "broker/config.h"
#include "broker/opener.h"

enum subcommand {
    COMMAND_RUN,
    COMMAND_CHECK,
    COMMAND_STATUS,
    COMMAND_CA,
    COMMAND_HANDLE_LIST,
    COMMAND_HANDLE_REVOKE,
    COMMAND_CERTIFICATE_REVOKE,
    COMMAND_RELOAD,
    COMMAND_BROWSER_RENEW,
    COMMAND_EXPLAIN,
    COMMAND_REOPEN,
    COMMAND_HELP,
    COMMAND_VERSION,
};

enum command_output { COMMAND_FOR_PEOPLE, COMMAND_JSON };

struct command {
    enum subcommand what;
    enum command_output output;
    uint64_t handle;              /* COMMAND_HANDLE_REVOKE */
    uint8_t serial[LIMIT_SERIAL]; /* COMMAND_CERTIFICATE_REVOKE */
    size_t serial_len;
    struct explain_query explain; /* COMMAND_EXPLAIN; its host is the next */
    char explain_host[ADDRESS_TEXT];
    struct config config;
};

/* command_parse reads the command line and the file it names, which opener opens. Flags win over the file, and may stand before or behind
 * the subcommand. ERR_INPUT with what is wrong. */
MUST_CHECK enum err command_parse(struct command *out, struct opener *opener, int argc, char **argv, struct diag *diag);

/* command_help prints the usage. */
void command_help(FILE *out);

#endif
