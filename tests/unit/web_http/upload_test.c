/* Uploads: all or nothing, and on the disk before the answer. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"
#include "http1_client.h"

#define MAX_UPLOAD 1000

static struct rig rig;
static char last_etag[80];

/* What the committer makes durable, and when: fsync is replaced for this program. */
static _Atomic int synced_files;
static _Atomic int synced_dirs;
static _Atomic int named_before_sync;
static _Atomic int slow_disk;

int fsync(int fd)
{
    struct stat stat;
    char path[256];
    if (fstat(fd, &stat) != 0) return -1;
    while (slow_disk) usleep(1000);
    snprintf(path, sizeof(path), "%s/durable", rig.uploads_dir);
    bool named = access(path, F_OK) == 0;
    if (S_ISDIR(stat.st_mode)) {
        synced_dirs += named;
    } else {
        synced_files++;
        named_before_sync += named;
    }
    return (int)syscall(SYS_fsync, fd);
}

/* Somebody who does not ask for the lock, between a committer's look at the name and its rename. That thread may make
 * files, and open none. */
static _Atomic int intruder;

int renameat2(int old_fd, const char *old_name, int new_fd, const char *new_name, unsigned flags)
{
    if (intruder) syscall(SYS_mknodat, new_fd, new_name, S_IFREG | 0644, 0);
    return (int)syscall(SYS_renameat2, old_fd, old_name, new_fd, new_name, flags);
}

static void start(void)
{
    rig_init(&rig, &(struct rig_config){.uploads = true, .max_upload_bytes = MAX_UPLOAD});
    rig_start_http1(&rig);
}

static void stop(void)
{
    rig_cleanup(&rig);
}

TestSuite(upload, .init = start, .fini = stop);

static void talk(const struct text *request, size_t step, const char *want)
{
    struct text out = {0};
    char got[64];
    rig_talk(&rig, &out, request->data, request->len, step);
    statuses(got, sizeof(got), &out);
    cr_expect_str_eq(got, want, "%.60s: got '%s', want '%s'", request->data, got, want);
    text_free(&out);
    if (rig_wants_close(&rig)) rig_start_http1(&rig);
}

static void put(const char *name, const char *content, size_t step, const char *want)
{
    struct text request = {0};
    text_print(&request, "PUT /upload/%s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s", name, strlen(content),
               content);
    talk(&request, step, want);
    text_free(&request);
}

static void expect_file(const char *name, const char *content)
{
    char *have = rig_file(rig.uploads_dir, name);
    cr_expect(have != NULL && strcmp(have, content) == 0, "%s: %s", name, have != NULL ? have : "is not there");
    free(have);
}

Test(upload, makes_and_replaces)
{
    put("a.txt", "first", 1000, "201");
    expect_file("a.txt", "first");
    put("a.txt", "the second", 1, "204");
    expect_file("a.txt", "the second");
    put("empty", "", 1000, "201");
    expect_file("empty", "");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 2);
    cr_expect_eq(rig.wakes, 3);
}

/* First the content, then the name, then the directory that has the name; only then the answer. */
Test(upload, is_on_the_disk_before_it_is_answered)
{
    put("durable", "abc", 1000, "201");
    cr_expect_eq(synced_files, 1);
    cr_expect_eq(named_before_sync, 0);
    cr_expect_eq(synced_dirs, 1);
}

Test(upload, takes_chunks)
{
    struct text request = {0};
    text_print(&request, "PUT /upload/c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "3\r\nabc\r\n5;x\r\ndefgh\r\n0\r\nT: u\r\n\r\n");
    talk(&request, 1, "201");
    expect_file("c", "abcdefgh");
    text_free(&request);
}

Test(upload, asks_for_the_body_when_expected_to)
{
    struct text request = {0};
    text_print(&request, "PUT /upload/e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
    talk(&request, 1, "100 201");
    expect_file("e", "abc");
    text_free(&request);
}

Test(upload, goes_on_with_pipelined_requests)
{
    struct text request = {0};
    text_print(&request, "PUT /upload/p HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1"
                         "PUT /upload/p HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n2"
                         "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    talk(&request, 1000, "201 204 200");
    expect_file("p", "2");
    text_free(&request);
}

Test(upload, refuses_names)
{
    static const char *const names[] = {"", ".hidden", "a/b", "a%20b", "a\\b", "%c3%a9", "a;b", "~"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) put(names[i], "x", 1000, "400");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 0);
    put("..", "x", 1000, "400");
    put("A-Z_a.z-0.9", "x", 1000, "201");
    struct text name = {0};
    text_fill(&name, 'n', LIMIT_UPLOAD_NAME);
    put(name.data, "x", 1000, "201");
    text_fill(&name, 'n', 1);
    put(name.data, "x", 1000, "400");
    text_free(&name);
}

Test(upload, is_capped_to_the_byte)
{
    for (size_t over = 0; over <= 1; over++) {
        struct text content = {0};
        text_fill(&content, 'x', MAX_UPLOAD + over);
        put("sized", content.data, 1000, over ? "413" : "201");
        struct text request = {0};
        text_print(&request, "PUT /upload/chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s",
                   content.len - 1, content.data);
        request.len--;
        text_print(&request, "\r\n1\r\nx\r\n0\r\n\r\n");
        talk(&request, 100, over ? "413" : "201");
        text_free(&request);
        cr_expect_eq(rig_num_files(rig.uploads_dir), 2);
        text_free(&content);
    }
}

Test(upload, says_too_large_before_the_body)
{
    struct text request = {0};
    text_print(&request, "PUT /upload/big HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
               MAX_UPLOAD + 1);
    talk(&request, 1000, "413");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 0);
    text_free(&request);
}

static void begin(const char *name)
{
    char request[128];
    snprintf(request, sizeof(request), "PUT /upload/%s HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf", name);
    struct text out = {0};
    rig_talk(&rig, &out, request, strlen(request), 1000);
    cr_assert_eq(out.len, 0);
    text_free(&out);
    cr_assert_eq(rig_num_files(rig.uploads_dir), 1, "the temporary file");
}

Test(upload, leaves_nothing_when_cut_off)
{
    begin("cut");
    rig_end_session(&rig);
    cr_expect_eq(rig_num_files(rig.uploads_dir), 0);
    rig_start_http1(&rig);
    begin("cut");
    rig.session->ops->receive_end(rig.session);
    cr_expect_eq(rig_num_files(rig.uploads_dir), 0);
    rig_start_http1(&rig);
    begin("cut");
    rig.session->ops->expire(rig.session);
    cr_expect_eq(rig_num_files(rig.uploads_dir), 0);
}

Test(upload, keeps_the_old_file_when_cut_off)
{
    put("kept", "old", 1000, "201");
    static const char request[] = "PUT /upload/kept HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nnew";
    struct text out = {0};
    rig_talk(&rig, &out, request, sizeof(request) - 1, 1000);
    expect_file("kept", "old");
    rig_end_session(&rig);
    expect_file("kept", "old");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 1);
    text_free(&out);
}

Test(upload, answers_only_after_the_commit)
{
    static const char request[] = "PUT /upload/late HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    cr_assert_eq(rig.session->ops->receive(rig.session, (const uint8_t *)request, sizeof(request) - 1), ERR_OK);
    cr_expect_eq(rig.session->ops->wants(rig.session), 0, "it waits for the disk");
    cr_expect_eq(rig.session->ops->deadline(rig.session), 0);
    uint8_t none[16];
    cr_expect_eq(rig.session->ops->produce(rig.session, none, sizeof(none)), 0);
    struct pollfd done = {.fd = http_site_fd(rig.site), .events = POLLIN};
    cr_assert_eq(poll(&done, 1, 10000), 1);
    expect_file("late", "abc");
    cr_expect_eq(rig.wakes, 0);
    http_site_complete(rig.site);
    cr_expect_eq(rig.wakes, 1);
    cr_expect_eq(rig.session->ops->wants(rig.session), (unsigned)SESSION_WRITE);
    cr_expect_eq(poll(&done, 1, 0), 0, "the completion is consumed");
}

/* A connection that goes away while its upload is being committed: the upload is complete, nobody hears of it. */
Test(upload, outlives_its_connection_in_the_commit)
{
    static const char request[] = "PUT /upload/orphan HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    cr_assert_eq(rig.session->ops->receive(rig.session, (const uint8_t *)request, sizeof(request) - 1), ERR_OK);
    rig_end_session(&rig);
    struct pollfd done = {.fd = http_site_fd(rig.site), .events = POLLIN};
    cr_assert_eq(poll(&done, 1, 10000), 1);
    http_site_complete(rig.site);
    cr_expect_eq(rig.wakes, 0);
    expect_file("orphan", "abc");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 1);
}

/* A client that leaves does not take its commit along, and each has a file open. */
Test(upload, limits_how_many_wait_for_the_disk)
{
    static const char request[] = "PUT /upload/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    slow_disk = 1;
    for (unsigned i = 0; i < LIMIT_UPLOADS; i++) {
        rig.session->ops->receive(rig.session, (const uint8_t *)request, sizeof(request) - 1);
        cr_assert_eq(rig.session->ops->wants(rig.session), 0, "%u waits", i);
        rig_start_http1(&rig);
    }
    put("y", "y", 1000, "503");
    slow_disk = 0;
    struct pollfd done = {.fd = http_site_fd(rig.site), .events = POLLIN};
    while (poll(&done, 1, 200) == 1 || synced_files < (int)LIMIT_UPLOADS) http_site_complete(rig.site);
    rig_start_http1(&rig);
    put("y", "y", 1000, "201");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 2);
}

Test(upload, says_when_the_directory_refuses)
{
    cr_assert_eq(rmdir(rig.uploads_dir), 0); /* a removed directory takes no files, not even root's */
    put("x", "abc", 1000, "500");
    char *log = rig_log(&rig);
    cr_expect_not_null(strstr(log, "upload failed name='x' what=open error="), "%s", log);
    cr_expect_not_null(strstr(log, "status=500 reason='the upload cannot be stored'"), "%s", log);
    free(log);
    put("x", "abc", 1000, "500");
}

Test(upload, says_when_the_commit_fails)
{
    static const char head[] = "PUT /upload/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab";
    struct text out = {0};
    rig_talk(&rig, &out, head, sizeof(head) - 1, 1000);
    char command[128];
    snprintf(command, sizeof(command), "rm %s/.upload-*", rig.uploads_dir);
    cr_assert_eq(system(command), 0);
    rig_talk(&rig, &out, "c", 1, 1);
    char got[64];
    statuses(got, sizeof(got), &out);
    cr_expect_str_eq(got, "500");
    char *log = rig_log(&rig);
    cr_expect_not_null(strstr(log, "upload failed name='x' what=commit"), "%s", log);
    free(log);
    text_free(&out);
}

Test(upload, does_not_replace_a_directory)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/dir", rig.uploads_dir);
    cr_assert_eq(mkdir(path, 0755), 0);
    put("dir", "abc", 1000, "409");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 1);
}

Test(upload, replaces_a_link_not_its_target)
{
    char path[256];
    put("target", "old", 1000, "201");
    snprintf(path, sizeof(path), "%s/link", rig.uploads_dir);
    cr_assert_eq(symlink("target", path), 0);
    put("link", "new", 1000, "204");
    expect_file("target", "old");
    expect_file("link", "new");
}

/* What a crashed worker left is removed at the next start; what a living one writes is not. */
Test(upload, sweeps_what_a_crash_left)
{
    char name[256];
    begin("alive");
    rig_write_file(rig.uploads_dir, ".upload-0123456789abcdef", "left");
    rig_write_file(rig.uploads_dir, "kept", "kept");
    int fd = open(rig.uploads_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct http_site *other = NULL;
    struct diag diag = {0};
    struct http_site_config config = {.root_fd = -1, .uploads_fd = fd, .max_upload_bytes = 1};
    cr_assert_eq(http_site_open(&other, &config, &diag), ERR_OK, "%s", diag.text);
    http_site_free(other);
    cr_expect_eq(rig_num_files(rig.uploads_dir), 2);
    snprintf(name, sizeof(name), "%s/.upload-0123456789abcdef", rig.uploads_dir);
    cr_expect_neq(access(name, F_OK), 0);
    struct text out = {0};
    rig_talk(&rig, &out, " way..", 6, 6);
    expect_file("alive", "half way..");
    text_free(&out);
}

static void put_if(const char *fields, const char *content, unsigned status)
{
    struct text all = {0};
    text_print(&all, "Content-Length: %zu\r\n%s\r\n%s", strlen(content), fields, content);
    struct text request = {0};
    struct text out = {0};
    text_print(&request, "PUT /upload/c HTTP/1.1\r\nHost: a\r\n%s", all.data);
    rig_talk(&rig, &out, request.data, request.len, 1000);
    struct answer answer;
    size_t at = 0;
    cr_assert(answer_read(&answer, &out, &at, false));
    cr_expect_eq(answer.status, status, "%s: %u", fields, answer.status);
    if (status < 300) snprintf(last_etag, sizeof(last_etag), "%s", answer_field(&answer, "ETag"));
    answer_free(&answer);
    text_free(&all);
    text_free(&request);
    text_free(&out);
    if (rig_wants_close(&rig)) rig_start_http1(&rig);
}

/* RFC 9110, 13.1: so that nobody overwrites what he has not seen. */
Test(upload, keeps_to_conditions)
{
    char fields[256], first[sizeof(last_etag)];
    put_if("If-Match: *\r\n", "nothing there", 412);
    put_if("If-None-Match: *\r\n", "one", 201);
    snprintf(first, sizeof(first), "%s", last_etag);
    put_if("If-None-Match: *\r\n", "two", 412);
    expect_file("c", "one");
    snprintf(fields, sizeof(fields), "If-Match: %s\r\n", first);
    put_if(fields, "three", 204);
    cr_expect_str_neq(first, last_etag);
    put_if(fields, "four", 412);
    snprintf(fields, sizeof(fields), "If-None-Match: %s\r\n", last_etag);
    put_if(fields, "five", 412);
    put_if("If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n", "six", 412);
    expect_file("c", "three");
    put_if("If-Match: *\r\n", "seven", 204);
    expect_file("c", "seven");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 1);
}

Test(upload, judges_conditions_before_the_body)
{
    struct text request = {0};
    text_print(&request, "PUT /upload/c HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nIf-Match: *\r\n"
                         "Content-Length: 3\r\n\r\n");
    talk(&request, 1000, "412");
    text_free(&request);
}

/* The other workers' committers have the lock one after the other; this one waits for its turn. */
Test(upload, gets_its_name_under_the_lock)
{
    static const char request[] = "PUT /upload/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    int other = open(rig.uploads_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(flock(other, LOCK_EX), 0);
    rig.session->ops->receive(rig.session, (const uint8_t *)request, sizeof(request) - 1);
    struct pollfd done = {.fd = http_site_fd(rig.site), .events = POLLIN};
    cr_expect_eq(poll(&done, 1, 100), 0, "it did not wait");
    cr_expect_null(rig_file(rig.uploads_dir, "x"));
    close(other);
    cr_assert_eq(poll(&done, 1, 10000), 1);
    http_site_complete(rig.site);
    expect_file("x", "x");
}

/* What was true at the beginning need not be at the end. */
Test(upload, judges_conditions_again_at_the_end)
{
    static const struct {
        const char *fields;
        const char *before;
    } rows[] = {{"If-None-Match: *\r\n", NULL}, {"If-Match: *\r\n", "there"}};
    for (size_t i = 0; i < 2; i++) {
        struct text request = {0}, out = {0};
        char path[256], got[64];
        snprintf(path, sizeof(path), "%s/c", rig.uploads_dir);
        if (rows[i].before != NULL) rig_write_file(rig.uploads_dir, "c", rows[i].before);
        text_print(&request, "PUT /upload/c HTTP/1.1\r\nHost: a\r\n%sContent-Length: 3\r\n\r\nne", rows[i].fields);
        rig_talk(&rig, &out, request.data, request.len, 1000);
        if (rows[i].before == NULL)
            rig_write_file(rig.uploads_dir, "c", "meanwhile");
        else
            cr_assert_eq(unlink(path), 0);
        rig_talk(&rig, &out, "w", 1, 1);
        statuses(got, sizeof(got), &out);
        cr_expect_str_eq(got, "412");
        if (rows[i].before == NULL) expect_file("c", "meanwhile");
        cr_expect_eq(rig_num_files(rig.uploads_dir), rows[i].before == NULL);
        unlink(path);
        text_free(&request);
        text_free(&out);
    }
}

Test(upload, takes_nobodys_file_for_its_own)
{
    intruder = 1;
    put_if("If-None-Match: *\r\n", "abc", 412);
    intruder = 0;
    cr_expect_eq(rig_num_files(rig.uploads_dir), 1);
    expect_file("c", "");
}

/* RFC 9110, 14.5. */
Test(upload, takes_no_part_for_the_whole)
{
    put_if("Content-Range: bytes 0-2/10\r\n", "abc", 400);
    cr_expect_eq(rig_num_files(rig.uploads_dir), 0);
}

static int thread_can(const char *status, const char *line)
{
    return strstr(status, line) != NULL;
}

/* The committer is the one thread beside this one. */
Test(upload, runs_its_committer_without_capabilities)
{
    char command[256];
    snprintf(command, sizeof(command), "for t in /proc/%d/task/*; do [ $t = /proc/%d/task/%d ] || cat $t/status; done",
             getpid(), getpid(), getpid());
    FILE *threads = popen(command, "r");
    cr_assert_not_null(threads);
    char status[8192] = {0};
    cr_assert_gt(fread(status, 1, sizeof(status) - 1, threads), 0);
    pclose(threads);
    cr_expect(thread_can(status, "CapEff:\t0000000000000000"), "%s", status);
    cr_expect(thread_can(status, "CapPrm:\t0000000000000000"), "%s", status);
    cr_expect(thread_can(status, "NoNewPrivs:\t1"), "%s", status);
}

Test(upload, takes_nothing_from_whom_nobody_knows)
{
    rig.peer.certificate = (struct certificate_text){0};
    put("anonymous", "abc", 1000, "403");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 0);
}
