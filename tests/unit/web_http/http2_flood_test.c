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

/* A header section in pieces, none of which ends it: each is read, and no limit on what it says is reached. */
static enum err send_continuations(size_t count)
{
    static const char headers[] = "\0\0\0\1\1\0\0\0\1";
    static const char piece[] = "\0\0\0\x9\0\0\0\0\1";
    cr_assert_eq(exchange_all(), ERR_OK);
    enum err err = rig.session->ops->receive(rig.session, (const uint8_t *)headers, 9);
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = rig.session->ops->receive(rig.session, (const uint8_t *)piece, 9);
    return err;
}

Test(http2_flood, cuts_continuation_floods)
{
    cr_expect_eq(send_continuations(LIMIT_H2_CONTINUATIONS), ERR_OK);
    restart(WINDOW_AUTO);
    cr_expect_neq(send_continuations(LIMIT_H2_CONTINUATIONS + 1), ERR_OK);
    cr_expect_eq(rig.session->ops->wants(rig.session), (unsigned)SESSION_CLOSE);
    char *log = rig_log(&rig);
    cr_expect_not_null(strstr(log, "connection refused peer='127.0.0.1:4000' error="), "%s", log);
    free(log);
}

/* CVE-2025-8671: the client does not reset its streams, it makes the server do so. */
Test(http2_flood, cuts_who_makes_the_server_reset)
{
    int done = 0;
    cr_assert_eq(exchange_all(), ERR_OK);
    for (; done < 1000 && (rig.session->ops->wants(rig.session) & SESSION_READ) != 0; done++) {
        int32_t id = submit("GET", "/hello", NULL, 0, NULL);
        if (send_all() != ERR_OK) break;
        /* A window of more than 2^31 - 1 bytes (RFC 9113, 6.9.1). */
        uint8_t window[] = {0, 0, 4, 8, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id, 0x7f, 0xff, 0xff, 0xff};
        if (rig.session->ops->receive(rig.session, window, sizeof(window)) != ERR_OK) break;
        exchange_all();
    }
    cr_expect(done > 100 && done < 400, "%d", done);
    exchange_all();
    expect_cut("streams reset too fast");
}

/* It opens its own windows: padding counts as content there. */
Test(http2_flood, cuts_who_fills_frames_with_padding)
{
    static uint8_t padded[9 + 256] = {0, 1, 0, 0, 8, 0, 0, 0, 1, 255};
    size_t max = 20u << 20, sent = 0;
    nghttp2_nv fields[] = {NV(":method", "PUT"), NV(":scheme", "https"), NV(":authority", "a"),
                           NV(":path", "/upload/x")};
    cr_assert_eq(nghttp2_submit_headers(client->session, NGHTTP2_FLAG_NONE, -1, NULL, fields, 4, NULL), 1);
    cr_assert_eq(exchange_all(), ERR_OK);
    for (; sent < max && !client->goaway; sent += sizeof(padded)) {
        if (rig.session->ops->receive(rig.session, padded, sizeof(padded)) != ERR_OK) break;
        exchange_all();
    }
    cr_expect_lt(sent, max);
    expect_cut("frames that carry nothing");
}

Test(http2_flood, cuts_who_sets_priorities_for_ever)
{
    size_t max = 20u << 20;
    cr_expect_lt(repeat_frame("\0\0\5\2\0\0\0\0\3\0\0\0\0\x10", 14, max), max);
    expect_cut("frames that carry nothing");
}

static int32_t begin_upload(void)
{
    nghttp2_nv fields[] = {NV(":method", "PUT"), NV(":scheme", "https"), NV(":authority", "a"),
                           NV(":path", "/upload/x")};
    int32_t id = nghttp2_submit_headers(client->session, NGHTTP2_FLAG_NONE, -1, NULL, fields, 4, NULL);
    cr_assert_eq(exchange_all(), ERR_OK);
    return id;
}

/* CVE-2019-9518: frames of a body that never get it on. */
Test(http2_flood, cuts_who_sends_data_frames_with_nothing_in_them)
{
    static const char frame[] = "\0\0\0\0\0\0\0\0\1";
    cr_assert_eq(begin_upload(), 1);
    for (int i = 0; i < 150; i++)
        cr_assert_eq(rig.session->ops->receive(rig.session, (const uint8_t *)frame, 9), ERR_OK);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_not(client->goaway);
    size_t max = 20u << 20;
    cr_expect_lt(repeat_frame(frame, 9, max), max);
    expect_cut("empty DATA frames");
}

/* What is behind a body counts with what was before it. */
Test(http2_flood, cuts_header_bombs_behind_a_body)
{
    enum { VALUE = 3900, NUM = 40 };
    struct text value = {0};
    text_fill(&value, 'b', VALUE);
    nghttp2_nv fields[NUM];
    for (size_t i = 0; i < NUM; i++) fields[i] = (nghttp2_nv)NV("a", value.data);
    int32_t id = begin_upload();
    nghttp2_submit_headers(client->session, NGHTTP2_FLAG_END_STREAM, id, NULL, fields, NUM, NULL);
    exchange_all();
    expect_cut("header section far too long");
    text_free(&value);
}

/* Answers to PINGs that nobody has sent. */
Test(http2_flood, cuts_who_answers_unasked)
{
    size_t max = 20u << 20;
    cr_expect_lt(repeat_frame("\0\0\x8\6\1\0\0\0\0whatever", 17, max), max);
    expect_cut("PING frames");
}

/* RFC 7541, 4.2: changes of the table's size make work and no field; a request without fields is none, and its stream is reset. */
Test(http2_flood, cuts_who_changes_the_tables_size_for_ever)
{
    enum { CHANGES = 8192 };
    static uint8_t frame[9 + CHANGES] = {0, CHANGES >> 8, 0, 1, 5};
    struct text out = {0};
    int done = 0;
    memset(frame + 9, 0x20, CHANGES);
    cr_assert_eq(exchange_all(), ERR_OK);
    for (; done < 1000 && (rig.session->ops->wants(rig.session) & SESSION_READ) != 0; done++) {
        frame[7] = (uint8_t)((2 * done + 1) >> 8);
        frame[8] = (uint8_t)(2 * done + 1);
        if (rig.session->ops->receive(rig.session, frame, sizeof(frame)) != ERR_OK) break;
        rig_pump(&rig, &out); /* not to the client, which knows nothing of these streams */
    }
    cr_expect(done > 100 && done < 400, "%d", done);
    cr_expect(rig_wants_close(&rig));
    char *log = rig_log(&rig);
    cr_expect_not_null(strstr(log, "streams reset too fast"), "%s", log);
    free(log);
    text_free(&out);
}

Test(http2_flood, limits_settings_entries)
{
    for (size_t over = 0; over <= 1; over++) {
        nghttp2_settings_entry entries[LIMIT_H2_SETTINGS + 1];
        for (size_t i = 0; i <= LIMIT_H2_SETTINGS; i++)
            entries[i] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 65535};
        restart(WINDOW_AUTO);
        cr_assert_eq(exchange_all(), ERR_OK);
        nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, entries, LIMIT_H2_SETTINGS + over);
        exchange_all();
        cr_expect_eq(rig_wants_close(&rig), over);
    }
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
