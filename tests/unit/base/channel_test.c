#include "base/channel.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"

static int ends[2];
static uint8_t out_data[LIMIT_PACKET + 1];
static uint8_t in_data[LIMIT_PACKET + 1];

static void open_pair(void)
{
    cr_assert_eq(channel_pair(ends), ERR_OK);
    for (size_t i = 0; i < sizeof(out_data); i++) out_data[i] = (uint8_t)(i * 7 + i / 256);
}

TestSuite(channel, .init = open_pair);

static size_t count_open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    cr_assert_not_null(dir);
    size_t num = 0;
    while (readdir(dir) != NULL) num++;
    closedir(dir);
    return num;
}

Test(channel, pair_is_close_on_exec_and_does_not_block)
{
    for (int i = 0; i < 2; i++) {
        cr_expect_neq(fcntl(ends[i], F_GETFD) & FD_CLOEXEC, 0);
        cr_expect_neq(fcntl(ends[i], F_GETFL) & O_NONBLOCK, 0);
    }
    struct packet_extra extra;
    size_t len = 7;
    cr_expect_eq(channel_recv(ends[0], in_data, &len, &extra, sizeof(in_data), 0), ERR_AGAIN);
    cr_expect_eq(len, 0);
    cr_expect_eq(extra.num_fds, 0);
}

Test(channel, keeps_packets_apart)
{
    struct packet_extra extra;
    size_t len = 0;
    cr_assert_eq(channel_send(ends[0], out_data, 5, NULL, 0), ERR_OK);
    cr_assert_eq(channel_send(ends[0], out_data + 5, 1, NULL, 0), ERR_OK);
    cr_assert_eq(channel_recv(ends[1], in_data, &len, &extra, sizeof(in_data), 0), ERR_OK);
    cr_expect(len == 5 && memcmp(in_data, out_data, 5) == 0 && !extra.has_sender);
    cr_assert_eq(channel_recv(ends[1], in_data, &len, &extra, sizeof(in_data), 0), ERR_OK);
    cr_expect(len == 1 && in_data[0] == out_data[5]);
}

Test(channel, takes_a_packet_of_the_limit_and_not_a_byte_more)
{
    struct packet_extra extra;
    size_t len = 0;
    cr_assert_eq(channel_send(ends[0], out_data, LIMIT_PACKET, NULL, 0), ERR_OK);
    cr_assert_eq(channel_recv(ends[1], in_data, &len, &extra, LIMIT_PACKET, 0), ERR_OK);
    cr_expect(len == LIMIT_PACKET && memcmp(in_data, out_data, len) == 0);
    cr_expect_eq(channel_send(ends[0], out_data, LIMIT_PACKET + 1, NULL, 0), ERR_TOO_LARGE);
    cr_expect_eq(channel_recv(ends[1], in_data, &len, &extra, LIMIT_PACKET, 0), ERR_AGAIN, "nothing was sent");
}

/* A peer that does not use our code may send more than we take. */
Test(channel, loses_a_packet_that_is_longer_than_the_buffer)
{
    struct packet_extra extra;
    size_t len = 0;
    const size_t before = count_open_fds();
    cr_assert_eq(channel_send(ends[0], out_data, 101, &ends[0], 1), ERR_OK);
    cr_assert_eq(channel_send(ends[0], out_data, 100, NULL, 0), ERR_OK);
    cr_expect_eq(channel_recv(ends[1], in_data, &len, &extra, 100, 1), ERR_TOO_LARGE);
    cr_expect_eq(extra.num_fds, 0);
    cr_expect_eq(count_open_fds(), before, "its descriptor is closed");
    cr_expect_eq(channel_recv(ends[1], in_data, &len, &extra, 100, 1), ERR_OK, "the next one is whole");
    cr_expect_eq(len, 100);
}

Test(channel, carries_descriptors)
{
    struct packet_extra extra;
    size_t len = 0;
    int files[2];
    cr_assert_eq(pipe2(files, O_CLOEXEC), 0);
    const int both[] = {files[1], ends[0]};
    cr_assert_eq(channel_send(ends[0], out_data, 1, both, 2), ERR_OK);
    cr_assert_eq(channel_recv(ends[1], in_data, &len, &extra, sizeof(in_data), 2), ERR_OK);
    cr_assert_eq(extra.num_fds, 2);
    cr_expect_neq(fcntl(extra.fds[0], F_GETFD) & FD_CLOEXEC, 0);

    const int taken = packet_extra_take(&extra, 0);
    packet_extra_close(&extra);
    cr_expect_eq(fcntl(taken, F_GETFD), FD_CLOEXEC, "what was taken stays open");
    char byte = 0;
    cr_expect_eq(write(taken, "x", 1), 1);
    cr_expect(read(files[0], &byte, 1) == 1 && byte == 'x', "it is the pipe");
}

Test(channel, takes_as_many_descriptors_as_the_limit)
{
    struct packet_extra extra;
    size_t len = 0;
    const int four[LIMIT_PACKET_FDS] = {0, 1, 2, ends[0]};
    cr_assert_eq(channel_send(ends[0], out_data, 1, four, LIMIT_PACKET_FDS), ERR_OK);
    cr_assert_eq(channel_recv(ends[1], in_data, &len, &extra, sizeof(in_data), LIMIT_PACKET_FDS), ERR_OK);
    cr_expect_eq(extra.num_fds, LIMIT_PACKET_FDS);
}

static void expect_refused_fds(size_t sent, size_t max_fds)
{
    struct packet_extra extra;
    size_t len = 7;
    const size_t before = count_open_fds();
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(64 * sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = out_data, .iov_len = 1};
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.room,
                            .msg_controllen = CMSG_SPACE(sent * sizeof(int))};
    struct cmsghdr *part = CMSG_FIRSTHDR(&header);
    *part =
        (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sent * sizeof(int))};
    for (size_t i = 0; i < sent; i++) memcpy(CMSG_DATA(part) + i * sizeof(int), &ends[0], sizeof(int));
    cr_assert_eq(sendmsg(ends[0], &header, 0), 1);
    cr_expect_eq(channel_recv(ends[1], in_data, &len, &extra, sizeof(in_data), max_fds), ERR_MALFORMED);
    cr_expect(len == 0 && extra.num_fds == 0);
    cr_expect_eq(count_open_fds(), before, "%zu descriptors: all of them are closed", sent);
}

Test(channel, closes_all_descriptors_if_there_are_too_many)
{
    expect_refused_fds(1, 0);
    expect_refused_fds(LIMIT_PACKET_FDS, LIMIT_PACKET_FDS - 1);
    expect_refused_fds(LIMIT_PACKET_FDS + 1, LIMIT_PACKET_FDS);
    expect_refused_fds(64, LIMIT_PACKET_FDS);
    /* With the sender's name before them, four descriptors fill the room to the byte: the fifth is the kernel's to drop. */
    cr_assert_eq(channel_want_sender(ends[1]), ERR_OK);
    expect_refused_fds(LIMIT_PACKET_FDS + 1, LIMIT_PACKET_FDS);
}

Test(channel, names_the_sender_where_it_was_asked_to)
{
    struct packet_extra extra;
    size_t len = 0;
    cr_assert_eq(channel_want_sender(ends[1]), ERR_OK);
    const int four[LIMIT_PACKET_FDS] = {0, 1, 2, ends[0]};
    const pid_t child = fork();
    if (child == 0) _exit(channel_send(ends[0], out_data, 1, four, LIMIT_PACKET_FDS) == ERR_OK ? 0 : 1);
    int status = 1;
    cr_assert(waitpid(child, &status, 0) == child && status == 0);
    cr_assert_eq(channel_recv(ends[1], in_data, &len, &extra, sizeof(in_data), LIMIT_PACKET_FDS), ERR_OK);
    cr_expect_eq(extra.num_fds, LIMIT_PACKET_FDS, "there is room for both");
    cr_assert(extra.has_sender);
    cr_expect(extra.sender.pid == child && extra.sender.uid == getuid() && extra.sender.gid == getgid());
}

Test(channel, a_closed_end_is_told_to_both_directions)
{
    struct packet_extra extra;
    size_t len = 0;
    signal(SIGPIPE, SIG_DFL);
    cr_assert_eq(channel_send(ends[0], out_data, 3, NULL, 0), ERR_OK);
    close(ends[0]);
    cr_expect_eq(channel_recv(ends[1], in_data, &len, &extra, sizeof(in_data), 0), ERR_OK, "what was sent arrives");
    cr_expect_eq(channel_recv(ends[1], in_data, &len, &extra, sizeof(in_data), 0), ERR_CLOSED);
    cr_expect_eq(channel_send(ends[1], out_data, 3, NULL, 0), ERR_CLOSED, "and no SIGPIPE");
}

Test(channel, an_end_closed_with_unread_packets_is_closed)
{
    struct packet_extra extra;
    size_t len = 0;
    cr_assert_eq(channel_send(ends[1], out_data, 3, NULL, 0), ERR_OK);
    close(ends[0]);
    cr_expect_eq(channel_recv(ends[1], in_data, &len, &extra, sizeof(in_data), 0), ERR_CLOSED);
}

Test(channel, the_last_word_of_an_end_closed_with_unread_packets_is_heard)
{
    size_t len;
    struct packet_extra extra;
    cr_assert_eq(channel_send(ends[0], out_data, 3, NULL, 0), ERR_OK);
    cr_assert_eq(channel_send(ends[1], out_data, 5, NULL, 0), ERR_OK);
    close(ends[1]);
    cr_assert_eq(channel_recv(ends[0], in_data, &len, &extra, sizeof(in_data), 0), ERR_OK);
    cr_expect_eq(len, 5);
    cr_expect_eq(channel_recv(ends[0], in_data, &len, &extra, sizeof(in_data), 0), ERR_CLOSED);
}

Test(channel, a_full_queue_says_again)
{
    enum err err = ERR_OK;
    size_t sent = 0;
    for (; err == ERR_OK && sent < 1000; sent++) err = channel_send(ends[0], out_data, LIMIT_PACKET, NULL, 0);
    cr_expect_eq(err, ERR_AGAIN);
    cr_expect_gt(sent, 1);
}

Test(channel, an_empty_packet_counts_as_the_end)
{
    struct packet_extra extra;
    size_t len = 0;
    const size_t before = count_open_fds();
    cr_assert_eq(send(ends[0], out_data, 0, 0), 0);
    cr_expect_eq(channel_recv(ends[1], in_data, &len, &extra, sizeof(in_data), 1), ERR_CLOSED);
    cr_expect_eq(count_open_fds(), before);
}

Test(channel, what_is_no_socket_is_a_system_error)
{
    struct packet_extra extra;
    size_t len = 0;
    AUTO_FD file = open("/dev/null", O_RDWR | O_CLOEXEC);
    cr_expect_eq(channel_send(file, out_data, 1, NULL, 0), ERR_SYSTEM);
    cr_expect_eq(channel_recv(file, in_data, &len, &extra, sizeof(in_data), 0), ERR_SYSTEM);
    cr_expect_eq(channel_want_sender(file), ERR_SYSTEM);
}

Test(channel, an_empty_packet_of_our_own_is_a_bug, .signal = SIGILL)
{
    cr_expect_eq(channel_send(ends[0], out_data, 0, NULL, 0), ERR_OK);
}

Test(channel, wait_ends_with_a_packet_the_end_or_the_deadline)
{
    cr_expect_eq(channel_wait(ends[1], 0), ERR_TIMEOUT);
    cr_expect_eq(channel_wait(ends[1], 20), ERR_TIMEOUT);
    cr_assert_eq(channel_send(ends[0], out_data, 1, NULL, 0), ERR_OK);
    cr_expect_eq(channel_wait(ends[1], 20), ERR_OK);
    cr_expect_eq(channel_wait(ends[0], 20), ERR_TIMEOUT);
    close(ends[1]);
    cr_expect_eq(channel_wait(ends[0], 20), ERR_OK);
    cr_expect_eq(channel_wait(ends[1], 20), ERR_SYSTEM);
}
