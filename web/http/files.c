#include "web/http/files.h"

#include <errno.h>
#include <fcntl.h>
#include <http_parser.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "web/http/conditional.h"
#include "web/http/mime.h"
#include "web/http/site_internal.h"

#define INDEX "index.html"

static const struct fault ok;
static const struct fault not_found = {HTTP_STATUS_NOT_FOUND, NULL};

/* No name in the path is hidden, and none but the last is empty. */
static bool is_servable(const char *path)
{
    if (path[0] != '/') return false;
    for (const char *at = path; at != NULL; at = strchr(at + 1, '/')) {
        if (at[1] == '.' || at[1] == '/') return false;
    }
    return true;
}

static int open_beneath(int root_fd, const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    /* EAGAIN: somebody renamed a directory meanwhile, so the kernel cannot tell whether ".." stayed beneath. */
    for (int attempt = 0;; attempt++) {
        int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || attempt == 8) return fd;
    }
}

static struct fault open_fault(int error)
{
    switch (error) {
    case EXDEV: return (struct fault){HTTP_STATUS_NOT_FOUND, "a link leads out of the root"};
    case EACCES:
    case EPERM: return (struct fault){HTTP_STATUS_FORBIDDEN, "the file may not be read"};
    case EMFILE:
    case ENFILE:
    case ENOMEM: return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "too many open files"};
    case EIO: return (struct fault){HTTP_STATUS_INTERNAL_SERVER_ERROR, "the file cannot be read"};
    default: return not_found;
    }
}

static struct fault redirect_to_directory(struct exchange *exchange)
{
    const char *path = exchange->request.target.path;
    char *location = malloc(3 * strlen(path) + 2);
    if (location == NULL) return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory"};
    target_encode(location, path);
    strcat(location, "/");
    struct response *response = &exchange->response;
    response_set_error(response, HTTP_STATUS_MOVED_PERMANENTLY);
    response->location = location;
    response_add(response, "Location", location);
    return ok;
}

static void describe_file(struct response *response, const struct stat *stat)
{
    unsigned long long nanoseconds =
        (unsigned long long)stat->st_mtim.tv_sec * 1000000000u + (unsigned long long)stat->st_mtim.tv_nsec;
    snprintf(response->etag, sizeof(response->etag), "\"%llx-%llx-%llx\"", nanoseconds,
             (unsigned long long)stat->st_size, (unsigned long long)stat->st_ino);
    date_http(response->last_modified, (uint64_t)stat->st_mtim.tv_sec);
    response_add(response, "ETag", response->etag);
    response_add(response, "Last-Modified", response->last_modified);
    response_add(response, "Cache-Control", "no-cache");
}

static struct fault serve_file(struct exchange *exchange, const char *name, int *fd, const struct stat *stat)
{
    struct response *response = &exchange->response;
    describe_file(response, stat);
    if (conditional_not_modified(&exchange->request, response->etag, (uint64_t)stat->st_mtim.tv_sec))
        response->status = HTTP_STATUS_NOT_MODIFIED;
    else
        response_set_file(response, mime_type(name), auto_keep_fd(fd), (uint64_t)stat->st_size);
    return ok;
}

struct fault files_answer(struct exchange *exchange)
{
    const char *path = exchange->request.target.path;
    if (!is_servable(path)) return not_found;
    size_t len = strlen(path);
    bool directory = path[len - 1] == '/';
    AUTO_FREE char *name = malloc(len + sizeof(INDEX));
    if (name == NULL) return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory"};
    snprintf(name, len + sizeof(INDEX), "%s%s", path + 1, directory ? INDEX : "");

    AUTO_FD fd = open_beneath(exchange->site->config.root_fd, name);
    if (fd < 0) return open_fault(errno);
    struct stat stat;
    if (fstat(fd, &stat) != 0) return open_fault(errno);
    if (S_ISDIR(stat.st_mode) && !directory) return redirect_to_directory(exchange);
    if (!S_ISREG(stat.st_mode)) return not_found;
    return serve_file(exchange, name, &fd, &stat);
}
