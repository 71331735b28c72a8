#include "web/http/site.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "web/http/site_internal.h"
#include "web/http/upload.h"

/* jansson would open /dev/urandom for this at its first object, which is after the sandbox is on. */
static enum err seed_random(struct http_site *site, struct diag *diag)
{
    size_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed) || request_ids_init(&site->request_ids) != ERR_OK)
        return diag_set(diag, ERR_SYSTEM, "web: no random numbers from the kernel: %s", strerror(errno));
    json_object_seed(seed | 1);
    return ERR_OK;
}

static enum err start_quota(struct http_site *site, struct diag *diag)
{
    const struct http_site_config *config = &site->config;
    uint64_t bytes;
    if (config->upload_quota == 0) return ERR_OK;
    enum err err = quota_open(&site->quota, config->quota_fd, config->worker, config->upload_quota, diag);
    if (err != ERR_OK) return err;
    int error = upload_dir_lock(&site->upload_dir);
    if (error != 0)
        return diag_set(diag, ERR_SYSTEM, "uploads: a quota needs a directory that can be locked: %s", strerror(error));
    err = upload_dir_count(&site->upload_dir, &bytes);
    if (err == ERR_OK) quota_counted(&site->quota, bytes);
    upload_dir_unlock(&site->upload_dir);
    if (err != ERR_OK) return diag_set(diag, err, "uploads: cannot count the directory: %s", strerror(errno));
    return ERR_OK;
}

static enum err start_uploads(struct http_site *site, struct diag *diag)
{
    if (site->config.uploads_fd < 0) return ERR_OK;
    enum err err = upload_dir_open(&site->upload_dir, site->config.uploads_fd, diag);
    if (err != ERR_OK) return err;
    upload_dir_sweep(&site->upload_dir);
    err = start_quota(site, diag);
    if (err != ERR_OK) return err;
    return committer_start(&site->committer, &site->upload_dir, &site->quota, diag);
}

enum err http_site_open(struct http_site **out, const struct http_site_config *config, struct diag *diag)
{
    struct http_site *site = calloc(1, sizeof(*site));
    if (site == NULL) {
        if (config->root_fd >= 0) close(config->root_fd);
        if (config->uploads_fd >= 0) close(config->uploads_fd);
        if (config->upload_quota > 0) close(config->quota_fd);
        header_table_free(config->headers);
        return diag_set(diag, ERR_MEMORY, "web: no memory for the site");
    }
    site->config = *config;
    site->log.fd = -1;
    if (site->config.idle_timeout_ms == 0) site->config.idle_timeout_ms = DEADLINE_IDLE_MS;
    meter_init(&site->log_lines, LIMIT_HTTP_LOG_BURST, LIMIT_HTTP_LOG_PER_SECOND, clock_monotonic_ms());
    enum err err = seed_random(site, diag);
    if (err == ERR_OK && site->config.headers == NULL && header_table_new(&site->config.headers, NULL, 0) != ERR_OK)
        err = diag_set(diag, ERR_MEMORY, "web: no memory for the site");
    if (err == ERR_OK && config->root_fd >= 0 && (site->open_files = open_files_new(config->root_fd)) == NULL)
        err = diag_set(diag, ERR_MEMORY, "web: no memory for the site");
    if (err == ERR_OK) err = start_uploads(site, diag);
    if (config->upload_quota > 0) close(config->quota_fd); /* the page is mapped */
    if (err != ERR_OK) {
        http_site_free(site);
        return err;
    }
    *out = site;
    return ERR_OK;
}

void http_site_set_counts(struct http_site *site, struct http_connection_counts (*read)(void *context), void *context)
{
    site->read_counts = read;
    site->counts_context = context;
}

void http_site_set_proxy(struct http_site *site, struct proxy *proxy)
{
    site->proxy = proxy;
}

void http_site_set_log(struct http_site *site, int fd)
{
    access_file_use(&site->log, fd);
}

int http_site_fd(const struct http_site *site)
{
    return site->committer != NULL ? committer_fd(site->committer) : -1;
}

void http_site_complete(struct http_site *site)
{
    if (site->committer != NULL) committer_complete(site->committer);
}

struct http_site_counters http_site_counters(const struct http_site *site)
{
    struct http_site_counters counters = site->counters;
    counters.access_lost = site->log.lost;
    return counters;
}

bool http_site_may_log(struct http_site *site)
{
    if (meter_count(&site->log_lines, clock_monotonic_ms()) == METER_FLOOD) {
        site->unlogged++;
        return false;
    }
    if (site->unlogged > 0)
        log_warning("too many requests to log them all withheld=%llu", (unsigned long long)site->unlogged);
    site->unlogged = 0;
    return true;
}

void http_site_log_line(struct http_site *site, const char *line)
{
    if (site->log.fd >= 0)
        access_file_write(&site->log, line);
    else
        log_raw(line);
}

void http_site_free(struct http_site *site)
{
    if (site == NULL) return;
    committer_stop(site->committer);
    upload_dir_close(&site->upload_dir);
    quota_close(&site->quota);
    header_table_free(site->config.headers);
    access_file_close(&site->log);
    open_files_free(site->open_files);
    if (site->config.root_fd >= 0) close(site->config.root_fd);
    if (site->config.uploads_fd >= 0) close(site->config.uploads_fd);
    free(site);
}
