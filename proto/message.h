/* The messages between Keyward's processes, as plain validated structs.
 *
 * A struct msg that came out of codec_decode (proto/codec.h) holds only values inside the bounds given here and in
 * base/limits.h; nobody needs to check a length again. Spans and arrays in it point into the decoder's arena and live
 * until that arena decodes again. Strings are NUL-terminated UTF-8 without control characters, and never NULL; one that
 * is to be encoded may be NULL, which is the empty string.
 *
 * The schema is proto/keyward.proto; which kind may travel where is proto/rules.h. */
#ifndef KEYWARD_PROTO_MESSAGE_H
#define KEYWARD_PROTO_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/limits.h"

enum msg_kind {
    MSG_NONE = 0,

    MSG_SIGN_TLS13_SERVER,
    MSG_SIGN_TLS12_SERVER,
    MSG_SIGN_TLS13_CLIENT,
    MSG_SIGN_BROWSER_DIGEST,
    MSG_PIN_HANDLE,
    MSG_DESCRIBE_HANDLE,
    MSG_SIGNATURE,
    MSG_REFUSAL,
    MSG_HANDLE_PINNED,
    MSG_HANDLE_DESCRIPTION,
    MSG_EXPECT_CLIENT,
    MSG_CLIENT_BOUND,

    MSG_KEYD_SETUP,
    MSG_KEYD_IDENTITY,
    MSG_KEYD_GRANT,
    MSG_KEYD_REVOKE,
    MSG_KEYD_EVENT,
    MSG_KEYD_STATUS,
    MSG_SIGN_AUDIT_HEAD,
    MSG_AUDIT_HEAD,
    MSG_KEYD_HOLD,

    MSG_WEB_SETUP,
    MSG_WEB_LISTEN,
    MSG_WEB_IDENTITY,
    MSG_WEB_STATUS,
    MSG_WEB_REVOKE,
    MSG_WEB_REVOKED,
    MSG_WEB_EXPECT,
    MSG_WEB_CONNECT,
    MSG_WEB_CONNECTED,
    MSG_WEB_TICKETS,

    MSG_SHIM_SETUP,
    MSG_SHIM_LISTENER,
    MSG_SHIM_LAUNCH,
    MSG_SHIM_BROWSER,

    MSG_READY,
    MSG_FAILED,
    MSG_STATUS_QUERY,
    MSG_STOP,

    MSG_SYSTEM_STATUS_QUERY,
    MSG_SYSTEM_STATUS,
    MSG_CA_QUERY,
    MSG_CA,
    MSG_HANDLE_REVOKE,
    MSG_HANDLE_MINT,
    MSG_HANDLE_MINTED,
    MSG_DONE,
    MSG_HANDLE_RESTRICT,
    MSG_HANDLE_LIST_QUERY,
    MSG_HANDLE_LIST,
    MSG_CERTIFICATE_REVOKE,

    MSG_SPAWN,
    MSG_SPAWNED,
    MSG_EXITED,
    MSG_KILL,

    MSG_AUDIT_QUERY,
    MSG_AUDIT_STATE,

    MSG_WEB_TRUST,
    MSG_RELOAD,
    MSG_METRICS_QUERY,
    MSG_METRICS,

    MSG_NUM_KINDS
};

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

/* What a listener asks of its clients. */
enum tls_mode {
    TLS_MODE_MUTUAL,   /* a certificate that is let in */
    TLS_MODE_OPTIONAL, /* the same, or none */
    TLS_MODE_SERVER,   /* nothing: no certificate is asked for */
    TLS_MODE_OFF,      /* there is no TLS */
    TLS_MODE_NUM,
};

enum service { SERVICE_NONE = 0, SERVICE_HTTPS, SERVICE_ECHO, SERVICE_METRICS, SERVICE_NUM };

enum browser_state {
    BROWSER_NONE = 0,
    BROWSER_STARTED,
    BROWSER_ENDED,
    BROWSER_SCREENSHOT, /* the screenshot's file is complete */
    BROWSER_NUM
};

/* The programs the spawner can start. */
enum program { PROGRAM_NONE = 0, PROGRAM_KEYD, PROGRAM_WEB, PROGRAM_SHIM, PROGRAM_NUM };

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
    bool tls12; /* the server's key signs for TLS 1.2 as well */
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

/* What a line of web's access log looks like. */
enum access_log { ACCESS_LOG_TEXT, ACCESS_LOG_JSON, ACCESS_LOG_COMBINED, ACCESS_LOG_NONE, ACCESS_LOG_NUM };

/* Where an application is. */
struct web_proxy {
    const char *prefix;   /* 1 to LIMIT_PROXY_PREFIX bytes */
    const char *upstream; /* 1 to LIMIT_PROXY_UPSTREAM bytes */
};

/* An operator's limits of one worker. 0: none. */
struct web_limits {
    uint32_t connections;         /* at most LIMIT_CONNECTIONS */
    uint32_t address_connections; /* of one client address; the same */
    uint32_t address_handshakes;  /* a second, of one client address; the same */
};

struct web_setup {
    uint32_t worker; /* below LIMIT_WORKERS */
    bool has_root;
    bool has_uploads;
    uint64_t max_upload_bytes;
    uint32_t idle_timeout_ms;
    bool tls12;
    bool spa;
    bool immutable;
    uint64_t upload_quota;
    const char *headers[LIMIT_HEADERS]; /* as in proto/header.h */
    size_t num_headers;
    enum access_log access_log;
    uint32_t tls_groups; /* these two as in struct tls_terms (proto/tls_choice.h) */
    uint32_t tls_suites;
    struct web_proxy proxies[LIMIT_PROXIES];
    size_t num_proxies;
    struct web_limits limits;
};

struct web_connected {
    uint32_t error;     /* enum err; ERR_OK: a descriptor comes with it */
    const char *reason; /* at most LIMIT_TEXT bytes */
};

struct web_listen {
    uint32_t slot; /* below LIMIT_LISTENERS */
    enum service service;
    enum tls_mode mode;
    const char *address; /* at most LIMIT_NAME bytes */
};

struct web_identity {
    struct bytes chain[LIMIT_CHAIN];           /* DER, leaf first */
    size_t num_chain;                          /* at least 1 */
    struct bytes client_cas[LIMIT_CLIENT_CAS]; /* DER */
    size_t num_client_cas;
    bool has_client_ca_file;
    const char *own_client; /* SHA-256 of keyd's client certificate, 64 hexadecimal digits */
};

struct web_trust {
    struct bytes client_cas[LIMIT_CLIENT_CAS]; /* DER */
    size_t num_client_cas;
    const char *own_client; /* as in struct web_identity */
};

/* Why handshakes end without a connection. */
enum handshake_failure {
    HANDSHAKE_NO_CERTIFICATE, /* the client has none, or shows none */
    HANDSHAKE_CERTIFICATE,    /* it is not one that is let in */
    HANDSHAKE_SIGNATURE,      /* keyd did not sign */
    HANDSHAKE_ALERT,          /* the client objected */
    HANDSHAKE_PROTOCOL,       /* what the client said is not what a TLS client of this server says */
    HANDSHAKE_ABORTED,        /* the client left */
    HANDSHAKE_FAILURES,
};

/* Why a connection is refused as soon as it comes. */
enum connection_limit { CONNECTION_LIMIT_ALL, CONNECTION_LIMIT_ADDRESS, CONNECTION_LIMIT_RATE, CONNECTION_LIMITS };

/* Classes of HTTP status codes: 2xx to 5xx. */
#define RESPONSE_CLASSES 4

struct web_status {
    uint64_t handshakes;
    uint64_t handshakes_failed;
    uint64_t requests;
    uint64_t requests_refused;
    uint64_t connections;
    uint64_t echo_lines;
    uint64_t failures[HANDSHAKE_FAILURES]; /* of them HANDSHAKE_ABORTED are not among handshakes_failed */
    uint64_t responses[RESPONSE_CLASSES];
    uint64_t limited[CONNECTION_LIMITS];
};

struct metrics {
    const char *fault; /* at most LIMIT_TEXT bytes; empty: the system is healthy */
    struct bytes text; /* at most LIMIT_METRICS bytes */
};

/* The handle that a client's signature was made for, and those above it: it was derived from the first of them, and so on. */
struct client_bound {
    uint64_t handle;                   /* never 0 */
    uint64_t above[LIMIT_GRANT_DEPTH]; /* nor these */
    size_t num_above;
};

struct web_revoke {
    uint64_t *handles; /* at most LIMIT_REVOKED_HANDLES, none 0 */
    size_t num_handles;
    struct bytes *serials; /* at most LIMIT_REVOKED_SERIALS */
    size_t num_serials;
};

struct shim_setup {
    const char *browser; /* 1 to LIMIT_LABEL bytes */
    const char *url;     /* 1 to LIMIT_URL bytes */
    uint16_t port;       /* never 0 */
    bool headless;
    bool has_screenshot;
    const char *display; /* at most LIMIT_PATH bytes, as the next two */
    const char *wayland_display;
    const char *xauthority;
};

struct shim_browser {
    enum browser_state state;
    uint32_t pid;
    uint32_t status;
};

struct failed {
    const char *text; /* at most LIMIT_TEXT bytes; the encoder cuts and repairs it */
    uint32_t error;   /* enum err, not ERR_OK */
};

struct process_status {
    const char *name; /* 1 to LIMIT_LABEL bytes */
    uint32_t pid;     /* 0: none at the moment */
    uint32_t uid;
    uint32_t seccomp_mode;
    bool no_new_privs;
    uint32_t landlock_abi;
    const char *namespaces; /* at most LIMIT_NAME bytes */
    uint32_t restarts;
    uint64_t resident_bytes;
};

struct handle_status {
    uint64_t handle;   /* never 0 */
    const char *label; /* at most LIMIT_LABEL bytes */
    enum purpose purpose;
    uint64_t expires_in_s;
    uint64_t signatures;
    uint64_t refusals;
    uint64_t max_signatures;
    uint32_t pinned_pid;
    uint32_t rate;
    uint64_t parent;
    const char *server; /* at most LIMIT_NAME bytes */
    const char *ca;     /* at most LIMIT_LABEL bytes */
};

struct system_status {
    const char *url;
    uint32_t ready_ms;
    bool secret_memory;
    struct process_status *processes; /* at most LIMIT_PROCESSES */
    size_t num_processes;
    struct handle_status *handles; /* at most LIMIT_STATUS_HANDLES */
    size_t num_handles;
    struct certificate_info *certificates;
    size_t num_certificates;
    uint64_t handshakes;
    uint64_t handshakes_failed;
    uint64_t requests;
    uint64_t requests_refused;
    uint64_t signatures;
    uint64_t refusals;
    uint32_t total_handles; /* at most LIMIT_GRANTS */
    uint64_t audit_records;
    uint64_t audit_pending; /* bytes */
    uint64_t audit_lost;    /* records */
    bool audit_held;
    enum tls_mode mode; /* of the host's listener */
};

struct handle_mint {
    const char *label;   /* 1 to LIMIT_LABEL bytes */
    uint32_t lifetime_s; /* 1 to LIMIT_HANDLE_LIFETIME_S */
    uint64_t max_signatures;
    const char *server; /* 1 to LIMIT_NAME bytes */
    uint32_t rate;
    bool pinned;
    struct bytes ca; /* DER, at most LIMIT_CERTIFICATE bytes */
};

struct handle_restrict {
    uint64_t parent;
    const char *label;   /* at most LIMIT_LABEL bytes */
    uint32_t lifetime_s; /* at most LIMIT_HANDLE_LIFETIME_S */
    uint64_t max_signatures;
    uint32_t rate;
    const char *server; /* at most LIMIT_NAME bytes */
    bool pinned;
};

struct handle_list {
    struct handle_status *handles; /* at most LIMIT_HANDLE_PAGE */
    size_t num_handles;
    uint32_t total; /* at most LIMIT_GRANTS */
};

struct handle_minted {
    uint64_t handle;     /* never 0 */
    struct bytes client; /* DER */
    struct bytes ca;     /* DER */
};

struct audit_state {
    uint64_t records;
    uint8_t hash[32];
    const char *fingerprint; /* at most LIMIT_LABEL bytes */
    uint64_t pending;
    uint64_t lost;
    bool held;
};

struct spawn {
    enum program program;
    uint32_t instance;
};

struct spawned {
    enum program program;
    uint32_t instance;
    uint32_t pid; /* never 0, as in the next two */
};

struct exited {
    uint32_t pid;
    uint32_t status;
};

struct kill_order {
    uint32_t pid;
    uint32_t signal; /* 1 to 64 */
};

struct msg {
    enum msg_kind kind;
    uint64_t id;
    union {
        struct sign_tls13 sign_tls13_server;
        struct sign_tls12_server sign_tls12_server;
        struct sign_tls13_client sign_tls13_client;
        struct sign_browser_digest sign_browser_digest;
        struct bytes signature; /* 1 to LIMIT_SIGNATURE bytes */
        enum refusal refusal;
        struct handle_description handle_description;
        struct bytes expect_client; /* 1 to LIMIT_TRANSCRIPT bytes */
        struct client_bound client_bound;

        struct keyd_setup keyd_setup;
        struct keyd_identity keyd_identity;
        struct keyd_grant keyd_grant;
        uint64_t keyd_revoke; /* the grant */
        struct keyd_event keyd_event;
        struct keyd_status keyd_status;
        struct sign_audit_head sign_audit_head;
        struct audit_head audit_head;
        bool keyd_hold;

        struct web_setup web_setup;
        struct web_listen web_listen;
        struct web_identity web_identity;
        struct web_status web_status;
        struct web_revoke web_revoke;
        uint64_t web_revoked; /* connections */
        bool web_expect;
        uint32_t web_connect; /* below LIMIT_PROXIES */
        struct web_connected web_connected;

        struct shim_setup shim_setup;
        uint64_t shim_launch; /* the handle */
        struct shim_browser shim_browser;

        struct failed failed;

        struct system_status system_status;
        struct bytes ca;        /* DER */
        uint64_t handle_revoke; /* the handle */
        struct handle_mint handle_mint;
        struct handle_minted handle_minted;
        struct handle_restrict handle_restrict;
        uint64_t handle_list_query; /* list those above */
        struct handle_list handle_list;
        uint64_t done; /* connections */
        struct bytes
            certificate_revoke; /* the serial number: 1 to LIMIT_SERIAL bytes, as all of them without leading zeros */

        struct spawn spawn;
        struct spawned spawned;
        struct exited exited;
        struct kill_order kill;

        struct audit_state audit_state;

        struct web_trust web_trust;
        struct metrics metrics;
    };
};

/* msg_kind_name returns the kind's name for log lines, such as "SIGN_TLS13_SERVER". Never NULL. */
const char *msg_kind_name(enum msg_kind kind);

/* refusal_text returns why keyd refused, in words for people. Never NULL. */
const char *refusal_text(enum refusal refusal);

/* tls_mode_name returns "mutual", "optional", "server" or "off". Never NULL. */
const char *tls_mode_name(enum tls_mode mode);

/* purpose_name returns "tls-server", "tls-client" or "browser-digest". Never NULL. */
const char *purpose_name(enum purpose purpose);

#endif
