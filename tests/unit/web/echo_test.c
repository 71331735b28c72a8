/* The echo session alone: bytes in, bytes out. */
#include <criterion/criterion.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "web/echo.h"

static struct session_peer peer;
static struct session *session;
static uint64_t lines;
static char out[1 << 20];

static void setup(void)
{
    snprintf(peer.address, sizeof peer.address, "127.0.0.1:40000");
    session = echo_session_new(&peer, &lines, 1000);
    cr_assert_not_null(session);
}

static void teardown(void)
{
    session->ops->free(session);
}

TestSuite(echo, .init = setup, .fini = teardown);

static void receive(const void *data, size_t len)
{
    cr_assert_eq(session->ops->receive(session, data, len), ERR_OK);
}

static const char *produced(void)
{
    size_t len = 0, n;
    while ((n = session->ops->produce(session, (uint8_t *)out + len, 100)) > 0) len += n;
    out[len] = '\0';
    return out;
}

static bool matches(const char *text, const char *pattern)
{
    regex_t regex;
    cr_assert_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

#define STAMP "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z 127\\.0\\.0\\.1:40000 "

Test(echo, stamps_each_line)
{
    receive("hello\nworld\r\n", 13);
    cr_assert(matches(produced(), "^" STAMP "hello\n" STAMP "world\n$"), "%s", out);
    cr_assert_eq(lines, 2);
    cr_assert_eq(session->ops->wants(session), SESSION_READ);
}

Test(echo, joins_what_comes_in_pieces)
{
    const char *line = "piece by piece\r\n";
    for (size_t i = 0; i < strlen(line); i++) {
        cr_assert_str_eq(produced(), "");
        receive(line + i, 1);
    }
    cr_assert(matches(produced(), "^" STAMP "piece by piece\n$"), "%s", out);
}

Test(echo, answers_empty_lines)
{
    receive("\n\r\n", 3);
    cr_assert(matches(produced(), "^" STAMP "\n" STAMP "\n$"), "%s", out);
}

Test(echo, reads_no_more_before_its_answer_is_taken)
{
    receive("x\n", 2);
    cr_assert_eq(session->ops->wants(session), SESSION_WRITE);
    produced();
    cr_assert_eq(session->ops->wants(session), SESSION_READ);
}

Test(echo, takes_the_longest_line_and_no_longer)
{
    static char line[LIMIT_ECHO_LINE + 4];
    memset(line, 'a', sizeof line);
    memcpy(line + LIMIT_ECHO_LINE, "\r\n", 2);
    receive(line, LIMIT_ECHO_LINE + 2);
    cr_assert(matches(produced(), "^" STAMP "a{200}"));
    cr_assert_eq(lines, 1);
    line[LIMIT_ECHO_LINE] = 'a';
    line[LIMIT_ECHO_LINE + 1] = '\n';
    receive(line, LIMIT_ECHO_LINE + 2);
    cr_assert_str_eq(produced(), "error: line too long\n");
    cr_assert_eq(session->ops->wants(session), SESSION_CLOSE);
    cr_assert_eq(lines, 1);
}

Test(echo, the_limit_holds_for_a_line_in_pieces)
{
    for (unsigned i = 0; i < LIMIT_ECHO_LINE; i++) receive("a", 1);
    receive("\r", 1);
    receive("\n", 1);
    cr_assert(matches(produced(), "^" STAMP "a"));
    for (unsigned i = 0; i <= LIMIT_ECHO_LINE; i++) receive("a", 1);
    receive("\n", 1);
    cr_assert_str_eq(produced(), "error: line too long\n");
}

Test(echo, an_endless_line_ends_before_its_end)
{
    static char line[LIMIT_ECHO_LINE + 2];
    memset(line, 'a', sizeof line);
    receive(line, sizeof line);
    cr_assert_str_eq(produced(), "error: line too long\n");
    cr_assert_eq(session->ops->wants(session), SESSION_CLOSE);
}

Test(echo, counts_the_lines_of_a_connection)
{
    for (unsigned i = 0; i < LIMIT_ECHO_LINES; i++) receive("x\n", 2);
    produced();
    cr_assert_eq(lines, LIMIT_ECHO_LINES);
    cr_assert_eq(session->ops->wants(session), SESSION_READ);
    receive("one more\nand more\n", 18);
    cr_assert_str_eq(produced(), "error: too many lines for one connection\n");
    cr_assert_eq(session->ops->wants(session), SESSION_CLOSE);
    receive("ignored\n", 8);
    cr_assert_str_eq(produced(), "");
}

Test(echo, answers_the_last_line_without_newline)
{
    receive("one\ntwo", 7);
    session->ops->receive_end(session);
    cr_assert(matches(produced(), "^" STAMP "one\n" STAMP "two\n$"), "%s", out);
    cr_assert_eq(session->ops->wants(session), SESSION_CLOSE);
}

Test(echo, an_end_without_a_line_is_silent)
{
    session->ops->receive_end(session);
    cr_assert_str_eq(produced(), "");
    cr_assert_eq(session->ops->wants(session), SESSION_CLOSE);
}

Test(echo, has_a_deadline_that_bytes_move)
{
    uint64_t first = session->ops->deadline(session);
    cr_assert_geq(first, clock_monotonic_ms());
    while (clock_monotonic_ms() + 1000 <= first) {
    }
    receive("x", 1);
    cr_assert_gt(session->ops->deadline(session), first);
    session->ops->expire(session);
    cr_assert_str_eq(produced(), "error: no line for too long\n");
    cr_assert_eq(session->ops->wants(session), SESSION_CLOSE);
}

Test(echo, keeps_any_bytes)
{
    receive("\0\xff\x1b[31m\n", 8);
    size_t len = session->ops->produce(session, (uint8_t *)out, sizeof out);
    cr_assert(memmem(out, len, "40000 \0\xff\x1b[31m\n", 14) != NULL);
}
