#include "tests/bench/page.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/rig.h"

void page_must(enum err err, const struct diag *diag)
{
    if (err == ERR_OK) return;
    fprintf(stderr, "bench: %s\n", diag->text[0] != '\0' ? diag->text : err_name(err));
    exit(1);
}

static int connect_to(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) rig_fail("socket"); /* as in load.c */
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) rig_fail("connect");
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) rig_fail("O_NONBLOCK");
    return fd;
}

void page_open(struct page *page, const char *runtime_dir, const char *port)
{
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const struct client_handle_wish wish = {.label = "bench", .server = "localhost"};
    struct diag diag = {{0}};
    uint8_t answer[4096];
    size_t len;
    *page = (struct page){.address = {.host = "localhost"}};
    snprintf(page->address.port, sizeof page->address.port, "%s", port);
    page_must(client_handle_ask(&page->handle, runtime_dir, &wish, &diag), &diag);
    page->fd = connect_to(port);
    page_must(client_tls_new(&page->tls, page->fd, &page->handle, &page->address, CLIENT_TLS_HTTP, &diag), &diag);
    page_must(client_tls_handshake(page->tls, &diag), &diag);
    page_must(client_tls_write(page->tls, (const uint8_t *)request, sizeof request - 1, &diag), &diag);
    page_must(client_tls_read(page->tls, answer, &len, sizeof answer, CLIENT_TLS_WAIT, &diag), &diag);
    if (len < 12 || memcmp(answer, "HTTP/1.1 200", 12) != 0) rig_fail("the page");
}

void page_close(struct page *page)
{
    client_tls_free(page->tls);
    close(page->fd);
    client_handle_cleanup(&page->handle);
}
