/* web: one worker. Started by the broker with one descriptor, the channel to it. */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"
#include "web/sandbox_policy.h"
#include "web/setup.h"

enum { BROKER_FD = 3 };

/* What the filter would refuse later. */
static void prepare(void)
{
    uint8_t first_use[1];
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error of write */
    signal(SIGXFSZ, SIG_IGN); /* so is an access log that may not become larger */
    CRYPTO_library_init();
    RAND_bytes(first_use, sizeof first_use);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

int main(int argc, char **argv)
{
    (void)argv;
    struct diag diag = {{0}};
    struct setup setup = {0};
    struct worker *worker;
    log_open("web");
    if (argc != 1) {
        log_line("takes no arguments: the broker starts it");
        return EXIT_INPUT;
    }
    prepare();
    enum err err = setup_receive(&setup, BROKER_FD, &diag);
    if (err == ERR_OK) err = sandbox_isolate(&web_sandbox_policy, &diag);
    if (err == ERR_OK) err = setup_open_site(&setup, &diag);
    if (err == ERR_OK) err = worker_new(&worker, &setup.worker, &diag);
    if (err == ERR_OK) err = sandbox_enter(&web_sandbox_policy, setup.dirs, setup.num_dirs, &diag);
    if (err != ERR_OK) {
        setup_answer_failed(BROKER_FD, setup.id, err, &diag);
        return err_exit_code(err);
    }
    int exit_code = worker_run(worker);
    worker_free(worker);
    http_site_free(setup.worker.site);
    return exit_code;
}
