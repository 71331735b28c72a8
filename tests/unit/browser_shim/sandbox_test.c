/* What the shim and what a browser may ask of the kernel, tried from the inside. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "browser-shim/sandbox_policy.h"
#include "tests/unit/sandbox/probe.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct probe_setup shim = {.policy = &shim_policy};
static const struct probe_setup shim_isolated = {.policy = &shim_policy, .isolate = true};
static const struct probe_setup browser = {.policy = &launcher_policy};

Test(sandbox, the_shim_can_do_nothing_but_its_work)
{
    static const struct probe_expectation expected[] = {{PROBE_CLONE3, PROBE_ERRNO, ENOSYS}};
    cr_expect_eq(probe_surprises(&shim, expected, COUNT(expected)), 0);
    cr_expect_eq(probe_surprises(&shim_isolated, expected, COUNT(expected)), 0);
}

/* Under Landlock, which is on top of the filter from Linux 6.7 on, to that port alone: port 1 is none that the probe tries. */
Test(sandbox, the_gateway_can_do_nothing_but_its_work)
{
    static const uint16_t elsewhere[] = {1};
    static const struct probe_setup gateway = {.policy = &gateway_policy, .ports = elsewhere, .num_ports = 1};
    const struct probe_expectation expected[] = {
        {PROBE_CLONE3, PROBE_ERRNO, ENOSYS},
        {PROBE_CONNECT, sandbox_landlock_abi() >= 4 ? PROBE_ERRNO : PROBE_ALLOWED, 0},
    };
    cr_expect_eq(probe_surprises(&gateway, expected, COUNT(expected)), 0);
}

static long make_socket(void *context)
{
    const int *what = context;
    return socket(what[0], what[1], what[2]) >= 0 ? 0 : -errno;
}

Test(sandbox, the_gateway_makes_tcp_sockets_and_no_others)
{
    static const struct probe_setup gateway = {.policy = &gateway_policy};
    int tcp[] = {AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0};
    struct probe_report report = probe_call(&gateway, make_socket, tcp);
    cr_expect_eq(report.result, PROBE_ALLOWED, "%s", probe_describe(&report));
    int others[][3] = {{AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0},
                       {AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0},
                       {AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0},
                       {AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 262 /* MPTCP */}};
    for (size_t i = 0; i < COUNT(others); i++) {
        report = probe_call(&gateway, make_socket, others[i]);
        cr_expect_eq(report.result, PROBE_KILLED, "%zu: %s", i, probe_describe(&report));
    }
}

/* Each is what a taken-over browser would use against another process, the kernel or the machine. */
Test(sandbox, a_browser_is_refused_what_it_has_no_use_for)
{
    static const enum probe_action refused[] = {
        PROBE_PTRACE, PROBE_PROCESS_VM_READV, PROBE_PROCESS_VM_WRITEV, PROBE_PIDFD_GETFD, PROBE_MOUNT,
        PROBE_BPF,    PROBE_KEYCTL,           PROBE_IO_URING,          PROBE_USERFAULTFD, PROBE_PERF_EVENT_OPEN,
    };
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct probe_report report = probe_run(&browser, refused[i]);
        cr_expect(report.result == PROBE_ERRNO && report.error == EPERM, "%s: %s", probe_action_name(refused[i]),
                  probe_describe(&report));
    }
    struct probe_report report = probe_run(&browser, PROBE_X32);
    cr_expect_eq(report.result, PROBE_KILLED, "x32: %s", probe_describe(&report));
}

/* Without these there is no browser, or none with a sandbox of its own. */
Test(sandbox, a_browser_can_do_what_it_needs)
{
    static const enum probe_action allowed[] = {
        PROBE_OPEN,  PROBE_SOCKET,    PROBE_SOCKET_UNIX,   PROBE_CONNECT,      PROBE_EXECVE,  PROBE_FORK,
        PROBE_CLONE, PROBE_MMAP_EXEC, PROBE_MPROTECT_EXEC, PROBE_MEMFD_CREATE, PROBE_UNSHARE,
    };
    for (size_t i = 0; i < COUNT(allowed); i++) {
        struct probe_report report = probe_run(&browser, allowed[i]);
        cr_expect_eq(report.result, PROBE_ALLOWED, "%s: %s", probe_action_name(allowed[i]), probe_describe(&report));
    }
}

static long open_socket(void *context)
{
    const int *family = context;
    return socket(*family, SOCK_DGRAM, 0) >= 0 ? 0 : -errno;
}

Test(sandbox, a_browser_gets_no_socket_that_leaves_its_network)
{
    int families[] = {AF_VSOCK, AF_ALG, AF_PACKET, AF_XDP, AF_KEY, AF_RDS, AF_TIPC, AF_CAN, AF_BLUETOOTH};
    for (size_t i = 0; i < COUNT(families); i++) {
        struct probe_report report = probe_call(&browser, open_socket, &families[i]);
        cr_expect(report.result == PROBE_ERRNO && report.error == EPERM, "family %d: %s", families[i],
                  probe_describe(&report));
    }
    int inet6 = AF_INET6;
    struct probe_report report = probe_call(&browser, open_socket, &inet6);
    cr_expect_eq(report.result, PROBE_ALLOWED, "%s", probe_describe(&report));
}

static long open_netlink(void *context)
{
    return socket(AF_NETLINK, SOCK_RAW, *(const int *)context) >= 0 ? 0 : -errno;
}

Test(sandbox, a_browser_may_look_at_the_network_and_not_at_packet_filters)
{
    int refused[] = {NETLINK_NETFILTER, NETLINK_XFRM};
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct probe_report report = probe_call(&browser, open_netlink, &refused[i]);
        cr_expect(report.result == PROBE_ERRNO && report.error == EPERM, "protocol %d: %s", refused[i],
                  probe_describe(&report));
    }
    int route = NETLINK_ROUTE;
    struct probe_report report = probe_call(&browser, open_netlink, &route);
    cr_expect_eq(report.result, PROBE_ALLOWED, "%s", probe_describe(&report));
}

static long type_into_terminal(void *context)
{
    return ioctl(*(const int *)context, TIOCSTI, "x") == 0 ? 0 : -errno;
}

Test(sandbox, a_browser_types_nothing_into_a_terminal)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct probe_report report = probe_call(&browser, type_into_terminal, &null);
    cr_expect(report.result == PROBE_ERRNO && report.error == EPERM, "%s", probe_describe(&report)); /* not ENOTTY */
    close(null);
}

static long wait_for_launcher(void *context)
{
    (void)context;
    return syscall(SYS_waitid, 0, 0, NULL, 0, NULL) == 0 ? 0 : -errno;
}

Test(sandbox, the_shim_can_see_the_launcher_out)
{
    struct probe_report report = probe_call(&shim, wait_for_launcher, NULL);
    cr_expect(report.result == PROBE_ERRNO && (report.error == EINVAL || report.error == ECHILD), "%s",
              probe_describe(&report));
}
