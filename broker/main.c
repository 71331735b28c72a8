/* broker: starts, watches and connects the processes of Keyward, and answers its operators. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/ask.h"
#include "broker/audit.h"
#include "broker/audit_command.h"
#include "broker/command.h"
#include "broker/run.h"

static enum err check(struct config *config, struct diag *diag)
{
    enum err err = run_check(config, diag);
    if (err == ERR_OK) puts("broker: configuration ok");
    return err;
}

static enum err obey(struct command *command, int argc, char **argv, uint64_t begun, struct diag *diag)
{
    switch (command->what) {
    case COMMAND_RUN: return run_system(&command->config, argc, argv, begun, diag);
    case COMMAND_CHECK: return check(&command->config, diag);
    case COMMAND_STATUS:
    case COMMAND_CA:
    case COMMAND_HANDLE_LIST:
    case COMMAND_HANDLE_REVOKE:
    case COMMAND_CERTIFICATE_REVOKE:
    case COMMAND_RELOAD:
    case COMMAND_EXPLAIN:
    case COMMAND_REOPEN:
    case COMMAND_BROWSER_RENEW: return ask_broker(command, diag);
    case COMMAND_HELP: command_help(stdout); return ERR_OK;
    case COMMAND_VERSION: puts("broker (Keyward) " AUDIT_VERSION); return ERR_OK;
    }
    return ERR_INPUT;
}

/* Started with a standard stream closed, the next descriptor to be made would take its number, and log lines of every
 * process would be written into a channel. */
static enum err occupy_standard_streams(struct diag *diag)
{
    int fd = -1;
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (fd < 0) return diag_set(diag, ERR_SYSTEM, "/dev/null cannot be opened");
    } while (fd <= STDERR_FILENO && fcntl(fd, F_SETFD, 0) == 0);
    close(fd);
    return ERR_OK;
}

int main(int argc, char **argv)
{
    static struct command command;
    struct diag diag = {0};
    uint64_t begun = clock_monotonic_ms();
    log_open("broker");
    enum err err = occupy_standard_streams(&diag);
    if (err == ERR_OK && argc > 1 && strcmp(argv[1], "audit") == 0) {
        err = audit_command(argc - 2, argv + 2, &diag);
    } else {
        if (err == ERR_OK) err = command_parse(&command, NULL, argc, argv, &diag);
        if (err == ERR_OK) err = obey(&command, argc, argv, begun, &diag);
    }
    if (err != ERR_OK && diag.text[0]) log_error("%s", diag.text);
    return err_exit_code(err);
}
