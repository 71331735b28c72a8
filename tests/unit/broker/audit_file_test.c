#include "broker/audit_file.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/audit_log.h"

static char base[] = "/tmp/keyward-audit-XXXXXX";
static char path[64];
static struct user owner;
static struct audit_file file;
static struct diag diag;

static void setup(void)
{
    cr_assert_not_null(mkdtemp(base));
    snprintf(path, sizeof path, "%s/log", base);
    owner = (struct user){.name = "us", .uid = geteuid(), .gid = getegid()};
    memset(&diag, 0, sizeof diag);
}

static void teardown(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", base);
    cr_assert_eq(system(command), 0);
}

TestSuite(audit_file, .init = setup, .fini = teardown);

static enum err open_it(enum audit_file_use use)
{
    return audit_file_open(&file, path, &owner, use, &diag);
}

static void expect_refused(const char *says)
{
    for (enum audit_file_use use = AUDIT_FILE_WRITE; use <= AUDIT_FILE_CHECK; use++) {
        cr_expect_eq(open_it(use), ERR_INPUT);
        cr_expect_eq(file.fd, -1);
        cr_expect_not_null(strstr(diag.text, path), "%s", diag.text);
        cr_expect_not_null(strstr(diag.text, says), "%s", diag.text);
    }
}

/* Writes num records to the file. */
static void write_log(unsigned num)
{
    static struct audit_log log;
    static const uint8_t zeros[AUDIT_HASH];
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    audit_log_init(&log, fd, 0, zeros);
    for (unsigned i = 0; i < num; i++) {
        struct audit_record record = {.what = i == 0 ? AUDIT_START : AUDIT_SIGNED, .pid = 1234};
        audit_log_add(&log, &record, 1000 + i);
        cr_assert_eq(audit_log_write(&log, 1000), ERR_OK);
    }
    close(fd);
}

static void append(const char *text)
{
    int fd = open(path, O_WRONLY | O_APPEND);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static off_t size_of_file(void)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

/* Changes one byte, that many from the end. */
static void spoil(off_t from_end)
{
    char byte;
    int fd = open(path, O_RDWR);
    off_t at = size_of_file() - from_end;
    cr_assert_eq(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

Test(audit_file, makes_one_for_its_owner_alone)
{
    struct stat st;
    umask(0);
    cr_assert_eq(open_it(AUDIT_FILE_WRITE), ERR_OK, "%s", diag.text);
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0600);
    cr_expect_eq(st.st_uid, geteuid());
    cr_expect_eq(file.records, 0);
    int flags = fcntl(file.fd, F_GETFL);
    cr_expect_eq(flags & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_WRONLY | O_APPEND | O_NONBLOCK);
    cr_expect_eq(fcntl(file.fd, F_GETFD), FD_CLOEXEC);
}

Test(audit_file, gives_it_to_the_brokers_user)
{
    struct stat st;
    cr_assert_eq(geteuid(), 0, "needs root: gives a file to another user; run the tests as root");
    owner = (struct user){.name = "broker", .uid = 61100, .gid = 61100, .change = true};
    cr_assert_eq(open_it(AUDIT_FILE_WRITE), ERR_OK, "%s", diag.text);
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_uid, 61100);
    close(file.fd);
    cr_expect_eq(open_it(AUDIT_FILE_WRITE), ERR_OK, "%s", diag.text);
}

Test(audit_file, a_check_makes_nothing)
{
    cr_expect_eq(open_it(AUDIT_FILE_CHECK), ERR_OK);
    cr_expect_eq(size_of_file(), -1);
    write_log(3);
    append("{\"n\":4");
    off_t size = size_of_file();
    cr_expect_eq(open_it(AUDIT_FILE_CHECK), ERR_OK, "%s", diag.text);
    cr_expect_eq(file.fd, -1);
    cr_expect_eq(size_of_file(), size);
}

Test(audit_file, goes_on_where_it_ends)
{
    write_log(9);
    cr_assert_eq(open_it(AUDIT_FILE_WRITE), ERR_OK, "%s", diag.text);
    cr_expect_eq(file.records, 9);
    cr_expect_eq(file.torn, 0);
    char text[9 * LIMIT_AUDIT_LINE];
    int fd = open(path, O_RDONLY);
    ssize_t len = read(fd, text, sizeof text);
    char *last = memrchr(text, '\n', (size_t)len - 1);
    uint8_t hash[AUDIT_HASH];
    audit_line_hash(hash, last + 1, (size_t)(text + len - 1 - (last + 1)));
    cr_expect_eq(memcmp(hash, file.hash, AUDIT_HASH), 0);
}

/* A machine that lost its power in the middle of a line. */
Test(audit_file, takes_an_unfinished_line_away)
{
    write_log(4);
    off_t size = size_of_file();
    append("{\"n\":5,\"time\":\"20");
    cr_assert_eq(open_it(AUDIT_FILE_WRITE), ERR_OK, "%s", diag.text);
    cr_expect_eq(file.records, 4);
    cr_expect_eq(file.torn, strlen("{\"n\":5,\"time\":\"20"));
    cr_expect_eq(size_of_file(), size);
}

Test(audit_file, a_beginning_that_is_no_line_is_taken_away_too)
{
    write_log(0);
    append("{\"n\"");
    cr_assert_eq(open_it(AUDIT_FILE_WRITE), ERR_OK, "%s", diag.text);
    cr_expect_eq(file.records, 0);
    cr_expect_eq(file.torn, 4);
}

Test(audit_file, says_at_which_record_it_is_damaged)
{
    write_log(5);
    append("this is no record\n");
    expect_refused("record 6 is damaged");
}

Test(audit_file, does_not_continue_what_was_changed)
{
    write_log(5);
    spoil(400); /* in record 4: each is longer than 100 bytes and shorter than 200 */
    expect_refused("record ");
}

Test(audit_file, does_not_continue_what_begins_in_the_middle)
{
    write_log(5);
    char text[5 * LIMIT_AUDIT_LINE];
    int fd = open(path, O_RDWR);
    ssize_t len = read(fd, text, sizeof text);
    char *second = memchr(text, '\n', (size_t)len);
    cr_assert_eq(ftruncate(fd, 0), 0);
    cr_assert_eq(pwrite(fd, second + 1, (size_t)(text + len - (second + 1)), 0), text + len - (second + 1));
    close(fd);
    expect_refused("record 1 does not follow");
}

/* Of a large file the end is looked at, which is what the start-up has time for. */
Test(audit_file, looks_at_so_much_of_a_large_file)
{
    write_log(4000);
    cr_assert_gt(size_of_file(), (off_t)LIMIT_AUDIT_TAIL + 1000);
    spoil((off_t)LIMIT_AUDIT_TAIL + 500);
    cr_assert_eq(open_it(AUDIT_FILE_WRITE), ERR_OK, "%s", diag.text);
    cr_expect_eq(file.records, 4000);
    close(file.fd);
    spoil((off_t)LIMIT_AUDIT_TAIL - 500);
    expect_refused("record ");
}

Test(audit_file, refuses_what_is_no_log_at_its_end)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    cr_assert_eq(ftruncate(fd, (off_t)LIMIT_AUDIT_TAIL + 1), 0);
    close(fd);
    expect_refused("no log");
}

Test(audit_file, follows_no_link)
{
    char other[80];
    snprintf(other, sizeof other, "%s/other", base);
    close(open(other, O_WRONLY | O_CREAT, 0600));
    cr_assert_eq(symlink(other, path), 0);
    expect_refused("link");
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(link(other, path), 0);
    expect_refused("more than one name");
}

Test(audit_file, takes_files_and_pipes_alone)
{
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_expect_eq(open_it(AUDIT_FILE_WRITE), ERR_INPUT);
    cr_expect_not_null(strstr(diag.text, "Is a directory"), "%s", diag.text);
    snprintf(path, sizeof path, "/dev/null");
    expect_refused("neither a file nor a named pipe");
}

Test(audit_file, refuses_what_others_may_write)
{
    write_log(1);
    cr_assert_eq(chmod(path, 0622), 0);
    expect_refused("others may write");
}

Test(audit_file, refuses_what_is_somebody_elses)
{
    cr_assert_eq(geteuid(), 0, "needs root: has a file of another user; run the tests as root");
    write_log(1);
    cr_assert_eq(chown(path, 61200, 61200), 0);
    expect_refused("somebody else");
}

Test(audit_file, one_broker_writes_it)
{
    cr_assert_eq(open_it(AUDIT_FILE_WRITE), ERR_OK);
    cr_expect_eq(open_it(AUDIT_FILE_WRITE), ERR_INPUT);
    cr_expect_not_null(strstr(diag.text, "another broker"), "%s", diag.text);
}

Test(audit_file, a_pipe_needs_a_reader)
{
    cr_assert_eq(mkfifo(path, 0600), 0);
    expect_refused("nobody reads");
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    cr_expect_eq(open_it(AUDIT_FILE_WRITE), ERR_OK, "%s", diag.text);
    close(reader);
}

Test(audit_file, needs_a_directory)
{
    snprintf(path, sizeof path, "%s/nowhere/log", base);
    cr_expect_eq(open_it(AUDIT_FILE_WRITE), ERR_INPUT);
    cr_expect_not_null(strstr(diag.text, "No such file"), "%s", diag.text);
}
