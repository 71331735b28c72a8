#include "browser-shim/client_trace_name.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

enum {
    SERVER_HELLO = 2,
    HEADER = 4,             /* type and length (RFC 8446, 4) */
    RANDOM_AT = HEADER + 2, /* in a ServerHello, behind the version (4.1.3) */
    RANDOM = 32,
};

/* RFC 8446, 4 and B.3; RFC 5246, 7.4; RFC 6066, 8; RFC 8879, 4. */
static const struct {
    uint8_t type;
    const char *name;
} names[] = {
    {0, "HelloRequest"},
    {1, "ClientHello"},
    {SERVER_HELLO, "ServerHello"},
    {4, "NewSessionTicket"},
    {5, "EndOfEarlyData"},
    {8, "EncryptedExtensions"},
    {11, "Certificate"},
    {12, "ServerKeyExchange"},
    {13, "CertificateRequest"},
    {14, "ServerHelloDone"},
    {15, "CertificateVerify"},
    {16, "ClientKeyExchange"},
    {20, "Finished"},
    {22, "CertificateStatus"},
    {24, "KeyUpdate"},
    {25, "CompressedCertificate"},
};

/* A HelloRetryRequest is a ServerHello whose random is the SHA-256 of its name (RFC 8446, 4.1.3). */
static bool is_retry(struct bytes data)
{
    static const uint8_t retry[RANDOM] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                          0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                          0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
    return data.len >= RANDOM_AT + RANDOM && memcmp(data.data + RANDOM_AT, retry, RANDOM) == 0;
}

static void name_handshake(char *out, size_t out_len, struct bytes data)
{
    const uint8_t type = data.data[0];
    if (type == SERVER_HELLO && is_retry(data)) {
        snprintf(out, out_len, "HelloRetryRequest");
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].type != type) continue;
        snprintf(out, out_len, "%s", names[i].name);
        return;
    }
    snprintf(out, out_len, "type %u", type);
}

/* BoringSSL's descriptions are the RFC's names, but for spaces and capitals. */
static void name_alert(char *out, size_t out_len, struct bytes data)
{
    const char *text = data.len >= 2 ? SSL_alert_desc_string_long(data.data[1]) : "unknown";
    if (strcmp(text, "unknown") == 0) {
        snprintf(out, out_len, "type %u", data.data[data.len - 1]);
        return;
    }
    size_t len = 0;
    for (; text[len] != '\0' && len + 1 < out_len; len++) {
        out[len] = text[len];
        if (text[len] == ' ') out[len] = '_';
        if (text[len] >= 'A' && text[len] <= 'Z') out[len] = (char)(text[len] - 'A' + 'a');
    }
    out[len] = '\0';
}

void client_trace_name(char *out, size_t out_len, const struct client_tls_message *message)
{
    switch (message->content_type) {
    case CLIENT_TLS_HANDSHAKE: name_handshake(out, out_len, message->data); break;
    case CLIENT_TLS_ALERT: name_alert(out, out_len, message->data); break;
    default: snprintf(out, out_len, "change_cipher_spec");
    }
}
