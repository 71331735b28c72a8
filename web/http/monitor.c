#include "web/http/monitor.h"

#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/http/site_internal.h"

static const struct fault ok;

/* The text is copied, for what is monitored may change while the response is given. */
static struct fault answer(struct exchange *exchange, unsigned status, const char *type, struct bytes text)
{
    struct response *response = &exchange->response;
    response->owned = malloc(text.len + 1);
    if (response->owned == NULL) return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory for the answer"};
    if (text.len > 0) memcpy(response->owned, text.data, text.len);
    response_set_text(response, status, type, (struct bytes){response->owned, text.len});
    response_add(response, "Cache-Control", "no-store");
    exchange->after = AFTER_CLOSE;
    return ok;
}

struct fault monitor_metrics(struct exchange *exchange)
{
    const struct http_monitored *monitored = exchange->site->config.monitored;
    return answer(exchange, HTTP_STATUS_OK, "text/plain; version=0.0.4; charset=utf-8",
                  (struct bytes){(const uint8_t *)monitored->text, monitored->text_len});
}

struct fault monitor_health(struct exchange *exchange)
{
    const struct http_monitored *monitored = exchange->site->config.monitored;
    const bool healthy = monitored->fault[0] == '\0';
    char line[LIMIT_TEXT + 2];
    int len = snprintf(line, sizeof line, "%s\n", healthy ? "ok" : monitored->fault);
    return answer(exchange, healthy ? HTTP_STATUS_OK : HTTP_STATUS_SERVICE_UNAVAILABLE, "text/plain; charset=utf-8",
                  (struct bytes){(const uint8_t *)line, (size_t)len});
}

struct fault monitor_nothing(struct exchange *exchange)
{
    exchange->after = AFTER_CLOSE;
    return (struct fault){HTTP_STATUS_NOT_FOUND, NULL};
}
