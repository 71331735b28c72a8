/* Addresses as people write them. */
#include "broker/address.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

Test(address, reads_what_it_writes)
{
    static const char *const good[] = {"127.0.0.1:9000", "0.0.0.0:0",         "10.1.2.3:65535",
                                       "[::1]:9000",     "[2001:db8::1]:443", "[::]:1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct address address;
        char text[ADDRESS_TEXT];
        cr_assert_eq(address_parse(&address, good[i], NULL), ERR_OK, "%s", good[i]);
        address_format(text, &address);
        cr_assert_str_eq(text, good[i]);
    }
}

Test(address, keeps_port_and_family)
{
    struct address address;
    cr_assert_eq(address_parse(&address, "[::1]:9000", NULL), ERR_OK);
    cr_assert_eq(address.socket.ss_family, AF_INET6);
    cr_assert_eq(address.len, sizeof(struct sockaddr_in6));
    cr_assert_eq(address_port(&address), 9000);
    cr_assert_eq(address_parse(&address, "127.0.0.1:80", NULL), ERR_OK);
    cr_assert_eq(address.socket.ss_family, AF_INET);
    cr_assert_eq(address.len, sizeof(struct sockaddr_in));
    cr_assert_eq(address_port(&address), 80);
}

#define WANT "; want ADDR:PORT, such as 127.0.0.1:9000 or [::1]:9000"

Test(address, says_what_is_wrong)
{
    static const struct {
        const char *text;
        const char *says;
    } bad[] = {
        {"", "'' has no port" WANT},
        {"127.0.0.1", "'127.0.0.1' has no port" WANT},
        {"127.0.0.1:", "port '' is not a number from 0 to 65535" WANT},
        {"127.0.0.1:65536", "port '65536' is not a number from 0 to 65535" WANT},
        {"127.0.0.1:123456", "port '123456' is not a number from 0 to 65535" WANT},
        {"127.0.0.1:-1", "port '-1' is not a number from 0 to 65535" WANT},
        {"127.0.0.1:+1", "port '+1' is not a number from 0 to 65535" WANT},
        {"127.0.0.1: 1", "port ' 1' is not a number from 0 to 65535" WANT},
        {"127.0.0.1:9x", "port '9x' is not a number from 0 to 65535" WANT},
        {"::1:9000", "'::1:9000': an IPv6 address goes in brackets" WANT},
        {"[::1:9000", "'[::1:9000': an IPv6 address goes in brackets" WANT},
        {"[127.0.0.1]:1", "'127.0.0.1' is not an IP address (names are not looked up)" WANT},
        {"localhost:9000", "'localhost' is not an IP address (names are not looked up)" WANT},
        {"256.0.0.1:1", "'256.0.0.1' is not an IP address (names are not looked up)" WANT},
        {"127.1:1", "'127.1' is not an IP address (names are not looked up)" WANT},
        {":9000", "'' is not an IP address (names are not looked up)" WANT},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1",
         "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1' is not an IP address" WANT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct address address;
        struct diag diag = {0};
        cr_assert_eq(address_parse(&address, bad[i].text, &diag), ERR_INPUT, "'%s'", bad[i].text);
        cr_assert_str_eq(diag.text, bad[i].says);
    }
}

Test(address, has_the_url_that_its_own_machine_uses)
{
    static const struct {
        const char *text;
        const char *url;
    } rows[] = {
        {"127.0.0.1:9000", "https://localhost:9000"}, {"[::1]:9001", "https://localhost:9001"},
        {"0.0.0.0:1", "https://localhost:1"},         {"[::]:2", "https://localhost:2"},
        {"10.1.2.3:443", "https://10.1.2.3:443"},     {"[2001:db8::1]:443", "https://[2001:db8::1]:443"},
        {"127.0.0.2:3", "https://127.0.0.2:3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct address address;
        char url[128];
        cr_assert_eq(address_parse(&address, rows[i].text, NULL), ERR_OK);
        address_url(url, sizeof url, "https", &address);
        cr_assert_str_eq(url, rows[i].url);
    }
}
