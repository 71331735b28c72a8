#include "browser-shim/client_response.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static struct client_response response;
static struct client_output output;
static struct client_progress progress;
static struct diag diag;
static int body_pipe[2];

static void set_up(void)
{
    cr_assert_eq(pipe(body_pipe), 0);
    output = (struct client_output){.fd = body_pipe[1], .dir = -1};
    client_response_init(&response, &output, &progress, &diag);
}

TestSuite(client_response, .init = set_up);

static enum err feed(const char *text, size_t step)
{
    for (size_t len = strlen(text), at = 0; at < len; at += step) {
        size_t part = len - at < step ? len - at : step;
        enum err err = client_response_feed(&response, (const uint8_t *)text + at, part);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

static void expect_body(const char *want)
{
    char got[256] = "";
    close(body_pipe[1]);
    size_t len = 0;
    for (ssize_t part; (part = read(body_pipe[0], got + len, sizeof got - 1 - len)) > 0;) len += (size_t)part;
    cr_expect_str_eq(got, want);
}

Test(client_response, keeps_the_servers_time_however_it_is_cut_up)
{
    for (size_t step = 1; step < 9; step++) {
        set_up();
        cr_expect_eq(
            feed(
                "HTTP/1.1 100 Continue\r\nDate: then\r\n\r\nHTTP/1.1 200 OK\r\nX-Date: no\r\nDated: no\r\ndate: now\r\n"
                "Content-Length: 0\r\n\r\n",
                step),
            ERR_OK, "%s", diag.text);
        cr_expect_str_eq(response.date, "now");
    }
}

/* However the bytes are cut up. */
static void expect_response(const char *text, unsigned status, const char *body)
{
    size_t steps[] = {1, 2, 3, 7, 10000};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        set_up();
        cr_expect_eq(feed(text, steps[i]), ERR_OK, "%s", diag.text);
        cr_expect(response.complete);
        cr_expect_eq(response.status, status);
        expect_body(body);
    }
}

Test(client_response, reads_a_body_with_a_length)
{
    expect_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello");
    cr_expect_str_eq(response.reason, "OK");
    cr_expect_eq(response.body_len, 5);
}

Test(client_response, reads_a_chunked_body)
{
    expect_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", 200,
                    "hello");
}

Test(client_response, reads_an_empty_body)
{
    expect_response("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201, "");
    expect_response("HTTP/1.1 204 No Content\r\n\r\n", 204, "");
}

Test(client_response, passes_over_interim_responses)
{
    expect_response("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
                    "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\nok",
                    200, "ok");
    cr_expect_str_eq(response.reason, "Fine");
}

Test(client_response, stops_at_the_end_of_the_first)
{
    expect_response("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", 200, "ok");
}

Test(client_response, keeps_an_error_page_to_itself)
{
    expect_response("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\noops", 404, "");
    cr_expect_str_eq(response.reason, "Not Found");
    expect_response("HTTP/1.1 302 Found\r\nContent-Length: 4\r\n\r\nhere", 302, "");
}

Test(client_response, takes_the_end_of_the_connection_for_the_end_of_the_body)
{
    cr_expect_eq(feed("HTTP/1.1 200 OK\r\n\r\nhello", 4), ERR_OK);
    cr_expect_not(response.complete);
    cr_expect_eq(client_response_end(&response), ERR_OK);
    cr_expect(response.complete);
    expect_body("hello");
}

Test(client_response, notices_what_is_cut_off)
{
    static const char *const rows[] = {
        "",
        "HTTP/1.1 20",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        set_up();
        cr_expect_eq(feed(rows[i], 100), ERR_OK);
        cr_expect_eq(client_response_end(&response), ERR_CLOSED, "row %zu", i);
        cr_expect_not(response.complete);
    }
}

Test(client_response, refuses_what_is_not_http)
{
    static const char *const rows[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 1000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        set_up();
        diag.text[0] = '\0';
        cr_expect_eq(feed(rows[i], 1000), ERR_MALFORMED, "row %zu", i);
        cr_expect_neq(diag.text[0], '\0');
    }
}

Test(client_response, bounds_the_header)
{
    char field[1024];
    memset(field, 'a', sizeof field);
    memcpy(field, "X: ", 3);
    memcpy(field + sizeof field - 3, "\r\n", 3);
    enum err err = feed("HTTP/1.1 200 OK\r\n", 100);
    for (size_t i = 0; err == ERR_OK && i < 200; i++) err = feed(field, sizeof field);
    cr_expect_eq(err, ERR_MALFORMED);
}

Test(client_response, cuts_a_long_reason)
{
    char text[512] = "HTTP/1.1 200 ";
    memset(text + strlen(text), 'r', 300);
    strcat(text, "\r\nContent-Length: 0\r\n\r\n");
    cr_expect_eq(feed(text, 7), ERR_OK);
    cr_expect(response.complete);
    cr_expect_eq(strlen(response.reason), sizeof response.reason - 1);
}

Test(client_response, says_when_the_output_fails)
{
    output.fd = body_pipe[0]; /* the end that cannot be written to */
    cr_expect_eq(feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1000), ERR_SYSTEM);
    cr_expect_not(response.complete);
}
