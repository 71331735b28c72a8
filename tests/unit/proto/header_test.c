/* Which header fields may be set from outside. */
#include "proto/header.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(header, takes_fields_that_are_nobodys)
{
    static const char *const good[] = {"X-Frame-Options:DENY",
                                       "A:",
                                       "a!#$%&'*+-.^_`|~9:b",
                                       "Content-Security-Policy:default-src 'self'; img-src data:",
                                       "Contents:x",
                                       "Dates:x",
                                       "X:a\x7e b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_expect_null(header_fault(good[i]), "%s: %s", good[i], header_fault(good[i]));
}

Test(header, takes_nothing_else)
{
    static const char *const bad[] = {
        "",
        "X",
        ":",
        ":v",
        "X Y:v",
        "X\t:v",
        "X\r\nY:v",
        "(X):v",
        "\xc3\xa9:v",
        "X: v",
        "X:v ",
        "X:\r\nY: v",
        "X:\x01",
        "X:\x7f",
        "X:\xc3\xa9",
        "X:a\nb",
        "content-length:1",
        "Content-Length:",
        "TRANSFER-ENCODING:chunked",
        "Connection:close",
        "Date:now",
        "ETag:\"x\"",
        "Vary:*",
        "Cache-Control:public",
        "Location:/",
        "Upgrade:h2c",
        "X-Request-Id:1",
        "te:trailers",
    };
    cr_expect_not_null(header_fault(NULL));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) cr_expect_not_null(header_fault(bad[i]), "'%s'", bad[i]);
}

Test(header, has_limits)
{
    char line[HEADER_LINE_LEN + 16];
    for (size_t over = 0; over <= 1; over++) {
        memset(line, 'n', LIMIT_HEADER_NAME + over);
        snprintf(line + LIMIT_HEADER_NAME + over, 3, ":v");
        cr_expect_eq(header_fault(line) != NULL, over);
        memset(line, 'v', sizeof line);
        line[1] = ':';
        line[2 + LIMIT_HEADER_VALUE + over] = '\0';
        cr_expect_eq(header_fault(line) != NULL, over);
    }
}
