#include "browser-shim/client_address.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct diag diag;

Test(client_address, reads_urls)
{
    static const struct {
        const char *url, *host, *port, *authority, *target;
        bool is_ip;
    } rows[] = {
        {"https://localhost:9000/hello", "localhost", "9000", "localhost:9000", "/hello", false},
        {"https://localhost", "localhost", "443", "localhost", "/", false},
        {"https://localhost/", "localhost", "443", "localhost", "/", false},
        {"HTTPS://kiosk.example:443/a/b?c=d&e", "kiosk.example", "443", "kiosk.example", "/a/b?c=d&e", false},
        {"https://127.0.0.1:9000/a#part", "127.0.0.1", "9000", "127.0.0.1:9000", "/a", true},
        {"https://localhost:9/a##b", "localhost", "9", "localhost:9", "/a", false},
        {"https://localhost:9/a#?b", "localhost", "9", "localhost:9", "/a", false},
        {"https://localhost:9#/b", "localhost", "9", "localhost:9", "/", false},
        {"https://localhost:9/?#", "localhost", "9", "localhost:9", "/?", false},
        {"https://[::1]:9000/a", "::1", "9000", "[::1]:9000", "/a", true},
        {"https://[2001:db8::7]/", "2001:db8::7", "443", "[2001:db8::7]", "/", true},
        {"https://localhost?q=1", "localhost", "443", "localhost", "/?q=1", false},
        {"https://localhost:9000/a%20b", "localhost", "9000", "localhost:9000", "/a%20b", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client_url url;
        cr_assert_eq(client_url_parse(&url, rows[i].url, &diag), ERR_OK, "%s: %s", rows[i].url, diag.text);
        cr_expect_str_eq(url.address.host, rows[i].host);
        cr_expect_str_eq(url.address.port, rows[i].port);
        cr_expect_str_eq(url.authority, rows[i].authority);
        cr_expect_str_eq(url.target, rows[i].target, "%s gives %s", rows[i].url, url.target);
        cr_expect_eq(url.address.is_ip, rows[i].is_ip, "%s", rows[i].url);
    }
}

Test(client_address, refuses_what_is_no_url)
{
    static const char *const rows[] = {
        "",
        "localhost:9000",
        "http://localhost:9000/",
        "file:///etc/passwd",
        "https:///a",
        "https://user:word@localhost/",
        "https://user@localhost/",
        "https://localhost:0/",
        "https://localhost:65536/",
        "https://localhost:99999999999999999999/",
        "https://localhost:x/",
        "https://local host/",
        "https://localhost/a b",
        "https://localhost/\r\nX: y",
        "https://localhost/\x7f",
        "https://localhost/\xc3\xbc",
        "https://[::1/",
        "https://[::1%25eth0]/",
        "https://lo$calhost/",
        "https://[localhost]/",
        "//localhost/",
        "/a",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client_url url;
        diag.text[0] = '\0';
        cr_expect_eq(client_url_parse(&url, rows[i], &diag), ERR_INPUT, "%s was taken", rows[i]);
        cr_expect_neq(diag.text[0], '\0', "%s: no word about it", rows[i]);
    }
}

Test(client_address, bounds_urls)
{
    static char text[LIMIT_URL + 2];
    struct client_url url;
    memset(text, 'a', sizeof text - 1);
    memcpy(text, "https://b/", 10);
    cr_expect_eq(client_url_parse(&url, text, &diag), ERR_INPUT);
    text[LIMIT_URL] = '\0';
    cr_expect_eq(client_url_parse(&url, text, &diag), ERR_OK);
    cr_expect_eq(strlen(url.target), LIMIT_URL - 9);

    char host[LIMIT_NAME + 2] = "";
    memset(host, 'a', LIMIT_NAME);
    snprintf(text, sizeof text, "https://%s/", host);
    cr_expect_eq(client_url_parse(&url, text, &diag), ERR_OK);
    host[LIMIT_NAME] = 'a';
    snprintf(text, sizeof text, "https://%s/", host);
    cr_expect_eq(client_url_parse(&url, text, &diag), ERR_INPUT);
}

Test(client_address, reads_host_and_port)
{
    struct client_address address;
    cr_assert_eq(client_address_parse(&address, "localhost:9001", &diag), ERR_OK);
    cr_expect_str_eq(address.host, "localhost");
    cr_expect_str_eq(address.port, "9001");
    cr_expect_not(address.is_ip);
    cr_assert_eq(client_address_parse(&address, "127.0.0.1:1", &diag), ERR_OK);
    cr_expect(address.is_ip);
    cr_assert_eq(client_address_parse(&address, "[::1]:65535", &diag), ERR_OK);
    cr_expect_str_eq(address.host, "::1");
    cr_expect(address.is_ip);
}

Test(client_address, refuses_what_is_no_host_and_port)
{
    static const char *const rows[] = {"",
                                       "localhost",
                                       "localhost:",
                                       ":9001",
                                       "localhost:0",
                                       "a:65536",
                                       "a:-1",
                                       "a:1x",
                                       "a: 1",
                                       "::1:9001",
                                       "[::1]",
                                       "[]:1",
                                       "a:000000000000001",
                                       "[localhost:1",
                                       "a/b:1",
                                       "a:99999999999999999999"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client_address address;
        cr_expect_eq(client_address_parse(&address, rows[i], &diag), ERR_INPUT, "%s was taken", rows[i]);
    }
}
