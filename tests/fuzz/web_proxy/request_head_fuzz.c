/* Any bytes as a client's request head, and what an application is sent of it. An application that reads lines without care
 * sees one request, framed once, and of who the client is only what the server says. The first byte says whether the client
 * is known. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz_site.h"
#include "web/http/http1_head.h"
#include "web/http/http1_scan.h"
#include "web/proxy/request_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct session_peer known = {
    .certificate = {.subject = "CN=a\r\nX-Client-Cert-Serial: 2", .serial = "01", .fingerprint = "ab"},
    .leaf = {(const uint8_t *)"leaf", 4},
    .address = "[::1]:1",
    .protocol = "TLSv1.3",
};

/* What is only the server's to say: how often it does to a client that is known, and to another. Once its value was cut to
 * letters, digits and hyphens, a name that begins so is the client's attempt. */
static const struct own {
    const char *name;
    unsigned known, unknown;
} owns[] = {
    {"client-cert", 1, 0},
    {"client-cert-chain", 0, 0},
    {"x-client-cert-verified", 1, 1},
    {"x-client-cert-serial", 1, 0},
    {"x-client-cert-subject", 1, 0},
    {"x-client-cert-fingerprint", 1, 0},
    {"forwarded", 1, 1},
    {"x-forwarded-for", 1, 1},
    {"x-forwarded-proto", 1, 1},
    {"x-real-ip", 0, 0},
    {"x-request-id", 1, 1},
    {"host", 1, 1},
    {"proxy", 0, 0},
};
enum { NUM_OWNS = sizeof(owns) / sizeof(owns[0]) };

struct seen {
    unsigned owns[NUM_OWNS];
    unsigned lengths, codings, connections, upgrades, tes, trailers;
};

static bool is_same(const char *name, size_t len, const char *other)
{
    if (len != strlen(other)) return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        if ((isalnum(c) ? tolower(c) : '-') != other[i]) return false;
    }
    return true;
}

static void see_field(struct seen *seen, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    CHECK(colon != NULL && colon > line);
    size_t name_len = (size_t)(colon - line);
    for (size_t i = 0; i < name_len; i++) CHECK(line[i] > ' ' && line[i] != 0x7f);
    for (size_t i = 0; i < NUM_OWNS; i++) seen->owns[i] += is_same(line, name_len, owns[i].name);
    seen->lengths += is_same(line, name_len, "content-length");
    seen->codings += is_same(line, name_len, "transfer-encoding");
    seen->connections += is_same(line, name_len, "connection");
    seen->upgrades += is_same(line, name_len, "upgrade");
    seen->tes += is_same(line, name_len, "te");
    seen->trailers += is_same(line, name_len, "trailer");
}

static void see_request_line(const char *line, size_t len)
{
    static const char version[] = " HTTP/1.1";
    CHECK(len > sizeof(version) && memcmp(line + len - strlen(version), version, strlen(version)) == 0);
    size_t spaces = 0;
    for (size_t i = 0; i < len; i++) {
        CHECK((unsigned char)line[i] >= ' ' && line[i] != 0x7f);
        spaces += line[i] == ' ';
    }
    CHECK(spaces == 2);
}

/* Reads lines as one does who ends them at any CR, LF or NUL. */
static void see(struct seen *seen, const char *text, size_t len)
{
    size_t at = 0;
    for (unsigned num = 0;; num++) {
        size_t end = at;
        while (end < len && text[end] != '\r' && text[end] != '\n' && text[end] != '\0') end++;
        CHECK(len - end >= 2 && memcmp(text + end, "\r\n", 2) == 0);
        if (end == at) break;
        if (num == 0)
            see_request_line(text + at, end - at);
        else
            see_field(seen, text + at, end - at);
        at = end + 2;
    }
    CHECK(at + 2 == len);
}

static void check(const struct request *request, const struct session_peer *peer, struct bytes head)
{
    struct seen seen = {0};
    see(&seen, (const char *)head.data, head.len);
    for (size_t i = 0; i < NUM_OWNS; i++) CHECK(seen.owns[i] == (peer == &known ? owns[i].known : owns[i].unknown));
    enum request_head_body body = request_head_body(request);
    CHECK(seen.codings == (body == REQUEST_HEAD_CHUNKED ? 1 : 0));
    CHECK(body != REQUEST_HEAD_LENGTH || seen.lengths == 1);
    CHECK(seen.lengths + seen.codings <= 1);
    CHECK(seen.upgrades == (request_head_is_upgrade(request) ? 1 : 0));
    CHECK(seen.connections == seen.upgrades + seen.tes && seen.connections <= 1);
    CHECK(seen.trailers == 0 || body == REQUEST_HEAD_CHUNKED);
}

/* Takes the head as http1.c does. Returns 0 if it is one, or the status that refuses it. */
static unsigned read_head(struct exchange *exchange, const struct session_peer *peer, struct bytes data)
{
    struct http1_message message;
    struct scan scan;
    size_t len;
    exchange_init(exchange, fuzz_site(), peer, VERSION_HTTP11);
    exchange->request.keeps_fields = true; /* as where there are applications */
    scan_start(&scan, SCAN_HEAD);
    struct fault fault = scan_bytes(&scan, data, &len);
    if (fault.status != 0 || !scan.done) return fault.status != 0 ? fault.status : HTTP_STATUS_BAD_REQUEST;
    uint8_t *head = malloc(len);
    CHECK(head != NULL);
    memcpy(head, data.data, len);
    http1_message_init(&message, exchange);
    fault = http1_message_head(&message, head, len);
    free(head);
    exchange->request.has_body = request_framing(&exchange->request) != FRAMING_NONE;
    return fault.status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct exchange exchange, again;
    struct buffer out = {0};
    if (size < 1) return 0;
    const struct session_peer *peer = data[0] % 2 != 0 ? &known : fuzz_peer();
    if (read_head(&exchange, peer, (struct bytes){data + 1, size - 1}) == 0 &&
        request_head_write(&out, &exchange.request, peer, "0123", "") == ERR_OK) {
        check(&exchange.request, peer, buffer_left(&out));
        /* And whoever reads it as this server does, sees the same request, if he takes so much. */
        unsigned refused = read_head(&again, peer, buffer_left(&out));
        CHECK(refused == 0 || refused == HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE);
        CHECK(refused != 0 ||
              (again.request.method == exchange.request.method && again.request.length == exchange.request.length));
        CHECK(refused != 0 || strcmp(again.request.target.raw, exchange.request.target.raw) == 0);
        exchange_cleanup(&again);
    }
    exchange_cleanup(&exchange);
    buffer_free(&out);
    return 0;
}
