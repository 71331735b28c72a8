#include "web/http/files.h"

#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "web/http/conditional.h"
#include "web/http/hashed_name.h"
#include "web/http/mime.h"
#include "web/http/partial.h"
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

/* A file that may be answered with. */
struct file {
    struct open_file *open;
    enum coding coding;
    bool fallback; /* it stands in for a path that is not there */
};

static void file_close(struct file *file)
{
    open_file_release(file->open);
    file->open = NULL;
}

/* What is opened is the file's; the caller looks at its kind. */
static struct fault open_file(struct file *file, const struct http_site *site, const char *name,
                              enum open_files_look look)
{
    file_close(file);
    const int error = open_files_get(&file->open, site->open_files, name, look);
    return error == 0 ? ok : open_fault(error);
}

static const char *const suffixes[] = {[CODING_BR] = ".br", [CODING_GZIP] = ".gz", [CODING_IDENTITY] = ""};
static const char *const coding_names[] = {[CODING_BR] = "br", [CODING_GZIP] = "gzip", [CODING_IDENTITY] = NULL};

static bool is_older(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Puts the compressed form that the client likes best in the place of the file. One that is older than what it was made
 * of is what somebody forgot to make again. */
static struct fault choose_coding(struct file *file, const struct exchange *exchange, const char *name)
{
    enum coding order[CODING_NUM];
    size_t num = negotiate_order(order, &exchange->request.codings);
    if (order[0] == CODING_IDENTITY) return ok;
    size_t room = strlen(name) + sizeof(".br");
    AUTO_FREE char *sibling = malloc(room);
    if (sibling == NULL) return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory"};
    for (size_t i = 0; i < num && order[i] != CODING_IDENTITY; i++) {
        AUTO(file_close) struct file other = {.coding = order[i], .fallback = file->fallback};
        snprintf(sibling, room, "%s%s", name, suffixes[order[i]]);
        if (open_file(&other, exchange->site, sibling, OPEN_FILES_LOOKED_LATELY).status != 0) continue;
        if (!S_ISREG(other.open->stat.st_mode)) continue;
        if (is_older(&other.open->stat.st_mtim, &file->open->stat.st_mtim)) continue;
        file_close(file);
        *file = other;
        other.open = NULL;
        return ok;
    }
    return ok;
}

static bool may_be_kept(const struct exchange *exchange, const struct file *file, const char *name)
{
    return exchange->site->config.immutable && !file->fallback && hashed_name(name);
}

/* What a client learns of the file whether it gets it or not (RFC 9110, 15.4.5). */
static void describe_file(struct exchange *exchange, const struct file *file, const char *name, bool compresses)
{
    struct response *response = &exchange->response;
    etag_of_form(response->etag, file->open->etag, suffixes[file->coding]);
    memcpy(response->last_modified, file->open->last_modified, sizeof(response->last_modified));
    response_add(response, "ETag", response->etag);
    response_add(response, "Last-Modified", response->last_modified);
    response_add(response, "Cache-Control",
                 may_be_kept(exchange, file, name) ? "public, max-age=31536000, immutable" : "no-cache");
    if (file->fallback)
        response_add(response, "Vary", "Accept, Accept-Encoding");
    else if (compresses)
        response_add(response, "Vary", "Accept-Encoding");
}

static struct fault answer_content(struct exchange *exchange, struct file *file, const char *type)
{
    struct response *response = &exchange->response;
    const struct request *request = &exchange->request;
    const struct partial whole = {.file = file->open, .size = (uint64_t)file->open->stat.st_size, .type = type};
    struct range ranges[LIMIT_HTTP_RANGES];
    size_t num_ranges = 0;
    enum range_verdict verdict = RANGE_WHOLE;
    /* For HEAD there are no ranges (RFC 9110, 14.2). */
    if (request->num_ranges == 1 && request->method == HTTP_GET && conditional_range(request, response->etag))
        verdict = range_parse(ranges, &num_ranges, request->range, whole.size);
    switch (verdict) {
    case RANGE_WHOLE: response_set_file(response, type, whole.file, whole.size); break;
    case RANGE_UNSATISFIABLE: partial_refuse(response, whole.size); return ok;
    case RANGE_PARTS:
        if (partial_answer(response, &whole, ranges, num_ranges) != ERR_OK)
            return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory"};
        break;
    }
    response_add(response, "Accept-Ranges", "bytes");
    if (file->coding != CODING_IDENTITY) response_add(response, "Content-Encoding", coding_names[file->coding]);
    return ok;
}

static struct fault serve_file(struct exchange *exchange, struct file *file, const char *name)
{
    struct response *response = &exchange->response;
    const char *type = file->open->type;
    const bool compresses = mime_compresses(type);
    if (compresses) {
        struct fault fault = choose_coding(file, exchange, name);
        if (fault.status != 0) return fault;
    }
    describe_file(exchange, file, name, compresses);
    switch (conditional_read(&exchange->request, response->etag, (uint64_t)file->open->stat.st_mtim.tv_sec)) {
    case CONDITIONAL_GO: return answer_content(exchange, file, type);
    case CONDITIONAL_NOT_MODIFIED: response->status = HTTP_STATUS_NOT_MODIFIED; break;
    case CONDITIONAL_FAILED: return (struct fault){HTTP_STATUS_PRECONDITION_FAILED, NULL};
    }
    return ok;
}

/* A page of a single-page app: the app itself knows what to show at that path. */
static bool falls_back(const struct exchange *exchange)
{
    const char *last = strrchr(exchange->request.target.path, '/');
    return exchange->site->config.spa && exchange->request.wants_html && strchr(last, '.') == NULL;
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

    AUTO(file_close) struct file file = {.coding = CODING_IDENTITY};
    struct fault fault = open_file(&file, exchange->site, name, OPEN_FILES_LOOK_NOW);
    if (fault.status == 0 && S_ISDIR(file.open->stat.st_mode) && !directory) return redirect_to_directory(exchange);
    if (fault.status == 0 && !S_ISREG(file.open->stat.st_mode)) fault = not_found;
    if (fault.status == HTTP_STATUS_NOT_FOUND && fault.reason == NULL && falls_back(exchange)) {
        file.fallback = true;
        snprintf(name, len + sizeof(INDEX), "%s", INDEX);
        fault = open_file(&file, exchange->site, name, OPEN_FILES_LOOK_NOW);
        if (fault.status == 0 && !S_ISREG(file.open->stat.st_mode)) fault = not_found;
    }
    return fault.status == 0 ? serve_file(exchange, &file, name) : fault;
}
