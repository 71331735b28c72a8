#include "browser-shim/client_progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { INTERVAL_MS = 100, BAR = 10 };

void client_progress_watch(struct client_progress *progress, int output_fd)
{
    progress->is_watched = isatty(STDERR_FILENO) == 1 && isatty(output_fd) != 1;
}

void client_progress_start(struct client_progress *progress, const char *what, uint64_t total)
{
    client_progress_end(progress);
    progress->what = what;
    progress->done = 0;
    progress->total = total;
    progress->start_ms = clock_monotonic_ms();
    progress->next_ms = progress->start_ms + CLIENT_PROGRESS_AFTER_MS;
}

/* "12.3 MiB" */
static void format_bytes(char out[16], uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    snprintf(out, 16, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* "[####......]  42%  " */
static void format_bar(char out[BAR + 16], uint64_t done, uint64_t total)
{
    if (done > total) done = total;
    const double part = (double)done / (double)total;
    const size_t full = (size_t)(part * BAR);
    char bar[BAR + 1];
    memset(bar, '.', BAR);
    memset(bar, '#', full);
    bar[BAR] = '\0';
    snprintf(out, BAR + 16, "[%s] %3d%%  ", bar, (int)(part * 100));
}

/* Bytes a second. A number of bytes whose thousandfold does not fit loses its last digits. */
static uint64_t rate_of(uint64_t bytes, uint64_t ms)
{
    if (ms == 0) return 0;
    if (bytes <= UINT64_MAX / 1000) return bytes * 1000 / ms;
    return bytes / ms <= UINT64_MAX / 1000 ? bytes / ms * 1000 : UINT64_MAX;
}

void client_progress_format(char out[CLIENT_PROGRESS_LINE], const struct client_progress *progress, uint64_t elapsed_ms)
{
    char done[16], total[24] = "", rate[16], bar[BAR + 16] = "", left[32] = "";
    const uint64_t a_second = rate_of(progress->done, elapsed_ms);
    format_bytes(done, progress->done);
    format_bytes(rate, a_second);
    if (progress->total > 0) {
        char text[16];
        format_bytes(text, progress->total);
        snprintf(total, sizeof total, " of %s", text);
        format_bar(bar, progress->done, progress->total);
        const uint64_t rest = progress->total > progress->done ? progress->total - progress->done : 0;
        const uint64_t rest_s = a_second > 0 ? rest / a_second : UINT64_MAX;
        if (rest_s < 360000) snprintf(left, sizeof left, ", %u s left", (unsigned)rest_s);
    }
    snprintf(out, CLIENT_PROGRESS_LINE, "%s%s%s %s, %s/s%s", bar, done, total, progress->what, rate, left);
}

/* A terminal that takes no more is not worth an error. */
static void put(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

void client_progress_add(struct client_progress *progress, uint64_t bytes)
{
    progress->done += bytes;
    if (!progress->is_watched || progress->what == NULL) return;
    const uint64_t now_ms = clock_monotonic_ms();
    if (now_ms < progress->next_ms) return;
    char line[CLIENT_PROGRESS_LINE], text[CLIENT_PROGRESS_LINE + 8];
    client_progress_format(line, progress, now_ms - progress->start_ms);
    snprintf(text, sizeof text, "\r%s\033[K", line); /* erases what an earlier, longer line has left (ECMA-48, EL) */
    put(text);
    progress->is_shown = true;
    progress->next_ms = now_ms + INTERVAL_MS;
}

void client_progress_end(struct client_progress *progress)
{
    if (progress->is_shown) put("\r\033[K");
    progress->is_shown = false;
    progress->what = NULL;
}
