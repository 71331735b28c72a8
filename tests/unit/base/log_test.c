#include "base/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int reader;
static char line[4 * LOG_LINE];

/* Standard error is a pipe that the test reads. */
static void catch_lines(void)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
    close(ends[1]);
    reader = ends[0];
}

TestSuite(log, .init = catch_lines);

static const char *read_lines(void)
{
    const ssize_t len = read(reader, line, sizeof(line) - 1);
    line[len < 0 ? 0 : len] = '\0';
    return line;
}

Test(log, lines_begin_with_the_process)
{
    log_line("starting");
    cr_expect_str_eq(read_lines(), "keyward: starting\n");
    char name[] = "web[0]";
    log_open(name);
    name[0] = 'x';
    log_line("ready connections=%d", 3);
    cr_expect_str_eq(read_lines(), "web[0]: ready connections=3\n", "the name was copied");
}

Test(log, one_event_is_one_line)
{
    log_line("a\nbroker: forged\r\t\033[2J%s", "\177\303\251");
    cr_expect_str_eq(read_lines(), "keyward: a\\x0abroker: forged\\x0d\\x09\\x1b[2J\\x7f\\xc3\\xa9\n");
}

Test(log, the_name_cannot_break_a_line_either)
{
    log_open("we\nb");
    log_line("x");
    cr_expect_str_eq(read_lines(), "we\\x0ab: x\n");
}

Test(log, a_long_name_is_cut)
{
    char name[200];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    log_open(name);
    log_line("x");
    const char *read_line = read_lines();
    cr_expect_eq(strspn(read_line, "n"), 63);
    cr_expect_str_eq(read_line + 63, ": x\n");
}

static void expect_cut(const char *text)
{
    log_line("%s", text);
    read_lines();
    cr_expect_leq(strlen(line), LOG_LINE);
    cr_expect_gt(strlen(line), LOG_LINE - 100);
    cr_expect_eq(strchr(line, '\n'), line + strlen(line) - 1, "one line feed, at the end");
}

Test(log, a_long_line_is_cut_and_still_ends)
{
    char text[2 * LOG_LINE];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    expect_cut(text);
    memset(text, '\n', sizeof(text) - 1);
    expect_cut(text);
}

Test(log, quotes_what_a_peer_chose)
{
    cr_expect_str_eq(log_quote("plain text = 1"), "'plain text = 1'");
    cr_expect_str_eq(log_quote("it's \"x\" \\ \n\001\303\251"), "'it\\x27s \\x22x\\x22 \\x5c \\x0a\\x01\\xc3\\xa9'");
    cr_expect_str_eq(log_quote(""), "''");
    cr_expect_str_eq(log_quote(NULL), "''");
}

Test(log, a_quoted_value_reaches_the_line_as_it_is)
{
    log_line("refused reason=%s", log_quote("a'\nb"));
    cr_expect_str_eq(read_lines(), "keyward: refused reason='a\\x27\\x0ab'\n");
}

Test(log, a_long_quote_is_cut_between_escapes)
{
    char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    cr_expect_eq(strlen(log_quote(text)), 511);
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text + shift, '\n', sizeof(text) - 1 - shift);
        const char *quoted = log_quote(text);
        const size_t len = strlen(quoted);
        cr_expect(len <= 511 && len > 500 && quoted[0] == '\'' && quoted[len - 1] == '\'');
        cr_expect_str_eq(quoted + len - 5, "\\x0a'");
    }
}

Test(log, eight_quotes_live_at_once)
{
    const char *quoted[8];
    char text[2] = "a";
    for (int i = 0; i < 8; i++, text[0]++) quoted[i] = log_quote(text);
    for (int i = 0; i < 8; i++) cr_expect(quoted[i][1] == 'a' + i);
}

/* Fills the pipe, so that a write would block. */
Test(log, raw_lines_are_lines_of_their_own)
{
    static char text[2 * LOG_RAW];
    log_open("web[0]");
    log_raw("{\"a\":\"b\\n\"}");
    cr_expect_str_eq(read_lines(), "{\"a\":\"b\\n\"}\n");
    log_raw("a\nb\xff");
    cr_expect_str_eq(read_lines(), "a\\x0ab\\xff\n");
    memset(text, 'x', sizeof(text) - 1);
    log_raw(text);
    read_lines();
    cr_expect_eq(strlen(line), LOG_RAW);
    cr_expect_eq(line[LOG_RAW - 1], '\n');
}

static void fill_pipe(void)
{
    const int flags = fcntl(STDERR_FILENO, F_GETFL);
    char block[4096];
    memset(block, '.', sizeof(block));
    cr_assert_eq(fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK), 0);
    while (write(STDERR_FILENO, block, sizeof(block)) > 0) {
    }
    cr_assert_eq(errno, EAGAIN);
    cr_assert_eq(fcntl(STDERR_FILENO, F_SETFL, flags), 0);
}

Test(log, a_full_pipe_loses_lines_and_says_how_many, .timeout = 10)
{
    fill_pipe();
    for (int i = 0; i < 3; i++) log_line("lost");
    while (read(reader, line, sizeof(line)) > 0) {
    }
    log_line("heard");
    cr_expect_str_eq(read_lines(), "keyward: heard lost_lines=3\n");
    log_line("again");
    cr_expect_str_eq(read_lines(), "keyward: again\n", "it is said once");
}

Test(log, a_long_line_still_says_how_many_were_lost, .timeout = 10)
{
    char text[2 * LOG_LINE];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    fill_pipe();
    log_line("lost");
    while (read(reader, line, sizeof(line)) > 0) {
    }
    expect_cut(text);
    cr_expect_not_null(strstr(line, "xxx lost_lines=1\n"));
}

Test(log, a_reader_that_is_gone_is_no_reason_to_die)
{
    close(reader);
    log_line("a pipe without a reader");
    close(STDERR_FILENO);
    log_line("no descriptor at all");
}
