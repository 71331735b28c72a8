#include "broker/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The loader has read it, and shares its place in it with us. */
static int rewound(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || (S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

static int take(struct opener *opener, const char *path)
{
    for (size_t i = 0; i < opener->num_files; i++) {
        struct opened *file = &opener->files[i];
        if (file->fd < 0 || strcmp(file->path, path) != 0) continue;
        const int fd = file->fd;
        file->fd = -1;
        return rewound(fd);
    }
    errno = EACCES;
    return -1;
}

int opener_open(struct opener *opener, const char *path, int flags)
{
    if (opener_takes(opener)) return take(opener, path);
    const int fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || opener == NULL || opener->opened == NULL) return fd;
    if (opener->opened(opener->context, path, fd) == ERR_OK) return fd;
    close(fd);
    errno = EIO;
    return -1;
}

bool opener_takes(const struct opener *opener)
{
    return opener != NULL && opener->files != NULL;
}
