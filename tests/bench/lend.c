/* Keeps a handle out: a handshake is foretold to keyd only while somebody might answer it with keyd's key.
 *
 * lend RUNTIME_DIR: writes a line when the first handle is there, and holds one until it is ended. */
#include <stdio.h>
#include <unistd.h>

#include "browser-shim/client_handle.h"

enum { RENEW_S = 5 }; /* a command-line client's handle lives for seconds */

int main(int argc, char **argv)
{
    struct client_handle held[2] = {{.fd = -1}, {.fd = -1}};
    const struct client_handle_wish wish = {.label = "bench", .server = "localhost"};
    struct diag diag = {{0}};
    if (argc != 2) {
        fprintf(stderr, "usage: lend RUNTIME_DIR\n");
        return 100;
    }
    for (unsigned n = 0;; n++) {
        if (client_handle_ask(&held[n % 2], argv[1], &wish, &diag) != ERR_OK) {
            fprintf(stderr, "lend: %s\n", diag.text);
            return 1;
        }
        client_handle_cleanup(&held[(n + 1) % 2]);
        if (n == 0) puts("lent");
        fflush(stdout);
        sleep(RENEW_S);
    }
}
