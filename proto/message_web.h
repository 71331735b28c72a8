/* Messages between the broker and the web workers.
 * Include proto/message.h, which says what holds of all of them. */
#ifndef KEYWARD_PROTO_MESSAGE_WEB_H
#define KEYWARD_PROTO_MESSAGE_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"

/* What a listener asks of its clients. */
enum tls_mode {
    TLS_MODE_MUTUAL,   /* a certificate that is let in */
    TLS_MODE_OPTIONAL, /* the same, or none */
    TLS_MODE_SERVER,   /* nothing: no certificate is asked for */
    TLS_MODE_OFF,      /* there is no TLS */
    TLS_MODE_NUM,
};

enum service { SERVICE_NONE = 0, SERVICE_HTTPS, SERVICE_ECHO, SERVICE_METRICS, SERVICE_STREAM, SERVICE_NUM };

/* What a line of web's access log looks like. */
enum access_log { ACCESS_LOG_TEXT, ACCESS_LOG_JSON, ACCESS_LOG_COMBINED, ACCESS_LOG_NONE, ACCESS_LOG_NUM };

/* Where an application is. */
struct web_proxy {
    const char *prefix;   /* 1 to LIMIT_PROXY_PREFIX bytes */
    const char *upstream; /* 1 to LIMIT_PROXY_UPSTREAM bytes */
    bool tls;
};

/* Where a stream leads. */
struct web_stream {
    const char *address;  /* 1 to LIMIT_NAME bytes */
    const char *upstream; /* 1 to LIMIT_STREAM_UPSTREAM bytes */
    uint32_t idle_ms;     /* 1 to LIMIT_STREAM_IDLE_S seconds */
    bool proxy_protocol;
};

/* An operator's limits of one worker. 0: none. */
struct web_limits {
    uint32_t connections;         /* at most LIMIT_CONNECTIONS */
    uint32_t address_connections; /* of one client address; the same */
    uint32_t address_handshakes;  /* a second, of one client address; the same */
};

struct web_setup {
    uint32_t worker; /* below LIMIT_WORKER_NUMBERS */
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
    uint32_t log_style; /* a set of base/log.h, below LIMIT_LOG_STYLES */
    struct web_stream streams[LIMIT_STREAMS];
    size_t num_streams;
};

struct web_connected {
    uint32_t error;     /* enum err; ERR_OK: a descriptor comes with it */
    const char *reason; /* at most LIMIT_TEXT bytes */
};

struct web_upstream {
    uint32_t proxy;                           /* below LIMIT_PROXIES */
    const char *host;                         /* 1 to LIMIT_NAME bytes */
    struct bytes ca;                          /* DER, at most LIMIT_CERTIFICATE bytes */
    struct bytes chain[LIMIT_UPSTREAM_CHAIN]; /* DER, the client's own first */
    size_t num_chain;
    const char *reason; /* at most LIMIT_TEXT bytes; empty: a descriptor comes with it */
};

struct web_listen {
    uint32_t slot; /* below LIMIT_LISTENERS */
    enum service service;
    enum tls_mode mode;
    const char *address; /* at most LIMIT_NAME bytes */
    uint32_t stream;     /* of SERVICE_STREAM: below LIMIT_STREAMS */
    bool browser;        /* the browser's own, whose requests PONG counts */
};

/* Which client CAs need a revocation list. */
enum crl_rule {
    CRL_RULE_NONE,     /* there are no lists */
    CRL_RULE_FILE_CAS, /* those of the operator's file; not those that the message names, which are keyd's */
    CRL_RULE_ALL_CAS,
    CRL_RULE_NUM,
};

struct web_identity {
    struct bytes chain[LIMIT_CHAIN];           /* DER, leaf first */
    size_t num_chain;                          /* at least 1 */
    struct bytes client_cas[LIMIT_CLIENT_CAS]; /* DER */
    size_t num_client_cas;
    bool has_client_ca_file;
    const char *own_client; /* SHA-256 of keyd's client certificate, 64 hexadecimal digits */
    enum crl_rule crl_rule;
    struct bytes ocsp;    /* DER, at most LIMIT_OCSP_RESPONSE bytes; empty: none */
    struct bytes issuer;  /* DER, at most LIMIT_CERTIFICATE bytes; empty: it is in the chain, or there is no ocsp */
    uint32_t num_servers; /* at most LIMIT_SERVER_CERTIFICATES: those that came before */
};

struct web_trust {
    struct bytes client_cas[LIMIT_CLIENT_CAS]; /* DER */
    size_t num_client_cas;
    const char *own_client; /* as in struct web_identity, and so are the next two */
    enum crl_rule crl_rule;
    bool has_client_ca_file;
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
    uint64_t verdicts;        /* that are remembered now (MSG_EXPLAIN_QUERY) */
    uint64_t access_lost;     /* lines of the access log that its file did not take */
    uint64_t crl_next_update; /* when the first of them runs out, seconds since the epoch; 0: there are none */
    uint64_t ocsp_next_update;
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

#endif
