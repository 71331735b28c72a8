/* The files of the root directory that are open. One that is asked for again within a second is not looked up and opened anew;
 * but it is looked at, and opened anew if anything about it has changed: its content, its time, its rights, or that its name
 * leads to it (its inode changes with all of these). Only another directory, or link, on the way to it may go unnoticed for
 * that second. */
#ifndef KEYWARD_WEB_HTTP_OPEN_FILES_H
#define KEYWARD_WEB_HTTP_OPEN_FILES_H

#include <sys/stat.h>

#include "base/err.h"
#include "web/http/date.h"
#include "web/http/etag.h"

struct open_files;

/* What is in the file is read with pread: others have it too. */
struct open_file {
    int fd;
    struct stat stat;
    const char *type; /* by its name */
    char etag[ETAG_MAX];
    char last_modified[DATE_HTTP_LEN + 1];

    /* For open_files.c. */
    int error; /* of openat2; then there is no descriptor */
    char *name;
    uint64_t opened_ms, used;
    unsigned holders;
};

/* open_files_new opens beneath root_fd, which stays the caller's. NULL: no memory. */
struct open_files *open_files_new(int root_fd);
void open_files_free(struct open_files *files);

/* How sure the caller has to be that a file is not there. */
enum open_files_look { OPEN_FILES_LOOK_NOW, OPEN_FILES_LOOKED_LATELY };

/* open_files_get opens whatever has this path, of which no part is hidden or "..", beneath the root; only regular files stay open.
 * Returns 0 or an errno: EXDEV where a link leads out of the root. Each has to be released. */
MUST_CHECK int open_files_get(struct open_file **out, struct open_files *files, const char *name,
                              enum open_files_look look);

/* open_file_hold makes one more holder. */
struct open_file *open_file_hold(struct open_file *file);

/* open_file_release ends one hold; NULL is allowed. */
void open_file_release(struct open_file *file);

#endif
