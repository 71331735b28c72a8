/* keyd's policy, attacked from the inside. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/channel.h"
#include "keyd/sandbox_policy.h"
#include "tests/unit/sandbox/probe.h"

static const struct probe_setup setup = {.policy = &keyd_sandbox_policy};

Test(sandbox, allows_none_of_what_an_attacker_wants)
{
    static const struct probe_expectation expected[] = {
        {PROBE_CLONE3, PROBE_ERRNO, ENOSYS},
    };
    cr_assert_eq(probe_surprises(&setup, expected, 1), 0);
}

Test(sandbox, allows_none_of_it_in_its_namespaces_either)
{
    static const struct probe_setup isolated = {.policy = &keyd_sandbox_policy, .isolate = true};
    static const struct probe_expectation expected[] = {
        {PROBE_CLONE3, PROBE_ERRNO, ENOSYS},
    };
    cr_assert_eq(probe_surprises(&isolated, expected, 1), 0);
}

static long map_file(void *context)
{
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, *(int *)context, 0);
    return page == MAP_FAILED ? -errno : 0;
}

Test(sandbox, maps_no_file)
{
    int fd = STDIN_FILENO;
    cr_assert_eq(probe_call(&setup, map_file, &fd).result, PROBE_KILLED);
}

static long set_other_option(void *context)
{
    const int on = 1;
    return setsockopt(*(int *)context, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) == 0 ? 0 : -errno;
}

static long name_senders(void *context)
{
    return channel_want_sender(*(int *)context) == ERR_OK ? 0 : -errno;
}

static long write_elsewhere(void *context)
{
    return write(*(int *)context, "x", 1) == 1 ? 0 : -errno;
}

static long send_packet(void *context)
{
    return channel_send(*(int *)context, (const uint8_t *)"x", 1, NULL, 0) == ERR_OK ? 0 : -EIO;
}

Test(sandbox, uses_a_channel_for_packets_only)
{
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    cr_assert_eq(probe_call(&setup, name_senders, &ends[0]).result, PROBE_ALLOWED);
    cr_assert_eq(probe_call(&setup, send_packet, &ends[0]).result, PROBE_ALLOWED);
    cr_assert_eq(probe_call(&setup, set_other_option, &ends[0]).result, PROBE_KILLED);
    cr_assert_eq(probe_call(&setup, write_elsewhere, &ends[0]).result, PROBE_KILLED);
}
