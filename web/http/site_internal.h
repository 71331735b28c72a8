/* The inside of struct http_site, for this folder alone. */
#ifndef KEYWARD_WEB_HTTP_SITE_INTERNAL_H
#define KEYWARD_WEB_HTTP_SITE_INTERNAL_H

#include "web/http/commit.h"
#include "web/http/site.h"

struct http_site {
    struct http_site_config config;
    struct http_site_counters counters;
    struct committer *committer; /* NULL: no uploads */
};

#endif
