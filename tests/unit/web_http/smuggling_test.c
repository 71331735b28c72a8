/* Requests that two readers of one connection may take for different ones: each with what RFC 9112 says, and where.
 * What looks like a second request behind them must never be answered, unless the first one ends before it. */
#include <criterion/criterion.h>
#include <string.h>

#include "http1_rows.h"

#define GET1 "GET /hello HTTP/1.1\r\n" H
#define BEHIND "GET /nothing HTTP/1.1\r\n" H "X: behind\r\n\r\n"
#define LAST "0\r\n\r\n"
#define CHUNKS "5\r\nabcde\r\n" LAST

struct case_row {
    const char *section; /* of RFC 9112, unless it says otherwise */
    struct row row;
};

static void check_cases(const struct case_row *cases, size_t num_cases)
{
    for (size_t i = 0; i < num_cases; i++) {
        cr_log_info("%s", cases[i].section);
        check_row(&cases[i].row, strlen(cases[i].row.request));
    }
}

#define CHECK_CASES(cases) check_cases(cases, sizeof(cases) / sizeof((cases)[0]))

/* A front that believes one and a back that believes the other. */
Test(smuggling, two_lengths)
{
    static const struct case_row cases[] = {
        /* CL.TE: both present "ought to be handled as an error". */
        {"6.3", {GET1 "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" LAST BEHIND, "400", true, "refused"}},
        {"6.3", {GET1 "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS BEHIND, "400", true, "refused"}},
        /* TE.CL */
        {"6.3",
         {GET1 "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n" BEHIND LAST, "400", true, "refused"}},
        {"6.3",
         {GET1 "Transfer-Encoding:chunked\r\nX: y\r\nContent-Length:0\r\n\r\n" CHUNKS BEHIND, "400", true, "refused"}},
        /* CL.CL, in two fields and in one */
        {"6.3", {GET1 "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"6.3", {GET1 "Content-Length: 44\r\ncontent-length: 0\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"6.3", {GET1 "Content-Length: 0, 44\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"6.3", {GET1 "Content-Length: 44, 44\r\n\r\n" BEHIND, "400", true, "refused"}}, /* MAY be taken as 44 */
        {"6.3", {GET1 "Content-Length: 0,\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"6.3", {GET1 "Content-Length: ,0\r\n\r\n" BEHIND, "400", true, "refused"}},
        /* CL.0: a body that the route does not want is read all the same. */
        {"6.3", {GET1 "Content-Length: 49\r\n\r\n" BEHIND GET("/hello"), "200 200", false, NULL}},
    };
    CHECK_CASES(cases);
}

Test(smuggling, lengths_that_are_none)
{
    static const struct case_row cases[] = {
        {"RFC 9110, 8.6", {GET1 "Content-Length: 00005\r\n\r\nabcde" GET("/hello"), "200 200", false, NULL}},
        {"RFC 9110, 8.6", {GET1 "Content-Length:\t5\t\r\n\r\nabcde" GET("/hello"), "200 200", false, NULL}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: -0\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: -44\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: +0\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: 0x0\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: 2c\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: 0.0\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: 0e0\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: 0;\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: \"0\"\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: \r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: 0 0\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: \xef\xbc\x90\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: 18446744073709551616\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: 18446744073709551660\r\n\r\n" BEHIND, "400", true, "refused"}},
        {"RFC 9110, 8.6", {GET1 "Content-Length: 9223372036854775807\r\n\r\n" BEHIND, "413", true, "over the limit"}},
        {"RFC 9110, 8.6",
         {GET1 "Content-Length: 0000000000000000000000000000005\r\n\r\nabcde", "400", true, "refused"}},
    };
    CHECK_CASES(cases);
}

/* TE.TE: one of two readers is made to overlook the field. */
Test(smuggling, codings_in_disguise)
{
    static const struct case_row cases[] = {
        {"5.1", {GET1 "tRANSFER-eNCODING:\tCHUNKED \t\r\n\r\n" CHUNKS GET("/hello"), "200 200", false, NULL}},
        {"5.1", {GET1 "Transfer-Encoding : chunked\r\n\r\n" LAST BEHIND, "400", true, "field name"}},
        {"5.1", {GET1 "Transfer-Encoding\t: chunked\r\n\r\n" LAST BEHIND, "400", true, "field name"}},
        {"5.1", {GET1 "Transfer-Encoding\x0b: chunked\r\n\r\n" LAST BEHIND, "400", true, "field name"}},
        {"5.1", {GET1 "\"Transfer-Encoding\": chunked\r\n\r\n" LAST BEHIND, "400", true, "field name"}},
        {"5.1", {GET1 "Transfer Encoding: chunked\r\n\r\n" LAST BEHIND, "400", true, "field name"}},
        {"5.2", {GET1 " Transfer-Encoding: chunked\r\n\r\n" LAST BEHIND, "400", true, "folded"}},
        {"5.2", {GET1 "Transfer-Encoding:\r\n chunked\r\n\r\n" LAST BEHIND, "400", true, "folded"}},
        {"5.2", {GET1 "Transfer-Encoding\r\n : chunked\r\n\r\n" LAST BEHIND, "400", true, "without a colon"}},
        {"5.2", {GET1 "Transfer-Encoding: chunked\r\n x\r\n\r\n" LAST BEHIND, "400", true, "folded"}},
        {"2.2", {GET1 "X: y\nTransfer-Encoding: chunked\r\n\r\n" LAST BEHIND, "400", true, "LF without CR"}},
        {"2.2", {GET1 "X: y\rTransfer-Encoding: chunked\r\n\r\n" LAST BEHIND, "400", true, "CR without LF"}},
        {"RFC 9110, 5.5",
         {GET1 "Transfer-Encoding: \x0b"
               "chunked\r\n\r\n" LAST BEHIND,
          "400", true, "control"}},
        {"RFC 9110, 5.5", {GET1 "Transfer-Encoding: chunked\x0c\r\n\r\n" LAST BEHIND, "400", true, "control"}},
        {"RFC 9110, 5.5", {GET1 "Transfer-Encoding: chunked\x7f\r\n\r\n" LAST BEHIND, "400", true, "control"}},
        /* The body's end is not known: 400, and the connection ends. */
        {"6.3", {GET1 "Transfer-Encoding: chunke\r\n\r\n" LAST BEHIND, "400", true, "not chunked"}},
        {"6.3", {GET1 "Transfer-Encoding: chunkedx\r\n\r\n" LAST BEHIND, "400", true, "not chunked"}},
        {"6.3", {GET1 "Transfer-Encoding: x chunked\r\n\r\n" LAST BEHIND, "400", true, "not chunked"}},
        {"6.3", {GET1 "Transfer-Encoding: chunked;x=y\r\n\r\n" LAST BEHIND, "400", true, "not chunked"}},
        {"6.3", {GET1 "Transfer-Encoding: 'chunked'\r\n\r\n" LAST BEHIND, "400", true, "not chunked"}},
        {"6.3",
         {GET1 "Transfer-Encoding: \xa0"
               "chunked\r\n\r\n" LAST BEHIND,
          "400", true, "not chunked"}},
        {"6.3", {GET1 "Transfer-Encoding: chunked, identity\r\n\r\n" LAST BEHIND, "400", true, "not chunked"}},
        {"6.3", {GET1 "Transfer-Encoding: chunked,\r\n\r\n" LAST BEHIND, "400", true, "not chunked"}},
        {"6.3", {GET1 "Transfer-Encoding: gzip\r\n\r\n" LAST BEHIND, "400", true, "not chunked"}},
        {"6.3", {GET1 "Transfer-Encoding: gzip, identity\r\n\r\n" LAST BEHIND, "400", true, "not chunked"}},
        {"6.3",
         {GET1 "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n" LAST BEHIND, "400", true, "refused"}},
        {"6.3",
         {GET1 "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n" LAST BEHIND, "400", true, "refused"}},
        {"6.3", {GET1 "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n\r\n" LAST BEHIND, "400", true, "refused"}},
        /* It is, but what the body means is not. */
        {"6.1", {GET1 "Transfer-Encoding: chunked, chunked\r\n\r\n" LAST BEHIND, "400", true, "not chunked"}},
        {"6.1", {GET1 "Transfer-Encoding: gzip, chunked\r\n\r\n" LAST BEHIND, "501", true, "not understood"}},
        {"6.1", {GET1 "Transfer-Encoding: identity , Chunked\r\n\r\n" LAST BEHIND, "501", true, "not understood"}},
        {"6.1", {GET1 "Transfer-Encoding: ,chunked\r\n\r\n" LAST BEHIND, "501", true, "not understood"}},
        /* A sender of 1.0 does not know chunks. */
        {"6.1", {"GET /hello HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" LAST BEHIND, "400", true, "outside of"}},
        {"6.1",
         {"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: "
          "chunked\r\n\r\n" LAST BEHIND,
          "400", true, "refused"}},
    };
    CHECK_CASES(cases);
}

Test(smuggling, chunks_that_are_none)
{
    static const struct case_row cases[] = {
        {"7.1", {CHUNKED "000000000000000000000005\r\nabcde\r\n000\r\n\r\n" GET("/hello"), "200 200", false, NULL}},
        {"7.1", {CHUNKED "5;a;b=c;d=\"e;f\"\r\nabcde\r\n" LAST GET("/hello"), "200 200", false, NULL}},
        {"7.1", {CHUNKED "5\r\nabcdef\r\n" LAST BEHIND, "400", true, "longer than its size"}},
        {"7.1", {CHUNKED "5\r\nabcd\r\n" LAST BEHIND, "400", true, "refused"}},
        {"7.1", {CHUNKED "+5\r\nabcde\r\n" LAST BEHIND, "400", true, "bad chunk size"}},
        {"7.1", {CHUNKED "-0\r\n\r\n" BEHIND, "400", true, "bad chunk size"}},
        {"7.1", {CHUNKED "0x0\r\n\r\n" BEHIND, "400", true, "bad chunk size"}},
        {"7.1", {CHUNKED "5g\r\nabcde\r\n" LAST BEHIND, "400", true, "bad chunk size"}},
        {"7.1", {CHUNKED "5_0\r\nabcde\r\n" LAST BEHIND, "400", true, "bad chunk size"}},
        {"7.1", {CHUNKED "\t5\r\nabcde\r\n" LAST BEHIND, "400", true, "bad chunk size"}},
        {"7.1", {CHUNKED "5\t\r\nabcde\r\n" LAST BEHIND, "400", true, "bad chunk size"}},
        {"7.1", {CHUNKED ";a\r\n" LAST BEHIND, "400", true, "bad chunk size"}},
        {"7.1", {CHUNKED "fffffffffffffffff\r\n" BEHIND, "400", true, "refused"}},
        {"7.1", {CHUNKED "ffffffffffffffff\r\n" BEHIND, "400", true, "refused"}},
        {"7.1", {CHUNKED "10000000000000005\r\nabcde\r\n" LAST BEHIND, "400", true, "refused"}},
        {"7.1.1", {CHUNKED "5;\nabcde\r\n" LAST BEHIND, "400", true, "LF without CR"}},
        {"7.1.1", {CHUNKED "5;a=\"\r\nabcde\r\n" LAST GET("/hello"), "200 200", false, NULL}},
        {"7.1.1", {CHUNKED "5;a\rb\r\nabcde\r\n" LAST BEHIND, "400", true, "CR without LF"}},
        {"7.1.1", {CHUNKED "0;a\r\n\r\n" GET("/hello"), "200 200", false, NULL}},
        {"7.1", {CHUNKED "0\r\n\n" BEHIND, "400", true, "LF without CR"}},
        {"7.1", {CHUNKED "0\n\r\n" BEHIND, "400", true, "LF without CR"}},
        {"7.1", {CHUNKED "0\r\n\rX" BEHIND, "400", true, "CR without LF"}},
        {"7.1", {CHUNKED "0\r\n" BEHIND, "400", true, "refused"}}, /* the next request line is no trailer */
    };
    CHECK_CASES(cases);
}

/* RFC 9110, 6.5.1: what frames and routes a message does not count in its trailers. */
Test(smuggling, trailers_change_nothing)
{
    static const struct case_row cases[] = {
        {"7.1.2", {CHUNKED "0\r\nX: y\r\nZ:\r\n\r\n" GET("/hello"), "200 200", false, NULL}},
        {"7.1.2", {CHUNKED "0\r\nHost: other\r\n\r\n" GET("/hello"), "200 200", false, NULL}},
        {"7.1.2", {CHUNKED "0\r\nExpect: 200-maybe\r\n\r\n" GET("/hello"), "200 200", false, NULL}},
        {"7.1.2", {CHUNKED "0\r\nTransfer-Encoding: chunked\r\n\r\n" GET("/hello"), "200 200", false, NULL}},
        {"7.1.2", {CHUNKED "0\r\nContent-Length: 44\r\n\r\n" GET("/hello"), "200 200", false, NULL}},
        {"7.1.2",
         {CHUNKED "0\r\nContent-Length: 44\r\nContent-Length: 45\r\n\r\n" GET("/hello"), "400", true, "refused"}},
        {"5.2", {CHUNKED "0\r\nX: y\r\n z\r\n\r\n" BEHIND, "400", true, "folded"}},
        {"5.1", {CHUNKED "0\r\nX : y\r\n\r\n" BEHIND, "400", true, "field name"}},
        {"2.2", {CHUNKED "0\r\nX: y\n\r\n" BEHIND, "400", true, "LF without CR"}},
        {"2.2", {CHUNKED "0\r\nX: y\rz\r\n\r\n" BEHIND, "400", true, "CR without LF"}},
    };
    CHECK_CASES(cases);
}

Test(smuggling, request_lines)
{
    static const struct case_row cases[] = {
        /* The forms of a target. */
        {"3.2.2", {"GET https://localhost/hello HTTP/1.1\r\nHost: other.example\r\n\r\n", "200", false, NULL}},
        {"3.2.2", {"GET HTTPS://LOCALHOST:9000/hello HTTP/1.1\r\n" H "\r\n", "200", false, NULL}},
        {"3.2.2", {"GET https:///hello HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"3.2.2", {"GET https:hello HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"3.2.2", {"GET ftp://localhost/hello HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"3.2.2", {"GET https://a@localhost/hello HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"3.2.2", {"GET https://localhost\\@other/hello HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"3.2.3", {"GET localhost:443 HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"3.2.3", {"CONNECT localhost:443 HTTP/1.1\r\n" H "\r\n" BEHIND, "405", true, "not allowed"}},
        {"3.2.3", {"CONNECT /hello HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"3.2.3", {"CONNECT https://localhost/ HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"3.2.4", {"GET * HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "form does not fit"}},
        {"3.2.4", {"OPTIONS * HTTP/1.1\r\n" H "\r\n" GET("/hello"), "405 200", false, "not allowed"}},
        {"3.2", {"GET hello HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"3.2", {"GET ?x HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"3.2", {"GET /hello\x80 HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "bad character"}},
        /* Versions. */
        {"RFC 9110, 2.5", {"GET /hello HTTP/1.2\r\n" H "\r\n" GET("/hello"), "200 200", false, NULL}},
        {"2.3", {"GET /hello http/1.1\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"2.3", {"GET /hello HTTP/1.10\r\n" H "\r\n" BEHIND, "400", true, "bad version"}},
        {"2.3", {"GET /hello HTTP/01.1\r\n" H "\r\n" BEHIND, "400", true, "bad version"}},
        {"2.3", {"GET /hello HTTP/1\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"2.3", {"GET /hello HTTP/1.\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"2.3", {"GET /hello HTTP/1,1\r\n" H "\r\n" BEHIND, "400", true, "refused"}},
        {"2.3", {"GET /hello HTTP/3.0\r\n" H "\r\n" BEHIND, "505", true, "refused"}},
        {"3", {"GET /hello\r\n" H "\r\n" BEHIND, "400", true, "incomplete request line"}}, /* HTTP/0.9 */
        {"3", {"GET /hello \r\n" H "\r\n" BEHIND, "400", true, "incomplete request line"}},
        /* White space and line ends. */
        {"3", {"GET\x0b/hello HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "bad character"}},
        {"3", {"GET /hello\tHTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "bad character"}},
        {"3", {"GET /hello HTTP/1.1\t\r\n" H "\r\n" BEHIND, "400", true, "bad character"}},
        {"2.2", {"GET /hello HTTP/1.1\n" H "\r\n" BEHIND, "400", true, "LF without CR"}},
        {"2.2", {"GET /hello HTTP/1.1\r" H "\r\n" BEHIND, "400", true, "CR without LF"}},
        {"2.2", {"\n" GET("/hello"), "400", true, "LF without CR"}},
        {"2.2", {"\r\n" GET("/hello") "\r\n\r\n" GET("/hello"), "200 200", false, NULL}},
        {"2.2", {"GET /hello HTTP/1.1\r\n\tX: y\r\n" H "\r\n" BEHIND, "400", true, "folded"}},
        /* Methods are case-sensitive words. */
        {"3.1", {"Get /hello HTTP/1.1\r\n" H "\r\n" BEHIND, "501", true, "refused"}},
        {"3.1", {"GE(T /hello HTTP/1.1\r\n" H "\r\n" BEHIND, "400", true, "bad character in the method"}},
        {"3.1", {"GETGET /hello HTTP/1.1\r\n" H "\r\n" BEHIND, "501", true, "refused"}},
    };
    CHECK_CASES(cases);
}

Test(smuggling, hosts)
{
    static const struct case_row cases[] = {
        {"3.2", {"GET /hello HTTP/1.1\r\n\r\n" BEHIND, "400", true, "no Host"}},
        {"3.2", {"GET https://localhost/hello HTTP/1.1\r\n\r\n" BEHIND, "400", true, "no Host"}},
        {"3.2", {"GET /hello HTTP/1.1\r\n" H "hOST: localhost\r\n\r\n" BEHIND, "400", true, "more than one Host"}},
        {"3.2", {"GET /hello HTTP/1.1\r\nHost: a, b\r\n\r\n" BEHIND, "400", true, "in the host"}},
        {"3.2", {"GET /hello HTTP/1.1\r\nHost: a:1:2\r\n\r\n" BEHIND, "400", true, "bad port"}},
        {"3.2", {"GET /hello HTTP/1.1\r\nHost: a#b\r\n\r\n" BEHIND, "400", true, "in the host"}},
        {"3.2", {"GET /hello HTTP/1.1\r\nHost : a\r\n\r\n" BEHIND, "400", true, "field name"}},
    };
    CHECK_CASES(cases);
}

Test(smuggling, expectations)
{
    static const struct case_row cases[] = {
        {"RFC 9110, 10.1.1",
         {GET1 "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nabcde" GET("/hello"), "100 200 200", false, NULL}},
        {"RFC 9110, 10.1.1",
         {GET1 "Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na", "100 200", false, NULL}},
        {"RFC 9110, 10.1.1",
         {GET1 "Expect: 100-continue, x\r\nContent-Length: 44\r\n\r\n" BEHIND, "417", true, "unknown expectation"}},
        {"RFC 9110, 10.1.1", {GET1 "Expect: x\r\nContent-Length: 44\r\n\r\n" BEHIND, "417", true, "unknown"}},
        {"RFC 9110, 10.1.1", {GET1 "Expect:\r\nContent-Length: 44\r\n\r\n" BEHIND, "417", true, "unknown"}},
        /* Refused before the body: the connection ends, for nobody knows whether the body comes. */
        {"RFC 9110, 10.1.1",
         {"PUT /hello HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 44\r\n\r\n" BEHIND, "405", true,
          "not allowed"}},
    };
    CHECK_CASES(cases);
}

/* Nothing behind an error is answered, whatever it is; what came before it is. */
Test(smuggling, pipelines_end_at_an_error)
{
    static const struct case_row cases[] = {
        {"9.3.2", {GET("/hello") GET("/hello") "BAD\r\n\r\n" GET("/hello"), "200 200 400", true, "refused"}},
        {"9.3.2", {GET("/hello") GET1 "Content-Length: x\r\n\r\n" GET("/hello"), "200 400", true, "refused"}},
        {"9.3.2", {CHUNKED "x" GET("/hello"), "400", true, "refused"}},
        {"9.3.2", {CHUNKED CHUNKS "\r\n" GET("/hello") GET("/../x") GET("/hello"), "200 200 400", true, "dot segment"}},
        {"9.6", {GET1 "Connection: close\r\n\r\n" GET("/hello"), "200", true, NULL}},
        {"9.6", {GET1 "Connection: x, Close ,y\r\n\r\n" GET("/hello"), "200", true, NULL}},
        {"9.3", {"GET /hello HTTP/1.0\r\n\r\n" GET("/hello"), "200", true, NULL}},
        {"9.3.2", {"PUT /hello HTTP/1.1\r\n" H "Content-Length: 44\r\n\r\n" BEHIND, "405", true, "not allowed"}},
    };
    CHECK_CASES(cases);
}

Test(smuggling, NUL_and_its_like)
{
#define BYTES(text) text, sizeof(text) - 1
    static const struct {
        const char *request;
        size_t len;
        const char *reason;
    } rows[] = {
        {BYTES("GET /hello\0 HTTP/1.1\r\n" H "\r\n" BEHIND), "request line"},
        {BYTES("G\0ET /hello HTTP/1.1\r\n" H "\r\n" BEHIND), "request line"},
        {BYTES("\0GET /hello HTTP/1.1\r\n" H "\r\n" BEHIND), "request line"},
        {BYTES("GET /hello HTTP/1.1\0\r\n" H "\r\n" BEHIND), "request line"},
        {BYTES(GET1 "Content-Length\0: 44\r\n\r\n" BEHIND), "field name"},
        {BYTES(GET1 "Content-Length: 44\0\r\n\r\n" BEHIND), "control character"},
        {BYTES(GET1 "Transfer-Encoding: \0chunked\r\n\r\n" LAST BEHIND), "control character"},
        {BYTES(CHUNKED "5\0\r\nabcde\r\n" LAST BEHIND), "bad chunk size"},
        {BYTES(CHUNKED "5;\0\r\nabcde\r\n" LAST BEHIND), "chunk extension"},
        {BYTES(CHUNKED "0\r\nX: \0\r\n\r\n" BEHIND), "control character"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_row(&(struct row){rows[i].request, "400", true, rows[i].reason}, rows[i].len);
}
