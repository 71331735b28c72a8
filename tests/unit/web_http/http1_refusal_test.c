/* Requests that are not answered as asked. */
#include <criterion/criterion.h>

#include "http1_rows.h"

Test(http1_refusal, refuses_what_is_not_done_here)
{
    static const struct row rows[] = {
        {"POST /hello HTTP/1.1\r\n" H "\r\n", "405", false, "method not allowed"},
        {"PUT /hello HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc", "405", true, "method not allowed"},
        {"DELETE / HTTP/1.1\r\n" H "\r\n", "405", false, "method not allowed"},
        {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "405", false, "method not allowed"},
        {"TRACE / HTTP/1.1\r\n" H "\r\n", "405", false, "method not allowed"},
        {"CONNECT localhost:80 HTTP/1.1\r\n" H "\r\n", "405", true, "method not allowed"},
        {"GET /upload/x HTTP/1.1\r\n" H "\r\n", "405", false, "method not allowed"},
        {"PUT /upload/x HTTP/1.1\r\n" H "\r\n", "403", false, "uploads are not enabled"},
        {"FROB / HTTP/1.1\r\n" H "\r\n", "501", true, "invalid HTTP method"},
        {"get / HTTP/1.1\r\n" H "\r\n", "501", true, "invalid HTTP method"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "501", true, "invalid HTTP method"},
        {"GET / HTTP/2.0\r\n" H "\r\n", "505", true, "not HTTP/1"},
        {"GET / HTTP/0.9\r\n" H "\r\n", "505", true, "not HTTP/1"},
        {"GET /hello HTTP/1.1\r\n" H "Expect: 200-maybe\r\n\r\n", "417", true, "unknown expectation"},
        {"GET / HTTP/1.1\r\n" H "Content-Length: 65537\r\n\r\n", "413", true, "Content-Length over the limit"},
        {"GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n", "400", true, "refused"},
    };
    CHECK_ROWS(rows);
}

/* Everything that two readers of one stream may read in two ways (RFC 9112, 11.2). */
Test(http1_refusal, refuses_smuggling)
{
    static const struct row rows[] = {
        /* CL.TE, TE.CL, TE.TE */
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", "400", true,
         "refused"},
        {"GET /hello HTTP/1.1\r\n" H
         "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\nSMUGGLED\r\n0\r\n\r\n",
         "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
         "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400",
         true, "more than one Transfer-Encoding"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501", true,
         "Transfer-Encoding not understood"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "400", true,
         "Transfer-Encoding is not chunked"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "400", true,
         "Transfer-Encoding is not chunked"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "400", true,
         "Transfer-Encoding is not chunked"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding:\x0b chunked\r\n\r\n0\r\n\r\n", "400", true,
         "control character in a header field"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", "400", true,
         "Transfer-Encoding is not chunked"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", "400", true, "Transfer-Encoding is not chunked"},
        {"GET /hello HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", true,
         "Transfer-Encoding outside of HTTP/1.1"},
        /* Content-Length */
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\nabcde", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\nabcde", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\nabcde", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 1 2\r\n\r\nabcde", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 18446744073709551617\r\n\r\na", "400", true, "refused"},
        /* Line ends and white space */
        {"GET /hello HTTP/1.1\nHost: localhost\n\n", "400", true, "LF without CR"},
        {"GET /hello HTTP/1.1\r\nHost: localhost\n\r\n", "400", true, "LF without CR"},
        {"GET /hello HTTP/1.1\r\n" H "\n", "400", true, "LF without CR"},
        {"GET /hello HTTP/1.1\r\n" H "A: b\rContent-Length: 5\r\n\r\n", "400", true, "CR without LF"},
        {"GET /hello HTTP/1.1\r\r\n" H "\r\n", "400", true, "CR without LF"},
        {"\rGET /hello HTTP/1.1\r\n" H "\r\n", "400", true, "CR without LF"},
        {"GET /hello HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", "400", true, "folded header field"},
        {"GET /hello HTTP/1.1\r\n" H "A: b\r\n\tc\r\n\r\n", "400", true, "folded header field"},
        {"GET /hello HTTP/1.1\r\n X: y\r\n" H "\r\n", "400", true, "folded header field"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400", true,
         "bad character in a field name"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length\t: 5\r\n\r\nabcde", "400", true, "bad character in a field name"},
        {"GET /hello HTTP/1.1\r\n" H "Content Length: 5\r\n\r\nabcde", "400", true, "bad character in a field name"},
        {"GET /hello HTTP/1.1\r\n" H ": 5\r\n\r\n", "400", true, "header field without a name"},
        {"GET /hello HTTP/1.1\r\n" H "Nothing\r\n\r\n", "400", true, "header field without a colon"},
        {"GET /hello HTTP/1.1\r\n" H "A: \x01\r\n\r\n", "400", true, "control character in a header field"},
        {"GET  /hello HTTP/1.1\r\n" H "\r\n", "400", true, "superfluous space"},
        {"GET /hello  HTTP/1.1\r\n" H "\r\n", "400", true, "superfluous space"},
        {"GET /hello HTTP/1.1 \r\n" H "\r\n", "400", true, "superfluous space"},
        {" GET /hello HTTP/1.1\r\n" H "\r\n", "400", true, "superfluous space"},
        {"GET\t/hello HTTP/1.1\r\n" H "\r\n", "400", true, "bad character in the request line"},
        {"GET /hello\r\n\r\n", "400", true, "incomplete request line"},
        {"GET\r\n\r\n", "400", true, "incomplete request line"},
        {"GET /hello HTTP/1.1x\r\n" H "\r\n", "400", true, "bad version"},
        {"GET /hello HTTP/x.1\r\n" H "\r\n", "400", true, "bad version"},
        {"GET /hello FTP/1.1\r\n" H "\r\n", "400", true, "refused"},
        {"\x16\x03\x01\x02", "400", true, "bad character in the request line"},
        {"\r\n\r\n\r\n\r\n", "400", true, "empty lines instead of a request"},
        /* Host */
        {"GET /hello HTTP/1.1\r\n\r\n", "400", true, "no Host"},
        {"GET /hello HTTP/1.1\r\n" H H "\r\n", "400", true, "more than one Host"},
        {"GET /hello HTTP/1.1\r\nHost:\r\n\r\n", "400", true, "no host"},
        {"GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", "400", true, "bad character in the host"},
        {"GET /hello HTTP/1.1\r\nHost: user@a\r\n\r\n", "400", true, "bad character in the host"},
        {"GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n", "400", true, "bad character in the host"},
        {"GET /hello HTTP/1.1\r\nHost: a:80x\r\n\r\n", "400", true, "bad port"},
        {"GET /hello HTTP/1.1\r\nHost: [::1\r\n\r\n", "400", true, "unfinished IP literal"},
        {"GET https://user@localhost/hello HTTP/1.1\r\n" H "\r\n", "400", true, "refused"},
        {"GET localhost:80 HTTP/1.1\r\n" H "\r\n", "400", true, "refused"},
        {"GET * HTTP/1.1\r\n" H "\r\n", "400", true, "form does not fit"},
    };
    CHECK_ROWS(rows);
}

Test(http1_refusal, refuses_bad_chunks)
{
    static const struct row rows[] = {
        {CHUNKED "x\r\n", "400", true, "bad chunk size"},
        {CHUNKED "\r\n", "400", true, "no chunk size"},
        {CHUNKED " 5\r\nabcde\r\n0\r\n\r\n", "400", true, "bad chunk size"},
        {CHUNKED "5 \r\nabcde\r\n0\r\n\r\n", "400", true, "bad chunk size"},
        {CHUNKED "0x5\r\nabcde\r\n0\r\n\r\n", "400", true, "bad chunk size"},
        {CHUNKED "-5\r\nabcde\r\n0\r\n\r\n", "400", true, "bad chunk size"},
        {CHUNKED "5\nabcde\r\n0\r\n\r\n", "400", true, "LF without CR"},
        {CHUNKED "5\rXabcde\r\n0\r\n\r\n", "400", true, "CR without LF"},
        {CHUNKED "5\r\nabcdeXX0\r\n\r\n", "400", true, "chunk longer than its size"},
        {CHUNKED "5\r\nabcde\n0\r\n\r\n", "400", true, "LF without CR"},
        {CHUNKED "5\r\nabcde\rX0\r\n\r\n", "400", true, "CR without LF"},
        {CHUNKED "5;a=b\nX\r\nabcde\r\n0\r\n\r\n", "400", true, "LF without CR"},
        {CHUNKED "5;a=\x01\r\nabcde\r\n0\r\n\r\n", "400", true, "bad character in a chunk extension"},
        {CHUNKED "0\r\n folded\r\n\r\n", "400", true, "folded header field"},
        {CHUNKED "0\r\nA : b\r\n\r\n", "400", true, "bad character in a field name"},
        {CHUNKED "0\r\nA: b\n\r\n", "400", true, "LF without CR"},
        {CHUNKED "10000000000000005\r\nabcde\r\n0\r\n\r\n", "400", true, "refused"},
    };
    CHECK_ROWS(rows);
}

Test(http1_refusal, refuses_targets_that_leave_the_tree)
{
    static const struct row rows[] = {
        {GET("/../etc/passwd"), "400", true, "dot segment"},
        {GET("/a/../hello"), "400", true, "dot segment"},
        {GET("/.."), "400", true, "dot segment"},
        {GET("/./hello"), "400", true, "dot segment"},
        {GET("/%2e%2e/etc/passwd"), "400", true, "dot segment"},
        {GET("/.%2E/etc/passwd"), "400", true, "dot segment"},
        {GET("/a%2f..%2fetc"), "400", true, "encoded slash"},
        {GET("/%00"), "400", true, "control character"},
        {GET("/a%0d%0aX: y"), "400", true, "bad version"},
        {GET("/a%0d%0a"), "400", true, "control character"},
        {GET("/%"), "400", true, "incomplete percent-encoding"},
        {GET("/%4"), "400", true, "incomplete percent-encoding"},
        {GET("/%zz"), "400", true, "bad percent-encoding"},
        {GET("/#top"), "400", true, "fragment"},
        {GET("/a?b#top"), "400", true, "fragment"},
        {GET("hello"), "400", true, "refused"},
        {GET("/\x80"), "400", true, "bad character in the request line"},
        {GET("//etc/passwd"), "404", false, NULL},
        {GET("/.env"), "404", false, NULL},
    };
    CHECK_ROWS(rows);
}

Test(http1_refusal, takes_NUL_nowhere)
{
    static const char in_line[] = "GET /he\0lo HTTP/1.1\r\n" H "\r\n";
    check_row(&(struct row){in_line, "400", true, "bad character in the request line"}, sizeof(in_line) - 1);
    static const char in_name[] = "GET /hello HTTP/1.1\r\nHo\0st: a\r\n\r\n";
    check_row(&(struct row){in_name, "400", true, "bad character in a field name"}, sizeof(in_name) - 1);
    static const char in_value[] = "GET /hello HTTP/1.1\r\nHost: a\0b\r\n\r\n";
    check_row(&(struct row){in_value, "400", true, "control character in a header field"}, sizeof(in_value) - 1);
}
