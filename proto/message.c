#include "proto/message.h"

#include "proto/kinds.h"

#define NAME(kind) [MSG_##kind] = #kind,
#define NAME_ROW(kind, body) NAME(kind)

const char *msg_kind_name(enum msg_kind kind)
{
    static const char *const names[MSG_NUM_KINDS] = {[MSG_NONE] = "NONE", PROTO_KINDS(NAME_ROW, NAME)};
    unsigned index = (unsigned)kind;
    return index < MSG_NUM_KINDS ? names[index] : "UNKNOWN";
}

const char *refusal_text(enum refusal refusal)
{
    static const char *const texts[REFUSAL_NUM] = {
        [REFUSAL_NONE] = "not refused",
        [REFUSAL_PURPOSE] = "this handle may not be used for that",
        [REFUSAL_SCHEME] = "the key does not do this signature scheme",
        [REFUSAL_PARAMETERS] = "a value that no TLS handshake has",
        [REFUSAL_EXPIRED] = "the handle has expired",
        [REFUSAL_EXHAUSTED] = "the handle's signatures are used up",
        [REFUSAL_NOT_PINNED] = "the handle is not pinned to a process yet",
        [REFUSAL_WRONG_PROCESS] = "the handle is pinned to another process",
        [REFUSAL_MALFORMED] = "the request was malformed",
        [REFUSAL_BUSY] = "too many requests at once",
        [REFUSAL_INTERNAL] = "the signature failed",
        [REFUSAL_UNEXPECTED] = "no handshake with this system's server waits for that signature",
        [REFUSAL_TRANSCRIPT] = "the handshake's messages are not as they have to be",
        [REFUSAL_REVOKED] = "the handle was revoked",
        [REFUSAL_SERVER] = "the handshake's server is not the one that this is for",
        [REFUSAL_RATE] = "the handle's signatures come too fast",
        [REFUSAL_STRONGER] = "the handle would be stronger than the one it comes from",
        [REFUSAL_HELD] = "the audit log cannot be written, and nothing is signed without a record",
    };
    unsigned index = (unsigned)refusal;
    return index < REFUSAL_NUM && texts[index] != NULL ? texts[index] : "unknown reason";
}

const char *tls_mode_name(enum tls_mode mode)
{
    static const char *const names[TLS_MODE_NUM] = {"mutual", "optional", "server", "off"};
    return (unsigned)mode < TLS_MODE_NUM ? names[mode] : "?";
}

const char *verdict_kind_name(uint32_t kind)
{
    static const char *const names[VERDICT_KINDS] = {
        [HANDSHAKE_NO_CERTIFICATE] = "no-certificate",
        [HANDSHAKE_CERTIFICATE] = "certificate",
        [HANDSHAKE_SIGNATURE] = "signature",
        [HANDSHAKE_ALERT] = "alert",
        [HANDSHAKE_PROTOCOL] = "protocol",
        [HANDSHAKE_ABORTED] = "aborted",
        [VERDICT_LIMIT] = "limit",
    };
    return kind < VERDICT_KINDS ? names[kind] : "?";
}

const char *purpose_name(enum purpose purpose)
{
    static const char *const names[PURPOSE_NUM] = {
        [PURPOSE_NONE] = "none",
        [PURPOSE_TLS_SERVER] = "tls-server",
        [PURPOSE_TLS_CLIENT] = "tls-client",
        [PURPOSE_BROWSER_DIGEST] = "browser-digest",
        [PURPOSE_GATEWAY] = "gateway",
    };
    unsigned index = (unsigned)purpose;
    return index < PURPOSE_NUM ? names[index] : "unknown";
}
