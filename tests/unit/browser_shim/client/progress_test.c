#include "browser-shim/client_progress.h"

#include <criterion/criterion.h>
#include <string.h>

Test(client_progress, says_how_far_it_is)
{
    static const struct {
        uint64_t done, total, elapsed_ms;
        const char *text;
    } rows[] = {
        {50 << 20, 100 << 20, 5000, "[#####.....]  50%  50.0 MiB of 100.0 MiB received, 10.0 MiB/s, 5 s left"},
        {999, 0, 1000, "999 B received, 999 B/s"},
        {1000, 0, 1000, "1.0 KiB received, 1.0 KiB/s"},
        {0, 1000, 2000, "[..........]   0%  0 B of 1.0 KiB received, 0 B/s"},
        {1000, 1000, 0, "[##########] 100%  1.0 KiB of 1.0 KiB received, 0 B/s"},
        {2000, 1000, 1000, "[##########] 100%  2.0 KiB of 1.0 KiB received, 2.0 KiB/s, 0 s left"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[CLIENT_PROGRESS_LINE];
        const struct client_progress progress = {.what = "received", .done = rows[i].done, .total = rows[i].total};
        client_progress_format(line, &progress, rows[i].elapsed_ms);
        cr_expect_str_eq(line, rows[i].text);
    }
}

/* One that wrapped would leave a line behind each time. */
Test(client_progress, never_wraps)
{
    static const uint64_t numbers[] = {0,         1, 999, 1000, 1023, 1 << 20, UINT64_C(1) << 40, UINT64_C(1) << 62,
                                       UINT64_MAX};
    enum { NUM = sizeof numbers / sizeof *numbers };
    for (size_t i = 0; i < NUM * NUM * NUM; i++) {
        char line[CLIENT_PROGRESS_LINE];
        const struct client_progress progress = {
            .what = "received", .done = numbers[i % NUM], .total = numbers[i / NUM % NUM]};
        client_progress_format(line, &progress, numbers[i / NUM / NUM]);
        cr_expect_lt(strlen(line), sizeof line);
        cr_expect_eq(line[strcspn(line, "\r\n")], '\0');
    }
}
