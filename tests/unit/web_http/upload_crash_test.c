/* A worker that is killed at any step of an upload leaves the old file or the new one, and the next one cleans up. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http1_client.h"
#include "web/http/http1.h"

#define OLD "the old content"
#define NEW "the new content, which is longer"

static struct rig rig;

/* The step before which the process dies, counted from 1; 0: none. These calls replace libc's in this program, and each
 * is a step: in the order of an upload, what it has changed by then is all that the next worker finds. */
static _Atomic int steps_left;

static void step(void)
{
    if (steps_left > 0 && --steps_left == 0) syscall(SYS_kill, getpid(), SIGKILL);
}

int fsync(int fd)
{
    step();
    return (int)syscall(SYS_fsync, fd);
}

ssize_t write(int fd, const void *data, size_t len)
{
    struct stat stat;
    if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && fd != STDERR_FILENO) step();
    return syscall(SYS_write, fd, data, len);
}

int renameat2(int old_fd, const char *old_name, int new_fd, const char *new_name, unsigned flags)
{
    step();
    int result = (int)syscall(SYS_renameat2, old_fd, old_name, new_fd, new_name, flags);
    int error = errno;
    if (result == 0) step();
    errno = error;
    return result;
}

int renameat(int old_fd, const char *old_name, int new_fd, const char *new_name)
{
    return renameat2(old_fd, old_name, new_fd, new_name, 0);
}

static void start(void)
{
    rig_init(&rig, &(struct rig_config){.uploads = true, .max_upload_bytes = 1000});
}

static void stop(void)
{
    rig_cleanup(&rig);
}

TestSuite(upload_crash, .init = start, .fini = stop);

static struct http_site *open_site(void)
{
    struct http_site *site = NULL;
    struct diag diag = {0};
    struct http_site_config config = {.root_fd = -1,
                                      .uploads_fd = open(rig.uploads_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                                      .max_upload_bytes = 1000};
    return http_site_open(&site, &config, &diag) == ERR_OK ? site : NULL;
}

static void no_wake(void *context)
{
    (void)context;
}

/* In a process of its own: one upload in three pieces, killed before the step. Exits with 0 once it is answered. */
static void upload_until(int steps)
{
    struct http_site *site = open_site();
    struct session_host host = {no_wake, NULL};
    struct session *session = site != NULL ? http1_session_new(site, &rig.peer, &host) : NULL;
    if (session == NULL) _exit(100);
    char request[256];
    int len = snprintf(request, sizeof(request), "PUT /upload/x HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s",
                       strlen(NEW), NEW);
    steps_left = steps;
    for (int at = 0; at < len; at += 60) {
        int piece = len - at < 60 ? len - at : 60;
        if (session->ops->receive(session, (const uint8_t *)request + at, (size_t)piece) != ERR_OK) _exit(101);
    }
    struct pollfd done = {.fd = http_site_fd(site), .events = POLLIN};
    if (poll(&done, 1, 10000) != 1) _exit(102);
    http_site_complete(site);
    uint8_t answer[64];
    size_t got = session->ops->produce(session, answer, sizeof(answer));
    _exit(got > 10 && answer[9] == '2' ? 0 : 103);
}

enum ending { KILLED, ANSWERED };

static enum ending run_until(int steps)
{
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) upload_until(steps);
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        cr_assert_eq(WTERMSIG(status), SIGKILL);
        return KILLED;
    }
    cr_assert_eq(WEXITSTATUS(status), 0);
    return ANSWERED;
}

/* What is there once the next worker has started: NULL for nothing. */
static char *after_restart(void)
{
    struct http_site *site = open_site();
    cr_assert_not_null(site);
    http_site_free(site);
    char *content = rig_file(rig.uploads_dir, "x");
    cr_assert_eq(rig_num_files(rig.uploads_dir), content != NULL, "a temporary file is left");
    return content;
}

static void die_at_each_step(const char *old)
{
    char path[256];
    int steps = 1;
    int times_old = 0, times_new = 0;
    snprintf(path, sizeof(path), "%s/x", rig.uploads_dir);
    for (;; steps++) {
        unlink(path);
        if (old != NULL) rig_write_file(rig.uploads_dir, "x", old);
        enum ending ending = run_until(steps);
        char *content = after_restart();
        bool is_new = content != NULL && strcmp(content, NEW) == 0;
        bool is_old = old != NULL ? content != NULL && strcmp(content, old) == 0 : content == NULL;
        cr_assert(is_new || is_old, "killed before step %d: '%s'", steps, content ? content : "nothing");
        if (ending == ANSWERED) cr_assert(is_new, "answered, and not there");
        times_old += is_old;
        times_new += is_new;
        free(content);
        if (ending == ANSWERED) break;
    }
    cr_expect_geq(times_old, 3, "before a write, an fsync, a rename");
    cr_expect_geq(times_new, 3, "before the directory's fsync and after");
}

Test(upload_crash, leaves_the_old_file_or_the_new)
{
    die_at_each_step(OLD);
}

Test(upload_crash, leaves_nothing_or_the_new_file)
{
    die_at_each_step(NULL);
}
