#include "fuzz_site.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* libFuzzer has an option of its own for that, and says something there itself. */
static void quieten(void)
{
#ifndef LIBFUZZER
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDERR_FILENO) < 0) abort();
    close(null);
#endif
}

struct http_site *fuzz_site(void)
{
    static struct http_site *site;
    if (site != NULL) return site;
    struct http_site_config config = {.root_fd = -1, .uploads_fd = -1};
    if (http_site_open(&site, &config, NULL) != ERR_OK) abort();
    quieten();
    return site;
}

const struct session_peer *fuzz_peer(void)
{
    static const struct session_peer peer = {
        .address = "127.0.0.1:1", .protocol = "TLSv1.3", .cipher = "c", .group = "g", .alpn = ""};
    return &peer;
}

static void wake(void *context)
{
    (void)context;
}

const struct session_host *fuzz_host(void)
{
    static const struct session_host host = {wake, NULL};
    return &host;
}
