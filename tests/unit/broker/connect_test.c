/* Connections to applications, with listeners that are there, are not, or take nobody. */
#include "broker/connect.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static struct connects connects;
static struct address tcp, here;
static int tcp_fd, here_fd;

static void set_up(void)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&tcp.socket;
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)&here.socket;
    memset(&connects, 0, sizeof connects);
    cr_assert_eq(address_parse(&tcp, "127.0.0.1:0", NULL), ERR_OK);
    tcp_fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(tcp_fd, (struct sockaddr *)v4, sizeof *v4), 0);
    cr_assert_eq(listen(tcp_fd, 64), 0);
    cr_assert_eq(getsockname(tcp_fd, (struct sockaddr *)v4, &tcp.len), 0);
    un->sun_family = AF_UNIX;
    snprintf(un->sun_path, sizeof un->sun_path, "/tmp/keyward-connect-%d", (int)getpid());
    here.len = sizeof *un;
    here_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(here_fd, (struct sockaddr *)un, sizeof *un), 0);
    cr_assert_eq(listen(here_fd, 0), 0);
}

static void tear_down(void)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&here.socket;
    unlink(un->sun_path);
    close(tcp_fd);
    close(here_fd);
}

TestSuite(connect, .init = set_up, .fini = tear_down);

/* Polls and tries, as the loop does, until one comes out. */
static struct connect_result wait_for_one(uint64_t now)
{
    struct connect_result result = {0};
    for (int i = 0; i < 1000; i++) {
        static struct pollfd rows[CONNECT_MAX];
        if (connect_next(&connects, &result, now + (unsigned)i)) return result;
        cr_assert_geq(poll(rows, connect_polls(&connects, rows), 10), 0);
    }
    cr_assert_fail("nothing came out");
    return result;
}

Test(connect, connects)
{
    const struct address *const places[] = {&tcp, &here};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(connect_begin(&connects, 3, 40 + i, places[i], 1, 1000), ERR_OK);
        cr_expect_eq(connect_deadline(&connects), 1000, "there is something to do at once");
        struct connect_result result = wait_for_one(1000);
        cr_expect_eq(result.worker, 3);
        cr_expect_eq(result.id, 40 + i);
        cr_expect_geq(result.fd, 0);
        cr_expect_eq(write(result.fd, "x", 1), 1);
        close(result.fd);
        cr_expect_eq(connects.num_rows, 0);
        cr_expect_eq(connect_deadline(&connects), 0);
    }
}

Test(connect, says_why_not)
{
    close(tcp_fd);
    close(here_fd);
    const struct address *const places[] = {&tcp, &here};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(connect_begin(&connects, 0, 1, places[i], 1, 1000), ERR_OK);
        struct connect_result result = wait_for_one(1000);
        cr_expect_eq(result.fd, -1);
        cr_expect_eq(result.error, ECONNREFUSED);
    }
}

/* A full backlog is no refusal: it is tried again, until the deadline. */
Test(connect, waits_for_a_place)
{
    struct connect_result first, result;
    cr_assert_eq(connect_begin(&connects, 0, 1, &here, 1, 1000), ERR_OK);
    first = wait_for_one(1000);
    cr_assert_geq(first.fd, 0);
    cr_assert_eq(connect_begin(&connects, 0, 2, &here, 1, 1000), ERR_OK);
    cr_expect_not(connect_next(&connects, &result, 1000));
    uint64_t again = connect_deadline(&connects);
    cr_expect_gt(again, 1000);
    cr_expect_not(connect_next(&connects, &result, again));
    int taken = accept(here_fd, NULL, NULL);
    cr_assert_geq(taken, 0);
    cr_assert(connect_next(&connects, &result, connect_deadline(&connects)));
    cr_expect_geq(result.fd, 0);
    cr_assert_eq(connect_begin(&connects, 0, 3, &here, 1, 1000), ERR_OK);
    cr_assert(connect_next(&connects, &result, 1000 + DEADLINE_PROXY_CONNECT_MS));
    cr_expect_eq(result.fd, -1);
    cr_expect_eq(result.error, ETIMEDOUT);
}

/* Nobody is at the first two. */
Test(connect, tries_one_address_after_the_other)
{
    struct address list[3] = {{.len = 0}};
    cr_assert_eq(address_parse(&list[0], "[::1]:1", NULL), ERR_OK);
    cr_assert_eq(address_parse(&list[1], "127.0.0.1:1", NULL), ERR_OK);
    list[2] = tcp;
    cr_assert_eq(connect_begin(&connects, 0, 1, list, 3, 1000), ERR_OK);
    struct connect_result result = wait_for_one(1000);
    cr_expect_geq(result.fd, 0);
    close(result.fd);
    cr_assert_eq(connect_begin(&connects, 0, 2, list, 2, 1000), ERR_OK);
    result = wait_for_one(1000);
    cr_expect_eq(result.fd, -1);
    cr_expect_eq(connects.num_rows, 0);
}

Test(connect, makes_so_many_for_a_worker)
{
    for (size_t i = 0; i < LIMIT_CONNECTING; i++) cr_assert_eq(connect_begin(&connects, 0, i, &tcp, 1, 1000), ERR_OK);
    cr_expect_eq(connect_begin(&connects, 0, 99, &tcp, 1, 1000), ERR_TOO_LARGE);
    cr_expect_eq(connect_begin(&connects, 1, 99, &tcp, 1, 1000), ERR_OK);
    connect_forget(&connects, 0);
    cr_assert_eq(connects.num_rows, 1);
    cr_expect_eq(connects.rows[0].worker, 1);
    cr_expect_eq(connect_begin(&connects, 0, 1, &tcp, 1, 1000), ERR_OK);
}
