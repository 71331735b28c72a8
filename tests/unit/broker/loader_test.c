/* The loader as the spawner splits it off: what it hands over, what it says of files that are no good, how it ends. */
#include "broker/loader.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/command.h"
#include "proto/link.h"

#define PATIENCE_MS 10000

static char base[] = "/tmp/keyward-loader-XXXXXX";
static char config_path[64], root_path[64], ca_path[64];
static char program[] = "broker", config_flag[] = "--config";
static char *argv[] = {program, config_flag, config_path, NULL};
static struct user web;
static struct loader_plan plan = {.argc = 3, .argv = argv, .web = &web};
static struct codec_arena *arena;

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

static void configure(const char *more)
{
    char text[1024];
    snprintf(text, sizeof text, "[listen]\naddress = 127.0.0.1:0\n[web]\nroot = %s\n%s", root_path, more);
    put(config_path, text);
}

static void setup(void)
{
    cr_assert_not_null(mkdtemp(base));
    cr_assert_eq(chmod(base, 0755), 0);
    snprintf(config_path, sizeof config_path, "%s/broker.conf", base);
    snprintf(root_path, sizeof root_path, "%s/root", base);
    snprintf(ca_path, sizeof ca_path, "%s/ca.pem", base);
    cr_assert_eq(mkdir(root_path, 0755), 0);
    web = (struct user){.name = "keyward-web", .uid = geteuid(), .gid = getegid()};
    if (geteuid() == 0) web = (struct user){.name = "keyward-web", .uid = 61252, .gid = 61253, .change = true};
    arena = codec_arena_new(LIMIT_DECODE_ARENA);
}

static void teardown(void)
{
    (void)unlink(config_path);
    (void)unlink(ca_path);
    (void)rmdir(root_path);
    (void)rmdir(base);
    codec_arena_free(arena);
}

TestSuite(loader, .init = setup, .fini = teardown, .timeout = 60);

struct loading {
    struct link link;
    pid_t pid;
};

static struct loading begin(void)
{
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    const pid_t pid = fork();
    if (pid == 0) loader_run(ends[1], &plan);
    cr_assert_gt(pid, 0);
    close(ends[1]);
    return (struct loading){{.fd = ends[0], .role = LINK_BROKER_SPAWNER, .end = LINK_UPPER}, pid};
}

static struct msg hear(const struct loading *loading, struct packet_extra *extra)
{
    struct msg msg;
    cr_assert_eq(channel_wait(loading->link.fd, PATIENCE_MS), ERR_OK);
    cr_assert_eq(link_recv(&loading->link, &msg, extra, arena), ERR_OK);
    return msg;
}

/* The next is the file at path, to read. */
static void expect_file(const struct loading *loading, const char *path)
{
    struct packet_extra extra;
    struct stat shown, wanted;
    const struct msg msg = hear(loading, &extra);
    cr_assert_eq(msg.kind, MSG_LOADED, "%s", msg.kind == MSG_FAILED ? msg.failed.text : "another message");
    cr_assert_eq(msg.loaded.len, strlen(path));
    cr_assert_arr_eq(msg.loaded.data, path, msg.loaded.len);
    const int fd = packet_extra_take(&extra, 0);
    cr_assert(fstat(fd, &shown) == 0 && stat(path, &wanted) == 0);
    cr_assert_eq(shown.st_ino, wanted.st_ino);
    cr_assert_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    close(fd);
}

static void expect_failure(const struct loading *loading, const char *text)
{
    struct packet_extra extra;
    struct msg msg = hear(loading, &extra);
    while (msg.kind == MSG_LOADED) {
        packet_extra_close(&extra);
        msg = hear(loading, &extra);
    }
    cr_assert_eq(msg.kind, MSG_FAILED);
    cr_assert_not_null(strstr(msg.failed.text, text), "%s", msg.failed.text);
}

static void expect_end(const struct loading *loading)
{
    int status;
    cr_assert_eq(waitpid(loading->pid, &status, 0), loading->pid);
    cr_assert(WIFEXITED(status), "signal %d", WTERMSIG(status));
    cr_assert_eq(WEXITSTATUS(status), 0);
    close(loading->link.fd);
}

Test(loader, hands_over_the_configuration_and_what_it_names)
{
    struct packet_extra extra;
    configure("");
    const struct loading loading = begin();
    expect_file(&loading, config_path);
    expect_file(&loading, root_path);
    cr_assert_eq(hear(&loading, &extra).kind, MSG_READY);
    expect_end(&loading);
}

Test(loader, says_what_is_wrong_and_where)
{
    configure("[nothing]\nof = the kind\n");
    struct loading loading = begin();
    expect_failure(&loading, config_path);
    expect_end(&loading);

    char more[128];
    snprintf(more, sizeof more, "client_ca = %s\n", ca_path);
    configure(more);
    loading = begin();
    expect_failure(&loading, "No such file");
    expect_end(&loading);

    put(ca_path, "no certificate\n");
    loading = begin();
    expect_failure(&loading, ca_path);
    expect_end(&loading);
}

Test(loader, asks_as_webs_user_without_becoming_it)
{
    cr_assert_eq(geteuid(), 0, "needs root: another user's rights; run the tests as root");
    struct packet_extra extra;
    configure("");
    cr_assert_eq(chmod(root_path, 0700), 0);
    struct loading loading = begin();
    expect_failure(&loading, "uid 61252, which web runs as, cannot read it");
    expect_end(&loading);

    cr_assert_eq(chown(root_path, web.uid, web.gid), 0);
    loading = begin();
    expect_file(&loading, config_path);
    expect_file(&loading, root_path);
    cr_assert_eq(hear(&loading, &extra).kind, MSG_READY);
    expect_end(&loading);
}

/* How many filters a process has; and what it may be, of which a dead one that nobody has waited for still tells. */
static unsigned long of_status(pid_t pid, const char *field, int base_of_number)
{
    char path[64], line[256];
    unsigned long value = ~0ul;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, field, strlen(field)) == 0) value = strtoul(line + strlen(field), NULL, base_of_number);
    }
    cr_assert_eq(fclose(file), 0);
    return value;
}

Test(loader, reads_in_its_sandbox)
{
    const unsigned long allowed = 1ul << CAP_DAC_READ_SEARCH | 1ul << CAP_SETUID | 1ul << CAP_SETGID;
    configure("");
    const struct loading loading = begin();
    expect_file(&loading, config_path); /* the first that it opens */
    cr_assert_eq(of_status(loading.pid, "Seccomp_filters:", 10), of_status(getpid(), "Seccomp_filters:", 10) + 1);
    cr_assert_eq(of_status(loading.pid, "NoNewPrivs:", 10), 1);
    cr_assert_eq(of_status(loading.pid, "CapPrm:", 16) & ~allowed, 0);
}

/* A pipe in a file's place has nobody who writes: an open that waits would hold the reload up until its deadline. */
Test(loader, does_not_wait_for_a_pipe)
{
    char more[128];
    snprintf(more, sizeof more, "client_ca = %s\n", ca_path);
    configure(more);
    cr_assert_eq(mkfifo(ca_path, 0600), 0);
    const struct loading loading = begin();
    expect_failure(&loading, "is not a regular file");
    expect_end(&loading);
}

Test(loader, ends_when_nobody_listens)
{
    configure("");
    int ends[2], status;
    cr_assert_eq(channel_pair(ends), ERR_OK);
    close(ends[0]);
    const pid_t pid = fork();
    if (pid == 0) loader_run(ends[1], &plan);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SYSTEM);
    close(ends[1]);
}
