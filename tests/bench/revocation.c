/* From the request that a handle be revoked to the end of the connection that was opened with it.
 *
 * revocation RUNTIME_DIR PORT TIMES: mints a handle, opens a connection with it, fetches a page and leaves the connection open,
 * asks the broker to revoke the handle, and waits until the server ends the connection. Writes "answered P50 P99 MIN", the
 * broker's answer, and "ended P50 P99 MIN", both in microseconds. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/runtime.h"
#include "tests/bench/page.h"
#include "tests/bench/rig.h"

enum { PATIENCE_MS = 5000 };

/* Whatever the server says at the end, such as close_notify, is read over. */
static void wait_for_end(const struct page *page)
{
    uint8_t rest[4096];
    struct pollfd wait = {.fd = page->fd, .events = POLLIN};
    do {
        if (poll(&wait, 1, PATIENCE_MS) != 1) rig_fail("the connection did not end");
    } while (recv(page->fd, rest, sizeof rest, MSG_DONTWAIT) > 0);
}

static void ask_to_revoke(const struct link *broker, struct codec_arena *arena, uint64_t handle)
{
    struct msg request = {.kind = MSG_HANDLE_REVOKE, .id = 1}, answer;
    struct packet_extra extra;
    struct diag diag = {{0}};
    request.handle_revoke = handle;
    page_must(link_call(broker, &answer, &extra, arena, &request, NULL, 0, DEADLINE_CONTROL_MS), &diag);
    if (answer.kind != MSG_DONE) rig_fail("HANDLE_REVOKE");
}

int main(int argc, char **argv)
{
    struct samples answered = {0}, ended = {0};
    struct diag diag = {{0}};
    if (argc != 4) {
        fprintf(stderr, "usage: revocation RUNTIME_DIR PORT TIMES\n");
        return 100;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    if (arena == NULL) rig_fail("memory");
    for (unsigned long times = strtoul(argv[3], NULL, 10); times > 0; times--) {
        struct page page;
        AUTO_FD control = -1;
        page_open(&page, argv[1], argv[2]);
        page_must(runtime_connect(&control, argv[1], &diag), &diag);
        const struct link broker = {.fd = control, .role = LINK_CONTROL, .end = LINK_LOWER};
        const uint64_t begin = samples_now();
        ask_to_revoke(&broker, arena, page.handle.id);
        samples_add(&answered, samples_now() - begin);
        wait_for_end(&page);
        samples_add(&ended, samples_now() - begin);
        page_close(&page);
    }
    samples_print(&answered, "answered");
    samples_print(&ended, "ended");
    codec_arena_free(arena);
    return 0;
}
