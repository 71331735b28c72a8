/* What is served where: one const table. */
#ifndef KEYWARD_WEB_HTTP_ROUTE_H
#define KEYWARD_WEB_HTTP_ROUTE_H

#include "web/http/exchange.h"

struct route;

enum route_match { ROUTE_EXACT, ROUTE_PREFIX };

struct route {
    const char *path;
    enum route_match match;
    uint64_t methods; /* bits 1 << http_parser.h's enum http_method */
    const char *allow;
    bool quiet; /* asked for so often that only what goes wrong is logged */
    /* Called when the header section is complete; NULL: nothing to do before the body. */
    struct fault (*begin)(struct exchange *exchange);
    /* Called when the message is complete, unless begin has started an upload: sets the response. */
    struct fault (*answer)(struct exchange *exchange);
};

/* route_find returns the first row of the site's table that fits the path; never NULL. */
const struct route *route_find(const struct http_site *site, const char *path);

/* route_begin checks the method, and calls the row's begin. */
struct fault route_begin(const struct route *route, struct exchange *exchange);

struct fault route_answer(const struct route *route, struct exchange *exchange);

#endif
