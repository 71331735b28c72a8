#include "tests/bench/rig.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEYD_CHANNEL = 3, PATIENCE_MS = 20000 };

void rig_fail(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void must(enum err err, const char *what)
{
    if (err == ERR_OK) return;
    fprintf(stderr, "bench: %s: %s\n", what, err_name(err));
    exit(1);
}

/* One descriptor here and one in keyd for each channel. */
static void raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) rig_fail("RLIMIT_NOFILE");
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) rig_fail("RLIMIT_NOFILE");
}

static void exec_keyd(const char *program, int channel)
{
    char *const argv[] = {strdup(program), NULL};
    char *const environment[] = {NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (channel == KEYD_CHANNEL) _exit(98); /* it would be close-on-exec */
    if (dup2(channel, KEYD_CHANNEL) == KEYD_CHANNEL) execve(program, argv, environment);
    _exit(97);
}

static void spawn(struct rig *rig, const char *program)
{
    int ends[2];
    must(channel_pair(ends), "channel");
    if (ends[1] == KEYD_CHANNEL) ends[1] = dup(ends[1]);
    rig->pid = fork();
    if (rig->pid < 0) rig_fail("fork");
    if (rig->pid == 0) exec_keyd(program, ends[1]);
    close(ends[1]);
    rig->broker = (struct link){.fd = ends[0], .role = LINK_BROKER_KEYD, .end = LINK_UPPER};
}

void rig_start(struct rig *rig, const char *program)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    rig->arena = codec_arena_new(LIMIT_DECODE_ARENA);
    rig->identity_arena = codec_arena_new(LIMIT_DECODE_ARENA);
    if (rig->arena == NULL || rig->identity_arena == NULL) rig_fail("memory");
    raise_files();
    spawn(rig, program);
    struct msg setup = {.kind = MSG_KEYD_SETUP, .id = 1};
    setup.keyd_setup = (struct keyd_setup){
        .dns_names = {"localhost"},
        .num_dns_names = 1,
        .ip_addresses = {{loopback, sizeof loopback}},
        .num_ip_addresses = 1,
        .ca_lifetime_s = 86400,
        .leaf_lifetime_s = 86400,
        .client_name = "bench",
    };
    struct packet_extra extra;
    must(link_call(&rig->broker, &rig->identity, &extra, rig->identity_arena, &setup, NULL, 0, PATIENCE_MS),
         "keyd's setup");
    if (rig->identity.kind != MSG_KEYD_IDENTITY) {
        fprintf(stderr, "bench: keyd: %s\n", rig->identity.kind == MSG_FAILED ? rig->identity.failed.text : "no keys");
        exit(1);
    }
}

void rig_stop(struct rig *rig)
{
    close(rig->broker.fd); /* keyd ends with its broker */
    if (waitpid(rig->pid, NULL, 0) < 0) rig_fail("keyd's end");
    codec_arena_free(rig->arena);
    codec_arena_free(rig->identity_arena);
}

struct link rig_grant(struct rig *rig, uint64_t grant, enum purpose purpose)
{
    static const enum link_role roles[PURPOSE_NUM] = {
        [PURPOSE_TLS_SERVER] = LINK_SIGN_SERVER,
        [PURPOSE_TLS_CLIENT] = LINK_SIGN_CLIENT,
        [PURPOSE_BROWSER_DIGEST] = LINK_SIGN_BROWSER,
        [PURPOSE_GATEWAY] = LINK_SIGN_GATEWAY,
    };
    int ends[2];
    must(channel_pair(ends), "channel");
    if (purpose != PURPOSE_TLS_SERVER) must(channel_want_sender(ends[1]), "SO_PASSCRED"); /* as the broker does */
    struct msg msg = {.kind = MSG_KEYD_GRANT};
    msg.keyd_grant = (struct keyd_grant){
        .grant = grant,
        .purpose = purpose,
        .label = "bench",
        .server = purpose == PURPOSE_TLS_CLIENT ? "localhost" : "",
    };
    enum err err;
    while ((err = link_send(&rig->broker, &msg, &ends[1], 1)) == ERR_AGAIN) sched_yield();
    must(err, "KEYD_GRANT");
    close(ends[1]);
    return (struct link){.fd = ends[0], .role = roles[purpose], .end = LINK_LOWER};
}

void rig_pin(pid_t pid, int cpu)
{
    static cpu_set_t all;
    if (CPU_COUNT(&all) == 0 && sched_getaffinity(0, sizeof all, &all) != 0) rig_fail("sched_getaffinity");
    cpu_set_t one;
    CPU_ZERO(&one);
    if (cpu != RIG_NO_CPU) CPU_SET((size_t)cpu, &one);
    if (sched_setaffinity(pid, sizeof one, cpu == RIG_NO_CPU ? &all : &one) != 0) rig_fail("sched_setaffinity");
}

uint64_t rig_cpu_ns(pid_t pid)
{
    char path[64];
    unsigned long long ns = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
    FILE *stat = fopen(path, "r");
    if (stat == NULL || fscanf(stat, "%llu", &ns) != 1) rig_fail(path);
    fclose(stat);
    return ns;
}

int rig_watch(const struct link *link)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, link->fd, &event) != 0) rig_fail("epoll");
    return epoll;
}

struct msg rig_server_request(uint64_t id)
{
    static const uint8_t hash[32] = {0x11, 0x22, 0x33};
    struct msg msg = {.kind = MSG_SIGN_TLS13_SERVER, .id = id};
    msg.sign_tls13_server.scheme = SCHEME_ECDSA_P256_SHA256;
    msg.sign_tls13_server.transcript_hash = (struct bytes){hash, sizeof hash};
    return msg;
}

void rig_ask_server(struct rig *rig, const struct link *link, int epoll)
{
    static uint64_t id;
    struct msg msg = rig_server_request(++id);
    must(link_send(link, &msg, NULL, 0), "SIGN_TLS13_SERVER");
    enum err err;
    do {
        struct epoll_event event;
        struct packet_extra extra;
        if (epoll_wait(epoll, &event, 1, PATIENCE_MS) != 1) rig_fail("no answer");
        err = link_recv(link, &msg, &extra, rig->arena);
    } while (err == ERR_AGAIN);
    must(err, "the answer");
    if (msg.kind != MSG_SIGNATURE || msg.id != id) rig_fail("the answer is no signature");
}

void rig_read_events(struct rig *rig)
{
    struct msg msg;
    struct packet_extra extra;
    while (link_recv(&rig->broker, &msg, &extra, rig->arena) == ERR_OK) {
    }
}

uint64_t samples_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void samples_add(struct samples *samples, uint64_t value)
{
    if (samples->num == samples->room) {
        samples->room = samples->room == 0 ? 4096 : 2 * samples->room;
        samples->values = realloc(samples->values, samples->room * sizeof *samples->values);
        if (samples->values == NULL) rig_fail("memory");
    }
    samples->values[samples->num++] = value;
}

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

void samples_print(struct samples *samples, const char *name)
{
    if (samples->num == 0) return;
    qsort(samples->values, samples->num, sizeof *samples->values, compare);
    printf("%s %.2f %.2f %.2f\n", name, (double)samples->values[samples->num / 2] / 1e3,
           (double)samples->values[samples->num - 1 - samples->num / 100] / 1e3, (double)samples->values[0] / 1e3);
}
