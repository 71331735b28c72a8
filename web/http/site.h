/* What the HTTP sessions of one worker share: the directories, the limits, the counters, and the committer, a thread
 * that waits for the disk so that the event loop need not.
 *
 * For the worker:
 *   1. after sandbox_isolate and before sandbox_enter: http_site_open. It starts the committer's thread (only where
 *      there is an uploads directory), and that thread cuts itself off from everything but that directory before
 *      http_site_open returns: Landlock and capabilities are per thread, and sandbox_enter reaches only its caller
 *      with them; the system-call filter reaches both (SECCOMP_FILTER_FLAG_TSYNC).
 *   2. in the loop: watch http_site_fd for reading, and call http_site_complete when it is.
 *   3. when all sessions are freed: http_site_free.
 *
 * System calls that the filter must allow for this folder, beyond those of any process (read, write, close, brk, mmap
 * and mprotect without PROT_EXEC, munmap, exit, exit_group, rt_sigreturn, clock_gettime):
 *   openat2             a file of the root directory; seccomp cannot look into its struct open_how, Landlock is the
 *                       second wall
 *   openat              with O_CREAT|O_EXCL|O_WRONLY in argument 2: an upload's temporary file, relative to the
 *                       uploads directory (absolute paths: Landlock)
 *   newfstatat, fstat   glibc's fstat is newfstatat(fd, "", ..., AT_EMPTY_PATH)
 *   pread64             a file's bytes
 *   flock               marks a temporary file as alive; the committers of all workers take turns
 *   fsync, renameat, renameat2, unlinkat   the committer, and an upload's end
 *   lseek, getdents64   the committer counts the uploads directory for the quota
 *   getrandom           a temporary file's name, the boundary between several ranges
 *   futex               the committer's queue
 * In the thread that has been started, glibc may also use madvise, rt_sigprocmask, set_robust_list, rseq.
 * Landlock for the worker: SANDBOX_READ beneath the root directory, SANDBOX_READ_WRITE beneath the uploads directory
 * (files are made, renamed within the directory and removed). */
#ifndef KEYWARD_WEB_HTTP_SITE_H
#define KEYWARD_WEB_HTTP_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "web/http/access.h"
#include "web/http/header_table.h"

struct http_site;

struct http_site_config {
    int root_fd;    /* a directory, open for reading or O_PATH; -1: the built-in page */
    int uploads_fd; /* a directory, open for reading (it is fsynced, so not O_PATH); -1: no uploads */
    uint64_t max_upload_bytes;
    uint64_t upload_quota;        /* bytes in the uploads directory; 0: as many as there is room for */
    int quota_fd;                 /* only with a quota: LIMIT_QUOTA_PAGE bytes that all workers share, sealed */
    unsigned worker;              /* below LIMIT_WORKERS: which of them this is */
    bool spa;                     /* index.html for pages that are not there; only with a root */
    bool immutable;               /* names with a hash in them are kept for ever; only with a root */
    enum access_format access;    /* of the access log, which is on standard error until http_site_set_log */
    struct header_table *headers; /* on every answer; NULL: the defaults. The site's, like the descriptors */
    const struct http_monitored *monitored; /* NULL: a site for people. Stays the caller's, who may change it */
    uint32_t idle_timeout_ms;               /* between two requests of a connection; 0: DEADLINE_IDLE_MS */
};

struct http_site_counters {
    uint64_t requests; /* answered, refused ones included */
    uint64_t requests_refused;
    uint64_t browser_requests; /* that have begun to come by the browser's own listener */
    uint64_t responses[4];     /* 2xx to 5xx */
    uint64_t access_lost;      /* lines of the access log that its file did not take */
};

/* What a site shows that is there for monitors: /metrics and /healthz, and nothing else. */
struct http_monitored {
    char *text; /* /metrics, in Prometheus's format */
    size_t text_len;
    char fault[LIMIT_TEXT + 1]; /* /healthz: why it answers 503; empty: 200 */
};

/* http_site_open makes the site and starts the committer. The descriptors are the site's from here on, also when it
 * fails. ERR_SYSTEM or ERR_MEMORY with a diagnostic. */
MUST_CHECK enum err http_site_open(struct http_site **out, const struct http_site_config *config, struct diag *diag);

/* What the worker's connections have come to. The site itself does not see connections. */
struct http_connection_counts {
    uint64_t open;
    uint64_t handshakes; /* that were finished */
    uint64_t handshakes_failed;
};

/* http_site_set_counts says where the site finds them, for /api/get. context lives until the last session is freed. */
void http_site_set_counts(struct http_site *site, struct http_connection_counts (*read)(void *context), void *context);

struct proxy;

/* http_site_set_proxy gives the site the way to the applications, which is asked before anything that is served here. It
 * stays the caller's, and lives until the last session is freed. */
void http_site_set_proxy(struct http_site *site, struct proxy *proxy);

/* http_site_set_log has the access log written to this file, open for appending, in place of standard error or the file before. It is the
 * site's from here on. The format is not ACCESS_TEXT. */
void http_site_set_log(struct http_site *site, int fd);

/* http_site_fd returns the descriptor that is readable when commits are done; -1 if there are no uploads. It stays
 * the site's. */
int http_site_fd(const struct http_site *site);

/* http_site_complete hands finished commits to their sessions, which call session_host.wake. Never blocks. */
void http_site_complete(struct http_site *site);

struct http_site_counters http_site_counters(const struct http_site *site);

/* http_site_free ends the committer (it finishes what it has begun) and frees the site. No session may be left. NULL
 * is allowed. */
void http_site_free(struct http_site *site);

/* http_site_log_line writes a line of the access log, without its end: to the log's file, or to standard error. */
void http_site_log_line(struct http_site *site, const char *line);

#endif
