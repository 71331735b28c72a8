/* Messages with keyd: what it is asked to sign, and what it is told.
 * Include proto/message.h, which says what holds of all of them. */
#ifndef KEYWARD_PROTO_MESSAGE_KEYD_H
#define KEYWARD_PROTO_MESSAGE_KEYD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"

/* Why keyd did not sign. The number is on the wire: append, never renumber. */
enum refusal {
    REFUSAL_NONE = 0,
    REFUSAL_PURPOSE,    /* this channel may not ask for that */
    REFUSAL_SCHEME,     /* the key does not do this signature scheme */
    REFUSAL_PARAMETERS, /* a value that no TLS handshake has */
    REFUSAL_EXPIRED,    /* the handle's time is over */
    REFUSAL_EXHAUSTED,  /* the handle's signatures are used up */
    REFUSAL_NOT_PINNED, /* a browser's handle signs for the process it is pinned to; it is pinned to none yet */
    REFUSAL_WRONG_PROCESS,
    REFUSAL_MALFORMED,  /* the packet was not a message; the channel is closed */
    REFUSAL_BUSY,       /* the answer does not fit into the channel; ask again later */
    REFUSAL_INTERNAL,   /* BoringSSL failed, or had no memory */
    REFUSAL_UNEXPECTED, /* a browser's digest that belongs to no handshake which a server told of */
    REFUSAL_TRANSCRIPT, /* the messages are not those of a TLS 1.3 handshake that asks for this client's certificate */
    REFUSAL_SERVER,     /* the server in the handshake is not the one that this is for */
    REFUSAL_RATE = 14,  /* faster than the handle's rate */
    REFUSAL_STRONGER = 15, /* a derived handle would be more than the one it comes from */
    REFUSAL_HELD = 16,     /* the audit log cannot be written, and handles are not used unrecorded */
    REFUSAL_REVOKED = 17,  /* the handle was revoked */
    REFUSAL_NUM
};

/* What a channel to keyd may be used for. */
enum purpose {
    PURPOSE_NONE = 0,
    PURPOSE_TLS_SERVER,     /* a web worker: SIGN_TLS13_SERVER, SIGN_TLS12_SERVER with the server key; EXPECT_CLIENT */
    PURPOSE_TLS_CLIENT,     /* the command-line client: SIGN_TLS13_CLIENT with the client key */
    PURPOSE_BROWSER_DIGEST, /* a browser: SIGN_BROWSER_DIGEST with the client key, for the pinned process alone */
    PURPOSE_GATEWAY, /* a browser's gateway: SIGN_TLS13_CLIENT with the client key, for the pinned process alone */
    PURPOSE_NUM
};

enum grant_event {
    GRANT_EVENT_NONE = 0,
    GRANT_EVENT_PINNED,
    GRANT_EVENT_SIGNED,  /* a handle's signature; a web worker's are counted, not reported */
    GRANT_EVENT_REFUSED, /* reason says why */
    GRANT_EVENT_CLOSED,  /* the holder is gone */
    GRANT_EVENT_CUT,     /* keyd closed it: the holder sent what is not a message */
    GRANT_EVENT_OPENED,  /* a derived handle: keyd has found it no stronger than its parent */
    GRANT_EVENT_NUM
};

/* IANA's numbers. */
enum {
    SCHEME_ECDSA_P256_SHA256 = 0x0403, /* RFC 8446, 4.2.3 */
    SCHEME_ECDSA_P384_SHA384 = 0x0503,
    SCHEME_RSA_PSS_SHA256 = 0x0804, /* rsa_pss_rsae_sha256: of an ordinary RSA key; as the next two */
    SCHEME_RSA_PSS_SHA384 = 0x0805,
    SCHEME_RSA_PSS_SHA512 = 0x0806,
    GROUP_SECP256R1 = 0x0017, /* RFC 8446, 4.2.7 */
    GROUP_SECP384R1 = 0x0018,
    GROUP_X25519 = 0x001d,
};

struct sign_tls13 {
    uint16_t scheme;
    struct bytes transcript_hash; /* 32 or 48 bytes */
    uint32_t server;              /* whose key: a server certificate's number, or 0, the default one's */
};

struct sign_tls13_client {
    uint16_t scheme;
    struct bytes messages; /* 1 to LIMIT_CLIENT_TRANSCRIPT bytes */
};

struct sign_tls12_server {
    uint16_t scheme;
    uint8_t client_random[32];
    uint8_t server_random[32];
    uint16_t group;
    struct bytes point; /* 1 to LIMIT_ECDHE_POINT bytes; whether it fits the group is keyd's to check */
    uint32_t server;    /* as in struct sign_tls13 */
};

struct sign_browser_digest {
    uint16_t scheme;
    size_t digest_len;  /* 32, 48 or 64; whether that is what the scheme wants is keyd's to check */
    uint8_t digest[64]; /* a copy: keyd may read other packets before it answers this one */
};

struct handle_description {
    const char *label;      /* at most LIMIT_LABEL bytes */
    struct bytes leaf;      /* DER, 1 to LIMIT_CERTIFICATE bytes, as every certificate below */
    struct bytes issuer;    /* DER; the leaf once more, if it is signed by itself */
    struct bytes server_ca; /* DER; what the server's certificate leads to, perhaps the issuer */
};

struct keyd_setup {
    const char *dns_names[LIMIT_NAMES]; /* 1 to LIMIT_NAME bytes each */
    size_t num_dns_names;
    struct bytes ip_addresses[LIMIT_NAMES]; /* 4 or 16 bytes each */
    size_t num_ip_addresses;
    uint32_t ca_lifetime_s;                 /* 60 to LIMIT_CA_LIFETIME_S */
    uint32_t leaf_lifetime_s;               /* 60 to LIMIT_LEAF_LIFETIME_S, at most ca_lifetime_s */
    const char *client_name;                /* 1 to LIMIT_LABEL bytes */
    struct bytes server_chain[LIMIT_CHAIN]; /* DER, leaf first; LIMIT_CHAIN_BYTES in all, as the next */
    size_t num_server_chain;                /* 0: keyd makes the key and the certificate */
    struct bytes client_chain[LIMIT_CHAIN];
    size_t num_client_chain;
    bool tls12;         /* the server's key signs for TLS 1.2 as well */
    uint32_t log_style; /* a set of base/log.h, below LIMIT_LOG_STYLES */
};

struct certificate_info {
    const char *role;               /* 1 to LIMIT_LABEL bytes */
    const char *subject;            /* at most LIMIT_SUBJECT bytes */
    const char *names[LIMIT_NAMES]; /* 1 to LIMIT_NAME bytes each */
    size_t num_names;
    const char *serial;      /* at most LIMIT_LABEL bytes */
    const char *fingerprint; /* at most LIMIT_LABEL bytes */
    uint64_t not_before;     /* seconds since the epoch */
    uint64_t not_after;
};

struct keyd_identity {
    struct bytes ca; /* DER, as the next two */
    struct bytes server;
    struct bytes client;
    struct certificate_info *certificates; /* at most LIMIT_CERTIFICATES */
    size_t num_certificates;
    bool secret_memory;
    struct bytes audit_key; /* DER, 1 to LIMIT_AUDIT_KEY bytes */
    struct bytes ocsp;      /* DER, at most LIMIT_OCSP_RESPONSE bytes; empty: none */
};

/* A server certificate beside the default one. */
struct server_certificate {
    uint32_t number;                 /* 1 to LIMIT_SERVER_CERTIFICATES */
    const char *name;                /* 1 to LIMIT_SERVER_SECTION bytes */
    struct bytes chain[LIMIT_CHAIN]; /* DER, leaf first; LIMIT_CHAIN_BYTES in all */
    size_t num_chain;                /* at least 1 */
    bool has_key;                    /* the key's file comes with it */
    struct bytes ocsp;               /* DER, at most LIMIT_OCSP_RESPONSE bytes; empty: none */
};

struct keyd_grant {
    uint64_t grant; /* never 0 */
    enum purpose purpose;
    const char *label; /* at most LIMIT_LABEL bytes */
    uint32_t lifetime_s;
    uint64_t max_signatures;
    const char *server; /* at most LIMIT_NAME bytes */
    uint32_t rate;
    uint32_t pid;
    uint64_t parent;
    struct bytes ca; /* DER, at most LIMIT_CERTIFICATE bytes */
    uint64_t setup;
};

struct keyd_event {
    uint64_t grant; /* never 0 */
    enum grant_event what;
    enum refusal reason;
    uint32_t pid; /* 0: not known; no pid in any message is beyond INT32_MAX */
    uint32_t uid;
    uint32_t count;      /* at least 1 */
    uint64_t signatures; /* of a channel that is closed or cut */
    uint64_t refusals;
};

struct sign_audit_head {
    uint64_t number; /* never 0 */
    uint8_t hash[32];
};

struct audit_head {
    uint64_t number;        /* never 0 */
    struct bytes signature; /* 1 to LIMIT_SIGNATURE bytes */
};

struct grant_status {
    uint64_t grant; /* never 0 */
    uint64_t signatures;
    uint64_t refusals;
};

struct keyd_status {
    uint64_t signatures;
    uint64_t refusals;
    uint64_t secret_bytes;
    struct grant_status *grants; /* at most LIMIT_SERVER_GRANTS */
    size_t num_grants;
    uint32_t total; /* at most LIMIT_GRANTS */
    uint64_t events_lost;
};

#endif
