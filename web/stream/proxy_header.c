#include "web/stream/proxy_header.h"

#include <arpa/inet.h>
#include <openssl/bytestring.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pool.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

/* The numbers of 2.2 and 2.2.5 to 2.2.7. */
enum {
    COMMAND_PROXY = 0x21, /* version 2 */
    FAMILY_NONE = 0x00,
    FAMILY_TCP4 = 0x11,
    FAMILY_TCP6 = 0x21,
    TYPE_UNIQUE_ID = 0x05,
    TYPE_SSL = 0x20,
    SSL_VERSION = 0x21,
    SSL_COMMON_NAME = 0x22,
    SSL_CIPHER_NAME = 0x23,
    SSL_GROUP_NAME = 0x26,
    SSL_CLIENT_CERT = 0x28,
    CLIENT_SSL = 0x01,       /* there is TLS */
    CLIENT_CERT_CONN = 0x02, /* the client showed its certificate in this connection */
    CLIENT_CERT_SESS = 0x04, /* or in the one that this resumes */
};

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

struct endpoint {
    uint8_t host[16];
    size_t host_len; /* 4 or 16; 0: it is not known */
    uint16_t port;
};

/* Reads "127.0.0.1:40000" and "[::1]:40000". */
static struct endpoint read_endpoint(const char *text)
{
    struct endpoint endpoint = {.host_len = 0};
    char host[INET6_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    const bool bracketed = text[0] == '[' && colon != NULL && colon[-1] == ']';
    if (colon == NULL) return endpoint;
    size_t len = (size_t)(colon - text) - (bracketed ? 2 : 0);
    if (len >= sizeof(host)) return endpoint;
    memcpy(host, text + (bracketed ? 1 : 0), len);
    host[len] = '\0';
    if (inet_pton(bracketed ? AF_INET6 : AF_INET, host, endpoint.host) == 1) endpoint.host_len = bracketed ? 16 : 4;
    endpoint.port = (uint16_t)strtoul(colon + 1, NULL, 10);
    return endpoint;
}

/* Both are of one family, since they are two ends of one connection. */
static int write_addresses(CBB *header, CBB *out_rest, const char *from, const char *to)
{
    const struct endpoint source = read_endpoint(from), destination = read_endpoint(to);
    const bool known = source.host_len > 0 && source.host_len == destination.host_len;
    const uint8_t family = !known ? FAMILY_NONE : source.host_len == 4 ? FAMILY_TCP4 : FAMILY_TCP6;
    if (!CBB_add_u8(header, family) || !CBB_add_u16_length_prefixed(header, out_rest)) return 0;
    if (!known) return 1;
    return CBB_add_bytes(out_rest, source.host, source.host_len) &&
           CBB_add_bytes(out_rest, destination.host, destination.host_len) && CBB_add_u16(out_rest, source.port) &&
           CBB_add_u16(out_rest, destination.port);
}

static int write_value(CBB *out, uint8_t type, const void *value, size_t len)
{
    CBB contents;
    return CBB_add_u8(out, type) && CBB_add_u16_length_prefixed(out, &contents) &&
           CBB_add_bytes(&contents, value, len) && CBB_flush(out);
}

static int write_text(CBB *out, uint8_t type, const char *text)
{
    return text[0] == '\0' || write_value(out, type, text, strlen(text));
}

/* The one common name of the subject, as UTF-8; *out_len is 0 if there is none. Of two, readers would not agree which it is; nor of
 * one with a NUL in it, where it ends. */
static uint8_t *common_name(const X509 *certificate, size_t *out_len)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    uint8_t *text = NULL;
    *out_len = 0;
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return NULL;
    const int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (len > 0 && len <= (int)LIMIT_SUBJECT && memchr(text, '\0', (size_t)len) == NULL) *out_len = (size_t)len;
    return text;
}

static int write_certificate(CBB *out, struct bytes leaf)
{
    if (leaf.len == 0 || leaf.len > LIMIT_CERTIFICATE) return 1;
    CRYPTO_BUFFER *buffer = CRYPTO_BUFFER_new(leaf.data, leaf.len, NULL);
    X509 *certificate = buffer != NULL ? X509_parse_from_buffer(buffer) : NULL;
    size_t name_len = 0;
    uint8_t *name = certificate != NULL ? common_name(certificate, &name_len) : NULL;
    int ok = certificate != NULL && (name_len == 0 || write_value(out, SSL_COMMON_NAME, name, name_len)) &&
             write_value(out, SSL_CLIENT_CERT, leaf.data, leaf.len);
    OPENSSL_free(name);
    X509_free(certificate);
    CRYPTO_BUFFER_free(buffer);
    return ok;
}

/* What was not verified is not let in, so that there is nothing but success to tell (0), unless there is no certificate. */
static int write_tls(CBB *out, const struct session_peer *peer)
{
    CBB contents;
    uint8_t client = CLIENT_SSL;
    const bool known = session_peer_is_known(peer);
    if (!session_peer_is_private(peer)) return 1;
    if (known) client |= peer->resumed ? CLIENT_CERT_SESS : CLIENT_CERT_SESS | CLIENT_CERT_CONN;
    return CBB_add_u8(out, TYPE_SSL) && CBB_add_u16_length_prefixed(out, &contents) && CBB_add_u8(&contents, client) &&
           CBB_add_u32(&contents, known ? 0 : 1) && write_text(&contents, SSL_VERSION, peer->protocol) &&
           write_text(&contents, SSL_CIPHER_NAME, peer->cipher) && write_text(&contents, SSL_GROUP_NAME, peer->group) &&
           (!known || write_certificate(&contents, peer->leaf)) && CBB_flush(out);
}

enum err proxy_header_write(struct buffer *out, const struct session_peer *peer, const char *local, const char *id)
{
    CBB header, rest;
    enum err err = ERR_MEMORY;
    if (!CBB_init(&header, 512)) return ERR_MEMORY;
    if (CBB_add_bytes(&header, signature, sizeof(signature)) && CBB_add_u8(&header, COMMAND_PROXY) &&
        write_addresses(&header, &rest, peer->address, local) && write_text(&rest, TYPE_UNIQUE_ID, id) &&
        write_tls(&rest, peer) && CBB_flush(&header))
        err = buffer_append(out, (struct bytes){CBB_data(&header), CBB_len(&header)}, PROXY_HEADER_MAX);
    CBB_cleanup(&header);
    return err;
}
