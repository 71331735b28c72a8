/* Listeners: bound with words for what goes wrong, and the shim's refused unless it is exactly what it has to be. */
#include "broker/listener.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/channel.h"

static struct address parse(const char *text)
{
    struct address address;
    cr_assert_eq(address_parse(&address, text, NULL), ERR_OK);
    return address;
}

Test(listener, listens_where_it_was_told)
{
    int fd;
    struct address address = parse("127.0.0.1:0");
    cr_assert_eq(listener_bind(&fd, &address, "listen", NULL), ERR_OK);
    cr_assert_neq(address_port(&address), 0, "the kernel's choice is told");
    cr_assert((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    cr_assert((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&address.socket, address.len), 0);
}

Test(listener, says_who_has_the_port)
{
    int fd, other;
    char text[ADDRESS_TEXT], wanted[256];
    struct diag diag = {0};
    struct address address = parse("127.0.0.1:0");
    cr_assert_eq(listener_bind(&fd, &address, "listen", NULL), ERR_OK);
    cr_assert_eq(listener_bind(&other, &address, "echo", &diag), ERR_INPUT);
    address_format(text, &address);
    snprintf(wanted, sizeof wanted,
             "echo %s: address already in use; find the process with: ss -ltnp 'sport = :%u', or choose another with "
             "--echo",
             text, (unsigned)address_port(&address));
    cr_assert_str_eq(diag.text, wanted);
}

Test(listener, says_when_the_machine_does_not_have_the_address)
{
    int fd;
    struct diag diag = {0};
    struct address address = parse("192.0.2.1:9000");
    cr_assert_eq(listener_bind(&fd, &address, "listen", &diag), ERR_INPUT);
    cr_assert_str_eq(diag.text,
                     "listen 192.0.2.1:9000: this machine does not have that address; see them with: ip address");
}

/* A socket that listens on address, made in a network namespace of its own. -1: this machine does not let us. */
static int listen_elsewhere(struct address *address)
{
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = -1;
        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) _exit(2);
        /* lo is down in there; an address of loopback can be bound all the same. */
        if (listener_bind(&fd, address, "listen", NULL) != ERR_OK) _exit(3);
        _exit(channel_send(ends[1], (const uint8_t *)"x", 1, &fd, 1) == ERR_OK ? 0 : 4);
    }
    int status;
    uint8_t packet[8];
    size_t len;
    struct packet_extra extra;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    cr_assert_eq(channel_recv(ends[0], packet, &len, &extra, sizeof packet, 1), ERR_OK);
    return packet_extra_take(&extra, 0);
}

static uint64_t host_cookie(void)
{
    uint64_t cookie;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(listener_cookie(&cookie, fd), ERR_OK);
    close(fd);
    return cookie;
}

static void expect_refused(int fd, uint16_t port, const char *says)
{
    struct diag diag = {0};
    cr_assert_eq(listener_check(fd, port, host_cookie(), &diag), ERR_DENIED, "%s", says);
    cr_assert_str_eq(diag.text, says);
}

Test(listener, from_another_namespace_is_accepted)
{
    struct address address = parse("127.0.0.1:9000");
    int fd = listen_elsewhere(&address);
    cr_assert_eq(fcntl(fd, F_SETFL, 0), 0);
    cr_assert_eq(listener_check(fd, 9000, host_cookie(), NULL), ERR_OK);
    cr_assert((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
}

Test(listener, from_another_namespace_on_another_place_is_refused)
{
    struct address address = parse("127.0.0.1:9001");
    expect_refused(listen_elsewhere(&address), 9000, "it does not listen on 127.0.0.1:9000");
    address = parse("0.0.0.0:9000");
    expect_refused(listen_elsewhere(&address), 9000, "it does not listen on 127.0.0.1:9000");
    address = parse("[::]:9000");
    expect_refused(listen_elsewhere(&address), 9000, "it is no IPv4 socket");
}

Test(listener, of_the_host_is_refused)
{
    int fd;
    struct address address = parse("127.0.0.1:0");
    cr_assert_eq(listener_bind(&fd, &address, "listen", NULL), ERR_OK);
    expect_refused(fd, address_port(&address), "it listens in the host's network namespace");
}

Test(listener, that_is_something_else_is_refused)
{
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    expect_refused(ends[0], 9000, "it is no IPv4 socket");
    expect_refused(open("/dev/null", O_RDONLY | O_CLOEXEC), 9000, "it is no socket");
    expect_refused(socket(AF_INET, SOCK_DGRAM, 0), 9000, "it is no TCP socket");
    expect_refused(socket(AF_INET, SOCK_STREAM, 0), 9000, "it does not listen");
    struct address address = parse("127.0.0.1:0");
    int bound = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(bound, (struct sockaddr *)&address.socket, address.len), 0);
    expect_refused(bound, 9000, "it does not listen");
}
