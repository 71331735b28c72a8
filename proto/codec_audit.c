/* What the broker says to keyd about the audit log, and on its control socket. */
#include <string.h>

#include "proto/codec_internal.h"
#include "proto/field.h"

bool codec_check_sign_audit_head(const struct msg *msg)
{
    return msg->sign_audit_head.number != 0;
}

enum err codec_decode_sign_audit_head(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__SignAuditHead *from = (const Keyward__Wire__SignAuditHead *)wire;
    struct sign_audit_head *to = &out->sign_audit_head;
    if (from->hash.len != sizeof to->hash) return ERR_MALFORMED;
    to->number = from->number;
    memcpy(to->hash, from->hash.data, sizeof to->hash);
    return ERR_OK;
}

enum err codec_encode_sign_audit_head(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__SignAuditHead to;
    keyward__wire__sign_audit_head__init(&to);
    to.number = msg->sign_audit_head.number;
    to.hash = wire_bytes((struct bytes){msg->sign_audit_head.hash, sizeof msg->sign_audit_head.hash});
    return codec_pack(packer, &to.base);
}

bool codec_check_audit_head(const struct msg *msg)
{
    const struct audit_head *head = &msg->audit_head;
    return head->number != 0 && head->signature.len >= 1 && head->signature.len <= LIMIT_SIGNATURE;
}

enum err codec_decode_audit_head(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__AuditHead *from = (const Keyward__Wire__AuditHead *)wire;
    out->audit_head.number = from->number;
    out->audit_head.signature = bytes_of_wire(from->signature);
    return ERR_OK;
}

enum err codec_encode_audit_head(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__AuditHead to;
    keyward__wire__audit_head__init(&to);
    to.number = msg->audit_head.number;
    to.signature = wire_bytes(msg->audit_head.signature);
    return codec_pack(packer, &to.base);
}

bool codec_check_keyd_hold(const struct msg *msg)
{
    (void)msg; /* yes or no */
    return true;
}

enum err codec_decode_keyd_hold(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    out->keyd_hold = ((const Keyward__Wire__KeydHold *)wire)->held != 0;
    return ERR_OK;
}

enum err codec_encode_keyd_hold(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__KeydHold to;
    keyward__wire__keyd_hold__init(&to);
    to.held = msg->keyd_hold;
    return codec_pack(packer, &to.base);
}

bool codec_check_audit_state(const struct msg *msg)
{
    return field_text(msg->audit_state.fingerprint, 0, LIMIT_LABEL);
}

enum err codec_decode_audit_state(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__AuditState *from = (const Keyward__Wire__AuditState *)wire;
    struct audit_state *to = &out->audit_state;
    if (from->hash.len != sizeof to->hash) return ERR_MALFORMED;
    to->records = from->records;
    memcpy(to->hash, from->hash.data, sizeof to->hash);
    to->fingerprint = from->fingerprint;
    to->pending = from->pending;
    to->lost = from->lost;
    to->held = from->held != 0;
    return ERR_OK;
}

enum err codec_encode_audit_state(const struct packer *packer, const struct msg *msg)
{
    const struct audit_state *from = &msg->audit_state;
    Keyward__Wire__AuditState to;
    keyward__wire__audit_state__init(&to);
    to.records = from->records;
    to.hash = wire_bytes((struct bytes){from->hash, sizeof from->hash});
    to.fingerprint = wire_text(from->fingerprint);
    to.pending = from->pending;
    to.lost = from->lost;
    to.held = from->held;
    return codec_pack(packer, &to.base);
}
