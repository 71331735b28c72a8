/* What the uploads directory may hold, over several workers. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "http1_client.h"
#include "web/http/http1.h"

#define QUOTA 1000

static struct rig rig;

static void start(void)
{
    rig_init(&rig, &(struct rig_config){.uploads = true, .max_upload_bytes = 10 * QUOTA, .upload_quota = QUOTA});
    rig_start_http1(&rig);
}

static void stop(void)
{
    rig_cleanup(&rig);
}

TestSuite(quota, .init = start, .fini = stop);

static void talk(const struct text *request, const char *want)
{
    struct text out = {0};
    char got[64];
    rig_talk(&rig, &out, request->data, request->len, 1000);
    statuses(got, sizeof(got), &out);
    cr_expect_str_eq(got, want, "%.60s: got '%s', want '%s'", request->data, got, want);
    text_free(&out);
    if (rig_wants_close(&rig)) rig_start_http1(&rig);
}

static void put(const char *name, size_t len, const char *want)
{
    struct text request = {0};
    text_print(&request, "PUT /upload/%s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", name, len);
    text_fill(&request, 'x', len);
    talk(&request, want);
    text_free(&request);
}

Test(quota, is_kept_to_the_byte)
{
    put("a", QUOTA + 1, "507");
    put("a", QUOTA - 1, "201");
    put("b", 2, "507");
    put("b", 1, "201");
    put("c", 1, "507");
    put("c", 0, "201");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 3);
    char *log = rig_log(&rig);
    cr_expect_not_null(strstr(log, "status=507 reason='the uploads directory has no room left'"), "%s", log);
    free(log);
}

Test(quota, holds_in_chunks_too)
{
    static const char head[] = "PUT /upload/c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (size_t over = 0; over <= 1; over++) {
        struct text request = {0};
        text_print(&request, "%s%x\r\n", head, QUOTA - 1);
        text_fill(&request, 'x', QUOTA - 1);
        text_print(&request, "\r\n%zx\r\n", 1 + over);
        text_fill(&request, 'x', 1 + over);
        text_print(&request, "\r\n0\r\n\r\n");
        talk(&request, over ? "507" : "201");
        text_free(&request);
        if (!over) put("c", 0, "204");
    }
    cr_expect_eq(rig_num_files(rig.uploads_dir), 1);
}

/* Both versions are on the disk for a moment. */
Test(quota, counts_what_is_replaced_until_it_is)
{
    put("other", 10, "201");
    put("a", 400, "201");
    put("a", 590, "204");
    put("a", 401, "507");
    put("a", 400, "204");
    put("b", 590, "201");
}

Test(quota, is_given_back_by_who_gives_up)
{
    char request[128];
    struct text out = {0};
    snprintf(request, sizeof(request), "PUT /upload/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\nhalf", QUOTA);
    rig_talk(&rig, &out, request, strlen(request), 1000);
    struct session *first = rig.session;
    rig.session = NULL;
    rig_start_http1(&rig);
    put("y", 1, "507");
    first->ops->free(first);
    put("y", QUOTA, "201");
    text_free(&out);
}

/* An operator makes room, or takes some. */
Test(quota, sees_what_others_do)
{
    char path[256];
    put("a", QUOTA, "201");
    snprintf(path, sizeof(path), "%s/a", rig.uploads_dir);
    cr_assert_eq(unlink(path), 0);
    uint64_t end = clock_monotonic_ms() + 20000;
    bool taken = false;
    while (!taken && clock_monotonic_ms() < end) {
        struct text request = {0}, out = {0};
        char got[64];
        text_print(&request, "PUT /upload/c HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", QUOTA / 2);
        text_fill(&request, 'x', QUOTA / 2);
        rig_talk(&rig, &out, request.data, request.len, 1000);
        statuses(got, sizeof(got), &out);
        taken = strcmp(got, "201") == 0;
        if (!taken) cr_assert_str_eq(got, "507");
        if (rig_wants_close(&rig)) rig_start_http1(&rig);
        text_free(&request);
        text_free(&out);
        usleep(20000);
    }
    cr_expect(taken, "the room is seen in the end");
}

Test(quota, counts_what_is_there_at_the_start)
{
    rig_write_file(rig.uploads_dir, "old", "0123456789");
    rig_write_file(rig.uploads_dir, ".upload-0123456789abcdef", "left by a crash");
    /* What another worker is about to store is in the page already. */
    rig_write_file(rig.uploads_dir, ".upload-fedcba9876543210", "half of an upload");
    char path[256];
    snprintf(path, sizeof(path), "%s/.upload-fedcba9876543210", rig.uploads_dir);
    int alive = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_eq(flock(alive, LOCK_EX), 0);
    rig_end_session(&rig);
    http_site_free(rig.site);
    struct http_site_config config = {.root_fd = -1,
                                      .uploads_fd = open(rig.uploads_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                                      .max_upload_bytes = QUOTA,
                                      .upload_quota = QUOTA,
                                      .quota_fd = rig_quota_page()};
    struct diag diag = {0};
    cr_assert_eq(http_site_open(&rig.site, &config, &diag), ERR_OK, "%s", diag.text);
    rig_start_http1(&rig);
    put("a", QUOTA - 9, "507");
    put("a", QUOTA - 10, "201");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 3);
    close(alive);
}

Test(quota, wants_a_page_that_nobody_can_shorten)
{
    struct http_site_config config = {.root_fd = -1, .upload_quota = QUOTA, .max_upload_bytes = QUOTA};
    for (int sealed = 0; sealed <= 1; sealed++) {
        struct http_site *site = NULL;
        struct diag diag = {0};
        config.quota_fd = memfd_create("quota", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        cr_assert_eq(ftruncate(config.quota_fd, sealed ? 100 : LIMIT_QUOTA_PAGE), 0);
        if (sealed) cr_assert_eq(fcntl(config.quota_fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
        config.uploads_fd = open(rig.uploads_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cr_expect_eq(http_site_open(&site, &config, &diag), ERR_INPUT);
        cr_expect_not_null(strstr(diag.text, "sealed"));
    }
}

/* ---- Several workers -------------------------------------------------------------------------------------------- */

static void no_wake(void *context)
{
    (void)context;
}

/* A worker: puts files of its own as long as there is room. Returns how many bytes it has stored. */
static unsigned upload_all(unsigned worker, int page_fd)
{
    enum { PIECE = 7, TRIES = 200 };
    struct diag diag = {0};
    struct http_site *site = NULL;
    struct http_site_config config = {.root_fd = -1,
                                      .uploads_fd = open(rig.uploads_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                                      .max_upload_bytes = QUOTA,
                                      .upload_quota = QUOTA,
                                      .quota_fd = dup(page_fd),
                                      .worker = worker};
    if (http_site_open(&site, &config, &diag) != ERR_OK) return 0;
    unsigned stored = 0;
    for (int i = 0; i < TRIES; i++) {
        struct session_host host = {no_wake, NULL};
        struct session *session = http1_session_new(site, &rig.peer, &host);
        char request[128];
        uint8_t answer[4096];
        snprintf(request, sizeof(request), "PUT /upload/%u-%d HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n1234567",
                 worker, i);
        enum err err = session->ops->receive(session, (const uint8_t *)request, strlen(request));
        while (session->ops->wants(session) == 0) {
            struct pollfd done = {.fd = http_site_fd(site), .events = POLLIN};
            poll(&done, 1, 10000);
            http_site_complete(site);
        }
        size_t len = session->ops->produce(session, answer, sizeof(answer));
        if (err == ERR_OK && len > 12 && memcmp(answer, "HTTP/1.1 201", 12) == 0) stored += PIECE;
        session->ops->free(session);
    }
    http_site_free(site);
    return stored / PIECE;
}

Test(quota, holds_over_all_workers)
{
    enum { WORKERS = 4 };
    int page = rig_quota_page();
    pid_t workers[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = fork();
        cr_assert_geq(workers[i], 0);
        if (workers[i] == 0) _exit((int)upload_all(i, page));
    }
    unsigned stored = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        int status;
        cr_assert_eq(waitpid(workers[i], &status, 0), workers[i]);
        cr_assert(WIFEXITED(status));
        stored += (unsigned)WEXITSTATUS(status);
    }
    cr_expect_eq(rig_num_files(rig.uploads_dir), (int)stored);
    cr_expect_leq(stored * 7, QUOTA);
    cr_expect_gt(stored * 7, QUOTA - 7 * WORKERS, "room for %u more is left", (QUOTA - stored * 7) / 7);
    close(page);
}
