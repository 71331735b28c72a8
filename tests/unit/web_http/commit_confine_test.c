/* What the committer's thread can still do once it has cut itself off, and what the other threads keep. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"
#include "web/http/commit_confine.h"

static struct rig rig;

static void start(void)
{
    rig_init(&rig, &(struct rig_config){.root = true, .uploads = true, .max_upload_bytes = 1});
    rig_write_file(rig.uploads_dir, ".upload-1", "content");
    rig_write_file(rig.uploads_dir, "kept", "content");
    rig_write_file(rig.root_dir, "index.html", "content");
}

static void stop(void)
{
    rig_cleanup(&rig);
}

TestSuite(commit_confine, .init = start, .fini = stop);

/* What the confined thread tried: 0, or an errno. */
struct tried {
    int uploads_fd;
    int root_fd;
    enum err confine;
    int rename, remove, fsync_open;
    int read_system, read_upload, write_upload, rename_out, make_dir, remove_root;
};

static int error_of(int result)
{
    return result < 0 ? errno : 0;
}

static void *confined(void *context)
{
    struct tried *tried = context;
    struct diag diag = {0};
    int open_before = openat(tried->uploads_fd, "kept", O_RDONLY | O_CLOEXEC);
    tried->confine = commit_confine(tried->uploads_fd, &diag);
    tried->fsync_open = error_of(fsync(open_before));
    tried->read_system = error_of(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
    tried->read_upload = error_of(openat(tried->uploads_fd, "kept", O_RDONLY | O_CLOEXEC));
    tried->write_upload = error_of(openat(tried->uploads_fd, "kept", O_WRONLY | O_CLOEXEC));
    tried->make_dir = error_of(mkdirat(tried->uploads_fd, "dir", 0755));
    tried->rename_out = error_of(renameat(tried->uploads_fd, ".upload-1", tried->root_fd, "out"));
    tried->remove_root = error_of(unlinkat(tried->root_fd, "index.html", 0));
    tried->rename = error_of(renameat(tried->uploads_fd, ".upload-1", tried->uploads_fd, "name"));
    tried->remove = error_of(unlinkat(tried->uploads_fd, "name", 0));
    close(open_before);
    return NULL;
}

static int open_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

Test(commit_confine, leaves_the_thread_its_work_and_nothing_else)
{
    struct tried tried = {.uploads_fd = open_dir(rig.uploads_dir), .root_fd = open_dir(rig.root_dir)};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, confined, &tried), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(tried.confine, ERR_OK);
    cr_expect_eq(tried.fsync_open, 0);
    cr_expect_eq(tried.rename, 0);
    cr_expect_eq(tried.remove, 0);
    cr_expect_eq(tried.read_system, EACCES);
    cr_expect_eq(tried.read_upload, EACCES);
    cr_expect_eq(tried.write_upload, EACCES);
    cr_expect_eq(tried.make_dir, EACCES);
    cr_expect(tried.rename_out == EACCES || tried.rename_out == EXDEV, "%d", tried.rename_out);
    cr_expect_eq(tried.remove_root, EACCES);
    int here = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    cr_expect_geq(here, 0, "only that thread is confined");
    close(here);
}

Test(commit_confine, wants_a_directory)
{
    struct diag diag = {0};
    cr_expect_eq(commit_confine(-1, &diag), ERR_SYSTEM);
    cr_expect_neq(diag.text[0], '\0');
}
