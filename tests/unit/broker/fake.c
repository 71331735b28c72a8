/* A program for the spawner's test: tells on descriptor 3 what it finds itself to be, then does what it is told. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/broker/fake.h"

extern char **environ;

static int count_descriptors(int *out_highest)
{
    int num = 0;
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd == dirfd(dir)) continue;
        num++;
        if (fd > *out_highest) *out_highest = fd;
    }
    if (dir) closedir(dir);
    return num;
}

static void look(struct fake_report *out, int argc, char **argv)
{
    struct stat st;
    sigset_t mask;
    *out = (struct fake_report){.argc = argc, .pid = getpid(), .sid = getsid(0), .uid = getuid(), .gid = getgid()};
    snprintf(out->name, sizeof out->name, "%s", argv[0]);
    while (environ && environ[out->environment]) out->environment++;
    out->descriptors = count_descriptors(&out->highest_fd);
    out->stdin_is_null = fstat(0, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0x103;
    out->groups = getgroups(0, NULL);
    prctl(PR_GET_PDEATHSIG, &out->death_signal);
    out->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int i = 1; i < 32; i++) out->blocked += sigismember(&mask, i) == 1;
    for (int i = 1; i < 32; i++) {
        struct sigaction action;
        if (sigaction(i, NULL, &action) == 0) out->not_default += action.sa_handler != SIG_DFL;
    }
    if (!getcwd(out->directory, sizeof out->directory)) out->directory[0] = '\0';
    out->umask = umask(0);
}

int main(int argc, char **argv)
{
    struct fake_report report;
    char order;
    look(&report, argc, argv);
    if (send(3, &report, sizeof report, 0) != (ssize_t)sizeof report) return 2;
    struct pollfd told = {.fd = 3, .events = POLLIN};
    if (poll(&told, 1, -1) != 1 || recv(3, &order, 1, 0) != 1) return 0;
    if (order == FAKE_EXIT_7) return 7;
    if (order == FAKE_CRASH) abort();
    for (;;) pause();
}
