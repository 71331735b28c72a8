#include "browser-shim/client_output.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static struct diag diag;
static struct client_output output;

static void set_up(void)
{
    snprintf(dir, sizeof dir, "/tmp/client-output-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(chdir(dir), 0);
}

static void tear_down(void)
{
    unlink("file");
    cr_assert_eq(chdir("/"), 0);
    cr_expect_eq(rmdir(dir), 0, "something was left behind");
}

TestSuite(client_output, .init = set_up, .fini = tear_down);

static size_t num_entries(void)
{
    DIR *entries = opendir(dir);
    cr_assert_not_null(entries);
    size_t num = 0;
    while (readdir(entries) != NULL) num++;
    closedir(entries);
    return num - 2;
}

static void expect_file(const char *want)
{
    char got[64] = "";
    int fd = open("file", O_RDONLY);
    cr_assert_geq(fd, 0);
    cr_expect_geq(read(fd, got, sizeof got - 1), 0);
    close(fd);
    cr_expect_str_eq(got, want);
}

Test(client_output, a_file_appears_when_it_is_whole)
{
    const char *paths[] = {"file", "./file", NULL};
    char absolute[128];
    snprintf(absolute, sizeof absolute, "%s/file", dir);
    paths[2] = absolute;
    for (size_t i = 0; i < 3; i++) {
        unlink("file");
        cr_assert_eq(client_output_open(&output, paths[i], &diag), ERR_OK, "%s", diag.text);
        cr_assert_eq(client_output_write(&output, (const uint8_t *)"hello", 5, &diag), ERR_OK);
        cr_expect_neq(access("file", F_OK), 0);
        cr_expect_eq(num_entries(), 1);
        cr_assert_eq(client_output_commit(&output, &diag), ERR_OK, "%s", diag.text);
        client_output_cleanup(&output);
        expect_file("hello");
        cr_expect_eq(num_entries(), 1);
    }
}

Test(client_output, what_is_not_committed_leaves_no_trace)
{
    cr_assert_eq(client_output_open(&output, "file", &diag), ERR_OK);
    cr_assert_eq(client_output_write(&output, (const uint8_t *)"hel", 3, &diag), ERR_OK);
    client_output_cleanup(&output);
    cr_expect_eq(num_entries(), 0);
}

Test(client_output, an_old_file_stays_until_then)
{
    int fd = open("file", O_WRONLY | O_CREAT, 0600);
    cr_assert_eq(write(fd, "old", 3), 3);
    close(fd);
    cr_assert_eq(client_output_open(&output, "file", &diag), ERR_OK);
    cr_assert_eq(client_output_write(&output, (const uint8_t *)"new and longer", 14, &diag), ERR_OK);
    expect_file("old");
    cr_assert_eq(client_output_commit(&output, &diag), ERR_OK);
    client_output_cleanup(&output);
    expect_file("new and longer");
}

Test(client_output, what_is_no_file_is_written_as_it_is)
{
    cr_assert_eq(client_output_open(&output, "/dev/null", &diag), ERR_OK);
    cr_expect_eq(client_output_write(&output, (const uint8_t *)"x", 1, &diag), ERR_OK);
    cr_expect_eq(client_output_commit(&output, &diag), ERR_OK);
    client_output_cleanup(&output);
    struct stat st;
    cr_expect(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode), "/dev/null was replaced");
}

Test(client_output, says_what_it_cannot_write)
{
    static const char *const rows[] = {"", ".", "/tmp", "nowhere/file", "/dev/null/file", "file/"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        diag.text[0] = '\0';
        cr_expect_eq(client_output_open(&output, rows[i], &diag), ERR_INPUT, "'%s'", rows[i]);
        cr_expect_neq(diag.text[0], '\0');
        client_output_cleanup(&output);
    }
    cr_expect_eq(num_entries(), 0);
}

Test(client_output, standard_output_stays_open)
{
    cr_assert_eq(client_output_open(&output, NULL, &diag), ERR_OK);
    cr_expect_eq(output.fd, STDOUT_FILENO);
    cr_expect_eq(client_output_commit(&output, &diag), ERR_OK);
    client_output_cleanup(&output);
    cr_expect_neq(fcntl(STDOUT_FILENO, F_GETFD), -1);
}

Test(client_output, a_closed_standard_output_is_nobodys)
{
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    cr_assert_eq(client_output_occupy_standard(&diag), ERR_OK);
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    cr_expect_gt(fd, STDERR_FILENO);
    cr_assert_eq(client_output_open(&output, NULL, &diag), ERR_OK);
    cr_expect_eq(client_output_write(&output, (const uint8_t *)"x", 1, &diag), ERR_SYSTEM);
}
