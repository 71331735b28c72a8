/* A connection to the running system's page, opened with a handle of its own. What fails ends the program. SIGPIPE has to be
 * ignored. */
#ifndef KEYWARD_BENCH_PAGE_H
#define KEYWARD_BENCH_PAGE_H

#include "browser-shim/client_tls.h"

struct page {
    struct client_handle handle;
    struct client_address address;
    int fd;
    struct client_tls *tls;
};

/* page_open mints a handle, opens the connection, fetches /hello and leaves the connection open. */
void page_open(struct page *page, const char *runtime_dir, const char *port);
void page_close(struct page *page);

/* page_must ends the program unless err is ERR_OK. */
void page_must(enum err err, const struct diag *diag);

#endif
