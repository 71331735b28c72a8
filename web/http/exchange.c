#include "web/http/exchange.h"

#include <ctype.h>
#include <http_parser.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "web/http/route.h"
#include "web/http/site_internal.h"
#include "web/http/upload.h"
#include "web/proxy/relay.h"
#include "web/server_names.h"

void exchange_init(struct exchange *exchange, struct http_site *site, const struct session_peer *peer,
                   enum request_version version)
{
    *exchange = (struct exchange){.site = site, .peer = peer};
    request_init(&exchange->request, version);
    response_init(&exchange->response);
    request_id_make(exchange->response.request_id, &site->request_ids);
    exchange->request.keeps_agent = site->config.access == ACCESS_JSON || site->config.access == ACCESS_COMBINED;
    exchange->request.keeps_fields = site->proxy != NULL;
    exchange->body_limit = LIMIT_HTTP_BODY;
}

void exchange_listen(struct exchange *exchange, void (*ready)(void *context),
                     void (*interim)(void *context, const struct answer *answer), void *context)
{
    exchange->ready = ready;
    exchange->interim = interim;
    exchange->context = context;
}

void exchange_start(struct exchange *exchange)
{
    exchange->started_ms = clock_monotonic_ms();
    if (exchange->peer->browser) exchange->site->counters.browser_requests++;
}

/* HSTS holds for every port of a host: for localhost and bare addresses it would lock a developer out of whatever else
 * runs there (RFC 6797 ignores it for addresses anyway). */
static enum response_hsts hsts_for(const char *host)
{
    size_t len = strcspn(host, ":");
    static const char local[] = "localhost";
    const size_t local_len = sizeof(local) - 1;
    if (len == 0 || host[0] == '[' || strspn(host, "0123456789.") >= len) return RESPONSE_NO_HSTS;
    if (len >= local_len && strncasecmp(host + len - local_len, local, local_len) == 0 &&
        (len == local_len || host[len - local_len - 1] == '.'))
        return RESPONSE_NO_HSTS;
    return RESPONSE_HSTS;
}

static void finish_response(struct exchange *exchange)
{
    bool head = exchange->request.method == HTTP_HEAD;
    /* Never said without TLS (RFC 6797, 7.2). */
    enum response_hsts hsts =
        session_peer_is_private(exchange->peer) ? hsts_for(exchange->request.host) : RESPONSE_NO_HSTS;
    response_finish(&exchange->response, head ? RESPONSE_HEAD_ONLY : RESPONSE_WITH_BODY, exchange->site->config.headers,
                    hsts);
}

bool exchange_has_response(const struct exchange *exchange)
{
    return exchange->response.status != 0;
}

/* Those that are about what was asked for, not about how: the connection is as good as before. */
static enum exchange_after after_refusal(unsigned status)
{
    switch (status) {
    case HTTP_STATUS_FORBIDDEN:
    case HTTP_STATUS_NOT_FOUND:
    case HTTP_STATUS_METHOD_NOT_ALLOWED:
    case HTTP_STATUS_CONFLICT:
    case HTTP_STATUS_MISDIRECTED_REQUEST:
    case HTTP_STATUS_BAD_GATEWAY:
    case HTTP_STATUS_GATEWAY_TIMEOUT:
    case HTTP_STATUS_PRECONDITION_FAILED: return AFTER_KEEP;
    default: return AFTER_CLOSE;
    }
}

void exchange_refuse(struct exchange *exchange, struct fault fault)
{
    if (exchange_has_response(exchange)) return;
    if (fault.reason != NULL) {
        exchange->site->counters.requests_refused++;
        if (http_site_may_log(exchange->site))
            log_line("request refused peer=%s status=%u reason=%s id=%s", log_quote(exchange->peer->address),
                     fault.status, log_quote(fault.reason), exchange->response.request_id);
    }
    upload_abort(exchange->upload);
    exchange->upload = NULL;
    relay_free(exchange->relay);
    exchange->relay = NULL;
    exchange->after = after_refusal(fault.status);
    /* What follows a CONNECT may be meant for a tunnel. */
    if (exchange->request.method == HTTP_CONNECT) exchange->after = AFTER_CLOSE;
    response_set_error(&exchange->response, fault.status);
    if (fault.status == HTTP_STATUS_METHOD_NOT_ALLOWED && exchange->route != NULL)
        response_add(&exchange->response, "Allow", exchange->route->allow);
    finish_response(exchange);
}

/* The relay has an answer, or will never have one. */
static void take_answer(struct exchange *exchange)
{
    struct fault fault = relay_fault(exchange->relay);
    if (fault.status != 0) {
        exchange_refuse(exchange, fault);
    } else if (relay_answer(exchange->relay) != NULL) {
        response_set_relay(&exchange->response, exchange->relay);
        finish_response(exchange);
    }
}

static void relay_changed(void *context)
{
    struct exchange *exchange = context;
    if (!exchange_has_response(exchange)) take_answer(exchange);
    exchange->ready(exchange->context);
}

static void relay_interim(void *context, const struct answer *answer)
{
    struct exchange *exchange = context;
    if (!exchange_has_response(exchange)) exchange->interim(exchange->context, answer);
}

static struct fault begin_relay(struct exchange *exchange, uint32_t route)
{
    struct relay_request request = {
        .request = &exchange->request,
        .peer = exchange->peer,
        .request_id = exchange->response.request_id,
        .changed = relay_changed,
        .interim = relay_interim,
        .context = exchange,
    };
    /* It would show the client what it is said to be. */
    if (exchange->request.method == HTTP_TRACE) return (struct fault){HTTP_STATUS_NOT_IMPLEMENTED, "TRACE"};
    exchange->body_limit = UINT64_MAX; /* the application's to judge */
    enum err err = relay_begin(&exchange->relay, exchange->site->proxy, route, &request);
    if (err == ERR_OK) return (struct fault){0, NULL};
    if (err == ERR_INPUT) return (struct fault){HTTP_STATUS_BAD_REQUEST, "Connection too long"};
    return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "too many requests for applications, or no memory"};
}

/* An application, or one of our own routes. */
static struct fault begin_somewhere(struct exchange *exchange)
{
    const struct proxy *proxy = exchange->site->proxy;
    int relayed = proxy != NULL ? proxy_find(proxy, exchange->request.target.path) : -1;
    if (relayed >= 0) return begin_relay(exchange, (uint32_t)relayed);
    exchange->route = route_find(exchange->site, exchange->request.target.path);
    return route_begin(exchange->route, exchange);
}

/* RFC 9110, 7.4 and 15.5.20: a host that another certificate is for is not answered for under this one. */
static struct fault check_server(const struct exchange *exchange)
{
    const struct session_peer *peer = exchange->peer;
    if (peer->server_names == NULL ||
        !server_names_misdirected(peer->server_names, peer->server, exchange->request.host))
        return (struct fault){0, NULL};
    return (struct fault){HTTP_STATUS_MISDIRECTED_REQUEST, "the host is another certificate's than the connection's"};
}

void exchange_begin(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    struct fault fault = request_check(request);
    if (fault.status == 0) fault = check_server(exchange);
    if (fault.status == 0) fault = begin_somewhere(exchange);
    if (fault.status == 0 && request->num_lengths > 0 && request->length > exchange->body_limit)
        fault = (struct fault){HTTP_STATUS_PAYLOAD_TOO_LARGE, "Content-Length over the limit"};
    if (fault.status != 0) exchange_refuse(exchange, fault);
}

void exchange_body(struct exchange *exchange, struct bytes data)
{
    if (exchange->relay != NULL) {
        relay_body(exchange->relay, data);
        return;
    }
    if (exchange_has_response(exchange)) return;
    exchange->body_len += data.len;
    struct fault fault = {0, NULL};
    if (exchange->body_len > exchange->body_limit)
        fault = (struct fault){HTTP_STATUS_PAYLOAD_TOO_LARGE, "body over the limit"};
    else if (exchange->upload != NULL)
        fault = upload_write(exchange->upload, data);
    if (fault.status != 0) exchange_refuse(exchange, fault);
}

struct fault exchange_trailer(struct exchange *exchange, struct bytes name, struct bytes value)
{
    return exchange->relay != NULL ? relay_trailer(exchange->relay, name, value) : (struct fault){0, NULL};
}

bool exchange_is_relayed(const struct exchange *exchange)
{
    return exchange->relay != NULL;
}

bool exchange_wants_body(const struct exchange *exchange)
{
    return exchange->relay == NULL || relay_wants_body(exchange->relay);
}

size_t exchange_unsent(const struct exchange *exchange)
{
    return exchange->relay != NULL ? relay_unsent(exchange->relay) : 0;
}

bool exchange_has_more(const struct exchange *exchange)
{
    return exchange->relay == NULL || relay_has_content(exchange->relay);
}

static void upload_done(void *context, const struct commit *result)
{
    struct exchange *exchange = context;
    upload_abort(exchange->upload);
    exchange->upload = NULL;
    struct response *response = &exchange->response;
    switch (result->result) {
    case COMMIT_CREATED: response_set_text(response, HTTP_STATUS_CREATED, "text/plain", (struct bytes){NULL, 0}); break;
    case COMMIT_REPLACED: response->status = HTTP_STATUS_NO_CONTENT; break;
    case COMMIT_REFUSED:
    case COMMIT_FAILED: exchange_refuse(exchange, upload_fault(result)); break;
    }
    if (result->result == COMMIT_CREATED || result->result == COMMIT_REPLACED) {
        memcpy(response->etag, result->etag, sizeof(response->etag));
        response_add(response, "ETag", response->etag);
        finish_response(exchange);
    }
    exchange->ready(exchange->context);
}

void exchange_end(struct exchange *exchange)
{
    if (exchange->relay != NULL) {
        relay_body_end(exchange->relay);
        return;
    }
    if (exchange_has_response(exchange)) return;
    if (exchange->upload != NULL) {
        upload_commit(exchange->upload, upload_done, exchange);
        return;
    }
    struct fault fault = route_answer(exchange->route, exchange);
    if (fault.status != 0)
        exchange_refuse(exchange, fault);
    else
        finish_response(exchange);
}

static const char *version_name(enum request_version version)
{
    switch (version) {
    case VERSION_HTTP10: return "HTTP/1.0";
    case VERSION_HTTP11: return "HTTP/1.1";
    case VERSION_HTTP2: return "HTTP/2";
    }
    return "";
}

static void log_text(const struct access_record *record)
{
    log_line("request peer=%s method=%s path=%s status=%u bytes=%llu protocol=%s subject=%s ms=%llu id=%s",
             log_quote(record->peer), record->method, log_quote(record->path), record->status,
             (unsigned long long)record->bytes, record->protocol, log_quote(record->subject),
             (unsigned long long)record->duration_ms, record->request_id);
}

static void log_access(struct exchange *exchange)
{
    const struct request *request = &exchange->request;
    struct access_record record = {
        .time_ms = clock_wall_ms(),
        .duration_ms = clock_monotonic_ms() - exchange->started_ms,
        .peer = exchange->peer->address,
        .subject = exchange->peer->certificate.subject,
        .serial = exchange->peer->certificate.serial,
        .method = request_method_name(request),
        .path = request->target.path,
        .protocol = version_name(request->version),
        .status = exchange->response.status,
        .bytes = exchange->response.given,
        .referer = request->referer,
        .user_agent = request->user_agent,
    };
    char line[ACCESS_LINE];
    memcpy(record.request_id, exchange->response.request_id, sizeof(record.request_id));
    switch (exchange->site->config.access) {
    case ACCESS_TEXT: log_text(&record); return;
    case ACCESS_JSON: access_json(line, &record); break;
    case ACCESS_COMBINED: access_combined(line, &record); break;
    case ACCESS_NONE: return;
    }
    http_site_log_line(exchange->site, line);
}

void exchange_cleanup(struct exchange *exchange)
{
    if (exchange->started_ms != 0) {
        struct http_site_counters *counters = &exchange->site->counters;
        const unsigned class = exchange->response.status / 100;
        counters->requests++;
        if (class >= 2 && class <= 5) counters->responses[class - 2]++;
        const bool quiet = exchange->route != NULL && exchange->route->quiet && class == 2;
        bool wanted = exchange->site->config.access != ACCESS_NONE && !quiet;
        /* A file takes every line; what is on standard error passes through others' hands. */
        if (wanted && (exchange->site->log.fd >= 0 || http_site_may_log(exchange->site))) log_access(exchange);
    }
    upload_abort(exchange->upload);
    exchange->upload = NULL;
    relay_free(exchange->relay);
    exchange->relay = NULL;
    request_cleanup(&exchange->request);
    response_reset(&exchange->response);
}
