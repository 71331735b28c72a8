/* Where the programs' files are looked for. */
#include "broker/programs.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[] = "/tmp/keyward-programs-XXXXXX";

static void setup(void)
{
    cr_assert_not_null(mkdtemp(base));
}

static void teardown(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", base);
    cr_assert_eq(system(command), 0);
}

TestSuite(programs, .init = setup, .fini = teardown);

static const char *at(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", base, name);
    return path;
}

static void make_dir(const char *name)
{
    cr_assert_eq(mkdir(at(name), 0755), 0);
}

static void make_file(const char *name, mode_t mode)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_EXCL, mode);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fchmod(fd, mode), 0);
    close(fd);
}

Test(programs, are_found_in_an_installation)
{
    struct programs programs;
    make_file("keyd", 0755);
    make_file("web", 0755);
    make_file("browser-shim", 0755);
    make_file("module.so", 0644);
    cr_assert_eq(programs_open(&programs, base, true, NULL), ERR_OK);
    for (int i = PROGRAM_KEYD; i < PROGRAM_NUM; i++) {
        cr_assert_geq(programs.fds[i], 0);
        cr_assert((fcntl(programs.fds[i], F_GETFL) & O_PATH) != 0, "only to execute");
        cr_assert((fcntl(programs.fds[i], F_GETFD) & FD_CLOEXEC) != 0);
    }
    cr_assert_geq(programs.module, 0);
    cr_assert_eq(fcntl(programs.module, F_GETFL) & (O_ACCMODE | O_PATH), O_RDONLY);
    programs_close(&programs);
    cr_assert_eq(programs.fds[PROGRAM_WEB], -1);
}

Test(programs, are_found_in_a_build_tree)
{
    struct programs programs;
    make_dir("broker");
    make_dir("keyd");
    make_dir("web");
    make_file("keyd/keyd", 0555);
    make_file("web/web", 0555);
    cr_assert_eq(programs_open(&programs, at("broker"), false, NULL), ERR_OK);
    cr_assert_geq(programs.fds[PROGRAM_KEYD], 0);
    cr_assert_eq(programs.fds[PROGRAM_SHIM], -1, "not needed without a browser");
    cr_assert_eq(programs.module, -1);
    programs_close(&programs);
}

Test(programs, beside_the_broker_go_before_those_of_its_parents_neighbours)
{
    struct programs programs;
    struct stat found, beside;
    make_dir("bin");
    make_dir("keyd");
    make_file("keyd/keyd", 0555);
    make_file("bin/keyd", 0555);
    make_file("bin/web", 0555);
    cr_assert_eq(programs_open(&programs, at("bin"), false, NULL), ERR_OK);
    cr_assert_eq(fstat(programs.fds[PROGRAM_KEYD], &found), 0);
    cr_assert_eq(stat(at("bin/keyd"), &beside), 0);
    cr_assert_eq(found.st_ino, beside.st_ino);
    programs_close(&programs);
}

Test(programs, that_are_missing_are_named)
{
    struct programs programs;
    struct diag diag = {0};
    char wanted[256];
    make_file("keyd", 0755);
    cr_assert_eq(programs_open(&programs, base, false, &diag), ERR_SYSTEM);
    snprintf(wanted, sizeof wanted, "'%s/web': no such file, nor in ../web; install it there, or build //broker", base);
    cr_assert_str_eq(diag.text, wanted);
    cr_assert_eq(programs.fds[PROGRAM_KEYD], -1, "nothing stays open");
}

Test(programs, have_to_be_executable_by_everybody)
{
    struct programs programs;
    struct diag diag = {0};
    make_file("keyd", 0700);
    make_file("web", 0755);
    cr_assert_eq(programs_open(&programs, base, false, &diag), ERR_SYSTEM);
    cr_assert_not_null(strstr(diag.text, "not a file of mode 0555"), "%s", diag.text);
}
