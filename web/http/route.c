#include "web/http/route.h"

#include <http_parser.h>
#include <string.h>

#include "web/http/api.h"
#include "web/http/files.h"
#include "web/http/monitor.h"
#include "web/http/page.h"
#include "web/http/site_internal.h"
#include "web/http/upload.h"

#define UPLOAD_PREFIX "/upload/"

static const struct fault ok;

static struct fault answer_hello(struct exchange *exchange)
{
    static const char hello[] = "Hello World\n";
    response_set_text(&exchange->response, HTTP_STATUS_OK, "text/plain; charset=utf-8",
                      (struct bytes){(const uint8_t *)hello, sizeof(hello) - 1});
    response_add(&exchange->response, "Cache-Control", "no-cache");
    return ok;
}

/* What watch.js asks for: whether there is an answer, and, where it says for how long it had none, a line in the log. */
static struct fault answer_nothing(struct exchange *exchange)
{
    exchange->response.status = HTTP_STATUS_NO_CONTENT;
    response_add(&exchange->response, "Cache-Control", "no-store");
    return ok;
}

static struct fault begin_upload(struct exchange *exchange)
{
    struct http_site *site = exchange->site;
    const char *name = exchange->request.target.path + strlen(UPLOAD_PREFIX);
    if (!session_peer_is_known(exchange->peer))
        return (struct fault){HTTP_STATUS_FORBIDDEN, "uploads need a client certificate"};
    if (site->committer == NULL) return (struct fault){HTTP_STATUS_FORBIDDEN, "uploads are not enabled"};
    if (!upload_name_is_valid(name)) return (struct fault){HTTP_STATUS_BAD_REQUEST, "bad upload name"};
    exchange->body_limit = site->config.max_upload_bytes;
    if (exchange->request.num_lengths > 0 && exchange->request.length > exchange->body_limit)
        return (struct fault){HTTP_STATUS_PAYLOAD_TOO_LARGE, "Content-Length over the limit"};
    /* RFC 9110, 14.5: who sends a part must not find it stored as the whole. */
    if (exchange->request.has_content_range) return (struct fault){HTTP_STATUS_BAD_REQUEST, "upload of a part"};
    return upload_begin(&exchange->upload, site, name, &exchange->request);
}

/* Never reached: an upload that has begun ends in a commit. */
static struct fault answer_upload(struct exchange *exchange)
{
    (void)exchange;
    return (struct fault){HTTP_STATUS_INTERNAL_SERVER_ERROR, "upload without a file"};
}

static struct fault answer_content(struct exchange *exchange)
{
    return exchange->site->config.root_fd >= 0 ? files_answer(exchange) : page_answer(exchange);
}

#define BIT(method) (UINT64_C(1) << (method))
#define READ_METHODS (BIT(HTTP_GET) | BIT(HTTP_HEAD)), "GET, HEAD"
#define UPLOAD_METHODS BIT(HTTP_PUT), "PUT"

static const struct route routes[] = {
    {"/hello", ROUTE_EXACT, READ_METHODS, false, NULL, answer_hello},
    {"/api/get", ROUTE_EXACT, READ_METHODS, false, NULL, api_answer},
    {"/keyward/alive", ROUTE_EXACT, READ_METHODS, true, NULL, answer_nothing},
    {"/keyward/back/", ROUTE_PREFIX, READ_METHODS, false, NULL, answer_nothing},
    {"/keyward/", ROUTE_PREFIX, READ_METHODS, false, NULL, page_answer},
    {UPLOAD_PREFIX, ROUTE_PREFIX, UPLOAD_METHODS, false, begin_upload, answer_upload},
    {"", ROUTE_PREFIX, READ_METHODS, false, NULL, answer_content},
};

static const struct route monitor_routes[] = {
    {"/metrics", ROUTE_EXACT, READ_METHODS, false, NULL, monitor_metrics},
    {"/healthz", ROUTE_EXACT, READ_METHODS, false, NULL, monitor_health},
    {"", ROUTE_PREFIX, READ_METHODS, false, NULL, monitor_nothing},
};

static bool matches(const struct route *route, const char *path)
{
    if (route->match == ROUTE_EXACT) return strcmp(path, route->path) == 0;
    return strncmp(path, route->path, strlen(route->path)) == 0;
}

const struct route *route_find(const struct http_site *site, const char *path)
{
    const struct route *route = site->config.monitored != NULL ? monitor_routes : routes;
    while (!matches(route, path)) route++; /* the last row fits everything */
    return route;
}

struct fault route_begin(const struct route *route, struct exchange *exchange)
{
    if ((route->methods & BIT(exchange->request.method)) == 0)
        return (struct fault){HTTP_STATUS_METHOD_NOT_ALLOWED, "method not allowed here"};
    return route->begin != NULL ? route->begin(exchange) : ok;
}

struct fault route_answer(const struct route *route, struct exchange *exchange)
{
    return route->answer(exchange);
}
