#include "web/proxy/request_head.h"

#include <http_parser.h>
#include <openssl/base64.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "web/proxy/fields.h"

/* All that this file adds, and a head within its limits. */
#define MAX_HEAD ((size_t)LIMIT_HTTP_TARGET + LIMIT_HTTP_HEADER + 2 * LIMIT_CERTIFICATE + 4096)

struct writer {
    struct buffer *out;
    enum err err;
};

static void put_bytes(struct writer *writer, const char *text, size_t len)
{
    if (writer->err != ERR_OK) return;
    writer->err = buffer_append(writer->out, (struct bytes){(const uint8_t *)text, len}, MAX_HEAD);
}

static void put(struct writer *writer, const char *text)
{
    put_bytes(writer, text, strlen(text));
}

static void put_field(struct writer *writer, const char *name, const char *value)
{
    put(writer, name);
    put(writer, ": ");
    put(writer, value);
    put(writer, "\r\n");
}

/* A certificate's text may hold what ends a line. */
static void put_text_field(struct writer *writer, const char *name, const char *value)
{
    char clean[LIMIT_SUBJECT + 1];
    size_t len = strnlen(value, LIMIT_SUBJECT);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        clean[i] = c < 0x20 || c == 0x7f ? '?' : value[i];
    }
    clean[len] = '\0';
    put_field(writer, name, clean);
}

enum request_head_body request_head_body(const struct request *request)
{
    if (!request->has_body) return REQUEST_HEAD_NO_BODY;
    return request->num_lengths > 0 ? REQUEST_HEAD_LENGTH : REQUEST_HEAD_CHUNKED;
}

static bool wants_length(const struct request *request)
{
    return request->num_lengths > 0 || request->method == HTTP_POST || request->method == HTTP_PUT ||
           request->method == HTTP_PATCH;
}

static void put_framing(struct writer *writer, const struct request *request)
{
    char length[24];
    enum request_head_body body = request_head_body(request);
    /* Whether the body is wanted, who takes it says (RFC 9110, 10.1.1). */
    if (body != REQUEST_HEAD_NO_BODY && request->expect_continue) put_field(writer, "Expect", "100-continue");
    switch (body) {
    case REQUEST_HEAD_CHUNKED: put_field(writer, "Transfer-Encoding", "chunked"); return;
    case REQUEST_HEAD_NO_BODY:
        if (wants_length(request)) put_field(writer, "Content-Length", "0");
        return;
    case REQUEST_HEAD_LENGTH:
        snprintf(length, sizeof(length), "%llu", (unsigned long long)request->length);
        put_field(writer, "Content-Length", length);
        return;
    }
}

enum err request_head_nominate(struct fields_nominated *nominated, const struct request *request)
{
    struct request_kept field = {NULL, NULL};
    while (request_next_field(request, &field)) {
        if (strcasecmp(field.name, "connection") == 0 && !fields_nominate(nominated, field.value)) return ERR_INPUT;
    }
    return ERR_OK;
}

bool request_head_is_upgrade(const struct request *request)
{
    struct fields_nominated nominated = {{0}, 0};
    struct request_kept field = {NULL, NULL};
    size_t num_upgrades = 0, num_websockets = 0;
    if (request->version != VERSION_HTTP11 || request->method != HTTP_GET || request->has_body) return false;
    if (request_head_nominate(&nominated, request) != ERR_OK || !fields_is_nominated(&nominated, "upgrade"))
        return false;
    while (request_next_field(request, &field)) {
        if (strcasecmp(field.name, "upgrade") != 0) continue;
        num_upgrades++;
        if (strcasecmp(field.value, "websocket") == 0) num_websockets++;
    }
    return num_upgrades == 1 && num_websockets == 1;
}

/* HTTP/2 may split the Cookie field; HTTP/1.1 has one (RFC 9113, 8.2.3). */
static void put_cookies(struct writer *writer, const struct request *request)
{
    struct request_kept field = {NULL, NULL};
    const char *before = "Cookie: ";
    while (request_next_field(request, &field)) {
        if (strcasecmp(field.name, "cookie") != 0) continue;
        put(writer, before);
        put(writer, field.value);
        before = "; ";
    }
    if (before[0] == ';') put(writer, "\r\n");
}

/* What is going to be behind the body is only worth saying where it can be. */
static bool passes(const struct request *request, const struct fields_nominated *nominated, const char *name)
{
    if (strcasecmp(name, "trailer") != 0) return fields_request_passes(nominated, name);
    return request_head_body(request) == REQUEST_HEAD_CHUNKED && !fields_is_nominated(nominated, name);
}

static void put_clients_fields(struct writer *writer, const struct request *request,
                               const struct fields_nominated *nominated)
{
    struct request_kept field = {NULL, NULL};
    while (request_next_field(request, &field)) {
        if (strcasecmp(field.name, "cookie") == 0 || !passes(request, nominated, field.name)) continue;
        put_field(writer, field.name, field.value);
    }
    if (!fields_is_nominated(nominated, "cookie")) put_cookies(writer, request);
}

/* The address without its port, and with the brackets of IPv6. */
static void host_of_peer(char *out, size_t out_len, const struct session_peer *peer)
{
    const char *colon = strrchr(peer->address, ':');
    size_t len = colon != NULL ? (size_t)(colon - peer->address) : strlen(peer->address);
    snprintf(out, out_len, "%.*s", (int)len, peer->address);
}

/* RFC 7239, 4: an IPv6 address has brackets and is quoted, a host with a port is quoted. X-Forwarded-For has neither. */
static void put_forwarded(struct writer *writer, const struct request *request, const struct session_peer *peer)
{
    char address[sizeof(peer->address)];
    char forwarded[sizeof(address) + sizeof(request->host) + 64];
    host_of_peer(address, sizeof(address), peer);
    const char *proto = session_peer_is_private(peer) ? "https" : "http";
    snprintf(forwarded, sizeof(forwarded), "for=\"%s\"%s%s%s;proto=%s", address,
             request->host[0] != '\0' ? ";host=\"" : "", request->host, request->host[0] != '\0' ? "\"" : "", proto);
    put_field(writer, "Forwarded", forwarded);
    if (address[0] == '[') address[strcspn(address, "]")] = '\0';
    put_field(writer, "X-Forwarded-For", address[0] == '[' ? address + 1 : address);
    put_field(writer, "X-Forwarded-Proto", proto);
    if (request->host[0] != '\0') put_field(writer, "X-Forwarded-Host", request->host);
    put_field(writer, "Via",
              request->version == VERSION_HTTP2    ? "2.0 keyward"
              : request->version == VERSION_HTTP10 ? "1.0 keyward"
                                                   : "1.1 keyward");
}

/* RFC 9440, 2.2: the DER as a byte sequence (RFC 8941, 3.3.5). */
static void put_certificate(struct writer *writer, struct bytes leaf)
{
    size_t room;
    if (!EVP_EncodedLength(&room, leaf.len)) return;
    AUTO_FREE char *text = malloc(room);
    if (text == NULL) {
        writer->err = ERR_MEMORY;
        return;
    }
    size_t len = EVP_EncodeBlock((uint8_t *)text, leaf.data, leaf.len);
    put(writer, "Client-Cert: :");
    put_bytes(writer, text, len);
    put(writer, ":\r\n");
}

static void put_identity(struct writer *writer, const struct session_peer *peer)
{
    bool verified = session_peer_is_known(peer);
    put_field(writer, "X-Client-Cert-Verified", verified ? "SUCCESS" : "NONE");
    if (!verified) return;
    put_text_field(writer, "X-Client-Cert-Subject", peer->certificate.subject);
    put_text_field(writer, "X-Client-Cert-Serial", peer->certificate.serial);
    put_text_field(writer, "X-Client-Cert-Fingerprint", peer->certificate.fingerprint);
    /* A chain of certificates that long is let in; a header section that long is not. */
    if (peer->leaf.len > 0 && peer->leaf.len <= LIMIT_CERTIFICATE) put_certificate(writer, peer->leaf);
}

enum err request_head_write(struct buffer *out, const struct request *request, const struct session_peer *peer,
                            const char *request_id, const char *authority)
{
    struct writer writer = {.out = out};
    struct fields_nominated nominated = {{0}, 0};
    if (request_head_nominate(&nominated, request) != ERR_OK) return ERR_INPUT;
    put(&writer, request_method_name(request));
    put(&writer, " ");
    put(&writer, request->target.raw);
    put(&writer, " HTTP/1.1\r\n");
    const char *host = request->host[0] != '\0' ? request->host : "localhost";
    put_field(&writer, "Host", authority[0] != '\0' ? authority : host);
    put_clients_fields(&writer, request, &nominated);
    put_framing(&writer, request);
    if (request_head_is_upgrade(request)) {
        put_field(&writer, "Connection", "upgrade");
        put_field(&writer, "Upgrade", "websocket");
    } else if (request->takes_trailers) {
        put_field(&writer, "Connection", "TE"); /* RFC 9110, 10.1.4 */
        put_field(&writer, "TE", "trailers");
    }
    put_forwarded(&writer, request, peer);
    put_field(&writer, "X-Request-Id", request_id);
    put_identity(&writer, peer);
    put(&writer, "\r\n");
    return writer.err;
}
