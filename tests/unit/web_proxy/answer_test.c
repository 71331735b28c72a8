/* Answers of applications, good and hostile, in one piece and byte by byte. */
#include "web/proxy/answer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK1 "HTTP/1.1 200 OK\r\n"

struct outcome {
    enum err err;
    size_t used;
    struct answer answer;
    struct buffer content;
};

/* Reads text in pieces of at most step bytes; ends says that the application then closes the connection. */
static struct outcome read_answer(const char *text, size_t len, size_t step, enum answer_to to, bool ends)
{
    struct outcome out = {.err = ERR_OK};
    answer_init(&out.answer, to);
    for (size_t at = 0; at < len && out.err == ERR_OK && !out.answer.complete; at += step) {
        size_t used = 0, left = len - at < step ? len - at : step;
        /* A copy of its own, so that a sanitizer sees each byte too many. */
        uint8_t *piece = malloc(left);
        cr_assert_not_null(piece);
        memcpy(piece, text + at, left);
        out.err = answer_receive(&out.answer, &out.content, &used, (struct bytes){piece, left}, LIMIT_PROXY_BUFFER);
        out.used += used;
        free(piece);
    }
    if (ends && out.err == ERR_OK) out.err = answer_end(&out.answer);
    return out;
}

static void forget(struct outcome *outcome)
{
    answer_cleanup(&outcome->answer);
    buffer_free(&outcome->content);
}

struct good_row {
    const char *text;
    enum answer_to to;
    unsigned status;
    const char *content;
    const char *behind; /* what is left over */
    bool keeps;
};

static void check_good(const struct good_row *row, size_t step)
{
    struct outcome out = read_answer(row->text, strlen(row->text), step, row->to, false);
    if (out.answer.body == ANSWER_TO_END && out.err == ERR_OK) out.err = answer_end(&out.answer);
    cr_expect_eq(out.err, ERR_OK, "%s: %s", row->text, out.answer.fault);
    cr_expect(out.answer.complete, "%s", row->text);
    cr_expect_eq(out.answer.status, row->status, "%s", row->text);
    cr_expect_eq(out.answer.keeps_alive, row->keeps, "%s", row->text);
    struct bytes content = buffer_left(&out.content);
    cr_expect_eq(content.len, strlen(row->content), "%s", row->text);
    if (content.len > 0) cr_expect_arr_eq(content.data, row->content, content.len, "%s", row->text);
    if (step >= strlen(row->text)) cr_expect_str_eq(row->text + out.used, row->behind);
    forget(&out);
}

Test(answer, reads_what_rfc_9112_allows)
{
    static const struct good_row rows[] = {
        {OK1 "Content-Length: 2\r\n\r\nokHTTP", ANSWER_TO_ANY, 200, "ok", "HTTP", true},
        {OK1 "content-LENGTH:\t 2 \t\r\n\r\nok", ANSWER_TO_ANY, 200, "ok", "", true},
        {OK1 "Content-Length: 0\r\n\r\n", ANSWER_TO_ANY, 200, "", "", true},
        {"HTTP/1.1 404 \r\nContent-Length: 2\r\n\r\nno", ANSWER_TO_ANY, 404, "no", "", true},
        {OK1 "Content-Length: 2\r\nConnection: X, Close\r\n\r\nok", ANSWER_TO_ANY, 200, "ok", "", false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", ANSWER_TO_ANY, 200, "ok", "", false},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", ANSWER_TO_ANY, 200, "ok", "",
         true},
        {OK1 "\r\nto the end", ANSWER_TO_ANY, 200, "to the end", "", false},
        {OK1 "Transfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n00a;x=\"y\"\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\nB",
         ANSWER_TO_ANY, 200, "ok0123456789", "B", true},
        {OK1 "Transfer-Encoding: chunked\r\n\r\n000000000000000000\r\n\r\n", ANSWER_TO_ANY, 200, "", "", true},
        {OK1 "Content-Length: 20\r\n\r\n", ANSWER_TO_HEAD, 200, "", "", true},
        {OK1 "Transfer-Encoding: chunked\r\n\r\n", ANSWER_TO_HEAD, 200, "", "", true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\n", ANSWER_TO_ANY, 304, "", "", true},
        {"HTTP/1.1 204 No Content\r\n\r\n", ANSWER_TO_ANY, 204, "", "", true},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK1 "Content-Length: 2\r\n\r\nok",
         ANSWER_TO_ANY, 200, "ok", "", true},
        {"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nraw", ANSWER_TO_UPGRADE, 101, "raw", "", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_good(&rows[i], 1);
        check_good(&rows[i], 7);
        check_good(&rows[i], 100000);
    }
}

/* Whatever may mean two things means nothing. */
Test(answer, refuses_what_two_readers_may_understand_differently)
{
    static const char *const rows[] = {
        "",
        "\r\n" OK1 "Content-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        OK1 "Content-Length: 0\n\r\n",
        OK1 "Content-Length: 0\r\n\n",
        OK1 "Content-Length: 0\r\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 200\r\n\r\n",
        "HTTP/1.1 200 O\x01K\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        OK1 " X: folded\r\n\r\n",
        OK1 "X: 1\r\n folded\r\n\r\n",
        OK1 "X : 1\r\n\r\n",
        OK1 ": 1\r\n\r\n",
        OK1 "no colon\r\n\r\n",
        OK1 "X: \x01\r\n\r\n",
        OK1 "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        OK1 "Content-Length: 1, 1\r\n\r\nx",
        OK1 "Content-Length: +1\r\n\r\nx",
        OK1 "Content-Length: -1\r\n\r\nx",
        OK1 "Content-Length: 0x1\r\n\r\nx",
        OK1 "Content-Length:\r\n\r\nx",
        OK1 "Content-Length: 99999999999999999999\r\n\r\nx",
        OK1 "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK1 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK1 "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK1 "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        OK1 "Transfer-Encoding: identity\r\n\r\nx",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK1 "Transfer-Encoding: chunked\r\n\r\n2\r\nokX\r\n0\r\n\r\n",
        OK1 "Transfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n",
        OK1 "Transfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n",
        OK1 "Transfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
        OK1 "Transfer-Encoding: chunked\r\n\r\n;x\r\n0\r\n\r\n",
        OK1 "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\nok\r\n0\r\n\r\n",
        OK1 "Transfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello" OK1 "\r\n",
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t step = 1; step < 100000; step *= 1000) {
            struct outcome out = read_answer(rows[i], strlen(rows[i]), step, ANSWER_TO_ANY, true);
            cr_expect_neq(out.err, ERR_OK, "%s", rows[i]);
            cr_expect_eq(out.err, rows[i][0] == '\0' ? ERR_CLOSED : ERR_MALFORMED, "%s", rows[i]);
            cr_expect_not(out.answer.complete);
            forget(&out);
        }
    }
}

Test(answer, says_that_it_was_cut)
{
    static const char *const whole[] = {
        OK1 "Content-Length: 2\r\n\r\nok",
        OK1 "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        for (size_t len = 0; len < strlen(whole[i]); len++) {
            struct outcome out = read_answer(whole[i], len, 100000, ANSWER_TO_ANY, true);
            cr_expect_eq(out.err, ERR_CLOSED, "%.*s", (int)len, whole[i]);
            forget(&out);
        }
    }
}

Test(answer, keeps_its_fields_but_those_of_one_connection)
{
    static const char text[] =
        OK1 "Content-Length: 0\r\nServer: a b\r\nConnection: X-Mine, keep-alive\r\nx-mine: 1\r\n"
            "Keep-Alive: 5\r\nSet-Cookie: a\r\nUpgrade: h2c\r\nX_Request_Id: no\r\nSet-Cookie: b\r\n"
            "Empty:\r\n\r\n";
    static const char *const want[][2] = {{"Server", "a b"}, {"Set-Cookie", "a"}, {"Set-Cookie", "b"}, {"Empty", ""}};
    struct outcome out = read_answer(text, sizeof(text) - 1, 3, ANSWER_TO_ANY, false);
    cr_assert_eq(out.err, ERR_OK);
    cr_assert_eq(out.answer.num_fields, 4);
    for (size_t i = 0; i < 4; i++) {
        cr_expect_str_eq(out.answer.fields[i].name, want[i][0]);
        cr_expect_str_eq(out.answer.fields[i].value, want[i][1]);
    }
    forget(&out);
}

/* Reads text as for a client that wants to know what is behind a body. */
static struct outcome read_with_trailers(const char *text, size_t step)
{
    struct outcome out = {.err = ERR_OK};
    answer_init(&out.answer, ANSWER_TO_ANY);
    out.answer.takes_trailers = true;
    for (size_t at = 0, used; text[at] != '\0' && out.err == ERR_OK; at += used) {
        size_t len = strlen(text + at) < step ? strlen(text + at) : step;
        out.err = answer_receive(&out.answer, &out.content, &used, (struct bytes){(const uint8_t *)text + at, len},
                                 LIMIT_PROXY_BUFFER);
    }
    return out;
}

Test(answer, keeps_what_may_be_behind_the_body)
{
    static const char text[] =
        OK1 "Transfer-Encoding: chunked\r\nTrailer: A\r\nConnection: Mine\r\n\r\n2\r\nok\r\n0\r\n"
            "A: \t1 \t\r\nSet-Cookie: a=1\r\nMine: 1\r\nif_match: x\r\nX-Request-Id: x\r\n"
            "Content-Length: 4\r\nB:\r\n\r\n";
    for (size_t step = 1; step < sizeof(text); step += 5) {
        struct outcome out = read_with_trailers(text, step);
        cr_assert_eq(out.err, ERR_OK);
        cr_assert_eq(out.answer.num_fields, 1);
        cr_expect_str_eq(out.answer.fields[0].name, "Trailer");
        cr_assert_eq(out.answer.num_trailers, 2);
        cr_expect_str_eq(out.answer.trailers[0].name, "A");
        cr_expect_str_eq(out.answer.trailers[0].value, "1");
        cr_expect_str_eq(out.answer.trailers[1].name, "B");
        forget(&out);
    }
    struct outcome out = read_answer(text, sizeof(text) - 1, 7, ANSWER_TO_ANY, false);
    cr_expect_eq(out.err, ERR_OK);
    cr_expect_eq(out.answer.num_fields + out.answer.num_trailers, 0, "nobody wants to know");
    forget(&out);
}

Test(answer, limits_what_is_behind_the_body)
{
    for (size_t num = LIMIT_HTTP_TRAILERS; num <= LIMIT_HTTP_TRAILERS + 1; num++) {
        char text[2048] = OK1 "Transfer-Encoding: chunked\r\n\r\n0\r\n";
        for (size_t i = 0; i < num; i++) strcat(text, "A: 1\r\n");
        strcat(text, "\r\n");
        struct outcome out = read_with_trailers(text, 100000);
        cr_expect_eq(out.err, num <= LIMIT_HTTP_TRAILERS ? ERR_OK : ERR_MALFORMED);
        cr_expect_eq(out.answer.complete, num <= LIMIT_HTTP_TRAILERS);
        forget(&out);
    }
}

static struct {
    unsigned num, status;
    size_t num_fields;
} interims;

static void on_interim(void *context, const struct answer *answer)
{
    (void)context;
    interims.num++;
    interims.status = answer->status;
    interims.num_fields = answer->num_fields;
}

Test(answer, tells_of_100_and_103_alone)
{
    static const struct {
        const char *interim;
        unsigned num, status;
        size_t num_fields;
    } rows[] = {
        {"HTTP/1.1 100 Continue\r\n\r\n", 1, 100, 0},
        {"HTTP/1.1 103 Early Hints\r\nLink: a\r\nConnection: X\r\nX: 1\r\nLink: b\r\n\r\n", 1, 103, 2},
        {"HTTP/1.1 102 Processing\r\nA: 1\r\n\r\n", 0, 0, 0},
        {"HTTP/1.1 199 What\r\n\r\n", 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        size_t used;
        struct answer answer;
        struct buffer content = {0};
        memset(&interims, 0, sizeof(interims));
        answer_init(&answer, ANSWER_TO_ANY);
        answer.interim = on_interim;
        int len = snprintf(text, sizeof(text), "%s" OK1 "X: 1\r\nContent-Length: 0\r\n\r\n", rows[i].interim);
        struct bytes said = {(const uint8_t *)text, (size_t)len};
        cr_expect_eq(answer_receive(&answer, &content, &used, said, LIMIT_PROXY_BUFFER), ERR_OK);
        cr_expect(interims.num == rows[i].num && interims.status == rows[i].status, "%s", rows[i].interim);
        cr_expect_eq(interims.num_fields, rows[i].num_fields, "%s", rows[i].interim);
        cr_expect(answer.complete && answer.status == 200 && answer.num_fields == 1, "%s", rows[i].interim);
        answer_cleanup(&answer);
    }
}

/* A head with fields of num_fields lines and one of the given length. */
static enum err read_head(size_t num_fields, size_t value_len, size_t connection_len)
{
    size_t room = LIMIT_HTTP_HEADER + 4096;
    char *text = malloc(room), *value = malloc(room);
    cr_assert(text != NULL && value != NULL);
    memset(value, 'a', room);
    size_t len = (size_t)snprintf(text, room, OK1 "Content-Length: 0\r\n");
    if (value_len > 0) len += (size_t)snprintf(text + len, room - len, "X: %.*s\r\n", (int)value_len, value);
    if (connection_len > 0)
        len += (size_t)snprintf(text + len, room - len, "Connection: %.*s\r\n", (int)connection_len, value);
    for (size_t i = 1; i < num_fields; i++) len += (size_t)snprintf(text + len, room - len, "X: \r\n");
    len += (size_t)snprintf(text + len, room - len, "\r\n");
    struct outcome out = read_answer(text, len, 100000, ANSWER_TO_ANY, false);
    enum err err = out.err;
    forget(&out);
    free(text);
    free(value);
    return err;
}

Test(answer, has_limits)
{
    const size_t others = strlen("Content-Length: 0\r\nX: \r\n");
    cr_expect_eq(read_head(LIMIT_HTTP_FIELDS, 0, 0), ERR_OK);
    cr_expect_eq(read_head(LIMIT_HTTP_FIELDS + 1, 0, 0), ERR_MALFORMED);
    cr_expect_eq(read_head(1, LIMIT_HTTP_HEADER - others, 0), ERR_OK);
    cr_expect_eq(read_head(1, LIMIT_HTTP_HEADER - others + 1, 0), ERR_MALFORMED);
    cr_expect_eq(read_head(1, 0, LIMIT_PROXY_CONNECTION - 2), ERR_OK);
    cr_expect_eq(read_head(1, 0, LIMIT_PROXY_CONNECTION - 1), ERR_MALFORMED);
}

Test(answer, takes_so_many_interim_answers)
{
    for (size_t num = LIMIT_PROXY_INTERIM; num <= LIMIT_PROXY_INTERIM + 1; num++) {
        char text[4096] = "";
        for (size_t i = 0; i < num; i++) strcat(text, "HTTP/1.1 100 Continue\r\n\r\n");
        strcat(text, OK1 "Content-Length: 0\r\n\r\n");
        struct outcome out = read_answer(text, strlen(text), 100000, ANSWER_TO_ANY, false);
        cr_expect_eq(out.err, num <= LIMIT_PROXY_INTERIM ? ERR_OK : ERR_MALFORMED);
        forget(&out);
    }
}

Test(answer, limits_the_status_line)
{
    for (size_t len = LIMIT_HTTP_STATUS_LINE; len <= LIMIT_HTTP_STATUS_LINE + 1; len++) {
        char text[LIMIT_HTTP_STATUS_LINE + 64];
        memset(text, 'a', sizeof(text));
        memcpy(text, "HTTP/1.1 200 ", 13);
        strcpy(text + len, "\r\nContent-Length: 0\r\n\r\n");
        struct outcome out = read_answer(text, strlen(text), 100000, ANSWER_TO_ANY, false);
        cr_expect_eq(out.err, len <= LIMIT_HTTP_STATUS_LINE ? ERR_OK : ERR_MALFORMED);
        forget(&out);
    }
}
