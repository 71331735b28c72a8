/* What web and the holders of handles say to keyd, and its answers. The hot path. */
#include <string.h>

#include "proto/codec_internal.h"
#include "proto/field.h"

bool codec_check_sign_tls13_server(const struct msg *msg)
{
    size_t len = msg->sign_tls13_server.transcript_hash.len;
    return (len == 32 || len == 48) && msg->sign_tls13_server.server <= LIMIT_SERVER_CERTIFICATES;
}

enum err codec_decode_sign_tls13_server(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__SignTls13Server *from = (const Keyward__Wire__SignTls13Server *)wire;
    if (from->signature_scheme > UINT16_MAX) return ERR_MALFORMED;
    out->sign_tls13_server.scheme = (uint16_t)from->signature_scheme;
    out->sign_tls13_server.transcript_hash = bytes_of_wire(from->transcript_hash);
    out->sign_tls13_server.server = from->server;
    return ERR_OK;
}

enum err codec_encode_sign_tls13_server(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__SignTls13Server to;
    keyward__wire__sign_tls13_server__init(&to);
    to.signature_scheme = msg->sign_tls13_server.scheme;
    to.transcript_hash = wire_bytes(msg->sign_tls13_server.transcript_hash);
    to.server = msg->sign_tls13_server.server;
    return codec_pack(packer, &to.base);
}

bool codec_check_sign_tls12_server(const struct msg *msg)
{
    const struct bytes *point = &msg->sign_tls12_server.point;
    return point->len >= 1 && point->len <= LIMIT_ECDHE_POINT &&
           msg->sign_tls12_server.server <= LIMIT_SERVER_CERTIFICATES;
}

enum err codec_decode_sign_tls12_server(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__SignTls12Server *from = (const Keyward__Wire__SignTls12Server *)wire;
    struct sign_tls12_server *to = &out->sign_tls12_server;
    if (from->signature_scheme > UINT16_MAX || from->group > UINT16_MAX) return ERR_MALFORMED;
    if (from->client_random.len != sizeof to->client_random) return ERR_MALFORMED;
    if (from->server_random.len != sizeof to->server_random) return ERR_MALFORMED;
    to->scheme = (uint16_t)from->signature_scheme;
    to->group = (uint16_t)from->group;
    memcpy(to->client_random, from->client_random.data, sizeof to->client_random);
    memcpy(to->server_random, from->server_random.data, sizeof to->server_random);
    to->point = bytes_of_wire(from->point);
    to->server = from->server;
    return ERR_OK;
}

enum err codec_encode_sign_tls12_server(const struct packer *packer, const struct msg *msg)
{
    const struct sign_tls12_server *from = &msg->sign_tls12_server;
    Keyward__Wire__SignTls12Server to;
    keyward__wire__sign_tls12_server__init(&to);
    to.signature_scheme = from->scheme;
    to.client_random = wire_bytes((struct bytes){from->client_random, sizeof from->client_random});
    to.server_random = wire_bytes((struct bytes){from->server_random, sizeof from->server_random});
    to.group = from->group;
    to.point = wire_bytes(from->point);
    to.server = from->server;
    return codec_pack(packer, &to.base);
}

bool codec_check_sign_tls13_client(const struct msg *msg)
{
    const struct bytes messages = msg->sign_tls13_client.messages;
    return messages.len >= 1 && messages.len <= LIMIT_CLIENT_TRANSCRIPT;
}

enum err codec_decode_sign_tls13_client(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__SignTls13Client *from = (const Keyward__Wire__SignTls13Client *)wire;
    if (from->signature_scheme > UINT16_MAX) return ERR_MALFORMED;
    out->sign_tls13_client.scheme = (uint16_t)from->signature_scheme;
    out->sign_tls13_client.messages = bytes_of_wire(from->messages);
    return ERR_OK;
}

enum err codec_encode_sign_tls13_client(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__SignTls13Client to;
    keyward__wire__sign_tls13_client__init(&to);
    to.signature_scheme = msg->sign_tls13_client.scheme;
    to.messages = wire_bytes(msg->sign_tls13_client.messages);
    return codec_pack(packer, &to.base);
}

bool codec_check_expect_client(const struct msg *msg)
{
    return msg->expect_client.len >= 1 && msg->expect_client.len <= LIMIT_TRANSCRIPT;
}

enum err codec_decode_expect_client(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__ExpectClient *from = (const Keyward__Wire__ExpectClient *)wire;
    out->expect_client = bytes_of_wire(from->messages);
    return ERR_OK;
}

enum err codec_encode_expect_client(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__ExpectClient to;
    keyward__wire__expect_client__init(&to);
    to.messages = wire_bytes(msg->expect_client);
    return codec_pack(packer, &to.base);
}

bool codec_check_client_bound(const struct msg *msg)
{
    const struct client_bound *bound = &msg->client_bound;
    if (bound->handle == 0 || bound->num_above > LIMIT_GRANT_DEPTH) return false;
    for (size_t i = 0; i < bound->num_above; i++) {
        if (bound->above[i] == 0) return false;
    }
    return true;
}

enum err codec_decode_client_bound(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__ClientBound *from = (const Keyward__Wire__ClientBound *)wire;
    struct client_bound *to = &out->client_bound;
    if (from->n_above > LIMIT_GRANT_DEPTH) return ERR_MALFORMED;
    to->handle = from->handle;
    to->num_above = from->n_above;
    for (size_t i = 0; i < to->num_above; i++) to->above[i] = from->above[i]->handle;
    return ERR_OK;
}

enum err codec_encode_client_bound(const struct packer *packer, const struct msg *msg)
{
    const struct client_bound *from = &msg->client_bound;
    Keyward__Wire__HandleAbove above[LIMIT_GRANT_DEPTH], *pointers[LIMIT_GRANT_DEPTH];
    for (size_t i = 0; i < from->num_above; i++) {
        keyward__wire__handle_above__init(&above[i]);
        above[i].handle = from->above[i];
        pointers[i] = &above[i];
    }
    Keyward__Wire__ClientBound to;
    keyward__wire__client_bound__init(&to);
    to.handle = from->handle;
    to.n_above = from->num_above;
    to.above = pointers;
    return codec_pack(packer, &to.base);
}

bool codec_check_sign_browser_digest(const struct msg *msg)
{
    size_t len = msg->sign_browser_digest.digest_len;
    return len == 32 || len == 48 || len == 64;
}

enum err codec_decode_sign_browser_digest(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__SignBrowserDigest *from = (const Keyward__Wire__SignBrowserDigest *)wire;
    struct sign_browser_digest *to = &out->sign_browser_digest;
    if (from->signature_scheme > UINT16_MAX || from->digest.len > sizeof to->digest) return ERR_MALFORMED;
    to->scheme = (uint16_t)from->signature_scheme;
    to->digest_len = from->digest.len;
    if (to->digest_len > 0) memcpy(to->digest, from->digest.data, to->digest_len);
    return ERR_OK;
}

enum err codec_encode_sign_browser_digest(const struct packer *packer, const struct msg *msg)
{
    const struct sign_browser_digest *from = &msg->sign_browser_digest;
    Keyward__Wire__SignBrowserDigest to;
    keyward__wire__sign_browser_digest__init(&to);
    to.digest = wire_bytes((struct bytes){from->digest, from->digest_len});
    to.signature_scheme = from->scheme;
    return codec_pack(packer, &to.base);
}

bool codec_check_signature(const struct msg *msg)
{
    return msg->signature.len >= 1 && msg->signature.len <= LIMIT_SIGNATURE;
}

enum err codec_decode_signature(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Signature *from = (const Keyward__Wire__Signature *)wire;
    out->signature = bytes_of_wire(from->signature);
    return ERR_OK;
}

enum err codec_encode_signature(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Signature to;
    keyward__wire__signature__init(&to);
    to.signature = wire_bytes(msg->signature);
    return codec_pack(packer, &to.base);
}

bool codec_check_refusal(const struct msg *msg)
{
    unsigned refusal = (unsigned)msg->refusal;
    return refusal > REFUSAL_NONE && refusal < REFUSAL_NUM;
}

enum err codec_decode_refusal(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Refusal *from = (const Keyward__Wire__Refusal *)wire;
    out->refusal = (enum refusal)from->reason;
    return ERR_OK;
}

enum err codec_encode_refusal(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Refusal to;
    keyward__wire__refusal__init(&to);
    to.reason = (uint32_t)msg->refusal;
    return codec_pack(packer, &to.base);
}

bool codec_check_handle_description(const struct msg *msg)
{
    const struct handle_description *handle = &msg->handle_description;
    return field_text(handle->label, 0, LIMIT_LABEL) && field_certificate(handle->leaf) &&
           field_certificate(handle->issuer) && field_certificate(handle->server_ca);
}

enum err codec_decode_handle_description(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__HandleDescription *from = (const Keyward__Wire__HandleDescription *)wire;
    out->handle_description.label = from->label;
    out->handle_description.leaf = bytes_of_wire(from->leaf);
    out->handle_description.issuer = bytes_of_wire(from->issuer);
    out->handle_description.server_ca = bytes_of_wire(from->server_ca);
    return ERR_OK;
}

enum err codec_encode_handle_description(const struct packer *packer, const struct msg *msg)
{
    const struct handle_description *from = &msg->handle_description;
    Keyward__Wire__HandleDescription to;
    keyward__wire__handle_description__init(&to);
    to.label = wire_text(from->label);
    to.leaf = wire_bytes(from->leaf);
    to.issuer = wire_bytes(from->issuer);
    to.server_ca = wire_bytes(from->server_ca);
    return codec_pack(packer, &to.base);
}
