/* Every kind of message, one row each: ROW(KIND, body), where KIND is what follows MSG_ (and the schema's case), and body
 * the name of its functions in codec_*.c; EMPTY(KIND) for a kind whose body has no field. */
#ifndef KEYWARD_PROTO_KINDS_H
#define KEYWARD_PROTO_KINDS_H

#define PROTO_KINDS(ROW, EMPTY)                   \
    ROW(SIGN_TLS13_SERVER, sign_tls13_server)     \
    ROW(SIGN_TLS12_SERVER, sign_tls12_server)     \
    ROW(SIGN_TLS13_CLIENT, sign_tls13_client)     \
    ROW(SIGN_BROWSER_DIGEST, sign_browser_digest) \
    EMPTY(PIN_HANDLE)                             \
    EMPTY(DESCRIBE_HANDLE)                        \
    ROW(SIGNATURE, signature)                     \
    ROW(REFUSAL, refusal)                         \
    EMPTY(HANDLE_PINNED)                          \
    ROW(HANDLE_DESCRIPTION, handle_description)   \
    ROW(EXPECT_CLIENT, expect_client)             \
    ROW(CLIENT_BOUND, client_bound)               \
    ROW(KEYD_SETUP, keyd_setup)                   \
    ROW(KEYD_IDENTITY, keyd_identity)             \
    ROW(KEYD_GRANT, keyd_grant)                   \
    ROW(KEYD_REVOKE, keyd_revoke)                 \
    ROW(KEYD_EVENT, keyd_event)                   \
    ROW(KEYD_STATUS, keyd_status)                 \
    ROW(SIGN_AUDIT_HEAD, sign_audit_head)         \
    ROW(AUDIT_HEAD, audit_head)                   \
    ROW(KEYD_HOLD, keyd_hold)                     \
    ROW(WEB_SETUP, web_setup)                     \
    ROW(WEB_LISTEN, web_listen)                   \
    ROW(WEB_IDENTITY, web_identity)               \
    ROW(WEB_STATUS, web_status)                   \
    ROW(WEB_REVOKE, web_revoke)                   \
    ROW(WEB_REVOKED, web_revoked)                 \
    ROW(WEB_EXPECT, web_expect)                   \
    ROW(WEB_CONNECT, web_connect)                 \
    ROW(WEB_CONNECTED, web_connected)             \
    ROW(WEB_CONNECT_STREAM, web_connect_stream)   \
    EMPTY(WEB_TICKETS)                            \
    ROW(SHIM_SETUP, shim_setup)                   \
    EMPTY(SHIM_LISTENER)                          \
    ROW(SHIM_LAUNCH, shim_launch)                 \
    ROW(SHIM_RENEW, shim_renew)                   \
    ROW(SHIM_BROWSER, shim_browser)               \
    EMPTY(READY)                                  \
    ROW(FAILED, failed)                           \
    EMPTY(STATUS_QUERY)                           \
    EMPTY(STOP)                                   \
    EMPTY(SYSTEM_STATUS_QUERY)                    \
    ROW(SYSTEM_STATUS, system_status)             \
    EMPTY(CA_QUERY)                               \
    ROW(CA, ca)                                   \
    ROW(HANDLE_REVOKE, handle_revoke)             \
    ROW(HANDLE_MINT, handle_mint)                 \
    ROW(HANDLE_MINTED, handle_minted)             \
    ROW(HANDLE_RESTRICT, handle_restrict)         \
    ROW(HANDLE_LIST_QUERY, handle_list_query)     \
    ROW(HANDLE_LIST, handle_list)                 \
    ROW(DONE, done)                               \
    ROW(CERTIFICATE_REVOKE, certificate_revoke)   \
    ROW(SPAWN, spawn)                             \
    ROW(SPAWNED, spawned)                         \
    ROW(EXITED, exited)                           \
    ROW(KILL, kill)                               \
    EMPTY(AUDIT_QUERY)                            \
    ROW(AUDIT_STATE, audit_state)                 \
    ROW(WEB_TRUST, web_trust)                     \
    EMPTY(RELOAD)                                 \
    EMPTY(BROWSER_RENEW)                          \
    EMPTY(METRICS_QUERY)                          \
    ROW(METRICS, metrics)                         \
    ROW(EXPLAIN_QUERY, explain_query)             \
    ROW(EXPLANATION, explanation)                 \
    EMPTY(WEB_LOG)                                \
    EMPTY(LOG_REOPEN)                             \
    ROW(WEB_UPSTREAM, web_upstream)               \
    ROW(SERVER_CERTIFICATE, server_certificate)   \
    ROW(SERVER_INFO, server_info)                 \
    EMPTY(LOAD)                                   \
    ROW(LOADED, loaded)                           \
    EMPTY(WEB_RETIRE)                             \
    ROW(KEYD_SETTLE, keyd_settle)                 \
    EMPTY(PING)                                   \
    ROW(PONG, pong)

#endif
