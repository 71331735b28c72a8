/* The client's sandbox from inside: what a client that a server took over would try. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "browser-shim/client_output.h"
#include "browser-shim/client_sandbox_policy.h"
#include "tests/unit/sandbox/probe.h"

static const struct probe_expectation expected[] = {
    {PROBE_CLONE3, PROBE_ERRNO, ENOSYS}, /* libc would go on with clone, which kills */
};

Test(client_sandbox, refuses_what_a_taken_over_client_would_try)
{
    struct probe_setup setup = {.policy = &client_sandbox_policy, .isolate = true};
    cr_assert_eq(probe_surprises(&setup, expected, sizeof expected / sizeof *expected), 0);
}

static char dir[] = "/tmp/client-sandbox-XXXXXX";
static struct client_output output;
static struct diag diag;

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(chdir(dir), 0);
}

static void tear_down(void)
{
    unlink("out");
    cr_expect_eq(chdir("/"), 0);
    cr_expect_eq(rmdir(dir), 0);
}

TestSuite(client_sandbox_files, .init = set_up, .fini = tear_down);

static struct probe_report run(long (*act)(void *))
{
    const struct sandbox_dir dirs[] = {{.fd = output.dir, .access = SANDBOX_READ_WRITE}};
    struct probe_setup setup = {.policy = &client_sandbox_policy, .dirs = dirs, .num_dirs = 1, .isolate = true};
    return probe_call(&setup, act, NULL);
}

static long put_in_place(void *context)
{
    (void)context;
    enum err err = client_output_write(&output, (const uint8_t *)"hello", 5, &diag);
    return err == ERR_OK && client_output_commit(&output, &diag) == ERR_OK ? 0 : -EIO;
}

static long give_up(void *context)
{
    (void)context;
    client_output_cleanup(&output);
    return 0;
}

static long rename_out_of_the_directory(void *context)
{
    (void)context;
    return renameat(output.dir, output.temporary, output.dir, "../client-sandbox-escaped") == 0 ? 0 : -errno;
}

Test(client_sandbox_files, the_file_takes_its_name)
{
    cr_assert_eq(client_output_open(&output, "out", &diag), ERR_OK);
    struct probe_report report = run(put_in_place);
    cr_expect_eq(report.result, PROBE_ALLOWED, "%s", probe_describe(&report));
    char text[8] = "";
    int fd = open("out", O_RDONLY);
    cr_expect_eq(read(fd, text, sizeof text), 5);
    cr_expect_str_eq(text, "hello");
}

Test(client_sandbox_files, a_file_that_is_given_up_goes)
{
    cr_assert_eq(client_output_open(&output, "out", &diag), ERR_OK);
    char temporary[sizeof output.temporary];
    memcpy(temporary, output.temporary, sizeof temporary);
    cr_assert_eq(access(temporary, F_OK), 0);
    struct probe_report report = run(give_up);
    cr_expect_eq(report.result, PROBE_ALLOWED, "%s", probe_describe(&report));
    cr_expect_neq(access(temporary, F_OK), 0);
}

Test(client_sandbox_files, nothing_leaves_the_directory)
{
    cr_assert_eq(client_output_open(&output, "out", &diag), ERR_OK);
    struct probe_report report = run(rename_out_of_the_directory);
    cr_expect_eq(report.result, PROBE_ERRNO, "%s", probe_describe(&report));
    cr_expect_neq(access("/tmp/client-sandbox-escaped", F_OK), 0);
    client_output_cleanup(&output);
}
