/* Static files, and everything that must not be one. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http1_client.h"

static struct rig rig;

static void make_tree(void)
{
    char path[256];
    rig_init(&rig, &(struct rig_config){.root = true});
    rig_write_file(rig.root_dir, "index.html", "<!doctype html>top");
    rig_write_file(rig.root_dir, "a b.txt", "spaces");
    rig_write_file(rig.root_dir, "app.js", "js");
    rig_write_file(rig.root_dir, "empty.css", "");
    rig_write_file(rig.root_dir, "noextension", "?");
    rig_write_file(rig.root_dir, ".secret", "hidden");
    snprintf(path, sizeof(path), "%s/sub", rig.root_dir);
    cr_assert_eq(mkdir(path, 0755), 0);
    rig_write_file(path, "index.html", "sub");
    rig_write_file(path, "x.svg", "<svg/>");
    snprintf(path, sizeof(path), "%s/bare", rig.root_dir);
    cr_assert_eq(mkdir(path, 0755), 0);
    snprintf(path, sizeof(path), "%s/.git", rig.root_dir);
    cr_assert_eq(mkdir(path, 0755), 0);
    rig_write_file(path, "config", "hidden");
    rig_start_http1(&rig);
}

static void remove_tree(void)
{
    rig_cleanup(&rig);
}

TestSuite(files, .init = make_tree, .fini = remove_tree);

static struct answer ask(const char *method, const char *target, const char *fields)
{
    return answer_ask(&rig, method, target, fields);
}

Test(files, serves_by_name)
{
    static const struct {
        const char *target;
        unsigned status;
        const char *type;
        const char *body;
    } rows[] = {
        {"/", 200, "text/html; charset=utf-8", "<!doctype html>top"},
        {"/index.html?v=1", 200, "text/html; charset=utf-8", "<!doctype html>top"},
        {"/a%20b.txt", 200, "text/plain; charset=utf-8", "spaces"},
        {"/app.js", 200, "text/javascript; charset=utf-8", "js"},
        {"/empty.css", 200, "text/css; charset=utf-8", ""},
        {"/noextension", 200, "application/octet-stream", "?"},
        {"/sub/", 200, "text/html; charset=utf-8", "sub"},
        {"/sub/x.svg", 200, "image/svg+xml; charset=utf-8", "<svg/>"},
        {"/bare/", 404, "text/plain; charset=utf-8", NULL},
        {"/nothing", 404, "text/plain; charset=utf-8", NULL},
        {"/app.js/", 404, "text/plain; charset=utf-8", NULL},
        {"/app.js/x", 404, "text/plain; charset=utf-8", NULL},
        {"/.secret", 404, "text/plain; charset=utf-8", NULL},
        {"/.git/config", 404, "text/plain; charset=utf-8", NULL},
        {"//index.html", 404, "text/plain; charset=utf-8", NULL},
        {"/sub//x.svg", 404, "text/plain; charset=utf-8", NULL},
        {"/keyward.js", 404, "text/plain; charset=utf-8", NULL},
        {"/hello", 200, "text/plain; charset=utf-8", "Hello World\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct answer answer = ask("GET", rows[i].target, "");
        cr_expect_eq(answer.status, rows[i].status, "%s: %u", rows[i].target, answer.status);
        cr_expect_str_eq(answer_field(&answer, "Content-Type"), rows[i].type, "%s", rows[i].target);
        if (rows[i].body != NULL) cr_expect_str_eq(answer.body, rows[i].body, "%s", rows[i].target);
        answer_free(&answer);
    }
}

Test(files, sends_a_directory_to_its_slash)
{
    struct answer answer = ask("GET", "/sub", "");
    cr_expect_eq(answer.status, 301);
    cr_expect_str_eq(answer_field(&answer, "Location"), "/sub/");
    answer_free(&answer);
    char path[256];
    snprintf(path, sizeof(path), "%s/\xc3\xa9 \"?", rig.root_dir);
    cr_assert_eq(mkdir(path, 0755), 0);
    answer = ask("GET", "/%c3%a9%20%22%3f", "");
    cr_expect_str_eq(answer_field(&answer, "Location"), "/%C3%A9%20%22%3F/");
    answer_free(&answer);
}

static void link_to(const char *target, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", rig.root_dir, name);
    cr_assert_eq(symlink(target, path), 0);
}

Test(files, follows_links_only_beneath_the_root)
{
    link_to("sub/x.svg", "inside.svg");
    link_to("sub", "inside");
    link_to("../bare/../app.js", "sub/up.js");
    link_to("/etc/passwd", "absolute");
    link_to("../../../../../../etc/passwd", "relative");
    link_to("..", "parent");
    link_to("/", "root");
    link_to("/proc/self/root", "magic");
    link_to("loop", "loop");
    static const struct {
        const char *target;
        unsigned status;
    } rows[] = {
        {"/inside.svg", 200}, {"/inside/x.svg", 200},    {"/sub/up.js", 200},
        {"/absolute", 404},   {"/relative", 404},        {"/parent/etc/passwd", 404},
        {"/parent/", 404},    {"/root/etc/passwd", 404}, {"/magic/etc/passwd", 404},
        {"/loop", 404},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct answer answer = ask("GET", rows[i].target, "");
        cr_expect_eq(answer.status, rows[i].status, "%s: %u", rows[i].target, answer.status);
        answer_free(&answer);
    }
    char *log = rig_log(&rig);
    cr_expect_not_null(strstr(log, "a link leads out of the root"));
    free(log);
}

Test(files, serves_only_regular_files)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/fifo", rig.root_dir);
    cr_assert_eq(mkfifo(path, 0644), 0);
    struct answer answer = ask("GET", "/fifo", "");
    cr_expect_eq(answer.status, 404);
    answer_free(&answer);
}

Test(files, says_when_a_file_may_not_be_read)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/app.js", rig.root_dir);
    cr_assert_eq(chmod(path, 0), 0);
    if (access(path, R_OK) == 0) return; /* root reads everything */
    struct answer answer = ask("GET", "/app.js", "");
    cr_expect_eq(answer.status, 403);
    answer_free(&answer);
}

Test(files, answers_conditional_requests)
{
    struct answer answer = ask("GET", "/app.js", "");
    char etag[128];
    char date[64];
    snprintf(etag, sizeof(etag), "%s", answer_field(&answer, "ETag"));
    snprintf(date, sizeof(date), "%s", answer_field(&answer, "Last-Modified"));
    answer_free(&answer);
    cr_assert_eq(etag[0], '"', "a strong tag: %s", etag);
    char sibling[128]; /* as long, and another */
    snprintf(sibling, sizeof(sibling), "%s", etag);
    sibling[1] = sibling[1] == '0' ? '1' : '0';
    const struct {
        const char *form;
        const char *value;
        unsigned status;
    } rows[] = {
        {"If-None-Match: %s\r\n", etag, 304},
        {"If-None-Match: W/%s\r\n", etag, 304},
        {"If-None-Match: \"x\", %s , \"y\"\r\n", etag, 304},
        {"If-None-Match: \"x\"\r\nIf-None-Match: %s\r\n", etag, 304},
        {"If-None-Match: *\r\n%s", "", 304},
        {"If-None-Match: \"x\"\r\n%s", "", 200},
        {"If-None-Match: %s\r\n", sibling, 200},
        {"If-None-Match: x%s\r\n", etag, 200},
        {"If-None-Match: \"x\"\r\nIf-Modified-Since: %s\r\n", date, 200},
        {"If-Modified-Since: %s\r\n", date, 304},
        {"If-Modified-Since: %s\r\n", "Thu, 01 Jan 1970 00:00:00 GMT", 200},
        {"If-Modified-Since: %s\r\n", "yesterday", 200},
        {"If-Match: %s\r\n", etag, 200},
        {"If-Match: \"x\", %s\r\n", etag, 200},
        {"If-Match: *\r\n%s", "", 200},
        {"If-Match: %s\r\n", sibling, 412},
        {"If-Match: W/%s\r\n", etag, 412}, /* 13.1.1: the strong comparison */
        {"If-Unmodified-Since: %s\r\n", date, 200},
        {"If-Unmodified-Since: %s\r\n", "Thu, 01 Jan 1970 00:00:00 GMT", 412},
        {"If-Unmodified-Since: %s\r\n", "tomorrow", 200},
        {"If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\nIf-Match: %s\r\n", etag, 200},
        {"If-None-Match: \"x\"\r\nIf-Match: %s\r\n", sibling, 412}, /* 13.2.2: in this order */
        {"If-None-Match: *\r\nIf-Match: %s\r\n", etag, 304},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text fields = {0};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        text_print(&fields, rows[i].form, rows[i].value);
#pragma GCC diagnostic pop
        answer = ask("GET", "/app.js", fields.data);
        cr_expect_eq(answer.status, rows[i].status, "%s: %u", fields.data, answer.status);
        if (rows[i].status != 412) cr_expect_str_eq(answer_field(&answer, "ETag"), etag);
        if (rows[i].status == 304) cr_expect_null(answer_field(&answer, "Content-Length"));
        answer_free(&answer);
        answer = ask("HEAD", "/app.js", fields.data);
        cr_expect_eq(answer.status, rows[i].status, "HEAD %s: %u", fields.data, answer.status);
        answer_free(&answer);
        text_free(&fields);
    }
}

Test(files, changes_the_tag_with_the_file)
{
    struct answer before = ask("GET", "/app.js", "");
    rig_write_file(rig.root_dir, "app.js", "JS");
    char path[256];
    snprintf(path, sizeof(path), "%s/app.js", rig.root_dir);
    struct timespec times[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000, .tv_nsec = 1}};
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    struct answer after = ask("GET", "/app.js", "");
    cr_expect_str_neq(strstr(before.head, "ETag"), strstr(after.head, "ETag"));
    cr_expect_str_eq(answer_field(&after, "Last-Modified"), "Tue, 14 Nov 2023 22:13:20 GMT");
    cr_expect_str_eq(after.body, "JS");
    answer_free(&before);
    answer_free(&after);
}

Test(files, gives_a_large_file_whole)
{
    struct text content = {0};
    for (int i = 0; i < 40000; i++) text_print(&content, "%07d\n", i);
    rig_write_file(rig.root_dir, "large.bin", content.data);
    struct answer answer = ask("GET", "/large.bin", "");
    cr_expect_eq(answer.body_len, content.len);
    cr_expect_eq(memcmp(answer.body, content.data, content.len), 0);
    answer_free(&answer);
    text_free(&content);
}

/* The length is promised; when the file does not keep it, the connection must not go on as if it had. */
Test(files, cuts_the_connection_when_a_file_shrinks)
{
    struct text content = {0};
    text_fill(&content, 'x', 100000);
    rig_write_file(rig.root_dir, "large.bin", content.data);
    static const char request[] = "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n";
    cr_assert_eq(rig.session->ops->receive(rig.session, (const uint8_t *)request, sizeof(request) - 1), ERR_OK);
    uint8_t piece[1000];
    cr_assert_eq(rig.session->ops->produce(rig.session, piece, sizeof(piece)), sizeof(piece));
    rig_write_file(rig.root_dir, "large.bin", "short");
    struct text out = {0};
    rig_pump(&rig, &out);
    cr_expect_lt(out.len, 100000);
    cr_expect(rig_wants_close(&rig));
    text_free(&out);
    text_free(&content);
}
