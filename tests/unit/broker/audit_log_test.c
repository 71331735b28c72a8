/* The writer: against files that take nothing, a part, or everything only later. What comes out is always one chain. */
#include "broker/audit_log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/audit_verify.h"
#include "tests/unit/broker/audit_rig.h"
#include "tests/unit/keep.h"

static struct audit_log log_;
static const uint8_t zeros[AUDIT_HASH];
static char base[] = "/tmp/keyward-audit-XXXXXX";

static void setup(void)
{
    cr_assert_not_null(mkdtemp(base));
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

static void teardown(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", base);
    cr_assert_eq(system(command), 0);
}

TestSuite(audit_log, .init = setup, .fini = teardown, .timeout = 60);

static const char *in_base(const char *name)
{
    static char path[64];
    snprintf(path, sizeof path, "%s/%s", base, name);
    return path;
}

static void add(enum audit_what what)
{
    struct audit_record record = {.what = what, .handle = 1, .count = 1};
    audit_log_add(&log_, &record, 1000);
}

static void begin(int fd)
{
    audit_log_init(&log_, fd, 0, zeros);
    add(AUDIT_START);
}

/* That text is a whole chain that ends with the log's last record. */
static void expect_chain(const char *text, size_t len)
{
    struct audit_report report = audit_rig_verify_text(text, len, NULL);
    cr_expect_eq(report.verdict, AUDIT_OPEN, "%s", report.text); /* nobody has signed it */
    cr_expect_eq(report.records, log_.records);
}

static void expect_file_is_chain(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    cr_assert_eq(fstat(fd, &st), 0);
    char *text = keep(malloc((size_t)st.st_size + 1));
    cr_assert_eq(read(fd, text, (size_t)st.st_size), st.st_size);
    close(fd);
    expect_chain(text, (size_t)st.st_size);
}

Test(audit_log, writes_what_is_added)
{
    begin(open(in_base("log"), O_WRONLY | O_CREAT | O_APPEND, 0600));
    for (unsigned i = 0; i < 100; i++) add(AUDIT_SIGNED);
    cr_expect_eq(log_.written_records, 0);
    cr_assert_eq(audit_log_write(&log_, 1000), ERR_OK);
    cr_expect_eq(log_.written_records, 101);
    cr_expect_eq(memcmp(log_.written_hash, log_.hash, AUDIT_HASH), 0);
    cr_expect_eq(log_.pending_len, 0);
    expect_file_is_chain(in_base("log"));
}

Test(audit_log, its_time_never_goes_back)
{
    struct audit_record first = {.what = AUDIT_START}, second = {.what = AUDIT_STOP};
    audit_log_init(&log_, -1, 0, zeros);
    audit_log_add(&log_, &first, 2000);
    audit_log_add(&log_, &second, 1000);
    cr_expect_eq(first.time_ms, 2000);
    cr_expect_eq(second.time_ms, 2000);
}

/* Reads all that a pipe has. */
static size_t drain(int fd, char *out, size_t room)
{
    size_t len = 0;
    for (ssize_t got; (got = read(fd, out + len, room - len)) > 0;) len += (size_t)got;
    return len;
}

Test(audit_log, goes_on_when_a_slow_reader_reads_again)
{
    static char text[4 * 1024 * 1024];
    size_t len = 0;
    cr_assert_eq(mkfifo(in_base("pipe"), 0600), 0);
    int reader = open(in_base("pipe"), O_RDONLY | O_NONBLOCK);
    begin(open(in_base("pipe"), O_WRONLY | O_NONBLOCK | O_APPEND));
    while (audit_log_write(&log_, 1000) == ERR_OK) add(AUDIT_SIGNED);
    cr_expect_eq(log_.error, EAGAIN);
    for (unsigned i = 0; i < 1000; i++) add(AUDIT_SIGNED);
    /* A part at a time: what is under way is completed, not begun again. */
    while (audit_log_write(&log_, 1000) != ERR_OK) {
        ssize_t got = read(reader, text + len, 5000);
        if (got > 0) len += (size_t)got;
    }
    cr_expect_eq(log_.error, 0);
    len += drain(reader, text + len, sizeof text - len);
    expect_chain(text, len);
    close(reader);
    add(AUDIT_SIGNED);
    cr_expect_eq(audit_log_write(&log_, 1000), ERR_SYSTEM);
    cr_expect_eq(log_.error, EPIPE);
}

/* As a full disk does it: the last write takes a part of a line. */
Test(audit_log, completes_a_line_of_which_a_part_was_written)
{
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    begin(open(in_base("log"), O_WRONLY | O_CREAT | O_APPEND, 0600));
    cr_assert_eq(audit_log_write(&log_, 1000), ERR_OK);
    struct stat st;
    for (rlim_t more = 1; more < 200; more += 7) {
        cr_assert_eq(fstat(log_.fd, &st), 0);
        const struct rlimit full = {(rlim_t)st.st_size + more, RLIM_INFINITY};
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
        add(AUDIT_SIGNED);
        add(AUDIT_SIGNED);
        cr_expect_eq(audit_log_write(&log_, 1000), ERR_SYSTEM);
        cr_expect_eq(log_.error, EFBIG);
        cr_expect_eq(audit_log_write(&log_, 1000), ERR_SYSTEM);
        cr_expect_lt(log_.written_records, log_.records);
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
        cr_expect_eq(audit_log_write(&log_, 1000), ERR_OK);
        cr_expect_eq(log_.written_records, log_.records);
    }
    cr_expect_eq(log_.lost_all, 0);
    expect_file_is_chain(in_base("log"));
}

Test(audit_log, goes_on_when_a_full_disk_has_room_again)
{
    cr_assert_eq(geteuid(), 0, "needs root: mounts a tiny file system; run the tests as root");
    cr_assert_eq(unshare(CLONE_NEWNS), 0);
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    cr_assert_eq(mount("tmpfs", base, "tmpfs", 0, "size=64k"), 0);
    char ballast[64];
    snprintf(ballast, sizeof ballast, "%s/ballast", base);
    int fd = open(ballast, O_WRONLY | O_CREAT, 0600);
    static char block[32 * 1024];
    cr_assert_eq(write(fd, block, sizeof block), (ssize_t)sizeof block);
    close(fd);
    begin(open(in_base("log"), O_WRONLY | O_CREAT | O_APPEND, 0600));
    while (audit_log_write(&log_, 1000) == ERR_OK) add(AUDIT_SIGNED);
    cr_expect_eq(log_.error, ENOSPC);
    add(AUDIT_SIGNED);
    cr_expect_eq(audit_log_write(&log_, 1000), ERR_SYSTEM);
    cr_assert_eq(unlink(ballast), 0);
    cr_expect_eq(audit_log_write(&log_, 1000), ERR_OK);
    expect_file_is_chain(in_base("log"));
    cr_assert_eq(umount2(base, MNT_DETACH), 0);
}

/* ---- Nowhere to go ---------------------------------------------------------------------------------------------- */

Test(audit_log, keeps_so_much_and_counts_what_it_loses)
{
    begin(-1); /* takes nothing */
    while (log_.lost == 0) add(AUDIT_SIGNED);
    size_t line =
        strlen("{\"n\":1000,\"time\":\"1970-01-01T00:00:01.000Z\",\"what\":\"signed\",\"handle\":1,\"count\":1,"
               "\"prev\":\"\"}") +
        64;
    cr_expect_leq(log_.pending_len, LIMIT_AUDIT_PENDING);
    cr_expect_gt(log_.pending_len + line + 1, LIMIT_AUDIT_PENDING);
    for (unsigned i = 0; i < 9; i++) add(AUDIT_SIGNED);
    cr_expect_eq(log_.lost, 10);
    /* Then there is room: the gap is on record, in its place. */
    uint64_t before = log_.records;
    log_.fd = open(in_base("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    cr_assert_eq(audit_log_write(&log_, 1000), ERR_OK);
    cr_expect_eq(log_.records, before + 1);
    cr_expect_eq(log_.lost, 0);
    cr_expect_eq(log_.lost_all, 10);
    add(AUDIT_SIGNED);
    cr_assert_eq(audit_log_write(&log_, 1000), ERR_OK);
    expect_file_is_chain(in_base("log"));
}

/* Whoever is refused as often as he likes does not push out what is signed. */
Test(audit_log, refusals_have_half_of_the_room)
{
    begin(-1);
    while (log_.lost == 0) add(AUDIT_REFUSED);
    cr_expect_leq(log_.pending_len, LIMIT_AUDIT_PENDING / 2);
    size_t half = log_.pending_len;
    uint64_t records = log_.records;
    add(AUDIT_REFUSED);
    cr_expect_eq(log_.records, records);
    add(AUDIT_SIGNED); /* and before it the gap */
    cr_expect_eq(log_.records, records + 2);
    cr_expect_gt(log_.pending_len, half);
    cr_expect_eq(log_.lost, 0);
    cr_expect_eq(log_.lost_all, 2);
    log_.fd = open(in_base("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    cr_assert_eq(audit_log_write(&log_, 1000), ERR_OK);
    expect_file_is_chain(in_base("log"));
}
