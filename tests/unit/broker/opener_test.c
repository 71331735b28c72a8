/* Files by their path, and the same files as a loader has opened them. */
#include "broker/opener.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/keyward-opener-XXXXXX";

static void setup(void)
{
    const int fd = mkstemp(path);
    cr_assert_eq(write(fd, "content", 7), 7);
    close(fd);
}

static void teardown(void)
{
    (void)unlink(path);
}

TestSuite(opener, .init = setup, .fini = teardown);

static int others_fd = -1;
static enum err verdict;

static enum err note(void *context, const char *name, int fd)
{
    cr_assert_str_eq(name, path);
    cr_assert_eq(context, &verdict);
    others_fd = fd;
    return verdict;
}

static void expect_content(int fd)
{
    char text[16] = "";
    cr_assert_eq(read(fd, text, sizeof text), 7);
    cr_assert_str_eq(text, "content");
}

Test(opener, opens_paths)
{
    struct opener opener = {0};
    cr_assert_not(opener_takes(NULL));
    cr_assert_not(opener_takes(&opener));
    const int by_nobody = opener_open(NULL, path, O_RDONLY), fd = opener_open(&opener, path, O_RDONLY);
    expect_content(by_nobody);
    expect_content(fd);
    cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    cr_assert_eq(opener_open(&opener, "/nowhere", O_RDONLY), -1);
    cr_assert_eq(errno, ENOENT);
}

Test(opener, tells_of_each)
{
    struct opener opener = {.opened = note, .context = &verdict};
    verdict = ERR_OK;
    const int fd = opener_open(&opener, path, O_RDONLY);
    cr_assert(fd >= 0 && fd == others_fd);
    verdict = ERR_CLOSED;
    cr_assert_eq(opener_open(&opener, path, O_RDONLY), -1);
    cr_assert_eq(errno, EIO);
    cr_assert_eq(fcntl(others_fd, F_GETFD), -1, "what nobody was told of stays open");
}

Test(opener, gives_each_out_once_and_from_its_beginning)
{
    struct opened files[2] = {{.fd = open(path, O_RDONLY)}, {.fd = open(path, O_RDONLY)}};
    struct opener opener = {.files = files, .num_files = 2};
    for (size_t i = 0; i < 2; i++) {
        snprintf(files[i].path, sizeof files[i].path, "%s", path);
        expect_content(files[i].fd); /* as the loader has read it */
    }
    cr_assert(opener_takes(&opener));
    const int fds[] = {opener_open(&opener, path, O_RDONLY), opener_open(&opener, path, O_RDONLY)};
    cr_assert_neq(fds[0], fds[1]);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(files[i].fd, -1);
        expect_content(fds[i]);
    }
    cr_assert_eq(opener_open(&opener, path, O_RDONLY), -1);
    cr_assert_eq(errno, EACCES);
}

/* The path is there, and the process may open it; the loader did not. */
Test(opener, opens_nothing_besides)
{
    struct opened file = {.fd = -1};
    struct opener opener = {.files = &file, .num_files = 0};
    cr_assert(opener_takes(&opener));
    cr_assert_eq(opener_open(&opener, path, O_RDONLY), -1);
    cr_assert_eq(errno, EACCES);
}

Test(opener, takes_directories)
{
    struct opened file = {.path = "/tmp", .fd = open("/tmp", O_RDONLY | O_DIRECTORY)};
    struct opener opener = {.files = &file, .num_files = 1};
    cr_assert_geq(opener_open(&opener, "/tmp", O_RDONLY | O_DIRECTORY), 0);
}
