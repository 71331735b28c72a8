/* HTTP/2 clients that make work for its own sake. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "http2_client.h"

TestSuite(http2_flood, .init = http2_start, .fini = http2_stop);

static void expect_cut(const char *reason)
{
    char *log = rig_log(&rig);
    cr_expect_not_null(strstr(log, reason), "want '%s' in %s", reason, log);
    cr_expect_not_null(strstr(log, "connection refused peer='127.0.0.1:4000' error=ENHANCE_YOUR_CALM"));
    free(log);
    cr_expect(client->goaway);
    cr_expect_eq(client->goaway_error, NGHTTP2_ENHANCE_YOUR_CALM);
    cr_expect(rig_wants_close(&rig));
}

/* CVE-2023-44487: requests that are cancelled at once never count as concurrent. */
static int reset_rapidly(int count, uint32_t error)
{
    for (int i = 0; i < count; i++) {
        int32_t id = submit("GET", "/hello", NULL, 0, NULL);
        if (send_all() != ERR_OK) return i;
        cr_assert_eq(nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, id, error), 0);
        if ((rig.session->ops->wants(rig.session) & SESSION_READ) == 0) return i;
    }
    return count;
}

Test(http2_flood, stands_a_browser_that_leaves_a_page)
{
    cr_expect_eq(reset_rapidly(100, NGHTTP2_CANCEL), 100);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(ask("GET", "/hello")->status, 200);
}

Test(http2_flood, cuts_rapid_resets)
{
    int done = reset_rapidly(1000, NGHTTP2_CANCEL);
    cr_expect(done > 100 && done < 400, "%d", done);
    exchange_all();
    expect_cut("streams reset too fast");
}

Test(http2_flood, cuts_rapid_resets_that_name_no_error)
{
    int done = reset_rapidly(1000, NGHTTP2_NO_ERROR);
    cr_expect(done > 100 && done < 400, "%d", done);
    exchange_all();
    expect_cut("streams reset too fast");
}

/* Sends a frame again and again; says how many bytes the session took. */
static size_t repeat_frame(const char *frame, size_t frame_len, size_t max)
{
    static uint8_t piece[16384];
    size_t piece_len = sizeof(piece) / frame_len * frame_len;
    size_t sent = 0;
    for (size_t at = 0; at < piece_len; at += frame_len) memcpy(piece + at, frame, frame_len);
    cr_assert_eq(exchange_all(), ERR_OK);
    for (; sent < max && (rig.session->ops->wants(rig.session) & SESSION_READ) != 0; sent += piece_len)
        if (rig.session->ops->receive(rig.session, piece, piece_len) != ERR_OK) break;
    exchange_all();
    return sent;
}

Test(http2_flood, cuts_who_opens_windows_for_ever)
{
    size_t max = 20u << 20;
    cr_expect_lt(repeat_frame("\0\0\4\x8\0\0\0\0\0\0\0\0\1", 13, max), max);
    expect_cut("frames that carry nothing");
}

Test(http2_flood, cuts_who_speaks_in_frames_that_nobody_knows)
{
    size_t max = 20u << 20;
    cr_expect_lt(repeat_frame("\0\0\4\xbe\0\0\0\0\0what", 13, max), max);
    expect_cut("frames that carry nothing");
}

/* A table entry of 4 KiB, named again and again by one byte. */
Test(http2_flood, cuts_header_bombs)
{
    enum { VALUE = 3900 };
    struct text value = {0};
    text_fill(&value, 'b', VALUE);
    nghttp2_nv fields[200];
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) fields[i] = (nghttp2_nv)NV("a", value.data);
    int32_t id = submit("GET", "/hello", fields, 10, NULL);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(reply_of(id)->status, 431, "a little too long");
    submit("GET", "/hello", fields, 200, NULL);
    exchange_all();
    expect_cut("header section far too long");
    text_free(&value);
}

Test(http2_flood, cuts_ping_floods)
{
    for (int i = 0; i < 150; i++) {
        cr_assert_eq(nghttp2_submit_ping(client->session, NGHTTP2_FLAG_NONE, NULL), 0);
        cr_assert_eq(exchange_all(), ERR_OK);
    }
    cr_expect_not(client->goaway);
    for (int i = 0; i < 200; i++) nghttp2_submit_ping(client->session, NGHTTP2_FLAG_NONE, NULL);
    exchange_all();
    expect_cut("PING frames");
}

Test(http2_flood, cuts_settings_floods)
{
    for (int i = 0; i < 400 && !client->goaway; i++) {
        nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, NULL, 0);
        if (exchange_all() != ERR_OK) break;
    }
    expect_cut("SETTINGS frames");
}
