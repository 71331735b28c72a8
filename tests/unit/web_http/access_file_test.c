/* The access log's file: whole lines, whatever becomes of the disk. */
#include "web/http/access_file.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static struct access_file file = {.fd = -1};
static int data, messages;
static char text[65536];

static void setup(void)
{
    data = memfd_create("access", 0);
    messages = memfd_create("messages", 0);
    cr_assert(data >= 0 && messages >= 0);
    cr_assert_eq(fcntl(data, F_SETFL, O_APPEND), 0);
    cr_assert_eq(dup2(messages, STDERR_FILENO), STDERR_FILENO);
    access_file_use(&file, dup(data));
}

TestSuite(access_file, .init = setup);

static const char *content(int fd)
{
    ssize_t len = pread(fd, text, sizeof text - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static unsigned count(const char *where, const char *what)
{
    unsigned num = 0;
    for (const char *at = where; (at = strstr(at, what)) != NULL; at++) num++;
    return num;
}

Test(access_file, one_line_after_the_other)
{
    access_file_write(&file, "{\"a\":1}");
    access_file_write(&file, "{\"a\":2}");
    cr_expect_str_eq(content(data), "{\"a\":1}\n{\"a\":2}\n");
    cr_expect_eq(file.lost, 0);
}

Test(access_file, the_longest_line)
{
    static char line[ACCESS_LINE];
    memset(line, 'x', sizeof line - 1);
    access_file_write(&file, line);
    cr_expect_eq(strlen(content(data)), ACCESS_LINE);
    cr_expect_eq(text[ACCESS_LINE - 1], '\n');
}

Test(access_file, another_file_from_here_on)
{
    int other = memfd_create("other", 0);
    access_file_write(&file, "old");
    access_file_use(&file, dup(other));
    access_file_write(&file, "new");
    cr_expect_str_eq(content(data), "old\n");
    cr_expect_str_eq(content(other), "new\n");
}

Test(access_file, a_full_disk_loses_lines_and_says_so_once)
{
    access_file_use(&file, open("/dev/full", O_WRONLY | O_APPEND));
    for (unsigned i = 0; i < 5; i++) access_file_write(&file, "lost");
    cr_expect_eq(file.lost, 5);
    cr_expect_eq(count(content(messages), "access log cannot be written reason='No space left on device'"), 1, "%s",
                 text);
    access_file_use(&file, dup(data));
    access_file_write(&file, "found");
    access_file_write(&file, "next");
    cr_expect_str_eq(content(data), "\nfound\nnext\n");
    cr_expect_eq(count(content(messages), "access log is written again lost=5"), 1, "%s", text);
}

/* The disk takes a part of the line: the next one is a line of its own nevertheless. */
Test(access_file, what_was_cut_stays_a_line_of_its_own)
{
    const struct rlimit small = {.rlim_cur = 4, .rlim_max = RLIM_INFINITY}, large = {RLIM_INFINITY, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    access_file_write(&file, "first line");
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &large), 0);
    access_file_write(&file, "second line");
    cr_expect_str_eq(content(data), "firs\nsecond line\n");
    cr_expect_eq(file.lost, 1);
}
