/* What is seen of other processes, and that nothing is said of what is not seen. */
#include "broker/procfs.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that unshares, hides or not, says so and sleeps. */
static pid_t start(int namespaces, int dumpable)
{
    int ready[2];
    char byte = 0;
    cr_assert_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (namespaces != 0 && unshare(namespaces) != 0) _exit(1);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
        if (write(ready[1], "r", 1) != 1) _exit(1);
        pause();
        _exit(0);
    }
    close(ready[1]);
    cr_assert_eq(read(ready[0], &byte, 1), 1, "this machine lets nobody unshare");
    close(ready[0]);
    return pid;
}

static void stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static struct procfs open_procfs(void)
{
    struct procfs procfs;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    /* An abstract name of the kernel's choice. */
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address.sun_family), 0);
    cr_assert_eq(procfs_open(&procfs, fd, NULL), ERR_OK);
    return procfs;
}

Test(procfs, shows_the_process_itself)
{
    struct procfs procfs = open_procfs();
    struct procfs_process seen;
    cr_assert_eq(procfs_read(&seen, &procfs, getpid()), ERR_OK);
    cr_assert_eq(seen.parent, (uint32_t)getppid());
    cr_assert_eq(seen.uid, getuid());
    cr_assert_gt(seen.resident_bytes, 100000);
    cr_assert_str_eq(seen.namespaces, "");
}

Test(procfs, knows_when_nobody_is_there)
{
    struct procfs procfs = open_procfs();
    struct procfs_process seen;
    pid_t pid = start(0, 1);
    cr_assert_eq(procfs_read(&seen, &procfs, pid), ERR_OK);
    cr_assert(seen.no_new_privs);
    stop(pid);
    cr_assert_eq(procfs_read(&seen, &procfs, pid), ERR_NOT_FOUND);
    cr_assert_eq(procfs_read(&seen, &procfs, 0), ERR_NOT_FOUND);
    cr_assert_eq(procfs_read(&seen, &procfs, -1), ERR_NOT_FOUND);
}

Test(procfs, shares_all_namespaces_with_a_plain_child)
{
    struct procfs procfs = open_procfs();
    struct procfs_process seen;
    for (int dumpable = 0; dumpable <= 1; dumpable++) {
        pid_t pid = start(0, dumpable);
        cr_assert_eq(procfs_read(&seen, &procfs, pid), ERR_OK);
        cr_assert_str_eq(seen.namespaces, "", "dumpable %d", dumpable);
        stop(pid);
    }
}

/* As the broker sees its children: it may not look at their links, because it has no right to debug them. */
static int look_without_links(int namespaces, const char *wanted)
{
    struct procfs procfs = open_procfs();
    struct procfs_process seen;
    pid_t pid = start(namespaces, 0);
    pid_t looker = fork();
    if (looker == 0) {
        if (getuid() == 0 && (setgid(61299) != 0 || setuid(61299) != 0)) _exit(2);
        if (procfs_read(&seen, &procfs, pid) != ERR_OK) _exit(3);
        fprintf(stderr, "seen '%s', want '%s'\n", seen.namespaces, wanted);
        _exit(strcmp(seen.namespaces, wanted) == 0 ? 0 : 4);
    }
    int status;
    waitpid(looker, &status, 0);
    stop(pid);
    return WEXITSTATUS(status);
}

Test(procfs, tells_namespaces_of_processes_that_hide)
{
    cr_assert_eq(look_without_links(0, ""), 0);
    cr_assert_eq(look_without_links(CLONE_NEWUSER, "user"), 0);
    cr_assert_eq(look_without_links(CLONE_NEWUSER | CLONE_NEWNS, "user,mnt"), 0);
    cr_assert_eq(look_without_links(CLONE_NEWUSER | CLONE_NEWNET, "user,net"), 0);
}

Test(procfs, says_nothing_of_what_cannot_be_seen)
{
    cr_assert_eq(look_without_links(CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, "user"), 0);
}

Test(procfs, compares_links_where_the_kernel_shows_them)
{
    struct procfs procfs = open_procfs();
    struct procfs_process seen;
    pid_t pid = start(CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWUTS, 1);
    cr_assert_eq(procfs_read(&seen, &procfs, pid), ERR_OK);
    cr_assert_str_eq(seen.namespaces, "user,ipc,uts");
    stop(pid);
}
