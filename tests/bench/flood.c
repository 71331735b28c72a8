/* A good peer's signatures while a bad one floods the same keyd.
 *
 * flood KEYD MILLISECONDS: asks for lone signatures on a worker's channel, first in peace and then beside each flood in turn,
 * for so long each. Writes a line "NAME P50 P99 MIN" for each, in microseconds. keyd is free to run where the scheduler likes;
 * the bad peer is a process of its own. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/rig.h"

enum { BAD_CHANNELS = 900 };

struct flood {
    const char *name;
    enum purpose purpose;
    size_t num_channels;
    void (*run)(const struct link *links, struct codec_arena *arena); /* until it is killed */
};

/* One packet costs the sender its channel: as many as there are channels, then it is over. */
static void run_malformed(const struct link *links, struct codec_arena *arena)
{
    (void)arena;
    static const uint8_t garbage[64] = {0xff};
    for (size_t i = 0; i < BAD_CHANNELS; i++) {
        const enum err err = channel_send(links[i].fd, garbage, sizeof garbage, NULL, 0);
        (void)err;
        usleep(200); /* spread over the time that is measured */
    }
    pause();
}

/* Well-formed, and refused each time: a digest of no handshake. */
static void run_refused(const struct link *links, struct codec_arena *arena)
{
    struct msg request = {.kind = MSG_SIGN_BROWSER_DIGEST};
    request.sign_browser_digest.scheme = SCHEME_ECDSA_P256_SHA256;
    request.sign_browser_digest.digest_len = 32;
    for (;;) {
        request.id++;
        const enum err sent = link_send(&links[0], &request, NULL, 0);
        struct msg answer;
        struct packet_extra extra;
        while (link_recv(&links[0], &answer, &extra, arena) == ERR_OK) {
        }
        if (sent == ERR_AGAIN) sched_yield();
    }
}

/* Valid requests, as fast as they go, with every answer read: another worker under full load. */
static void run_valid(const struct link *links, struct codec_arena *arena)
{
    for (uint64_t id = 1;; id++) {
        const struct msg request = rig_server_request(id);
        const enum err sent = link_send(&links[0], &request, NULL, 0);
        struct msg answer;
        struct packet_extra extra;
        while (link_recv(&links[0], &answer, &extra, arena) == ERR_OK) {
        }
        if (sent == ERR_AGAIN) sched_yield();
    }
}

/* Valid requests whose answers nobody reads. */
static void run_unread(const struct link *links, struct codec_arena *arena)
{
    (void)arena;
    for (uint64_t id = 1;; id++) {
        const struct msg request = rig_server_request(id);
        if (link_send(&links[0], &request, NULL, 0) == ERR_AGAIN) sched_yield();
    }
}

static const struct flood floods[] = {
    {"malformed", PURPOSE_BROWSER_DIGEST, BAD_CHANNELS, run_malformed},
    {"refused", PURPOSE_BROWSER_DIGEST, 1, run_refused},
    {"valid", PURPOSE_TLS_SERVER, 1, run_valid},
    {"unread", PURPOSE_TLS_SERVER, 1, run_unread},
};

static void measure(struct rig *rig, const struct link *good, int epoll, const char *name, unsigned long ms)
{
    struct samples samples = {0};
    const uint64_t end = samples_now() + 1000000u * (uint64_t)ms;
    while (samples_now() < end) {
        const uint64_t begin = samples_now();
        rig_ask_server(rig, good, epoll);
        samples_add(&samples, samples_now() - begin);
        rig_read_events(rig);
    }
    samples_print(&samples, name);
    free(samples.values);
}

static pid_t start_flood(struct rig *rig, const struct flood *flood, struct link *links, uint64_t *next_grant)
{
    for (size_t i = 0; i < flood->num_channels; i++) links[i] = rig_grant(rig, (*next_grant)++, flood->purpose);
    const pid_t pid = fork();
    if (pid < 0) rig_fail("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        flood->run(links, rig->arena);
        _exit(0);
    }
    for (size_t i = 0; i < flood->num_channels; i++) close(links[i].fd); /* the flood's own alone hold them up */
    return pid;
}

int main(int argc, char **argv)
{
    static struct link links[BAD_CHANNELS];
    struct rig rig;
    uint64_t next_grant = 2;
    if (argc != 3) {
        fprintf(stderr, "usage: flood KEYD MILLISECONDS\n");
        return 100;
    }
    const unsigned long ms = strtoul(argv[2], NULL, 10);
    rig_start(&rig, argv[1]);
    const struct link good = rig_grant(&rig, 1, PURPOSE_TLS_SERVER);
    const int epoll = rig_watch(&good);
    measure(&rig, &good, epoll, "peace", ms);
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
        const pid_t pid = start_flood(&rig, &floods[i], links, &next_grant);
        measure(&rig, &good, epoll, floods[i].name, ms);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    measure(&rig, &good, epoll, "peace-again", ms);
    rig_stop(&rig);
    return 0;
}
