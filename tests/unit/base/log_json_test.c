/* Log lines for programs: JSON, whatever is said, and journald's levels. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_json.h"

static int reader;
static char line[2 * LOG_RAW];
static json_t *object;

static void setup(void)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
    close(ends[1]);
    reader = ends[0];
    log_open("web[0]");
    log_set_style(LOG_STYLE_JSON);
}

static void teardown(void)
{
    json_decref(object);
}

TestSuite(log_json, .init = setup, .fini = teardown);

static const char *read_line(void)
{
    const ssize_t len = read(reader, line, sizeof line - 1);
    line[len < 0 ? 0 : len] = '\0';
    return line;
}

static void read_object(void)
{
    read_line();
    cr_assert_leq(strlen(line), LOG_RAW);
    cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1, "one line: %s", line);
    json_decref(object);
    object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(object, "no JSON: %s", line);
}

static const char *value(const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *field(const char *key)
{
    return json_string_value(json_object_get(json_object_get(object, "fields"), key));
}

Test(log_json, a_line_is_an_object)
{
    log_line("handshake refused peer=%s count=%d", log_quote("192.0.2.1:5"), 3);
    read_object();
    cr_expect_str_eq(value("level"), "info");
    cr_expect_str_eq(value("process"), "web[0]");
    cr_expect_eq(json_integer_value(json_object_get(object, "pid")), getpid());
    cr_expect_str_eq(value("event"), "handshake refused");
    cr_expect_str_eq(value("text"), "handshake refused peer='192.0.2.1:5' count=3");
    cr_expect_str_eq(field("peer"), "192.0.2.1:5");
    cr_expect_str_eq(field("count"), "3");
    cr_expect_eq(json_object_size(json_object_get(object, "fields")), 2);
    cr_expect_eq(json_object_size(object), 7);
}

Test(log_json, levels)
{
    log_warning("a");
    read_object();
    cr_expect_str_eq(value("level"), "warning");
    log_error("b");
    read_object();
    cr_expect_str_eq(value("level"), "error");
}

/* What a peer says is one value, and no field of its own. */
Test(log_json, values_do_not_become_fields)
{
    log_line("refused reason=%s", log_quote("x' level=error pid=1 \"}\n\x1b[2J\\ ' a='b"));
    read_object();
    cr_expect_eq(json_object_size(json_object_get(object, "fields")), 1);
    cr_expect_str_eq(field("reason"), "x\\x27 level=error pid=1 \\x22}\\x0a\\x1b[2J\\x5c \\x27 a=\\x27b");
}

Test(log_json, events)
{
    static const char *const rows[][2] = {
        {"ready", "ready"},
        {"ready url=https://localhost", "ready"},
        {"web[12] ended pid=4 cause='x'", "web ended"},
        {"reload failed: it is no PEM; give another", "reload failed"},
        {"keyd's own key is revoked; all are handles=3", "keyd's own key is revoked"},
        {"a [b] c[] d[1", "a [b] c[] d[1"},
        {"x=1", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        log_line("%s", rows[i][0]);
        read_object();
        cr_expect_str_eq(value("event"), rows[i][1]);
        cr_expect_str_eq(value("text"), rows[i][0]);
    }
}

Test(log_json, whatever_is_said_it_is_json)
{
    static const char *const parts[] = {"\"", "\\", "x", "\n", " a=", " a='", "'", " ", "=", "\xff", ":", " k='v' "};
    static char text[3 * LOG_LINE];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        for (size_t len = 1; len < 2 * LOG_LINE; len = len * 2 + 1) {
            text[0] = '\0';
            for (size_t at = 0; at < len; at += strlen(parts[i])) memcpy(text + at, parts[i], strlen(parts[i]) + 1);
            log_line("%s", text);
            read_line();
            json_t *parsed = json_loads(line, 0, NULL);
            cr_assert_not_null(parsed, "%s", line);
            json_decref(parsed);
        }
    }
}

Test(log_json, times)
{
    static const struct {
        uint64_t time_ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {951782399999, "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {951868800000, "2000-03-01T00:00:00.000Z"},
        {1798761599001, "2026-12-31T23:59:59.001Z"},
        {1798761600000, "2027-01-01T00:00:00.000Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct log_event event = {.time_ms = rows[i].time_ms, .level = "info", .process = "x", .text = "y"};
        log_json(line, LOG_RAW, &event);
        json_decref(object);
        object = json_loads(line, 0, NULL);
        cr_expect_str_eq(value("time"), rows[i].text);
    }
}

Test(log_json, journald_is_told_the_level)
{
    log_set_style(LOG_STYLE_JOURNAL);
    log_error("a");
    cr_expect_str_eq(read_line(), "<3>web[0]: a\n");
    log_warning("b");
    cr_expect_str_eq(read_line(), "<4>web[0]: b\n");
    log_line("c");
    cr_expect_str_eq(read_line(), "<6>web[0]: c\n");
    log_set_style(LOG_STYLE_JOURNAL | LOG_STYLE_JSON);
    log_error("d");
    cr_expect_eq(strncmp(read_line(), "<3>{\"time\":\"", 12), 0, "%s", line);
}

Test(log_json, the_journal_is_known_by_its_inode)
{
    char name[64];
    struct stat st;
    unsetenv("JOURNAL_STREAM");
    cr_expect_eq(log_stderr_style(), 0);
    cr_assert_eq(fstat(STDERR_FILENO, &st), 0);
    snprintf(name, sizeof name, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", name, 1);
    cr_expect_eq(log_stderr_style(), LOG_STYLE_JOURNAL);
    snprintf(name, sizeof name, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino + 1);
    setenv("JOURNAL_STREAM", name, 1);
    cr_expect_eq(log_stderr_style(), 0, "standard error leads elsewhere");
}
