/* Stands in for keyd, a web worker or the browser's shim, by the name it is started under. A file beside it, NAME.script, holds one
 * word: how it misbehaves. */
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "proto/link.h"

static char script[64];
static struct link link_up = {.fd = 3, .end = LINK_LOWER};

static void read_script(const char *name)
{
    char path[256], own[160];
    ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
    if (len < 0) return;
    own[len] = '\0';
    *strrchr(own, '/') = '\0';
    snprintf(path, sizeof path, "%s/%s.script", own, name);
    FILE *file = fopen(path, "r");
    if (!file) return;
    if (fscanf(file, "%63s", script) != 1) script[0] = '\0';
    fclose(file);
}

static void say(struct msg msg)
{
    if (link_send(&link_up, &msg, NULL, 0) != ERR_OK) exit(1);
}

/* As when a handle is used faster than anybody reads, and once more when it has become quiet. */
static void report_uses(uint64_t grant)
{
    const struct msg use = {.kind = MSG_KEYD_EVENT,
                            .keyd_event = {.grant = grant, .what = GRANT_EVENT_SIGNED, .count = 1}};
    for (unsigned i = 0; i < 10 * LIMIT_HANDLE_LINES;) {
        enum err err = link_send(&link_up, &use, NULL, 0);
        if (err == ERR_OK) i++;
        if (err != ERR_OK && err != ERR_AGAIN) exit(1);
    }
    sleep(2);
    say(use);
}

static void be_keyd(const struct msg *msg)
{
    static const uint8_t der[] = {0x30, 0x00};
    static const struct bytes certificate = {der, sizeof der};
    static unsigned grants;
    if (msg->kind == MSG_KEYD_SETUP && strcmp(script, "fails") == 0) {
        say((struct msg){.kind = MSG_FAILED, .failed = {.text = "keyd: names: too odd", .error = ERR_INPUT}});
        exit(100);
    }
    if (msg->kind == MSG_KEYD_SETUP) {
        say((struct msg){
            .kind = MSG_KEYD_IDENTITY,
            .id = msg->id,
            .keyd_identity = {
                .ca = certificate, .server = certificate, .client = certificate, .audit_key = certificate}});
    }
    if (msg->kind == MSG_KEYD_GRANT && ++grants == 1 && strcmp(script, "cuts") == 0) {
        sleep(1);
        say((struct msg){
            .kind = MSG_KEYD_EVENT,
            .keyd_event = {.grant = msg->keyd_grant.grant, .what = GRANT_EVENT_CUT, .pid = 1, .count = 1}});
    }
    if (msg->kind == MSG_KEYD_GRANT && grants == 1 && strcmp(script, "reports") == 0)
        report_uses(msg->keyd_grant.grant);
    if (msg->kind == MSG_STATUS_QUERY && strcmp(script, "dies") == 0) abort();
    if (msg->kind == MSG_STATUS_QUERY) say((struct msg){.kind = MSG_KEYD_STATUS, .id = msg->id});
}

/* What is said, with a descriptor that nobody asked for: a pipe's writing end. A child sees it closed everywhere. */
static void slip_descriptor(const struct msg *msg)
{
    static uint8_t packet[LIMIT_PACKET];
    size_t len;
    int ends[2];
    char byte;
    if (codec_encode(packet, &len, sizeof packet, msg) != ERR_OK || pipe(ends) != 0) exit(1);
    const enum err err = channel_send(3, packet, len, &ends[1], 1);
    close(ends[1]);
    if (err != ERR_OK || fork() != 0) return;
    if (read(ends[0], &byte, 1) == 0) log_line("descriptor closed");
    _exit(0);
}

static void be_web(const struct msg *msg)
{
    if (msg->kind == MSG_WEB_SETUP && strcmp(script, "exits") == 0) exit(3);
    if (msg->kind == MSG_WEB_IDENTITY) {
        log_line("identity");
        say((struct msg){.kind = MSG_READY, .id = msg->id});
        if (strcmp(script, "slips") == 0) slip_descriptor(&(struct msg){.kind = MSG_READY});
        if (strcmp(script, "babbles") == 0 && send(3, "junk", 4, 0) != 4) exit(1);
    }
    if (msg->kind == MSG_WEB_LISTEN) log_line("listener %s", msg->web_listen.address);
    if (msg->kind == MSG_STATUS_QUERY && strcmp(script, "mute") != 0) {
        say((struct msg){.kind = MSG_WEB_STATUS, .id = msg->id, .web_status = {.handshakes = 5}});
    }
}

static int listen_inside(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) exit(1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0) exit(1);
    return fd;
}

/* Says it again and again once the broker is ready, until it has had enough. */
static void insist(const struct msg *msg, const int *fds, size_t num_fds)
{
    sleep(1);
    for (;;) {
        enum err err = link_send(&link_up, msg, fds, num_fds);
        if (err != ERR_OK && err != ERR_AGAIN) exit(1);
    }
}

static void be_shim(const struct msg *msg)
{
    const struct msg brings = {.kind = MSG_SHIM_LISTENER}, ready = {.kind = MSG_READY};
    if (msg->kind == MSG_SHIM_LAUNCH) {
        say((struct msg){.kind = MSG_SHIM_BROWSER, .shim_browser = {.state = BROWSER_STARTED, .pid = 2}});
    }
    if (msg->kind != MSG_SHIM_SETUP) return;
    int fd = listen_inside(msg->shim_setup.port);
    if (link_send(&link_up, &brings, &fd, 1) != ERR_OK) exit(1);
    say(ready);
    if (strcmp(script, "slips") == 0) {
        sleep(1); /* until the broker is ready: before, it would end itself */
        slip_descriptor(&ready);
    }
    if (strcmp(script, "listens-twice") == 0) insist(&brings, &fd, 1);
    if (strcmp(script, "ready-twice") == 0) insist(&ready, NULL, 0);
    close(fd);
}

int main(int argc, char **argv)
{
    const char *name = argc > 0 ? argv[0] : "";
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    bool keyd = strcmp(name, "keyd") == 0, shim = strcmp(name, "browser-shim") == 0;
    link_up.role = keyd ? LINK_BROKER_KEYD : shim ? LINK_BROKER_SHIM : LINK_BROKER_WEB;
    log_open(name);
    read_script(name);
    for (;;) {
        struct msg msg;
        struct packet_extra extra;
        enum err err = link_recv(&link_up, &msg, &extra, arena);
        if (err == ERR_AGAIN) err = channel_wait(3, 60000);
        if (err != ERR_OK) return 0;
        if (msg.kind == MSG_NONE) continue;
        if (msg.kind == MSG_STOP && strcmp(script, "deaf") != 0) return 0;
        if (msg.kind == MSG_PING && strcmp(script, "hangs") != 0) say((struct msg){.kind = MSG_PONG, .id = msg.id});
        if (keyd) be_keyd(&msg);
        if (shim) be_shim(&msg);
        if (!keyd && !shim) be_web(&msg);
        packet_extra_close(&extra);
    }
}
