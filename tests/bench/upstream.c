/* An application as fast as one can be: it answers every request on its Unix socket with the same 1 KB, and keeps
 * connections. It reads no more of a request than where it ends, so requests must have no body.
 *
 * upstream PATH: writes "ready" once it listens, and serves until it is killed. */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BODY = 1024, REQUEST = 8192, EVENTS = 64 };

struct peer {
    int fd;
    size_t len;
    char request[REQUEST];
};

static char answer[BODY + 256];
static size_t answer_len;

static void make_answer(void)
{
    int head = snprintf(answer, sizeof answer,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", BODY);
    memset(answer + head, 'a', BODY);
    answer_len = (size_t)head + BODY;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, SOMAXCONN) != 0)
        return -1;
    return fd;
}

static bool watch(int epoll, int fd, void *data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void welcome(int epoll, int listener)
{
    struct peer *peer = malloc(sizeof *peer);
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (peer == NULL || fd < 0) {
        free(peer);
        return;
    }
    peer->fd = fd;
    peer->len = 0;
    if (!watch(epoll, fd, peer)) exit(111);
}

/* False: the peer is gone. */
static bool serve(struct peer *peer)
{
    const ssize_t got = read(peer->fd, peer->request + peer->len, sizeof peer->request - peer->len);
    if (got <= 0) return false;
    peer->len += (size_t)got;
    for (const char *end; (end = memmem(peer->request, peer->len, "\r\n\r\n", 4)) != NULL;) {
        const size_t used = (size_t)(end + 4 - peer->request);
        memmove(peer->request, end + 4, peer->len - used);
        peer->len -= used;
        if (write(peer->fd, answer, answer_len) != (ssize_t)answer_len) return false;
    }
    return peer->len < sizeof peer->request;
}

int main(int argc, char **argv)
{
    const int listener = argc == 2 ? listen_at(argv[1]) : -1, epoll = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || !watch(epoll, listener, NULL)) {
        perror("upstream PATH");
        return 100;
    }
    signal(SIGPIPE, SIG_IGN);
    make_answer();
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        for (int i = 0, num = epoll_wait(epoll, events, EVENTS, -1); i < num; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer == NULL) {
                welcome(epoll, listener);
            } else if (!serve(peer)) {
                close(peer->fd);
                free(peer);
            }
        }
    }
}
