/* browser-shim: without arguments the broker's agent for a browser, with arguments a client on the command line. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "browser-shim/shim.h"

#define BROKER_FD 3

static const char usage[] = "usage: browser-shim                 (only by the broker: starts the browser)\n";

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
    const char *verb = argv[1];
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    fprintf(stderr, "browser-shim: unknown command '%s'; see browser-shim --help\n", verb);
    return EXIT_INPUT;
}
