/* The inside of struct http_site, for this folder alone. */
#ifndef KEYWARD_WEB_HTTP_SITE_INTERNAL_H
#define KEYWARD_WEB_HTTP_SITE_INTERNAL_H

#include <stdbool.h>

#include "web/http/access_file.h"
#include "web/http/commit.h"
#include "web/http/meter.h"
#include "web/http/open_files.h"
#include "web/http/site.h"

struct http_site {
    struct http_site_config config;
    struct http_site_counters counters;
    struct http_connection_counts (*read_counts)(void *context); /* NULL: nobody has said */
    void *counts_context;
    struct open_files *open_files; /* NULL: there is no root directory */
    struct upload_dir upload_dir;
    struct quota quota;
    struct proxy *proxy;         /* NULL: there are no applications */
    struct committer *committer; /* NULL: no uploads */
    size_t num_uploads;          /* those that have a file open, the committer's included */
    struct request_ids request_ids;
    struct access_file log; /* -1: standard error */
    struct meter log_lines;
    uint64_t unlogged; /* lines since the last that was written */
};

/* http_site_may_log says whether a peer may cause one more log line. Of those that it may not, the next line that is
 * written tells the number. */
bool http_site_may_log(struct http_site *site);

#endif
