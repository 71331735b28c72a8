/* Runs a program on a kernel that has no memfd_secret, as older ones: a filter says so, to it and to all that it starts. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: without_secret_memory PROGRAM [ARGUMENT...]\n");
        return 100;
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL || seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SYS_memfd_secret, 0) != 0 ||
        seccomp_load(filter) != 0) {
        fprintf(stderr, "without_secret_memory: cannot load the filter\n");
        return 111;
    }
    seccomp_release(filter);
    execv(argv[1], argv + 1);
    perror(argv[1]);
    return 111;
}
