/* Server certificates that are chosen by name: what the broker says of them to keyd and to web. */
#include "proto/codec_internal.h"
#include "proto/field.h"

bool codec_check_server_certificate(const struct msg *msg)
{
    const struct server_certificate *server = &msg->server_certificate;
    return server->number >= 1 && server->number <= LIMIT_SERVER_CERTIFICATES &&
           field_text(server->name, 1, LIMIT_SERVER_SECTION) && server->num_chain >= 1 &&
           codec_check_chain(server->chain, server->num_chain) && server->ocsp.len <= LIMIT_OCSP_RESPONSE;
}

enum err codec_decode_server_certificate(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__ServerCertificate *from = (const Keyward__Wire__ServerCertificate *)wire;
    struct server_certificate *to = &out->server_certificate;
    if (from->n_chain > LIMIT_CHAIN) return ERR_MALFORMED;
    to->number = from->number;
    to->name = from->name;
    to->num_chain = from->n_chain;
    for (size_t i = 0; i < to->num_chain; i++) to->chain[i] = bytes_of_wire(from->chain[i]);
    to->has_key = from->has_key != 0;
    to->ocsp = bytes_of_wire(from->ocsp);
    return ERR_OK;
}

enum err codec_encode_server_certificate(const struct packer *packer, const struct msg *msg)
{
    const struct server_certificate *from = &msg->server_certificate;
    ProtobufCBinaryData chain[LIMIT_CHAIN];
    Keyward__Wire__ServerCertificate to;
    keyward__wire__server_certificate__init(&to);
    for (size_t i = 0; i < from->num_chain; i++) chain[i] = wire_bytes(from->chain[i]);
    to.number = from->number;
    to.name = wire_text(from->name);
    to.n_chain = from->num_chain;
    to.chain = chain;
    to.has_key = from->has_key;
    to.ocsp = wire_bytes(from->ocsp);
    return codec_pack(packer, &to.base);
}

bool codec_check_server_info(const struct msg *msg)
{
    return codec_check_certificates(&msg->server_info, 1);
}

enum err codec_decode_server_info(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    const Keyward__Wire__ServerInfo *from = (const Keyward__Wire__ServerInfo *)wire;
    struct certificate_info *info;
    size_t num;
    if (from->n_certificate != 1) return ERR_MALFORMED;
    enum err err = codec_decode_certificates(arena, &info, &num, from->certificate, 1);
    if (err == ERR_OK) out->server_info = *info;
    return err;
}

enum err codec_encode_server_info(const struct packer *packer, const struct msg *msg)
{
    struct wire_certificate storage;
    Keyward__Wire__CertificateInfo *pointer;
    Keyward__Wire__ServerInfo to;
    keyward__wire__server_info__init(&to);
    codec_wire_certificates(&storage, &pointer, &msg->server_info, 1);
    to.n_certificate = 1;
    to.certificate = &pointer;
    return codec_pack(packer, &to.base);
}
