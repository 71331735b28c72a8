/* Tables of requests and what they are worth, each tried whole and in pieces. */
#ifndef KEYWARD_TESTS_UNIT_WEB_HTTP_HTTP1_ROWS_H
#define KEYWARD_TESTS_UNIT_WEB_HTTP_HTTP1_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#define GET(target) "GET " target " HTTP/1.1\r\nHost: localhost:9000\r\n\r\n"
#define H "Host: localhost\r\n"
#define CHUNKED "GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"

struct row {
    const char *request;
    const char *statuses; /* of all answers, such as "200 404" */
    bool closes;
    const char *reason; /* in the log; NULL: nothing is refused */
};

/* check_row feeds one request to a fresh session in every way of cutting it up. */
void check_row(const struct row *row, size_t len);
void check_rows(const struct row *rows, size_t num_rows);

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof(rows[0]))

#endif
