/* The control socket's server, without any process behind it. */
#include "broker/control.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker/broker.h"
#include "broker/listener.h"
#include "broker/status.h"

static struct broker broker;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_len;
static struct codec_arena *arena;

static void setup(void)
{
    static struct resources resources;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
    /* An abstract name of the kernel's choice. */
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address.sun_family), 0);
    cr_assert_eq(listen(fd, 64), 0);
    address_len = sizeof address;
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &address_len), 0);
    broker.resources = &resources;
    broker.max_handles = LIMIT_GRANTS;
    broker.arena = codec_arena_new(LIMIT_DECODE_ARENA);
    process_init(&broker.processes[broker.num_processes++], PROGRAM_KEYD, 0);
    cr_assert_eq(procfs_open(&broker.procfs, fd, NULL), ERR_OK);
    control_init(&broker.control, fd, geteuid());
    cr_assert_eq(listener_cookie(&broker.host_cookie, fd), ERR_OK);
    arena = codec_arena_new(LIMIT_DECODE_ARENA);
}

TestSuite(control, .init = setup, .timeout = 30);

static void serve(void)
{
    struct pollfd rows[1 + CONTROL_CLIENTS];
    size_t num = control_polls(&broker.control, rows);
    if (poll(rows, num, 0) > 0) control_serve(&broker, rows, num);
}

static struct handle *add_handle(enum purpose purpose, const char *label)
{
    const struct keyd_grant terms = {.purpose = purpose, .label = label, .server = "localhost"};
    return handles_add(&broker.handles, &terms, 0);
}

static struct link dial(void)
{
    struct link link = {
        .fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0), .role = LINK_CONTROL, .end = LINK_LOWER};
    cr_assert_eq(connect(link.fd, (struct sockaddr *)&address, address_len), 0);
    return link;
}

static struct msg ask(const struct link *link, struct msg question)
{
    struct msg answer;
    struct packet_extra extra;
    question.id = 77;
    cr_assert_eq(link_send(link, &question, NULL, 0), ERR_OK);
    serve();
    cr_assert_eq(link_recv(link, &answer, &extra, arena), ERR_OK);
    cr_assert_eq(answer.id, 77);
    return answer;
}

Test(control, answers_a_status)
{
    struct link link = dial();
    serve();
    struct msg answer = ask(&link, (struct msg){.kind = MSG_SYSTEM_STATUS_QUERY});
    cr_assert_eq(answer.kind, MSG_SYSTEM_STATUS);
    cr_assert_str_eq(answer.system_status.processes[0].name, "broker");
    cr_assert_eq(answer.system_status.processes[0].pid, (uint32_t)getpid());
    cr_assert_str_eq(answer.system_status.processes[2].name, "keyd");
    cr_assert_eq(answer.system_status.processes[2].pid, 0, "it is down");
}

Test(control, tells_which_handles_are_lent)
{
    struct link link = dial();
    serve();
    add_handle(PURPOSE_TLS_SERVER, "web[0]");
    add_handle(PURPOSE_BROWSER_DIGEST, "browser");
    struct msg answer = ask(&link, (struct msg){.kind = MSG_SYSTEM_STATUS_QUERY});
    cr_assert_eq(answer.system_status.num_handles, 1, "a web worker's channel is no handle");
    cr_assert_str_eq(answer.system_status.handles[0].label, "browser");
}

Test(control, has_no_ca_and_mints_nothing_without_keyd)
{
    struct link link = dial();
    serve();
    struct msg answer = ask(&link, (struct msg){.kind = MSG_CA_QUERY});
    cr_assert_eq(answer.kind, MSG_FAILED);
    cr_assert_eq(answer.failed.error, ERR_AGAIN);
    answer = ask(&link, (struct msg){.kind = MSG_HANDLE_MINT,
                                     .handle_mint = {.label = "x", .lifetime_s = 10, .server = "localhost"}});
    cr_assert_eq(answer.kind, MSG_FAILED);
    cr_assert_eq(broker.handles.num, 0);
}

Test(control, revokes_handles_and_nothing_else)
{
    struct link link = dial();
    serve();
    uint64_t worker = add_handle(PURPOSE_TLS_SERVER, "web[0]")->id;
    uint64_t lent = add_handle(PURPOSE_TLS_CLIENT, "get")->id;
    struct msg answer = ask(&link, (struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = 99});
    cr_assert_eq(answer.kind, MSG_FAILED);
    cr_assert_eq(answer.failed.error, ERR_NOT_FOUND);
    cr_assert_str_eq(answer.failed.text, "handle 99: there is none; broker handle list shows them");
    answer = ask(&link, (struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = worker});
    cr_assert_eq(answer.kind, MSG_FAILED);
    cr_assert_not_null(handles_find(&broker.handles, lent));
    cr_assert_not_null(handles_find(&broker.handles, worker));
}

Test(control, cuts_who_sends_no_message)
{
    struct link link = dial(), other = dial();
    struct msg answer;
    struct packet_extra extra;
    serve();
    serve();
    cr_assert_eq(send(link.fd, "nonsense", 8, 0), 8);
    serve();
    cr_assert_eq(link_recv(&link, &answer, &extra, arena), ERR_CLOSED);
    cr_assert_eq(ask(&other, (struct msg){.kind = MSG_SYSTEM_STATUS_QUERY}).kind, MSG_SYSTEM_STATUS,
                 "the others go on");
}

Test(control, cuts_who_sends_what_only_the_broker_says)
{
    struct link link = dial();
    struct msg answer;
    struct packet_extra extra;
    serve();
    /* DONE, as the broker's end would encode it. */
    const struct link forged = {.fd = link.fd, .role = LINK_CONTROL, .end = LINK_UPPER};
    cr_assert_eq(link_send(&forged, &(struct msg){.kind = MSG_DONE, .id = 1}, NULL, 0), ERR_OK);
    serve();
    cr_assert_eq(link_recv(&link, &answer, &extra, arena), ERR_CLOSED);
}

Test(control, has_room_for_so_many_clients)
{
    struct link links[CONTROL_CLIENTS + 1];
    struct msg answer;
    struct packet_extra extra;
    for (size_t i = 0; i <= CONTROL_CLIENTS; i++) links[i] = dial();
    for (size_t i = 0; i <= CONTROL_CLIENTS; i++) serve();
    struct msg question = {.kind = MSG_CA_QUERY, .id = 5};
    cr_assert_eq(link_send(&links[CONTROL_CLIENTS], &question, NULL, 0), ERR_OK);
    for (size_t i = 0; i <= CONTROL_CLIENTS; i++) serve();
    cr_assert_eq(link_recv(&links[CONTROL_CLIENTS], &answer, &extra, arena), ERR_AGAIN, "the last one waits");
    close(links[0].fd);
    for (size_t i = 0; i < 4; i++) serve();
    cr_assert_eq(link_recv(&links[CONTROL_CLIENTS], &answer, &extra, arena), ERR_OK, "until there is room");
}

Test(control, does_not_wait_for_clients_for_ever)
{
    struct link link = dial();
    struct msg answer;
    struct packet_extra extra;
    serve();
    uint64_t deadline = control_deadline(&broker.control);
    cr_assert_neq(deadline, 0);
    cr_assert_leq(deadline, clock_monotonic_ms() + DEADLINE_CONTROL_MS);
    control_expire(&broker, deadline - 1);
    cr_assert_eq(link_recv(&link, &answer, &extra, arena), ERR_AGAIN);
    control_expire(&broker, deadline);
    cr_assert_eq(link_recv(&link, &answer, &extra, arena), ERR_CLOSED);
    cr_assert_eq(control_deadline(&broker.control), 0);
}

Test(control, waits_for_a_process_that_does_not_answer_only_so_long)
{
    int ends[2];
    struct link link = dial();
    struct msg answer;
    struct packet_extra extra;
    struct msg question = {.kind = MSG_SYSTEM_STATUS_QUERY, .id = 3};
    struct process *keyd = broker_keyd(&broker);
    cr_assert_eq(channel_pair(ends), ERR_OK);
    keyd->link = (struct link){.fd = ends[0], .role = LINK_BROKER_KEYD, .end = LINK_UPPER};
    keyd->life.state = LIFE_RUNNING;
    serve();
    cr_assert_eq(link_send(&link, &question, NULL, 0), ERR_OK);
    serve();
    cr_assert_eq(link_recv(&link, &answer, &extra, arena), ERR_AGAIN, "keyd was asked");
    control_expire(&broker, clock_monotonic_ms() + CONTROL_ROUND_MS);
    cr_assert_eq(link_recv(&link, &answer, &extra, arena), ERR_OK);
    cr_assert_eq(answer.kind, MSG_SYSTEM_STATUS);
}

/* Who connects is told by the kernel; here by children that become somebody else. */
static bool allowed_as(uid_t uid, uid_t owner)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (uid != geteuid() && setuid(uid) != 0) _exit(2);
        int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        if (connect(fd, (struct sockaddr *)&address, address_len) != 0) _exit(3);
        char byte;
        _exit(read(ends[1], &byte, 1) == 1 ? 0 : 4);
    }
    struct pollfd client = {.fd = broker.control.listener, .events = POLLIN};
    cr_assert_eq(poll(&client, 1, 10000), 1);
    int fd = accept(broker.control.listener, NULL, NULL);
    bool allowed = control_peer_fault(fd, owner, broker.host_cookie) == NULL;
    int status;
    cr_assert_eq(write(ends[0], "x", 1), 1);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    close(fd);
    return allowed;
}

Test(control, lets_in_root_and_whoever_started_the_broker)
{
    uid_t me = geteuid();
    cr_assert(allowed_as(me, me));
    if (me == 0) {
        cr_assert(allowed_as(0, 61200));
        cr_assert(allowed_as(61200, 61200));
        cr_assert_not(allowed_as(61201, 61200));
        cr_assert_not(allowed_as(61201, 0));
    } else {
        cr_assert_not(allowed_as(me, me + 1));
    }
}

/* A socket's file, unlike a name, is reached from every network namespace that sees the file: the browser's too. */
static const char *fault_of_peer_in(int namespaces)
{
    char dir[] = "/tmp/keyward-control-XXXXXX";
    struct sockaddr_un file = {.sun_family = AF_UNIX};
    cr_assert_not_null(mkdtemp(dir));
    snprintf(file.sun_path, sizeof file.sun_path, "%s/control", dir);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0), status;
    cr_assert_eq(bind(listener, (struct sockaddr *)&file, sizeof file), 0);
    cr_assert_eq(listen(listener, 1), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(namespaces) != 0) _exit(2);
        int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        _exit(connect(fd, (struct sockaddr *)&file, sizeof file) == 0 ? 0 : 3);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    int fd = accept(listener, NULL, NULL);
    const char *fault = control_peer_fault(fd, geteuid(), broker.host_cookie);
    close(fd);
    close(listener);
    unlink(file.sun_path);
    rmdir(dir);
    return fault;
}

Test(control, lets_nobody_in_from_the_browsers_network_namespace)
{
    cr_assert_null(fault_of_peer_in(0));
    cr_assert_str_eq(fault_of_peer_in(CLONE_NEWUSER | CLONE_NEWNET), "it is in another network namespace");
}
