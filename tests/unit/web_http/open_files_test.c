/* Files that stay open, and what makes them be opened again. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "web/http/open_files.h"

static char path[] = "/tmp/keyward-open-files-XXXXXX";
static int root = -1;
static struct open_files *files;

static void setup(void)
{
    cr_assert_not_null(mkdtemp(path));
    root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    files = open_files_new(root);
    cr_assert_not_null(files);
}

static void teardown(void)
{
    char command[64];
    open_files_free(files);
    close(root);
    snprintf(command, sizeof command, "rm -r %s", path);
    cr_assert_eq(system(command), 0);
}

TestSuite(open_files, .init = setup, .fini = teardown);

static void put(const char *name, const char *text)
{
    const int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static struct open_file *get(const char *name)
{
    struct open_file *file;
    cr_assert_eq(open_files_get(&file, files, name, OPEN_FILES_LOOK_NOW), 0);
    return file;
}

/* Whether two requests in a row, with this between them, were answered from one opening. */
static bool stays(void (*between)(void))
{
    struct open_file *before = get("a.html");
    between();
    struct open_file *after = get("a.html");
    const bool same = before == after;
    open_file_release(before);
    open_file_release(after);
    return same;
}

/* On a machine that is busy a second may pass between two lines. */
static bool stays_once(void (*between)(void))
{
    for (int i = 0; i < 10; i++) {
        if (stays(between)) return true;
    }
    return false;
}

static void nothing(void)
{
}

static void read_it(void)
{
    char text[8];
    const int fd = openat(root, "a.html", O_RDONLY | O_CLOEXEC);
    cr_assert_gt(read(fd, text, sizeof text), 0);
    close(fd);
}

static void write_it(void)
{
    put("a.html", "longer than it was");
}

static void replace_it(void)
{
    put("new", "same size");
    cr_assert_eq(renameat(root, "new", root, "a.html"), 0);
}

static void move_it_away(void)
{
    usleep(20000); /* a ctime is as fine as the kernel's tick */
    cr_assert_eq(renameat(root, "a.html", root, "old"), 0);
    put("a.html", "same size");
}

static void forbid_it(void)
{
    usleep(20000);
    cr_assert_eq(fchmodat(root, "a.html", 0600, 0), 0);
}

static void let_time_pass(void)
{
    usleep((LIMIT_OPEN_FILE_MS + 50) * 1000);
}

Test(open_files, stays_open_while_nothing_changes)
{
    put("a.html", "same size");
    cr_assert(stays_once(nothing));
    cr_assert(stays_once(read_it));
    struct open_file *file = get("a.html");
    cr_assert_str_eq(file->type, "text/html; charset=utf-8");
    open_file_release(file);
}

Test(open_files, is_opened_again_after_a_change)
{
    put("a.html", "same size");
    cr_assert_not(stays(write_it));
    cr_assert_not(stays(replace_it));
    cr_assert_not(stays(move_it_away));
    cr_assert_not(stays(forbid_it));
}

Test(open_files, is_opened_again_after_a_second)
{
    put("a.html", "same size");
    cr_assert_not(stays(let_time_pass));
}

Test(open_files, a_removed_file_is_not_there_any_more)
{
    struct open_file *file;
    put("a.html", "text");
    struct open_file *before = get("a.html");
    cr_assert_eq(unlinkat(root, "a.html", 0), 0);
    cr_assert_eq(open_files_get(&file, files, "a.html", OPEN_FILES_LOOK_NOW), ENOENT);
    cr_assert_null(file);
    char text[4];
    cr_assert_eq(pread(before->fd, text, 4, 0), 4, "who holds it reads on");
    open_file_release(before);
}

/* Whether a file that has appeared meanwhile goes unnoticed. */
static bool goes_unnoticed(const char *name)
{
    struct open_file *file;
    cr_assert_eq(open_files_get(&file, files, name, OPEN_FILES_LOOKED_LATELY), ENOENT);
    put(name, "text");
    const int error = open_files_get(&file, files, name, OPEN_FILES_LOOKED_LATELY);
    open_file_release(file);
    open_file_release(get(name)); /* but not by who looks now */
    return error == ENOENT;
}

Test(open_files, sees_a_new_file_at_once_unless_that_does_not_matter)
{
    char name[16];
    bool unnoticed = false;
    for (int i = 0; i < 10 && !unnoticed; i++) {
        snprintf(name, sizeof name, "%d.br", i);
        unnoticed = goes_unnoticed(name);
    }
    cr_assert(unnoticed);
}

Test(open_files, keeps_no_directory)
{
    cr_assert_eq(mkdirat(root, "dir", 0755), 0);
    struct open_file *first = get("dir"), *second = get("dir");
    cr_assert(S_ISDIR(first->stat.st_mode));
    cr_assert_neq(first, second);
    open_file_release(first);
    open_file_release(second);
}

static size_t count_descriptors(void)
{
    size_t num = 0;
    for (int fd = 0; fd < 4096; fd++) num += fcntl(fd, F_GETFD) >= 0;
    return num;
}

Test(open_files, keeps_so_many_and_no_more)
{
    char name[16];
    const size_t before = count_descriptors();
    for (unsigned i = 0; i < 8 * LIMIT_OPEN_FILES; i++) {
        snprintf(name, sizeof name, "%u", i);
        put(name, "text");
        open_file_release(get(name));
    }
    const size_t kept = count_descriptors() - before;
    cr_assert_leq(kept, LIMIT_OPEN_FILES);
    cr_assert_gt(kept, LIMIT_OPEN_FILES / 2);
}

Test(open_files, who_holds_a_file_keeps_it_when_others_take_its_place)
{
    char name[16], text[5] = "";
    put("a.html", "text");
    struct open_file *file = get("a.html");
    for (unsigned i = 0; i < 8 * LIMIT_OPEN_FILES; i++) {
        snprintf(name, sizeof name, "%u", i);
        put(name, "else");
        open_file_release(get(name));
    }
    cr_assert_eq(pread(file->fd, text, 4, 0), 4);
    cr_assert_str_eq(text, "text");
    open_file_release(file);
}
