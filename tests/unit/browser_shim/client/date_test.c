#include "browser-shim/client_date.h"

#include <criterion/criterion.h>

Test(client_date, reads_what_servers_send)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } rows[] = {{"Sun, 06 Nov 1994 08:49:37 GMT", 784111777}, /* RFC 9110, 5.6.7 */
                {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
                {"Thu, 29 Feb 2024 23:59:59 GMT", 1709251199},
                {"Fri, 31 Dec 2049 00:00:00 GMT", 2524521600}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t seconds = 1;
        cr_expect(client_date_read(&seconds, rows[i].text), "'%s'", rows[i].text);
        cr_expect_eq(seconds, rows[i].seconds, "'%s': %llu", rows[i].text, (unsigned long long)seconds);
    }
}

Test(client_date, reads_nothing_else)
{
    static const char *const rows[] = {"",
                                       "now",
                                       "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994",
                                       "Sun, 06 Nov 1994 08:49:37 CET",
                                       "Sun, 06 ovD 1994 08:49:37 GMT",
                                       "Sun, 06 Nov 1994 08:49:37 GMT ",
                                       "Sun, 31 Feb 1994 08:49:37 GMT",
                                       "Sun, 06 Nov 1994 25:49:37 GMT",
                                       "Sun, 6  Nov 1994 08:49:37 GMT",
                                       "Wed, 31 Dec 1969 23:59:59 GMT"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t seconds;
        cr_expect_not(client_date_read(&seconds, rows[i]), "'%s'", rows[i]);
    }
}
