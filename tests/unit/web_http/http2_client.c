#include "http2_client.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

struct rig rig;
struct client *client;

struct reply *reply_of(int32_t id)
{
    cr_assert(id > 0 && id / 2 < MAX_STREAMS);
    return &client->replies[id / 2];
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
    (void)session;
    (void)flags;
    (void)context;
    struct reply *reply = reply_of(frame->hd.stream_id);
    if (name_len == 7 && memcmp(name, ":status", 7) == 0) {
        unsigned status = (unsigned)atoi((const char *)value);
        if (status < 200)
            reply->interim = status;
        else
            reply->status = status;
    }
    if (name_len == 12 && memcmp(name, "content-type", 12) == 0)
        snprintf(reply->type, sizeof(reply->type), "%.*s", (int)value_len, (const char *)value);
    if (name_len == 5 && memcmp(name, "allow", 5) == 0)
        snprintf(reply->allow, sizeof(reply->allow), "%.*s", (int)value_len, (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *context)
{
    (void)session;
    (void)flags;
    (void)context;
    struct reply *reply = reply_of(id);
    for (size_t i = 0; i < len; i++) {
        if (reply->body_len < sizeof(reply->body) - 1) reply->body[reply->body_len] = (char)data[i];
        reply->body_len++;
        reply->body_hash = reply->body_hash * 31 + data[i];
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)session;
    (void)context;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        client->goaway = true;
        client->goaway_error = frame->goaway.error_code;
        client->goaway_last = frame->goaway.last_stream_id;
    }
    bool content = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (content && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) reply_of(frame->hd.stream_id)->ended = true;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *context)
{
    (void)session;
    (void)context;
    reply_of(id)->closed = true;
    reply_of(id)->error = error;
    return 0;
}

static void start_client(enum window window)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    client = calloc(1, sizeof(*client));
    cr_assert_not_null(client);
    cr_assert_eq(nghttp2_session_callbacks_new(&callbacks), 0);
    cr_assert_eq(nghttp2_option_new(&option), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option_set_no_auto_window_update(option, window == WINDOW_MANUAL);
    nghttp2_option_set_no_http_messaging(option, 1); /* it may send nonsense */
    nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
    nghttp2_option_set_peer_max_concurrent_streams(option, 100000);
    cr_assert_eq(nghttp2_session_client_new2(&client->session, callbacks, NULL, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    cr_assert_eq(nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

void restart(enum window window)
{
    if (client != NULL) nghttp2_session_del(client->session);
    free(client);
    rig_start_http2(&rig);
    start_client(window);
}

void http2_start(void)
{
    rig_init(&rig, &(struct rig_config){.root = true, .uploads = true, .max_upload_bytes = MAX_UPLOAD});
    restart(WINDOW_AUTO);
}

void end_notice(void)
{
    while (clock_monotonic_ms() < rig.session->ops->deadline(rig.session)) usleep(10000);
    rig.session->ops->expire(rig.session);
}

void http2_stop(void)
{
    nghttp2_session_del(client->session);
    free(client);
    client = NULL;
    rig_cleanup(&rig);
}

enum err exchange_pieces(size_t step)
{
    enum err result = ERR_OK;
    for (;;) {
        const uint8_t *data;
        ssize_t len = nghttp2_session_mem_send(client->session, &data);
        cr_assert_geq(len, 0);
        struct text in = {0};
        struct text out = {0};
        text_add(&in, data, (size_t)len);
        for (size_t at = 0; at < in.len && result == ERR_OK; at += step) {
            size_t piece = in.len - at < step ? in.len - at : step;
            result = rig.session->ops->receive(rig.session, (const uint8_t *)in.data + at, piece);
        }
        rig_pump(&rig, &out);
        if (out.len > 0) {
            ssize_t used = nghttp2_session_mem_recv(client->session, (const uint8_t *)out.data, out.len);
            cr_assert_eq(used, (ssize_t)out.len, "%s", nghttp2_strerror((int)used));
        }
        bool idle = in.len == 0 && out.len == 0;
        text_free(&in);
        text_free(&out);
        if (idle || result != ERR_OK) return result;
    }
}

enum err exchange_all(void)
{
    return exchange_pieces(1 << 20);
}

enum err send_all(void)
{
    const uint8_t *data;
    ssize_t len;
    enum err err = ERR_OK;
    while (err == ERR_OK && (len = nghttp2_session_mem_send(client->session, &data)) > 0)
        err = rig.session->ops->receive(rig.session, data, (size_t)len);
    return err;
}

void exchange_commit(void)
{
    cr_assert_eq(exchange_all(), ERR_OK);
    struct pollfd done = {.fd = http_site_fd(rig.site), .events = POLLIN};
    cr_assert_eq(poll(&done, 1, 10000), 1, "no commit comes");
    int wakes = rig.wakes;
    http_site_complete(rig.site);
    cr_assert_gt(rig.wakes, wakes, "a commit without a wake");
    cr_assert_eq(exchange_all(), ERR_OK);
}

int32_t submit(const char *method, const char *path, const nghttp2_nv *more, size_t num_more,
               const nghttp2_data_provider *body)
{
    nghttp2_nv fields[256] = {NV(":method", method), NV(":scheme", "https"), NV(":authority", "localhost:9000"),
                              NV(":path", path)};
    cr_assert_leq(num_more + 4, 256);
    if (num_more > 0) memcpy(fields + 4, more, num_more * sizeof(*more));
    int32_t id = nghttp2_submit_request(client->session, NULL, fields, 4 + num_more, body, NULL);
    cr_assert_gt(id, 0);
    return id;
}

const struct reply *ask(const char *method, const char *path)
{
    int32_t id = submit(method, path, NULL, 0, NULL);
    cr_assert_eq(exchange_all(), ERR_OK);
    return reply_of(id);
}
