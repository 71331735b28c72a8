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
#include "browser-shim/client_date.h"
#include "browser-shim/client_echo.h"
#include "browser-shim/client_handle.h"
#include "browser-shim/client_http.h"
#include "browser-shim/client_json.h"
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
    struct client_progress progress;
    uint64_t sent; /* bytes of the body */
    uint64_t start_us;
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

/* What is no regular file has a length only when it has ended. */
static enum err open_upload(struct client_upload *out, const struct client_options *options, struct diag *diag)
{
    const char *path = options->upload;
    struct stat st;
    if (options->data != NULL) {
        *out = (struct client_upload){.text = options->data, .fd = -1, .len = strlen(options->data)};
        return ERR_OK;
    }
    if (path == NULL) return ERR_OK;
    const bool is_input = strcmp(path, "-") == 0;
    out->fd = is_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    if (out->fd < 0 || fstat(out->fd, &st) != 0)
        return diag_set(diag, ERR_INPUT, "'%s': cannot read it: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode)) return diag_set(diag, ERR_INPUT, "'%s' is a directory; name a file", path);
    out->is_chunked = !S_ISREG(st.st_mode);
    const off_t at = out->is_chunked ? 0 : lseek(out->fd, 0, SEEK_CUR);
    out->len = out->is_chunked || at > st.st_size ? 0 : (uint64_t)(st.st_size - at);
    return ERR_OK;
}

/* What is known of each command's request. */
static const struct {
    const char *label;  /* of the handle */
    const char *method; /* NULL: it is not HTTP */
} commands[] = {
    [CLIENT_HELP] = {"browser-shim", NULL},      [CLIENT_GET] = {"browser-shim get", "GET"},
    [CLIENT_PUT] = {"browser-shim put", "PUT"},  [CLIENT_POST] = {"browser-shim post", "POST"},
    [CLIENT_ECHO] = {"browser-shim echo", NULL}, [CLIENT_TRACE] = {"browser-shim trace", NULL},
};

/* Everything that needs a path, a name or a new socket. */
static enum err prepare(struct run *run, const struct client_options *options, struct diag *diag)
{
    enum err err = ERR_OK;
    if (options->cacert != NULL) err = client_ca_read(&run->ca, options->cacert, diag);
    if (err == ERR_OK) err = open_upload(&run->upload, options, diag);
    /* An object takes the body's place. */
    const bool is_answer = options->json && commands[options->command].method != NULL;
    const char *output = is_answer && options->output == NULL ? "/dev/null" : options->output;
    if (err == ERR_OK) err = client_output_open(&run->output, output, diag);
    client_progress_watch(&run->progress, run->output.fd);
    if (err == ERR_OK) err = client_connect(&run->connection, &options->address, diag);
    if (err != ERR_OK) return err;
    tell(options, "connected to %s port %s", options->address.host, options->address.port);
    const struct client_handle_wish wish = {.from = options->from,
                                            .label = commands[options->command].label,
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

/* Certificates are judged by both clocks: one that is wrong makes the next handshake fail. */
static void warn_of_clock(const struct client_response *response)
{
    uint64_t theirs_s;
    const uint64_t ours_s = clock_wall_s();
    if (!client_date_read(&theirs_s, response->date)) return;
    const bool ahead = theirs_s > ours_s;
    const uint64_t skew_s = ahead ? theirs_s - ours_s : ours_s - theirs_s;
    if (skew_s <= CLIENT_DATE_SKEW_S) return;
    fprintf(stderr, "browser-shim: the server's clock is %llu s %s this machine's; set the one that is wrong\n",
            (unsigned long long)skew_s, ahead ? "ahead of" : "behind");
}

static enum err exchange(struct run *run, const struct client_options *options, struct client_response *response,
                         struct diag *diag)
{
    const struct client_request request = {
        .method = commands[options->command].method,
        .url = &options->url,
        .fields = &options->fields,
        .content_type = options->data != NULL             ? "application/x-www-form-urlencoded"
                        : options->command == CLIENT_POST ? "application/octet-stream"
                                                          : NULL,
        .upload = &run->upload,
        .out_sent = &run->sent,
        .progress = &run->progress,
    };
    enum err err = handshake(run, options, diag);
    if (err != ERR_OK) return err;
    tell(options, "%s %s", request.method, options->url.target);
    err = client_http_exchange(run->tls, response, &request, diag);
    if (err != ERR_OK) return err;
    tell(options, "status %u %s, %llu bytes", response->status, response->reason,
         (unsigned long long)response->body_len);
    warn_of_clock(response);
    client_tls_close(run->tls);
    if (response->status / 100 == 2) return client_output_commit(&run->output, diag);
    return diag_set(diag, ERR_DENIED, "%s: the server answered %u %s", options->url.target, response->status,
                    response->reason);
}

/* However it ends, programs are told; what went wrong stays what went wrong. */
static enum err report(const struct run *run, const struct client_options *options,
                       const struct client_response *response, enum err err, struct diag *diag)
{
    struct client_tls_outcome outcome = {.version = NULL};
    struct client_output standard = {.fd = STDOUT_FILENO, .dir = -1};
    struct diag lost = {{0}};
    if (run->tls != NULL) client_tls_outcome(&outcome, run->tls, response->status != 0);
    const struct client_json_answer answer = {
        .response = response,
        .outcome = &outcome,
        .error = err == ERR_OK ? NULL : diag->text,
        .file = err == ERR_OK ? options->output : NULL,
        .handle = run->handle.id,
        .sent = run->sent,
        .us = clock_monotonic_us() - run->start_us,
    };
    client_json_start();
    const enum err written = client_json_write(&standard, client_json_answer(&answer), &lost);
    return err != ERR_OK || written == ERR_OK ? err : diag_set(diag, written, "%s", lost.text);
}

/* err is how the preparations went. */
static enum err run_http(struct run *run, const struct client_options *options, enum err err, unsigned *out_status,
                         struct diag *diag)
{
    struct client_response response;
    client_response_init(&response, &run->output, &run->progress, diag);
    if (err == ERR_OK) err = exchange(run, options, &response, diag);
    client_progress_end(&run->progress);
    *out_status = response.status;
    return options->json ? report(run, options, &response, err, diag) : err;
}

static enum err run_echo(struct run *run, const struct client_options *options, struct diag *diag)
{
    enum err err = handshake(run, options, diag);
    if (err == ERR_OK) err = client_echo(run->tls, &run->output, options->messages, options->num_messages, diag);
    if (err != ERR_OK) return err;
    client_tls_close(run->tls);
    return client_output_commit(&run->output, diag);
}

static enum err run_command(const struct client_options *options, unsigned *out_status, struct diag *diag)
{
    AUTO(run_cleanup)
    struct run run = {.upload = {.fd = -1},
                      .output = {.fd = -1, .dir = -1},
                      .connection = -1,
                      .handle = {.fd = -1},
                      .start_us = clock_monotonic_us()};
    enum err err = prepare(&run, options, diag);
    if (err == ERR_OK) err = enter_sandbox(&run, diag);
    if (commands[options->command].method != NULL) return run_http(&run, options, err, out_status, diag);
    if (err != ERR_OK) return err;
    return options->command == CLIENT_TRACE ? run_trace(&run, options, diag) : run_echo(&run, options, diag);
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
    return err == ERR_DENIED && status >= 200 && status / 100 != 2 ? EXIT_STATUS : err_exit_code(err);
}
