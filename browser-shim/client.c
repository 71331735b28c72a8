#include "browser-shim/client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/clock.h"
#include "browser-shim/client_ca.h"
#include "browser-shim/client_connect.h"
#include "browser-shim/client_echo.h"
#include "browser-shim/client_handle.h"
#include "browser-shim/client_http.h"
#include "browser-shim/client_options.h"
#include "browser-shim/client_sandbox_policy.h"
#include "browser-shim/client_trace.h"

enum { EXIT_STATUS = 1 }; /* an HTTP status that is not 2xx */

/* Says on standard error what happens, if -v was given. */
__attribute__((format(printf, 2, 3))) static void tell(const struct client_options *options, const char *format, ...)
{
    if (!options->verbose) return;
    struct diag line = {{0}};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line.text, sizeof line.text, format, arguments);
    va_end(arguments);
    struct diag shown = {{0}}; /* diag_set shows what a server chose without control characters */
    (void)diag_set(&shown, ERR_OK, "%s", line.text);
    fprintf(stderr, "browser-shim: %s\n", shown.text);
}

/* What a run holds; made before the sandbox, used inside it. */
struct run {
    struct client_ca ca;
    struct client_upload upload;
    struct client_output output;
    int connection;
    struct client_handle handle;
    struct client_tls *tls;
};

static void run_cleanup(struct run *run)
{
    client_tls_free(run->tls);
    client_handle_cleanup(&run->handle);
    client_output_cleanup(&run->output);
    auto_close(&run->connection);
    auto_close(&run->upload.fd);
}

static enum err open_upload(struct client_upload *out, const char *path, struct diag *diag)
{
    out->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (out->fd < 0) return diag_set(diag, ERR_INPUT, "'%s': cannot read it: %s", path, strerror(errno));
    struct stat st;
    if (fstat(out->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return diag_set(diag, ERR_INPUT, "'%s' is not a regular file; its length has to be known before it is sent",
                        path);
    }
    out->len = (uint64_t)st.st_size;
    return ERR_OK;
}

static const char *label_of(enum client_command command)
{
    switch (command) {
    case CLIENT_GET: return "browser-shim get";
    case CLIENT_PUT: return "browser-shim put";
    case CLIENT_ECHO: return "browser-shim echo";
    case CLIENT_TRACE: return "browser-shim trace";
    case CLIENT_HELP: break;
    }
    return "browser-shim";
}

/* Everything that needs a path, a name or a new socket. */
static enum err prepare(struct run *run, const struct client_options *options, struct diag *diag)
{
    enum err err = ERR_OK;
    if (options->cacert != NULL) err = client_ca_read(&run->ca, options->cacert, diag);
    if (err == ERR_OK && options->upload != NULL) err = open_upload(&run->upload, options->upload, diag);
    if (err == ERR_OK) err = client_output_open(&run->output, options->output, diag);
    if (err == ERR_OK) err = client_connect(&run->connection, &options->address, diag);
    if (err != ERR_OK) return err;
    tell(options, "connected to %s port %s", options->address.host, options->address.port);
    const struct client_handle_wish wish = {.from = options->from,
                                            .label = label_of(options->command),
                                            .server = options->address.host,
                                            .ca = {run->ca.der, run->ca.len}};
    err = client_handle_ask(&run->handle, options->runtime_dir, &wish, diag);
    if (err == ERR_OK) tell(options, "the broker lends handle %llu", (unsigned long long)run->handle.id);
    return err;
}

/* From here on a server that takes this process over finds nothing to take. */
static enum err enter_sandbox(const struct run *run, struct diag *diag)
{
    enum err err = sandbox_isolate(&client_sandbox_policy, diag);
    if (err != ERR_OK) return err;
    const struct sandbox_dir dir = {.fd = run->output.dir, .access = SANDBOX_READ_WRITE};
    return sandbox_enter(&client_sandbox_policy, &dir, dir.fd >= 0 ? 1 : 0, diag);
}

static enum err handshake(struct run *run, const struct client_options *options, struct diag *diag)
{
    enum client_tls_service service = options->command == CLIENT_ECHO ? CLIENT_TLS_LINES : CLIENT_TLS_HTTP;
    enum err err = client_tls_new(&run->tls, run->connection, &run->handle, &options->address, service, diag);
    if (err == ERR_OK) err = client_tls_handshake(run->tls, diag);
    if (err != ERR_OK) return err;
    char text[128];
    tell(options, "%s; the server is '%s', signed by the CA %s%s", client_tls_describe(run->tls, text, sizeof text),
         options->address.host, run->handle.foreign ? "in " : "of the broker",
         run->handle.foreign ? options->cacert : "");
    return ERR_OK;
}

static void on_message(void *context, const struct client_tls_message *message)
{
    client_trace_message(context, message, clock_monotonic_us());
}

static enum err shake_and_part(struct client_tls *tls, struct diag *diag)
{
    enum err err = client_tls_handshake(tls, diag);
    return err == ERR_OK ? client_tls_part(tls, diag) : err;
}

/* However it ends is worth printing, and keeping. */
static enum err run_trace(struct run *run, const struct client_options *options, struct diag *diag)
{
    struct client_trace trace = {.output = &run->output,
                                 .json = options->json,
                                 .own_server = !run->handle.foreign,
                                 .handle = run->handle.id,
                                 .start_us = clock_monotonic_us()};
    const struct client_tls_watch watch = {.message = on_message,
                                           .context = &trace,
                                           .versions = options->tls12 ? CLIENT_TLS_12_ALONE : CLIENT_TLS_12_AND_13};
    enum err err = client_trace_start(&trace, &options->address, diag);
    if (err == ERR_OK)
        err = client_tls_new(&run->tls, run->connection, &run->handle, &options->address, CLIENT_TLS_HTTP, diag);
    if (err == ERR_OK) err = client_tls_watch(run->tls, &watch, diag);
    if (err != ERR_OK) return err;
    const enum err shaken = shake_and_part(run->tls, diag);
    struct client_tls_outcome outcome;
    struct diag lost;
    client_tls_outcome(&outcome, run->tls, shaken == ERR_OK);
    err = client_trace_end(&trace, &outcome, shaken == ERR_OK ? NULL : diag->text, clock_monotonic_us(), &lost);
    if (err == ERR_OK) err = client_output_commit(&run->output, &lost);
    if (shaken != ERR_OK) return shaken;
    return err == ERR_OK ? ERR_OK : diag_set(diag, err, "%s", lost.text);
}

static enum err run_http(struct run *run, const struct client_options *options, unsigned *out_status, struct diag *diag)
{
    struct client_response response;
    client_response_init(&response, &run->output, diag);
    tell(options, "%s %s", run->upload.fd >= 0 ? "PUT" : "GET", options->url.target);
    enum err err = client_http_exchange(run->tls, &response, &options->url, &run->upload, diag);
    if (err != ERR_OK) return err;
    tell(options, "status %u %s, %llu bytes", response.status, response.reason, (unsigned long long)response.body_len);
    *out_status = response.status;
    if (response.status / 100 == 2) return ERR_OK;
    return diag_set(diag, ERR_DENIED, "%s: the server answered %u %s", options->url.target, response.status,
                    response.reason);
}

static enum err run_command(const struct client_options *options, unsigned *out_status, struct diag *diag)
{
    AUTO(run_cleanup)
    struct run run = {.upload = {.fd = -1}, .output = {.fd = -1, .dir = -1}, .connection = -1, .handle = {.fd = -1}};
    enum err err = prepare(&run, options, diag);
    if (err == ERR_OK) err = enter_sandbox(&run, diag);
    if (err == ERR_OK && options->command == CLIENT_TRACE) return run_trace(&run, options, diag);
    if (err == ERR_OK) err = handshake(&run, options, diag);
    if (err != ERR_OK) return err;
    if (options->command == CLIENT_ECHO) {
        err = client_echo(run.tls, &run.output, options->messages, options->num_messages, diag);
    } else {
        err = run_http(&run, options, out_status, diag);
    }
    if (err != ERR_OK) return err;
    client_tls_close(run.tls);
    return client_output_commit(&run.output, diag);
}

int client_main(int argc, char **argv)
{
    struct diag diag = {{0}};
    struct client_options options;
    enum err err = client_options_parse(&options, argc, argv, &diag);
    if (err == ERR_OK && options.command == CLIENT_HELP) {
        fputs(client_usage, stdout);
        return fflush(stdout) == 0 ? 0 : EXIT_SYSTEM;
    }
    unsigned status = 0;
    if (err == ERR_OK) {
        /* A connection or a pipe that nobody reads is an error to report, not to die of. */
        signal(SIGPIPE, SIG_IGN);
        err = client_output_occupy_standard(&diag);
        if (err == ERR_OK) err = run_command(&options, &status, &diag);
    }
    if (err == ERR_OK) return 0;
    fprintf(stderr, "browser-shim: %s\n", diag.text);
    return status != 0 && status / 100 != 2 ? EXIT_STATUS : err_exit_code(err);
}
