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
#include "proto/message_control.h"
#include "proto/message_explain.h"
#include "proto/message_keyd.h"
#include "proto/message_process.h"
#include "proto/message_web.h"

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
    MSG_WEB_CONNECT_STREAM,
    MSG_WEB_TICKETS,

    MSG_SHIM_SETUP,
    MSG_SHIM_LISTENER,
    MSG_SHIM_LAUNCH,
    MSG_SHIM_RENEW,
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
    MSG_BROWSER_RENEW,
    MSG_METRICS_QUERY,
    MSG_METRICS,
    MSG_EXPLAIN_QUERY,
    MSG_EXPLANATION,
    MSG_WEB_LOG,
    MSG_LOG_REOPEN,

    MSG_WEB_UPSTREAM,
    MSG_LOAD,
    MSG_LOADED,
    MSG_WEB_RETIRE,
    MSG_KEYD_SETTLE,

    MSG_SERVER_CERTIFICATE,
    MSG_SERVER_INFO,

    MSG_PING,
    MSG_PONG,

    MSG_NUM_KINDS
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
        struct server_certificate server_certificate;
        struct certificate_info server_info;
        struct keyd_event keyd_event;
        struct keyd_status keyd_status;
        struct sign_audit_head sign_audit_head;
        struct audit_head audit_head;
        bool keyd_hold;
        uint64_t keyd_settle; /* the id of a KEYD_SETUP, never 0 */

        struct web_setup web_setup;
        struct web_listen web_listen;
        struct web_identity web_identity;
        struct web_status web_status;
        struct web_revoke web_revoke;
        uint64_t web_revoked; /* connections */
        bool web_expect;
        uint32_t web_connect; /* below LIMIT_PROXIES */
        struct web_connected web_connected;
        struct web_upstream web_upstream;
        uint32_t web_connect_stream; /* below LIMIT_STREAMS */

        struct shim_setup shim_setup;
        uint64_t shim_launch; /* the handle */
        uint64_t shim_renew;  /* the handle */
        struct shim_browser shim_browser;

        struct failed failed;
        uint64_t pong; /* of a web worker: requests over the browser's listener */

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
        struct explain_query explain_query;
        struct explanation explanation;

        struct bytes loaded; /* the path, 1 to LIMIT_PATH bytes */
    };
};

/* msg_kind_name returns the kind's name for log lines, such as "SIGN_TLS13_SERVER". Never NULL. */
const char *msg_kind_name(enum msg_kind kind);

/* refusal_text returns why keyd refused, in words for people. Never NULL. */
const char *refusal_text(enum refusal refusal);

/* tls_mode_name returns "mutual", "optional", "server" or "off". Never NULL. */
const char *tls_mode_name(enum tls_mode mode);

/* purpose_name returns "tls-server", "tls-client", "browser-digest" or "gateway". Never NULL. */
const char *purpose_name(enum purpose purpose);

#endif
