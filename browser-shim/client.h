/* The command-line client: what a browser does, without a screen. It asks the running broker for a short-lived handle
 * and authenticates with it; the client key stays in keyd. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_H
#define KEYWARD_BROWSER_SHIM_CLIENT_H

#include <stdbool.h>

/* client_is_command says whether word names one of the client's commands: "get", "put", "post", "echo", "trace", "help" or "--help". */
bool client_is_command(const char *word);

/* client_main runs the command in argv[1] and returns the exit code: 0 if it succeeded (for get, put and post, with an HTTP
 * status of 2xx), 1 for any other HTTP status, 100 for a mistake in what was asked, 111 for a failure of the system,
 * the network or TLS. What went wrong, and what to do, goes to standard error. */
int client_main(int argc, char **argv);

#endif
