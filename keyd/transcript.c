#include "keyd/transcript.h"

#include <openssl/bytestring.h>
#include <string.h>

/* HandshakeType (RFC 8446, 4). */
enum {
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
    ENCRYPTED_EXTENSIONS = 8,
    CERTIFICATE = 11,
    CERTIFICATE_REQUEST = 13,
    CERTIFICATE_VERIFY = 15,
    FINISHED = 20,
    MESSAGE_HASH = 254,
};

/* CipherSuite (RFC 8446, B.4). */
enum { AES_128_GCM_SHA256 = 0x1301, AES_256_GCM_SHA384 = 0x1302, CHACHA20_POLY1305_SHA256 = 0x1303 };

/* The random of a HelloRetryRequest: SHA-256 of "HelloRetryRequest" (RFC 8446, 4.1.3). */
static const uint8_t retry_random[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                         0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                         0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

struct message {
    CBS whole; /* with its header */
    CBS body;
};

/* What a ServerHello, or a HelloRetryRequest, says that matters here. */
struct hello {
    uint16_t suite;
    bool is_retry;
};

/* ---- The hash --------------------------------------------------------------------------------------------------- */

/* False: no suite of TLS 1.3. */
static bool hash_init(struct transcript_hash *hash, uint16_t suite)
{
    switch (suite) {
    case AES_128_GCM_SHA256:
    case CHACHA20_POLY1305_SHA256:
        hash->len = SHA256_DIGEST_LENGTH;
        SHA256_Init(&hash->sha256);
        return true;
    case AES_256_GCM_SHA384:
        hash->len = SHA384_DIGEST_LENGTH;
        SHA384_Init(&hash->sha384);
        return true;
    default: return false;
    }
}

static void hash_add(struct transcript_hash *hash, const uint8_t *data, size_t len)
{
    if (hash->len == SHA256_DIGEST_LENGTH)
        SHA256_Update(&hash->sha256, data, len);
    else
        SHA384_Update(&hash->sha384, data, len);
}

static void hash_add_message(struct transcript_hash *hash, const struct message *message)
{
    hash_add(hash, CBS_data(&message->whole), CBS_len(&message->whole));
}

static void hash_add_u24(struct transcript_hash *hash, size_t value)
{
    const uint8_t bytes[3] = {(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    hash_add(hash, bytes, sizeof(bytes));
}

void transcript_hash_finish(uint8_t out[TRANSCRIPT_HASH], const struct transcript_hash *hash)
{
    struct transcript_hash copy = *hash;
    if (hash->len == SHA256_DIGEST_LENGTH)
        SHA256_Final(out, &copy.sha256);
    else
        SHA384_Final(out, &copy.sha384);
}

void transcript_hash_with_chain(uint8_t out[TRANSCRIPT_HASH], const struct transcript *transcript,
                                const struct bytes *chain, size_t num_chain)
{
    static const uint8_t no_extensions[2], no_context[1], type[1] = {CERTIFICATE};
    struct transcript_hash hash = transcript->hash;
    size_t list_len = 0;
    for (size_t i = 0; i < num_chain; i++) list_len += 3 + chain[i].len + sizeof(no_extensions);
    hash_add(&hash, type, sizeof(type));
    hash_add_u24(&hash, sizeof(no_context) + 3 + list_len);
    hash_add(&hash, no_context, sizeof(no_context));
    hash_add_u24(&hash, list_len);
    for (size_t i = 0; i < num_chain; i++) {
        hash_add_u24(&hash, chain[i].len);
        hash_add(&hash, chain[i].data, chain[i].len);
        hash_add(&hash, no_extensions, sizeof(no_extensions));
    }
    transcript_hash_finish(out, &hash);
}

/* In place of a first ClientHello that was answered with a HelloRetryRequest stands a message that has its hash (RFC
 * 8446, 4.4.1). */
static void hash_add_retried(struct transcript_hash *hash, const struct message *client_hello)
{
    uint8_t digest[TRANSCRIPT_HASH];
    struct transcript_hash first = *hash;
    hash_add_message(&first, client_hello);
    transcript_hash_finish(digest, &first);
    const uint8_t header[4] = {MESSAGE_HASH, 0, 0, (uint8_t)hash->len};
    hash_add(hash, header, sizeof(header));
    hash_add(hash, digest, hash->len);
}

/* ---- The messages ----------------------------------------------------------------------------------------------- */

/* The next message, which has to be of this type. */
static bool take(CBS *messages, struct message *out, uint8_t type)
{
    const uint8_t *begin = CBS_data(messages);
    uint8_t got;
    if (!CBS_get_u8(messages, &got) || got != type || !CBS_get_u24_length_prefixed(messages, &out->body)) return false;
    CBS_init(&out->whole, begin, (size_t)(CBS_data(messages) - begin));
    return true;
}

/* RFC 8446, 4.1.3. */
static bool take_server_hello(CBS *messages, struct message *out, struct hello *out_hello)
{
    uint16_t version;
    uint8_t compression;
    CBS random, session, extensions;
    if (!take(messages, out, SERVER_HELLO)) return false;
    CBS body = out->body;
    if (!CBS_get_u16(&body, &version) || version != 0x0303 || !CBS_get_bytes(&body, &random, sizeof(retry_random)) ||
        !CBS_get_u8_length_prefixed(&body, &session) || !CBS_get_u16(&body, &out_hello->suite) ||
        !CBS_get_u8(&body, &compression) || compression != 0 || !CBS_get_u16_length_prefixed(&body, &extensions) ||
        CBS_len(&body) != 0)
        return false;
    out_hello->is_retry = CBS_mem_equal(&random, retry_random, sizeof(retry_random));
    return true;
}

/* ClientHello to ServerHello; the hash begins here, as only now it is known which one it is. */
static bool parse_hellos(struct transcript_hash *hash, CBS *messages)
{
    struct message client_hello, server_hello;
    struct hello hello, retry;
    if (!take(messages, &client_hello, CLIENT_HELLO) || !take_server_hello(messages, &server_hello, &hello) ||
        !hash_init(hash, hello.suite))
        return false;
    if (hello.is_retry) {
        retry = hello;
        hash_add_retried(hash, &client_hello);
        hash_add_message(hash, &server_hello);
        if (!take(messages, &client_hello, CLIENT_HELLO) || !take_server_hello(messages, &server_hello, &hello) ||
            hello.is_retry || hello.suite != retry.suite)
            return false;
    }
    hash_add_message(hash, &client_hello);
    hash_add_message(hash, &server_hello);
    return true;
}

/* Without a context: it is for requests after the handshake alone (RFC 8446, 4.3.2). */
static bool parse_request(const struct message *request)
{
    CBS body = request->body, context, extensions;
    return CBS_get_u8_length_prefixed(&body, &context) && CBS_len(&context) == 0 &&
           CBS_get_u16_length_prefixed(&body, &extensions) && CBS_len(&body) == 0;
}

/* RFC 8446, 4.4.2. What the certificates are is not looked at. */
static bool parse_certificate(struct transcript *out, const struct message *certificate)
{
    CBS body = certificate->body, context, list, der, extensions;
    if (!CBS_get_u8_length_prefixed(&body, &context) || CBS_len(&context) != 0 ||
        !CBS_get_u24_length_prefixed(&body, &list) || CBS_len(&body) != 0 || CBS_len(&list) == 0)
        return false;
    out->num_chain = 0;
    while (CBS_len(&list) > 0) {
        if (out->num_chain == LIMIT_SERVER_CHAIN || !CBS_get_u24_length_prefixed(&list, &der) || CBS_len(&der) == 0 ||
            !CBS_get_u16_length_prefixed(&list, &extensions))
            return false;
        out->chain[out->num_chain++] = (struct bytes){CBS_data(&der), CBS_len(&der)};
    }
    return true;
}

/* RFC 8446, 4.4.3. */
static bool parse_verify(struct transcript *out, const struct message *verify)
{
    CBS body = verify->body, signature;
    if (!CBS_get_u16(&body, &out->scheme) || !CBS_get_u16_length_prefixed(&body, &signature) || CBS_len(&body) != 0)
        return false;
    out->signature = (struct bytes){CBS_data(&signature), CBS_len(&signature)};
    return true;
}

/* EncryptedExtensions to Finished. */
static bool parse_server_flight(struct transcript *out, CBS *messages)
{
    struct message extensions, request, certificate, verify, finished;
    if (!take(messages, &extensions, ENCRYPTED_EXTENSIONS) || !take(messages, &request, CERTIFICATE_REQUEST) ||
        !parse_request(&request) || !take(messages, &certificate, CERTIFICATE) || !parse_certificate(out, &certificate))
        return false;
    hash_add_message(&out->hash, &extensions);
    hash_add_message(&out->hash, &request);
    hash_add_message(&out->hash, &certificate);
    transcript_hash_finish(out->signed_hash, &out->hash);

    if (!take(messages, &verify, CERTIFICATE_VERIFY) || !parse_verify(out, &verify) ||
        !take(messages, &finished, FINISHED) || CBS_len(&finished.body) != out->hash.len)
        return false;
    hash_add_message(&out->hash, &verify);
    hash_add_message(&out->hash, &finished);
    return true;
}

bool transcript_parse(struct transcript *out, struct bytes messages, enum transcript_end end)
{
    CBS rest;
    struct message certificate;
    CBS_init(&rest, messages.data, messages.len);
    if (!parse_hellos(&out->hash, &rest) || !parse_server_flight(out, &rest)) return false;
    out->whole_hash = out->hash;
    if (end == TRANSCRIPT_TO_CLIENT_CERTIFICATE) {
        if (!take(&rest, &certificate, CERTIFICATE)) return false;
        hash_add_message(&out->whole_hash, &certificate);
    }
    return CBS_len(&rest) == 0;
}
