#include "base/runtime.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"

#define ORDINARY_USER 1000

static char top[64];
static char dir[128];
static struct diag diag;

static void make_top(void)
{
    snprintf(top, sizeof(top), "/tmp/keyward-runtime-XXXXXX");
    cr_assert_not_null(mkdtemp(top));
    snprintf(dir, sizeof(dir), "%s/run", top);
}

static void remove_top(void)
{
    char socket_path[160];
    snprintf(socket_path, sizeof(socket_path), "%s/control", dir);
    unlink(socket_path);
    if (rmdir(dir) != 0) unlink(dir);
    rmdir(top);
}

/* What cannot be tried has not been shown. */
static void lack(const char *what)
{
    cr_assert_fail("%s; run the tests as root", what);
}

TestSuite(runtime, .init = make_top, .fini = remove_top);

static void expect_refused(const char *path, const char *why)
{
    diag.text[0] = '\0';
    cr_expect_eq(runtime_make_dir(path, &diag), ERR_INPUT, "%s", diag.text);
    cr_expect_not_null(strstr(diag.text, why), "'%s' in '%s'", why, diag.text);
}

Test(runtime, makes_a_private_directory_and_takes_it_again)
{
    struct stat st;
    umask(0);
    cr_assert_eq(runtime_make_dir(dir, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(lstat(dir, &st), 0);
    cr_expect_eq(st.st_mode, S_IFDIR | 0700);
    cr_expect_eq(runtime_make_dir(dir, &diag), ERR_OK, "%s", diag.text);
    char slash[160];
    snprintf(slash, sizeof(slash), "%s//", dir);
    cr_expect_eq(runtime_make_dir(slash, &diag), ERR_OK, "%s", diag.text);
}

Test(runtime, refuses_a_directory_that_others_may_enter)
{
    static const mode_t modes[] = {0755, 0701, 0770, 01700, 0500};
    cr_assert_eq(mkdir(dir, 0700), 0);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        cr_assert_eq(chmod(dir, modes[i]), 0);
        expect_refused(dir, "want 0700; run chmod 700");
    }
}

Test(runtime, refuses_a_link)
{
    char slash[160];
    cr_assert_eq(symlink("/root", dir), 0);
    expect_refused(dir, "a link or not a directory");
    snprintf(slash, sizeof(slash), "%s/", dir);
    expect_refused(slash, "a link or not a directory");
}

Test(runtime, refuses_a_file)
{
    close(open(dir, O_CREAT | O_WRONLY | O_CLOEXEC, 0700));
    expect_refused(dir, "a link or not a directory");
}

Test(runtime, refuses_a_directory_without_parent_and_bad_paths)
{
    static char too_long[LIMIT_PATH + 1];
    char deep[160];
    snprintf(deep, sizeof(deep), "%s/a/b", top);
    expect_refused(deep, "make its parent");
    expect_refused("", "path empty or longer");
    memset(too_long, 'x', LIMIT_PATH);
    expect_refused(too_long, "path empty or longer");
}

/* Runs act as another user and returns what it returned; skips the test where that is not possible. */
static int as_ordinary_user(int (*act)(void))
{
    const pid_t child = fork();
    if (child == 0) {
        if (setresgid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) != 0) _exit(99);
        if (setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) != 0) _exit(99);
        _exit(act());
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status), "status %x", (unsigned)status);
    if (WEXITSTATUS(status) == 99) lack("needs root: cannot become another user");
    return WEXITSTATUS(status);
}

static int make_dir_of_another(void)
{
    const enum err err = runtime_make_dir(dir, &diag);
    return err == ERR_INPUT && strstr(diag.text, "owned by uid") != NULL ? 0 : 1;
}

Test(runtime, refuses_a_directory_of_another_owner)
{
    cr_assert_eq(chmod(top, 0755), 0);
    cr_assert_eq(mkdir(dir, 0700), 0);
    if (getuid() != 0) lack("needs root: cannot make a directory of another owner");
    cr_expect_eq(as_ordinary_user(make_dir_of_another), 0);
    cr_assert_eq(chown(dir, ORDINARY_USER, ORDINARY_USER), 0);
    expect_refused(dir, "owned by uid 1000, want 0");
}

static int default_dir_of_user(void)
{
    char out[64];
    setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
    if (runtime_default_dir(out, sizeof(out), NULL) != ERR_OK || strcmp(out, "/run/user/1000/keyward") != 0) return 1;
    setenv("XDG_RUNTIME_DIR", "relative", 1);
    if (runtime_default_dir(out, sizeof(out), NULL) != ERR_OK || strcmp(out, "/tmp/keyward-1000") != 0) return 2;
    unsetenv("XDG_RUNTIME_DIR");
    if (runtime_default_dir(out, sizeof(out), NULL) != ERR_OK || strcmp(out, "/tmp/keyward-1000") != 0) return 3;
    return runtime_default_dir(out, strlen("/tmp/keyward-1000"), NULL) == ERR_INPUT ? 0 : 4;
}

Test(runtime, default_directory_of_a_user)
{
    cr_expect_eq(as_ordinary_user(default_dir_of_user), 0);
}

Test(runtime, default_directory_of_root)
{
    char out[64];
    if (getuid() != 0) lack("needs root");
    setenv("XDG_RUNTIME_DIR", "/elsewhere", 1);
    cr_assert_eq(runtime_default_dir(out, sizeof(out), NULL), ERR_OK);
    cr_expect_str_eq(out, "/run/keyward");
}

static int listen_here(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/control", dir);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 1) != 0) return -1;
    return fd;
}

Test(runtime, connects_to_a_broker_of_our_own)
{
    int fd = -1;
    cr_assert_eq(runtime_make_dir(dir, &diag), ERR_OK);
    cr_assert_geq(listen_here(), 0);
    cr_assert_eq(runtime_connect(&fd, dir, &diag), ERR_OK, "%s", diag.text);
    cr_expect_neq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    cr_expect_neq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}

Test(runtime, says_that_no_broker_is_running)
{
    int fd = -1;
    cr_expect_eq(runtime_connect(&fd, dir, &diag), ERR_NOT_FOUND, "no directory");
    cr_assert_eq(runtime_make_dir(dir, &diag), ERR_OK);
    cr_expect_eq(runtime_connect(&fd, dir, &diag), ERR_NOT_FOUND, "no socket");
    const int listener = listen_here();
    cr_assert_geq(listener, 0);
    close(listener);
    cr_expect_eq(runtime_connect(&fd, dir, &diag), ERR_NOT_FOUND, "a socket that was left behind");
    cr_expect_not_null(strstr(diag.text, "no broker is running"), "%s", diag.text);
    cr_expect_eq(fd, -1);
}

Test(runtime, says_that_the_path_is_too_long_for_a_socket)
{
    int fd = -1;
    static char too_long[200];
    memset(too_long, 'x', sizeof(too_long) - 1);
    cr_expect_eq(runtime_connect(&fd, too_long, &diag), ERR_INPUT);
}

/* The server is another user, who is neither we nor root. */
static int server_ready[2];

static int serve_as_another(void)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || listen_here() < 0 || write(server_ready[1], "x", 1) != 1) return 1;
    return pause();
}

Test(runtime, refuses_a_server_of_another_user)
{
    if (getuid() != 0) lack("needs root: cannot run a server as another user");
    int fd = -1;
    char byte;
    cr_assert_eq(chmod(top, 0755), 0);
    cr_assert_eq(mkdir(dir, 0755), 0);
    cr_assert_eq(chown(dir, ORDINARY_USER, ORDINARY_USER), 0);
    cr_assert_eq(pipe2(server_ready, O_CLOEXEC), 0);
    const pid_t server = fork();
    if (server == 0) {
        if (setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) != 0) _exit(99);
        _exit(serve_as_another());
    }
    close(server_ready[1]);
    const ssize_t ready = read(server_ready[0], &byte, 1);
    const enum err err = ready == 1 ? runtime_connect(&fd, dir, &diag) : ERR_OK;
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    if (ready != 1) lack("needs a root that can become another user");
    cr_expect_eq(err, ERR_DENIED, "%s", diag.text);
    cr_expect_eq(fd, -1);
}
