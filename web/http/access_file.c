#include "web/http/access_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

void access_file_use(struct access_file *file, int fd)
{
    access_file_close(file);
    file->fd = fd;
}

void access_file_close(struct access_file *file)
{
    if (file->fd >= 0) close(file->fd);
    file->fd = -1;
}

static void lose(struct access_file *file, ssize_t wrote)
{
    file->lost++;
    if (!file->broken)
        log_error("access log cannot be written reason=%s effect='lines are lost'",
                  log_quote(wrote < 0 ? strerror(errno) : "there is no room for a whole line"));
    file->broken = true;
}

void access_file_write(struct access_file *file, const char *line)
{
    char text[1 + ACCESS_LINE];
    const int len = snprintf(text, sizeof text, "%s%s\n", file->broken ? "\n" : "", line);
    const ssize_t wrote = write(file->fd, text, (size_t)len);
    if (wrote != len) {
        lose(file, wrote);
        return;
    }
    if (file->broken) log_line("access log is written again lost=%llu", (unsigned long long)file->lost);
    file->broken = false;
}
