/* browser-shim: without arguments the broker's agent for a browser, with arguments a client on the command line. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "browser-shim/client.h"
#include "browser-shim/exec.h"
#include "browser-shim/shim.h"

#define BROKER_FD 3

static int run_for_broker(void)
{
    int type = 0;
    socklen_t len = sizeof type;
    if (getsockopt(BROKER_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET) {
        return shim_run(BROKER_FD);
    }
    fprintf(stderr, "browser-shim: without arguments it is started by the broker only; "
                    "see browser-shim --help, or run broker\n");
    return EXIT_INPUT;
}

int main(int argc, char **argv)
{
    if (argc <= 1) return run_for_broker();
    if (client_is_command(argv[1])) return client_main(argc, argv);
    if (strcmp(argv[1], "exec") == 0) return exec_main(argc, argv);
    fprintf(stderr, "browser-shim: unknown command '%s'; see browser-shim --help\n", argv[1]);
    return EXIT_INPUT;
}
