/* The whole life of handles, one after the other: minted, used for one handshake and one request, closed.
 *
 * handle_use RUNTIME_DIR PORT TIMES. Writes nothing: what it costs is read off the server's processes. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/page.h"

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: handle_use RUNTIME_DIR PORT TIMES\n");
        return 100;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    for (unsigned long times = strtoul(argv[3], NULL, 10); times > 0; times--) {
        struct page page;
        page_open(&page, argv[1], argv[2]);
        page_close(&page);
    }
    return 0;
}
