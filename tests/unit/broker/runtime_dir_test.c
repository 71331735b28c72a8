/* One broker to a directory, and nothing left in it. */
#include "broker/runtime_dir.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/runtime.h"

static char base[] = "/tmp/keyward-runtime-XXXXXX";
static char dir[64], control[80];
static struct user owner;

static void setup(void)
{
    cr_assert_not_null(mkdtemp(base));
    snprintf(dir, sizeof dir, "%s/run", base);
    snprintf(control, sizeof control, "%s/control", dir);
    owner = (struct user){.name = "keyward-broker", .uid = geteuid(), .gid = getegid()};
    if (geteuid() == 0) owner = (struct user){.name = "keyward-broker", .uid = 61100, .gid = 61100, .change = true};
}

static void teardown(void)
{
    unlink(control);
    rmdir(dir);
    cr_assert_eq(rmdir(base), 0, "nothing else is in it");
}

TestSuite(runtime_dir, .init = setup, .fini = teardown);

Test(runtime_dir, is_private_and_belongs_to_the_broker)
{
    struct runtime_dir runtime_dir;
    struct stat st;
    cr_assert_eq(runtime_dir_take(&runtime_dir, dir, &owner, NULL), ERR_OK);
    cr_assert_eq(stat(dir, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0700);
    cr_assert_eq(st.st_uid, owner.uid);
    cr_assert_eq(stat(control, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0700);
    cr_assert_eq(st.st_uid, owner.uid);
    cr_assert((fcntl(runtime_dir.control, F_GETFL) & O_NONBLOCK) != 0);
    runtime_dir_leave(&runtime_dir);
    cr_assert_neq(stat(control, &st), 0);
}

Test(runtime_dir, answers_its_clients_as_whoever_started_it)
{
    struct runtime_dir runtime_dir;
    int fd;
    cr_assert_eq(runtime_dir_take(&runtime_dir, dir, &owner, NULL), ERR_OK);
    cr_assert_eq(runtime_connect(&fd, dir, NULL), ERR_OK);
    runtime_dir_leave(&runtime_dir);
}

Test(runtime_dir, has_one_broker)
{
    struct runtime_dir runtime_dir;
    char wanted[256];
    cr_assert_eq(runtime_dir_take(&runtime_dir, dir, &owner, NULL), ERR_OK);
    snprintf(
        wanted, sizeof wanted,
        "runtime directory '%s': a broker is already running there, pid %d; stop it with: kill %d, or choose another "
        "with --runtime-dir",
        dir, (int)getpid(), (int)getpid());
    pid_t pid = fork();
    if (pid == 0) {
        struct runtime_dir second;
        struct diag diag = {0};
        struct stat st;
        if (runtime_dir_take(&second, dir, &owner, &diag) != ERR_INPUT) _exit(1);
        if (strcmp(diag.text, wanted) != 0) _exit(2);
        /* The first one is left alone. */
        _exit(stat(control, &st) == 0 && stat(dir, &st) == 0 && st.st_uid == owner.uid ? 0 : 3);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    runtime_dir_leave(&runtime_dir);
}

Test(runtime_dir, is_taken_over_from_a_broker_that_was_killed)
{
    struct runtime_dir runtime_dir;
    int fd;
    pid_t pid = fork();
    if (pid == 0) _exit(runtime_dir_take(&runtime_dir, dir, &owner, NULL) == ERR_OK ? 0 : 1);
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    cr_assert_eq(access(control, F_OK), 0, "it left its socket");
    struct diag diag = {0};
    cr_assert_eq(runtime_dir_take(&runtime_dir, dir, &owner, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(runtime_connect(&fd, dir, NULL), ERR_OK);
    runtime_dir_leave(&runtime_dir);
}

/* As where root of a user namespace starts the broker and the namespace does not have the broker's user. */
Test(runtime_dir, is_left_empty_when_it_cannot_be_given_away)
{
    const struct user stranger = {.name = "stranger", .change = true, .uid = 61201, .gid = 61201};
    struct runtime_dir runtime_dir;
    struct diag diag = {0};
    int status;
    cr_assert_eq(chmod(base, 0777), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && setuid(61200) != 0) _exit(1);
        if (runtime_dir_take(&runtime_dir, dir, &stranger, &diag) != ERR_SYSTEM) _exit(2);
        if (!strstr(diag.text, "cannot give it to stranger (uid 61201): Operation not permitted")) _exit(3);
        _exit(rmdir(dir) == 0 ? 0 : 4);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
}

Test(runtime_dir, is_refused_when_others_may_enter)
{
    struct runtime_dir runtime_dir;
    struct diag diag = {0};
    cr_assert_eq(mkdir(dir, 0755), 0);
    cr_assert_eq(chmod(dir, 0755), 0);
    cr_assert_eq(runtime_dir_take(&runtime_dir, dir, &owner, &diag), ERR_INPUT);
    cr_assert_not_null(strstr(diag.text, "0700"), "%s", diag.text);
}

Test(runtime_dir, is_no_link)
{
    struct runtime_dir runtime_dir;
    struct diag diag = {0};
    cr_assert_eq(symlink("/tmp", dir), 0);
    cr_assert_eq(runtime_dir_take(&runtime_dir, dir, &owner, &diag), ERR_INPUT);
    cr_assert_not_null(strstr(diag.text, "link"), "%s", diag.text);
    unlink(dir);
}

Test(runtime_dir, has_to_leave_room_for_the_socket)
{
    struct runtime_dir runtime_dir;
    struct diag diag = {0};
    char longer[160];
    snprintf(longer, sizeof longer, "%s/%0100d", base, 0);
    cr_assert_eq(runtime_dir_take(&runtime_dir, longer, &owner, &diag), ERR_INPUT);
    cr_assert_not_null(strstr(diag.text, "too long"), "%s", diag.text);
    rmdir(longer);
}
