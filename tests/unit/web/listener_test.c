/* Accepting at the edges: no descriptors left, too many connections, a slot that changes hands. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/web/rig.h"
#include "web/listener.h"

static struct rig rig;
static struct listeners listeners;
static uint16_t port;

/* What the kernel says instead of taking the call; 0: nothing. Both functions stand for libc's in this program. */
static int accept_error, watch_error;
static unsigned num_watch_errors;

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict len, int flags)
{
    int error = accept_error;
    accept_error = 0;
    if (error == 0) return (int)syscall(SYS_accept4, fd, address, len, flags);
    errno = error;
    return -1;
}

__attribute__((visibility("default"))) int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
    if (watch_error == 0) return (int)syscall(SYS_epoll_ctl, epoll, what, fd, event);
    num_watch_errors++;
    errno = watch_error;
    return -1;
}

static int make_listener(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 64) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    port = address.sin_port;
    return fd;
}

static void set_slot(uint32_t slot)
{
    struct web_listen listen = {.slot = slot, .service = SERVICE_ECHO, .address = "127.0.0.1:1"};
    listeners_set(&listeners, &listen, make_listener());
}

static void setup(void)
{
    rig_open(&rig, true);
    listeners_init(&listeners, &rig.shared);
}

static void teardown(void)
{
    listeners_close(&listeners);
    rig_close(&rig);
}

TestSuite(listener, .init = setup, .fini = teardown);

static int dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void pump(unsigned ms)
{
    for (unsigned i = 0; i < ms; i++) {
        rig_pump(&rig);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

Test(listener, accepts_from_its_slots)
{
    set_slot(0);
    int one = dial();
    set_slot(7);
    int two = dial();
    pump(20);
    cr_assert_eq(rig.shared.conns.num, 2);
    close(one);
    close(two);
    cr_assert(rig_wait_closed(&rig, 2));
}

Test(listener, accepted_sockets_do_not_block_and_are_not_inherited)
{
    set_slot(0);
    int client = dial();
    pump(20);
    int accepted = client + 1; /* the lowest that was free */
    cr_assert_eq(fcntl(accepted, F_GETFD), FD_CLOEXEC);
    cr_assert_neq(fcntl(accepted, F_GETFL) & O_NONBLOCK, 0);
    close(client);
}

Test(listener, a_new_listener_replaces_the_old_one)
{
    set_slot(3);
    uint16_t old = port;
    set_slot(3);
    int fd = dial();
    cr_assert_geq(fd, 0);
    port = old;
    cr_assert_eq(dial(), -1);
    close(fd);
}

Test(listener, accepts_nothing_before_there_is_an_identity)
{
    SSL_CTX *tls = rig.shared.tls;
    rig.shared.tls = NULL;
    set_slot(0);
    int fd = dial();
    pump(20);
    cr_assert_eq(rig.shared.conns.num, 0);
    rig.shared.tls = tls;
    listeners_start(&listeners);
    pump(20);
    cr_assert_eq(rig.shared.conns.num, 1);
    close(fd);
}

Test(listener, closes_what_is_over_the_limit)
{
    char byte;
    set_slot(0);
    rig.shared.conns.num = LIMIT_CONNECTIONS - 1;
    int last = dial(), over = dial();
    pump(20);
    cr_assert_eq(rig.shared.conns.num, LIMIT_CONNECTIONS);
    fcntl(last, F_SETFL, O_NONBLOCK);
    cr_assert_eq(read(last, &byte, 1), -1, "the last one is served");
    cr_assert_leq(read(over, &byte, 1), 0, "the next one is closed");
    cr_assert(rig_logged(&rig, "connection refused listener='127.0.0.1:1' peer='127.0.0.1:"), "%s", rig.log);
    cr_assert(rig_logged(&rig, "reason='there are as many connections as a worker may have'"), "%s", rig.log);
    rig.shared.conns.num -= LIMIT_CONNECTIONS - 1;
    close(last);
    close(over);
}

Test(listener, waits_for_descriptors_and_says_so_once)
{
    struct rlimit before, tight;
    set_slot(0);
    int fd = dial();
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    tight.rlim_cur = (rlim_t)fd + 1; /* no number is left */
    setrlimit(RLIMIT_NOFILE, &tight);
    cr_assert_lt(rig_idle_turns(&rig, 60), 6u, "it does not try again and again");
    cr_assert_eq(rig.shared.conns.num, 0);
    setrlimit(RLIMIT_NOFILE, &before);
    pump(200);
    cr_assert_eq(rig.shared.conns.num, 1);
    cr_assert(rig_logged(&rig, "accept failed listener='127.0.0.1:1' reason='Too many open files'"), "%s", rig.log);
    const char *first = strstr(rig.log, "accept failed");
    cr_assert_null(strstr(first + 1, "accept failed"), "%s", rig.log);
    close(fd);
}

/* accept(2): "Linux accept() passes already-pending network errors on the new socket as an error code". */
Test(listener, is_not_lost_for_the_error_of_one_connection)
{
    static const int errors[] = {EPERM,    EPROTO,      ENOPROTOOPT, EOPNOTSUPP,   ENONET,
                                 ENETDOWN, ENETUNREACH, EHOSTDOWN,   EHOSTUNREACH, ECONNABORTED};
    set_slot(0);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        accept_error = errors[i];
        int fd = dial();
        pump(5);
        cr_assert_eq(rig.shared.conns.num, 1, "%s", strerror(errors[i]));
        close(fd);
        pump(5);
        cr_assert_eq(rig.shared.conns.num, 0);
    }
    cr_assert_not(rig_logged(&rig, "listener lost"), "%s", rig.log);
}

Test(listener, closes_what_the_kernel_does_not_watch)
{
    set_slot(0);
    pump(5);
    int fd = dial();
    watch_error = ENOSPC;
    pump(20);
    watch_error = 0;
    cr_assert_eq(rig.shared.conns.num, 0);
    cr_assert_eq(num_watch_errors, 1);
    close(fd);
}

Test(listener, closes_for_good)
{
    set_slot(0);
    listeners_close(&listeners);
    cr_assert_eq(dial(), -1);
}
