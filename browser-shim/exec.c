#include "browser-shim/exec.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "browser-shim/client_handle.h"
#include "browser-shim/client_output.h"
#include "browser-shim/exec_options.h"
#include "browser-shim/exec_run.h"
#include "browser-shim/exec_surroundings.h"

struct lending {
    const struct exec_options *options;
    struct client_handle handle;
    struct exec_surroundings surroundings;
    struct exec_process process;
};

static void on_expired(const void *context)
{
    const struct lending *lending = context;
    fprintf(stderr,
            "browser-shim: handle %" PRIu64 " has ended after %u s, and '%s' gets no more signatures; give it longer "
            "with --handle-ttl\n",
            lending->handle.id, lending->options->lifetime_s, lending->options->command[0]);
}

/* What the command was lent ends before anybody learns that it has ended. */
static void take_back(struct lending *lending)
{
    struct diag diag = {{0}};
    if (lending->handle.id != 0 &&
        client_handle_revoke(lending->options->runtime_dir, lending->handle.id, &diag) != ERR_OK) {
        fprintf(stderr, "browser-shim: handle %" PRIu64 " is left to end by itself in %u s at most: %s\n",
                lending->handle.id, lending->options->lifetime_s, diag.text);
    }
    exec_surroundings_remove(&lending->surroundings);
    client_handle_cleanup(&lending->handle);
}

static enum err lend(struct lending *lending, struct diag *diag)
{
    const struct exec_options *options = lending->options;
    const struct client_program_wish wish = {
        .label = options->label, .lifetime_s = options->lifetime_s, .max_signatures = options->max_signatures};
    enum err err = client_handle_ask_for_program(&lending->handle, options->runtime_dir, &wish, diag);
    if (err == ERR_OK) err = exec_surroundings_make(&lending->surroundings, &lending->handle, options->p11_kit, diag);
    if (err == ERR_OK) err = exec_run_start(&lending->process, options, lending->handle.fd, diag);
    /* Only the command has it now: it ends with the last of its processes, if nobody ends it before. */
    auto_close(&lending->handle.fd);
    lending->handle.fd = -1;
    return err;
}

static enum err prepare(struct exec_options *options, int argc, char **argv, struct diag *diag)
{
    enum err err = exec_options_parse(options, argc, argv, diag);
    if (err != ERR_OK || options->help) return err;
    err = exec_run_check(diag);
    return err == ERR_OK ? client_output_occupy_standard(diag) : err;
}

int exec_main(int argc, char **argv)
{
    struct diag diag = {{0}};
    struct exec_options options;
    struct lending lending = {.options = &options, .handle = {.fd = -1}};
    enum err err = prepare(&options, argc, argv, &diag);
    if (err == ERR_OK && options.help) {
        fputs(exec_usage, stdout);
        return fflush(stdout) == 0 ? 0 : EXIT_SYSTEM;
    }
    if (err == ERR_OK) err = lend(&lending, &diag);
    int status = 0;
    if (err == ERR_OK) {
        if (options.verbose)
            fprintf(stderr, "browser-shim: '%s' is process %ld and has handle %" PRIu64 " for %u s; see %s\n",
                    options.command[0], (long)lending.process.pid, lending.handle.id, options.lifetime_s,
                    lending.surroundings.dir);
        status = exec_run_wait(&lending.process, &options, on_expired, &lending);
    }
    take_back(&lending);
    if (err == ERR_OK) exec_run_end(&lending.process, status);
    fprintf(stderr, "browser-shim: %s\n", diag.text);
    return err_exit_code(err);
}
