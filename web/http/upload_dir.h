/* The uploads directory, through an open file description of this worker's own: its lock excludes the other workers,
 * who otherwise share one. */
#ifndef KEYWARD_WEB_HTTP_UPLOAD_DIR_H
#define KEYWARD_WEB_HTTP_UPLOAD_DIR_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* What unfinished uploads are called. No upload may get such a name. */
#define UPLOAD_TEMPORARY_PREFIX ".upload-"

struct upload_dir {
    DIR *stream; /* NULL: not open */
};

/* upload_dir_open opens it anew. ERR_SYSTEM with a diagnostic. Before the sandbox is put on. */
MUST_CHECK enum err upload_dir_open(struct upload_dir *out, int directory_fd, struct diag *diag);

void upload_dir_close(struct upload_dir *dir);

int upload_dir_fd(const struct upload_dir *dir);

/* upload_dir_lock waits for the other workers. 0, or an errno: the file system has no locks. */
int upload_dir_lock(const struct upload_dir *dir);
void upload_dir_unlock(const struct upload_dir *dir);

/* upload_dir_sweep removes temporary files that a crashed worker left. Those of living workers are locked and stay. */
void upload_dir_sweep(const struct upload_dir *dir);

/* upload_dir_count adds up the sizes of the regular files that have their names. What is in directories below does not
 * count. ERR_SYSTEM. */
MUST_CHECK enum err upload_dir_count(const struct upload_dir *dir, uint64_t *out_bytes);

#endif
