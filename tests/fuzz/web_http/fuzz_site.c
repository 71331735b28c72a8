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

static char root[] = "/tmp/fuzz-site-XXXXXX";
static const char *const files[] = {"index.html", "a.txt", "a.txt.gz"};
enum { NUM_FILES = sizeof(files) / sizeof(files[0]) };

static void remove_root(void)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < NUM_FILES; i++) unlinkat(fd, files[i], 0);
    close(fd);
    rmdir(root);
}

/* A few files, the longest of a few hundred bytes, so that all kinds of ranges are found. */
static int make_root(void)
{
    if (mkdtemp(root) == NULL || atexit(remove_root) != 0) abort();
    int directory = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < NUM_FILES; i++) {
        int fd = openat(directory, files[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        for (size_t piece = 0; piece < 40; piece++)
            if (write(fd, "0123456789", 10) != 10) abort();
        close(fd);
    }
    return directory;
}

struct http_site *fuzz_site(void)
{
    static struct http_site *site;
    if (site != NULL) return site;
    struct http_site_config config = {.root_fd = make_root(), .uploads_fd = -1};
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
