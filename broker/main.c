/* broker: starts, watches and connects the processes of Keyward, and answers its operators. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/ask.h"
#include "broker/command.h"
#include "broker/run.h"

#define VERSION "0.1.0"

static enum err check(struct config *config, struct diag *diag)
{
    enum err err = run_check(config, diag);
    if (err == ERR_OK) puts("broker: configuration ok");
    return err;
}

static enum err obey(struct command *command, uint64_t begun, struct diag *diag)
{
    switch (command->what) {
    case COMMAND_RUN: return run_system(&command->config, begun, diag);
    case COMMAND_CHECK: return check(&command->config, diag);
    case COMMAND_STATUS:
    case COMMAND_CA:
    case COMMAND_HANDLE_LIST:
    case COMMAND_HANDLE_REVOKE: return ask_broker(command, diag);
    case COMMAND_HELP: command_help(stdout); return ERR_OK;
    case COMMAND_VERSION: puts("broker (Keyward) " VERSION); return ERR_OK;
    }
    return ERR_INPUT;
}

int main(int argc, char **argv)
{
    static struct command command;
    struct diag diag = {0};
    uint64_t begun = clock_monotonic_ms();
    log_open("broker");
    enum err err = command_parse(&command, argc, argv, &diag);
    if (err == ERR_OK) err = obey(&command, begun, &diag);
    if (err != ERR_OK && diag.text[0]) fprintf(stderr, "broker: %s\n", diag.text);
    return err_exit_code(err);
}
