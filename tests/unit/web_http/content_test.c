/* In which form a file is given: compressed, in parts, to be kept, in the place of another. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "http1_client.h"

#define ALPHABET "abcdefghijklmnopqrstuvwxyz"
#define PAGE "Accept: text/html,*/*;q=0.8\r\n"

static struct rig rig;

static void make_dir(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", rig.root_dir, name);
    cr_assert_eq(mkdir(path, 0755), 0);
}

static void set_age(const char *name, long seconds)
{
    char path[256];
    struct timespec times[2] = {{.tv_sec = 1700000000 - seconds}, {.tv_sec = 1700000000 - seconds}};
    snprintf(path, sizeof(path), "%s/%s", rig.root_dir, name);
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void write_aged(const char *name, const char *content, long seconds)
{
    rig_write_file(rig.root_dir, name, content);
    set_age(name, seconds);
}

static void start(const struct rig_config *config)
{
    rig_init(&rig, config);
    write_aged("index.html", "index", 0);
    write_aged("alphabet.txt", ALPHABET, 0);
    rig_start_http1(&rig);
}

static void start_plain(void)
{
    start(&(struct rig_config){.root = true});
}

static void start_app(void)
{
    start(&(struct rig_config){.root = true, .spa = true, .immutable = true});
}

static void stop(void)
{
    rig_cleanup(&rig);
}

TestSuite(content, .init = start_plain, .fini = stop);
TestSuite(app, .init = start_app, .fini = stop);

static struct answer ask(const char *target, const char *fields)
{
    return answer_ask(&rig, "GET", target, fields);
}

static void expect_field(const struct answer *answer, const char *name, const char *want, const char *what)
{
    const char *got = answer_field(answer, name);
    if (want == NULL)
        cr_expect_null(got, "%s: %s: %s", what, name, got);
    else
        cr_expect(got != NULL && strcmp(got, want) == 0, "%s: %s: %s, want %s", what, name, got ? got : "-", want);
}

static void expect_form(const char *target, const char *accepts, const char *coding, const char *body)
{
    struct answer answer = ask(target, accepts);
    cr_expect_eq(answer.status, 200);
    expect_field(&answer, "Content-Encoding", coding, accepts);
    cr_expect_str_eq(answer.body, body, "%s: %s", accepts, answer.body);
    answer_free(&answer);
}

Test(content, gives_the_compressed_form_to_who_takes_it)
{
    write_aged("app.js", "plain", 0);
    write_aged("app.js.br", "brotli", 0);
    write_aged("app.js.gz", "gzipped", 0);
    expect_form("/app.js", "", NULL, "plain");
    expect_form("/app.js", "Accept-Encoding: identity\r\n", NULL, "plain");
    expect_form("/app.js", "Accept-Encoding:\r\n", NULL, "plain");
    expect_form("/app.js", "Accept-Encoding: gzip, deflate, br\r\n", "br", "brotli");
    expect_form("/app.js", "Accept-Encoding: gzip\r\nAccept-Encoding: br;q=0.1\r\n", "gzip", "gzipped");
    expect_form("/app.js", "Accept-Encoding: br;q=0, gzip\r\n", "gzip", "gzipped");
    expect_form("/app.js", "Accept-Encoding: identity, gzip;q=0.5\r\n", NULL, "plain");
    struct answer answer = ask("/app.js", "Accept-Encoding: gzip\r\n");
    expect_field(&answer, "Content-Type", "text/javascript; charset=utf-8", "of what is inside");
    answer_free(&answer);
}

Test(content, says_what_the_form_depends_on)
{
    static const char *const accepts[] = {"", "Accept-Encoding: gzip\r\n", "If-None-Match: *\r\n"};
    write_aged("app.js", "plain", 0);
    write_aged("app.js.gz", "gzipped", 0);
    write_aged("picture.png", "P", 0);
    for (size_t i = 0; i < 3; i++) {
        struct answer answer = ask("/app.js", accepts[i]);
        expect_field(&answer, "Vary", "Accept-Encoding", accepts[i]);
        answer_free(&answer);
        answer = ask("/picture.png", accepts[i]);
        expect_field(&answer, "Vary", NULL, accepts[i]);
        answer_free(&answer);
    }
}

Test(content, tags_each_form_by_itself)
{
    static const char *const accepts[] = {"", "Accept-Encoding: gzip\r\n", "Accept-Encoding: br\r\n"};
    char tags[3][80];
    write_aged("app.js", "same", 0);
    char path[256], sibling[256]; /* not even the inode tells them apart */
    snprintf(path, sizeof(path), "%s/app.js", rig.root_dir);
    snprintf(sibling, sizeof(sibling), "%s/app.js.br", rig.root_dir);
    cr_assert_eq(link(path, sibling), 0);
    snprintf(sibling, sizeof(sibling), "%s/app.js.gz", rig.root_dir);
    cr_assert_eq(link(path, sibling), 0);
    for (size_t i = 0; i < 3; i++) {
        struct answer answer = ask("/app.js", accepts[i]);
        snprintf(tags[i], sizeof(tags[i]), "%s", answer_field(&answer, "ETag"));
        answer_free(&answer);
    }
    cr_expect(strcmp(tags[0], tags[1]) != 0 && strcmp(tags[1], tags[2]) != 0 && strcmp(tags[0], tags[2]) != 0);
    for (size_t have = 0; have < 3; have++) {
        for (size_t wanted = 0; wanted < 3; wanted++) {
            char fields[512];
            snprintf(fields, sizeof(fields), "%sIf-None-Match: %s\r\n", accepts[wanted], tags[have]);
            struct answer answer = ask("/app.js", fields);
            cr_expect_eq(answer.status, have == wanted ? 304 : 200);
            answer_free(&answer);
        }
    }
}

Test(content, takes_only_siblings_that_are_right)
{
    static const char both[] = "Accept-Encoding: br, gzip\r\n";
    write_aged("stale.js", "new", 0);
    write_aged("stale.js.br", "old", 1);
    expect_form("/stale.js", both, NULL, "new");
    write_aged("half.js", "new", 0); /* another one: that stale.js had no .gz may be remembered for a second */
    write_aged("half.js.br", "old", 1);
    write_aged("half.js.gz", "as old", 0);
    expect_form("/half.js", both, "gzip", "as old");
    write_aged("dir.js", "file", 0);
    make_dir("dir.js.br");
    expect_form("/dir.js", both, NULL, "file");
    write_aged("linked.js", "file", 0);
    char path[256];
    snprintf(path, sizeof(path), "%s/linked.js.gz", rig.root_dir);
    cr_assert_eq(symlink("/etc/passwd", path), 0);
    expect_form("/linked.js", both, NULL, "file");
    write_aged("picture.png", "P", 0);
    write_aged("picture.png.gz", "packed", 0);
    expect_form("/picture.png", both, NULL, "P");
    write_aged("alone.js.gz", "packed", 0);
    struct answer answer = ask("/alone.js", both);
    cr_expect_eq(answer.status, 404, "what is only there compressed is not there");
    answer_free(&answer);
}

Test(content, compresses_the_index_of_a_directory_too)
{
    write_aged("index.html.br", "brotli", 0);
    expect_form("/", "Accept-Encoding: br\r\n", "br", "brotli");
}

Test(content, gives_one_range)
{
    static const struct {
        const char *fields;
        unsigned status;
        const char *range;
        const char *body;
    } rows[] = {
        {"", 200, NULL, ALPHABET},
        {"Range: bytes=0-2\r\n", 206, "bytes 0-2/26", "abc"},
        {"Range: bytes=23-\r\n", 206, "bytes 23-25/26", "xyz"},
        {"Range: bytes=-1\r\n", 206, "bytes 25-25/26", "z"},
        {"Range: bytes=0-\r\n", 206, "bytes 0-25/26", ALPHABET},
        {"Range: bytes=5-5,100-\r\n", 206, "bytes 5-5/26", "f"},
        {"Range: bytes=26-\r\n", 416, "bytes */26", "416 Range Not Satisfiable\nRequest "},
        {"Range: bytes=-0\r\n", 416, "bytes */26", "416 Range Not Satisfiable\nRequest "},
        {"Range: bytes=2-1\r\n", 200, NULL, ALPHABET},
        {"Range: lines=0-1\r\n", 200, NULL, ALPHABET},
        {"Range: bytes=0-1\r\nRange: bytes=0-1\r\n", 200, NULL, ALPHABET},
        {"Range: bytes=0-2\r\nIf-Match: \"x\"\r\n", 412, NULL, "412 Precondition Failed\nRequest "},
        {"Range: bytes=0-2\r\nIf-Range: \"x\"\r\n", 200, NULL, ALPHABET},
        {"Range: bytes=30-\r\nIf-Range: \"x\"\r\n", 200, NULL, ALPHABET},
        {"Range: bytes=0-2\r\nIf-Range: Tue, 14 Nov 2023 22:13:20 GMT\r\n", 200, NULL, ALPHABET},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct answer answer = ask("/alphabet.txt", rows[i].fields);
        cr_expect_eq(answer.status, rows[i].status, "%s: %u", rows[i].fields, answer.status);
        expect_field(&answer, "Content-Range", rows[i].range, rows[i].fields);
        size_t len = rows[i].status < 300 ? answer.body_len + 1 : strlen(rows[i].body);
        cr_expect_eq(strncmp(answer.body, rows[i].body, len), 0, "%s: %s", rows[i].fields, answer.body);
        if (rows[i].status < 300) expect_field(&answer, "Accept-Ranges", "bytes", rows[i].fields);
        answer_free(&answer);
    }
}

Test(content, gives_the_rest_of_what_has_not_changed)
{
    struct answer answer = ask("/alphabet.txt", "");
    char fields[512];
    const char *etag = answer_field(&answer, "ETag");
    snprintf(fields, sizeof(fields), "Range: bytes=20-\r\nIf-Range: %s\r\n", etag);
    answer_free(&answer);
    answer = ask("/alphabet.txt", fields);
    cr_expect_eq(answer.status, 206);
    cr_expect_str_eq(answer.body, "uvwxyz");
    answer_free(&answer);
    write_aged("alphabet.txt", "another one", 5);
    answer = ask("/alphabet.txt", fields);
    cr_expect_eq(answer.status, 200);
    cr_expect_str_eq(answer.body, "another one");
    answer_free(&answer);
}

/* RFC 9110, 14.2: for GET alone. */
Test(content, gives_no_range_to_HEAD)
{
    struct answer answer = answer_ask(&rig, "HEAD", "/alphabet.txt", "Range: bytes=0-2\r\n");
    cr_expect_eq(answer.status, 200);
    expect_field(&answer, "Content-Length", "26", "HEAD");
    expect_field(&answer, "Accept-Ranges", "bytes", "HEAD");
    answer_free(&answer);
}

Test(content, gives_several_ranges)
{
    rig.out_step = 7;
    struct answer answer = ask("/alphabet.txt", "Range: bytes=0-1, 24-, -3, 40-\r\n");
    cr_assert_eq(answer.status, 206);
    expect_field(&answer, "Content-Range", NULL, "it is in the parts");
    char boundary[64];
    cr_assert_eq(sscanf(answer_field(&answer, "Content-Type"), "multipart/byteranges; boundary=%63s", boundary), 1);
    struct text want = {0};
    static const struct {
        const char *range;
        const char *body;
    } parts[] = {{"0-1", "ab"}, {"24-25", "yz"}, {"23-25", "xyz"}};
    for (size_t i = 0; i < 3; i++)
        text_print(&want, "%s--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes %s/26\r\n\r\n%s",
                   i > 0 ? "\r\n" : "", boundary, parts[i].range, parts[i].body);
    text_print(&want, "\r\n--%s--\r\n", boundary);
    cr_expect_str_eq(answer.body, want.data);
    text_free(&want);
    answer_free(&answer);
}

Test(content, gives_everything_rather_than_too_many_ranges)
{
    struct text fields = {0};
    text_print(&fields, "Range: bytes=0-0");
    for (size_t i = 1; i <= LIMIT_HTTP_RANGES; i++) text_print(&fields, ",%zu-%zu", i, i);
    text_print(&fields, "\r\n");
    struct answer answer = ask("/alphabet.txt", fields.data);
    cr_expect_eq(answer.status, 200);
    cr_expect_str_eq(answer.body, ALPHABET);
    answer_free(&answer);
    text_free(&fields);
}

Test(content, counts_ranges_in_the_form_that_was_chosen)
{
    write_aged("alphabet.txt.gz", "0123456789", 0);
    struct answer answer = ask("/alphabet.txt", "Accept-Encoding: gzip\r\nRange: bytes=-2\r\n");
    cr_expect_eq(answer.status, 206);
    cr_expect_str_eq(answer.body, "89");
    expect_field(&answer, "Content-Range", "bytes 8-9/10", "compressed");
    expect_field(&answer, "Content-Encoding", "gzip", "compressed");
    answer_free(&answer);
}

Test(content, has_no_app_unless_told)
{
    struct answer answer = ask("/settings", PAGE);
    cr_expect_eq(answer.status, 404);
    answer_free(&answer);
    write_aged("app.0a1b2c3d.js", "js", 0);
    answer = ask("/app.0a1b2c3d.js", "");
    expect_field(&answer, "Cache-Control", "no-cache", "not told that names change");
    answer_free(&answer);
}

Test(app, keeps_what_has_a_hash_in_its_name)
{
    static const char forever[] = "public, max-age=31536000, immutable";
    make_dir("assets");
    write_aged("app.0a1b2c3d.js", "js", 0);
    write_aged("assets/index-BX1a2b3c.js", "js", 0);
    write_aged("assets/index-BX1a2b3c.js.gz", "packed", 0);
    static const struct {
        const char *target;
        const char *fields;
        const char *control;
    } rows[] = {
        {"/app.0a1b2c3d.js", "", forever},
        {"/app.0a1b2c3d.js", "If-None-Match: *\r\n", forever},
        {"/app.0a1b2c3d.js", "Range: bytes=0-0\r\n", forever},
        {"/assets/index-BX1a2b3c.js", "", forever},
        {"/assets/index-BX1a2b3c.js", "Accept-Encoding: gzip\r\n", forever},
        {"/", "", "no-cache"},
        {"/alphabet.txt", "", "no-cache"},
        {"/other.0a1b2c3d.js", "", "no-store"},
        {"/app.0a1b2c3d.js", "Range: bytes=9-\r\n", "no-store"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct answer answer = ask(rows[i].target, rows[i].fields);
        expect_field(&answer, "Cache-Control", rows[i].control, rows[i].target);
        answer_free(&answer);
    }
}

Test(app, answers_pages_that_are_not_there)
{
    make_dir("bare");
    static const struct {
        const char *method;
        const char *target;
        const char *fields;
        unsigned status;
    } rows[] = {
        {"GET", "/settings", PAGE, 200},
        {"HEAD", "/settings", PAGE, 200},
        {"GET", "/a/b/c?d=e.f", PAGE, 200},
        {"GET", "/a.b/c", PAGE, 200},
        {"GET", "/bare/", PAGE, 200},
        {"GET", "/a/", PAGE, 200},
        {"GET", "/bare", PAGE, 301},
        {"GET", "/settings", "", 404},
        {"GET", "/settings", "Accept: */*\r\n", 404},
        {"GET", "/settings", "Accept: application/json\r\n", 404},
        {"GET", "/missing.js", PAGE, 404},
        {"GET", "/.hidden", PAGE, 404},
        {"GET", "/a//b", PAGE, 404},
        {"POST", "/settings", PAGE, 405},
        {"GET", "/upload/x", PAGE, 405},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct answer answer = answer_ask(&rig, rows[i].method, rows[i].target, rows[i].fields);
        cr_expect_eq(answer.status, rows[i].status, "%s %s: %u", rows[i].target, rows[i].fields, answer.status);
        if (rows[i].status == 200) {
            expect_field(&answer, "Content-Type", "text/html; charset=utf-8", rows[i].target);
            expect_field(&answer, "Cache-Control", "no-cache", rows[i].target);
            expect_field(&answer, "Vary", "Accept, Accept-Encoding", rows[i].target);
            if (rows[i].method[0] == 'G') cr_expect_str_eq(answer.body, "index");
        }
        answer_free(&answer);
    }
}

Test(app, follows_no_link_out_of_the_root_into_the_index)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/out", rig.root_dir);
    cr_assert_eq(symlink("/etc", path), 0);
    struct answer answer = ask("/out", PAGE);
    cr_expect_eq(answer.status, 404);
    answer_free(&answer);
    snprintf(path, sizeof(path), "%s/index.html", rig.root_dir);
    cr_assert_eq(unlink(path), 0);
    answer = ask("/settings", PAGE);
    cr_expect_eq(answer.status, 404, "there is no app");
    answer_free(&answer);
}
