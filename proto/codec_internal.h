/* Between the files of the codec; nobody else includes it. The only header that shows protobuf-c's types.
 *
 * Each kind has three functions: check says whether a message is inside the bounds of proto/message.h, and stands on
 * both ways; decode copies the wire form to a struct msg, refusing only what the struct cannot hold; encode builds the
 * wire form on the stack and hands it to codec_pack. */
#ifndef KEYWARD_PROTO_CODEC_INTERNAL_H
#define KEYWARD_PROTO_CODEC_INTERNAL_H

#include "proto/codec.h"
#include "proto/keyward.pb-c.h"
#include "proto/kinds.h"

/* Where codec_encode's result goes. */
struct packer {
    uint8_t *buf;
    size_t buf_len;
    size_t *out_len;
    uint64_t id;
    Keyward__Wire__Envelope__BodyCase body_case;
};

/* codec_pack puts body into an envelope and writes that. ERR_TOO_LARGE: it does not fit. */
MUST_CHECK enum err codec_pack(const struct packer *packer, ProtobufCMessage *body);

/* codec_arena_take returns size bytes, aligned for any of our structs, or NULL. */
void *codec_arena_take(struct codec_arena *arena, size_t size);

/* wire_bytes and bytes_of_wire turn one view of bytes into the other. */
static inline ProtobufCBinaryData wire_bytes(struct bytes bytes)
{
    /* protobuf-c has no const; packing does not write. */
    return (ProtobufCBinaryData){.len = bytes.len, .data = (uint8_t *)(uintptr_t)bytes.data};
}

static inline struct bytes bytes_of_wire(ProtobufCBinaryData wire)
{
    return (struct bytes){.data = wire.data, .len = wire.len};
}

static inline char *wire_text(const char *text)
{
    return (char *)(uintptr_t)(text != NULL ? text : "");
}

#define DECLARE_KIND(kind, body)                                                                                       \
    bool codec_check_##body(const struct msg *msg);                                                                    \
    MUST_CHECK enum err codec_decode_##body(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire); \
    MUST_CHECK enum err codec_encode_##body(const struct packer *packer, const struct msg *msg);
#define DECLARE_NOTHING(kind)
PROTO_KINDS(DECLARE_KIND, DECLARE_NOTHING)
#undef DECLARE_KIND
#undef DECLARE_NOTHING

/* codec_check_chain says whether a chain that an operator brings is one, or empty. In codec_keyd.c. */
bool codec_check_chain(const struct bytes *chain, size_t num);

/* CertificateInfo is in several kinds; these are in codec_keyd.c. codec_wire_certificates fills storage and pointers, which
 * have room for num. */
struct wire_certificate {
    Keyward__Wire__CertificateInfo info;
    char *names[LIMIT_NAMES];
};
bool codec_check_certificates(const struct certificate_info *certificates, size_t num);
MUST_CHECK enum err codec_decode_certificates(struct codec_arena *arena, struct certificate_info **out, size_t *out_num,
                                              Keyward__Wire__CertificateInfo *const *wire, size_t num);
void codec_wire_certificates(struct wire_certificate *storage, Keyward__Wire__CertificateInfo **pointers,
                             const struct certificate_info *certificates, size_t num);

/* HandleStatus is in two kinds as well; these are in codec_handles.c. The storage has room for num. */
bool codec_check_handles(const struct handle_status *handles, size_t num, size_t max);
MUST_CHECK enum err codec_decode_handles(struct codec_arena *arena, struct handle_status **out, size_t *out_num,
                                         Keyward__Wire__HandleStatus *const *wire, size_t num, size_t max);
void codec_wire_handles(Keyward__Wire__HandleStatus *storage, Keyward__Wire__HandleStatus **pointers,
                        const struct handle_status *handles, size_t num);

#endif
