#include "web/setup.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "proto/link.h"

static struct link broker_link(int fd)
{
    return (struct link){.fd = fd, .role = LINK_BROKER_WEB, .end = LINK_LOWER};
}

static void add_dir(struct setup *setup, int fd, enum sandbox_access access)
{
    setup->dirs[setup->num_dirs++] = (struct sandbox_dir){.fd = fd, .access = access};
}

static enum access_format access_format(enum access_log access_log)
{
    switch (access_log) {
    case ACCESS_LOG_JSON: return ACCESS_JSON;
    case ACCESS_LOG_COMBINED: return ACCESS_COMBINED;
    case ACCESS_LOG_NONE: return ACCESS_NONE;
    case ACCESS_LOG_TEXT:
    case ACCESS_LOG_NUM: break;
    }
    return ACCESS_TEXT;
}

/* https://AUTHORITY, perhaps with a slash behind: what an application elsewhere knows itself as, and its certificate names. */
static void take_authority(struct proxy_route *route)
{
    const char *begin = strstr(route->upstream, "://");
    begin = begin != NULL ? begin + strlen("://") : route->upstream;
    snprintf(route->authority, sizeof route->authority, "%.*s", (int)strcspn(begin, "/"), begin);
}

static void take_proxies(struct proxy_config *out, const struct web_setup *message)
{
    out->deadlines = proxy_deadlines_default();
    for (size_t i = 0; i < message->num_proxies; i++) {
        struct proxy_route *route = &out->routes[out->num_routes++];
        snprintf(route->prefix, sizeof route->prefix, "%s", message->proxies[i].prefix);
        snprintf(route->upstream, sizeof route->upstream, "%s", message->proxies[i].upstream);
        route->tls = message->proxies[i].tls;
        if (route->tls) take_authority(route);
    }
}

static void take_streams(struct streams_config *out, const struct web_setup *message)
{
    out->access = access_format(message->access_log);
    out->connect_ms = DEADLINE_STREAM_CONNECT_MS;
    out->end_ms = DEADLINE_STREAM_END_MS;
    for (size_t i = 0; i < message->num_streams; i++) {
        struct stream_route *route = &out->routes[out->num_routes++];
        snprintf(route->address, sizeof route->address, "%s", message->streams[i].address);
        snprintf(route->upstream, sizeof route->upstream, "%s", message->streams[i].upstream);
        route->idle_ms = message->streams[i].idle_ms;
        route->proxy_protocol = message->streams[i].proxy_protocol;
    }
}

static enum err take(struct setup *out, const struct msg *msg, struct packet_extra *extra, int broker_fd)
{
    const struct web_setup *message = &msg->web_setup;
    char name[32];
    size_t num_dirs = (size_t)message->has_root + (size_t)message->has_uploads;
    out->id = msg->id;
    out->site = (struct http_site_config){
        .root_fd = message->has_root ? packet_extra_take(extra, 0) : -1,
        .uploads_fd = message->has_uploads ? packet_extra_take(extra, message->has_root ? 1 : 0) : -1,
        .max_upload_bytes = message->max_upload_bytes,
        .upload_quota = message->upload_quota,
        .quota_fd = message->upload_quota > 0 ? packet_extra_take(extra, num_dirs) : -1,
        .worker = message->worker,
        .access = access_format(message->access_log),
        .spa = message->spa,
        .immutable = message->immutable,
        .idle_timeout_ms = message->idle_timeout_ms,
    };
    out->worker = (struct worker_config){
        .broker_fd = broker_fd,
        .tls = {.tls12 = message->tls12, .groups = message->tls_groups, .suites = message->tls_suites},
        .deadlines = conn_deadlines_default(),
        .sign_ms = DEADLINE_SIGN_MS,
        .limits = message->limits,
    };
    take_proxies(&out->worker.proxy, message);
    take_streams(&out->worker.streams, message);
    if (message->has_root) add_dir(out, out->site.root_fd, SANDBOX_READ);
    if (message->has_uploads) add_dir(out, out->site.uploads_fd, SANDBOX_READ_WRITE);
    snprintf(name, sizeof name, "web[%u]", message->worker);
    log_open(name);
    log_set_style(message->log_style);
    return header_table_new(&out->site.headers, message->headers, message->num_headers);
}

enum err setup_receive(struct setup *out, int broker_fd, struct diag *diag)
{
    struct link link = broker_link(broker_fd);
    struct msg msg;
    struct packet_extra extra;
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    memset(out, 0, sizeof *out);
    if (arena == NULL) return diag_set(diag, ERR_MEMORY, "setup: no memory");
    enum err err = channel_wait(broker_fd, DEADLINE_START_MS);
    if (err == ERR_OK) err = link_recv(&link, &msg, &extra, arena);
    if (err != ERR_OK) {
        err = diag_set(diag, err, "setup: no WEB_SETUP on descriptor %d: %s; the broker starts web, people do not",
                       broker_fd, err_name(err));
    } else if (msg.kind != MSG_WEB_SETUP) {
        packet_extra_close(&extra);
        err = diag_set(diag, ERR_MALFORMED, "setup: the broker's first message is %s, not WEB_SETUP",
                       msg_kind_name(msg.kind));
    } else {
        err = take(out, &msg, &extra, broker_fd);
        if (err != ERR_OK) err = diag_set(diag, err, "setup: no memory");
    }
    codec_arena_free(arena);
    return err;
}

enum err setup_open_site(struct setup *setup, struct diag *diag)
{
    return http_site_open(&setup->worker.site, &setup->site, diag);
}

void setup_answer_failed(int broker_fd, uint64_t id, enum err err, const struct diag *diag)
{
    struct link link = broker_link(broker_fd);
    struct msg msg = {.kind = MSG_FAILED, .id = id, .failed = {.text = diag->text, .error = (uint32_t)err}};
    if (link_send(&link, &msg, NULL, 0) != ERR_OK) log_error("failed reason=%s", log_quote(diag->text));
}
