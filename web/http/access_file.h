/* The access log's file: where each line is one write at the file's end, so that lines of several workers do not mix.
 *
 * A full disk loses lines, and never holds a client up. What it cuts stays a line of its own, as the next line then begins with a line's end (so that
 * there may be an empty line as well). */
#ifndef KEYWARD_WEB_HTTP_ACCESS_FILE_H
#define KEYWARD_WEB_HTTP_ACCESS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "web/http/access.h"

/* Zero state but for the descriptor, which is -1: there is no file. */
struct access_file {
    int fd;
    bool broken;   /* the last line was lost */
    uint64_t lost; /* lines */
};

/* access_file_use takes another descriptor, open for appending, in place of the one it has. */
void access_file_use(struct access_file *file, int fd);

/* access_file_write writes line, without its end. The first that is lost, and the first that is not any more, are said in the log. */
void access_file_write(struct access_file *file, const char *line);

void access_file_close(struct access_file *file);

#endif
