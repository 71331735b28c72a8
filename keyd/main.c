/* keyd: holds every private key and signs TLS handshakes with them. The broker starts it; what it may do afterwards is in
 * keyd/sandbox_policy.c, and what it signs for whom in keyd/dispatch.c. */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "keyd/keyd.h"
#include "keyd/sandbox_policy.h"
#include "keyd/secret_memory.h"

#define BROKER_FD 3

static _Noreturn void fail(enum err err, const struct diag *diag)
{
    keyd_report_failure(BROKER_FD, err, diag);
    exit(err_exit_code(err));
}

/* From here on everything is computed on the secret stack, which is not left again. */
static void serve(void *context)
{
    struct diag *diag = context;
    struct keyd *keyd;
    enum err err = keyd_new(&keyd, BROKER_FD, diag);
    if (err == ERR_OK) err = sandbox_enter(&keyd_sandbox_policy, NULL, 0, diag);
    if (err != ERR_OK) fail(err, diag);
    err = keyd_run(keyd, diag);
    keyd_free(keyd);
    exit(err_exit_code(err));
}

/* A descriptor for each handle; the broker, whose hard limit is the same, gives out no more than fit. */
static void raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

/* A batch process does not take the core from a worker in the midst of its work for each packet that the worker sends,
 * but serves what has come when the worker waits (docs/adr/0017-one-signing-thread.md). Where that is forbidden it costs
 * speed and nothing else. */
static void schedule_in_batches(void)
{
    const struct sched_param priority = {0};
    const int result = sched_setscheduler(0, SCHED_BATCH, &priority);
    (void)result;
}

int main(int argc, char **argv)
{
    (void)argv;
    log_open("keyd");
    if (argc != 1 || fcntl(BROKER_FD, F_GETFD) < 0) {
        log_line(
            "takes no arguments and is started by the broker, with its channel as descriptor %d; run broker instead",
            BROKER_FD);
        return EXIT_INPUT;
    }
    struct diag diag = {0};
    raise_files();
    schedule_in_batches();
    enum err err = sandbox_isolate(&keyd_sandbox_policy, &diag);
    if (err == ERR_OK) err = secret_memory_init(&diag);
    if (err == ERR_OK) secret_memory_run(serve, &diag);
    fail(err, &diag);
}
