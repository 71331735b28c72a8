/* TLS to somebody's server with a key that is in keyd: TLS 1.3, a server certificate by one CA and with one name, and a
 * client certificate whose signature keyd makes over the handshake's messages, once it has verified the server in them
 * by itself (SIGN_TLS13_CLIENT in docs/PROTOCOL.md, docs/adr/0013). What is verified here protects the caller; what keyd
 * verifies protects the key from the caller.
 *
 * Nothing here waits. Each call returns ERR_AGAIN and says what it waits for; the caller, who has the event loop and the
 * deadlines, calls it again then. SIGPIPE has to be ignored: BoringSSL writes to connections that the server may have
 * closed. One thread. */
#ifndef KEYWARD_TLSCLIENT_TLSCLIENT_H
#define KEYWARD_TLSCLIENT_TLSCLIENT_H

#include <openssl/base.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "proto/message.h"
#include "tlsclient/leaf.h"
#include "tlsclient/signer.h"

/* ---- A server, and who is its client: what all connections to it share ------------------------------------------- */

struct tlsclient_server;

/* A client sends its leaf, or its leaf and the issuer: keyd signs for nothing else. */
enum { TLSCLIENT_CHAIN = LIMIT_UPSTREAM_CHAIN };

struct tlsclient_config {
    const char *host;                    /* a host name, or an IP address in text; at most LIMIT_NAME bytes */
    struct bytes ca;                     /* DER: who vouches for it, and nobody else does */
    struct bytes chain[TLSCLIENT_CHAIN]; /* DER: the client's certificate, and its issuer's */
    size_t num_chain;
    const uint8_t *protocols; /* for ALPN (RFC 7301, 3.1), each with its length before it */
    size_t protocols_len;     /* 0: none */
    bool foreign;             /* it is not this system's own server; for the words of a failure */
};

/* tlsclient_server_new copies what it needs. ERR_CRYPTO, ERR_MEMORY with a diagnostic. */
MUST_CHECK enum err tlsclient_server_new(struct tlsclient_server **out, const struct tlsclient_config *config,
                                         struct diag *diag);

/* tlsclient_server_free: connections may live on. NULL is allowed. */
void tlsclient_server_free(struct tlsclient_server *server);

/* ---- A connection ------------------------------------------------------------------------------------------------ */

struct tlsclient;

/* What a call that returned ERR_AGAIN waits for. */
enum tlsclient_wait {
    TLSCLIENT_WAITS_READ,
    TLSCLIENT_WAITS_WRITE,
    TLSCLIENT_WAITS_SIGNATURE, /* tlsclient_signer_run tells signed_one */
};

/* What is known of a connection, for tlsclient_explain (tlsclient/explain.h). */
struct tlsclient_story {
    const char *host;
    bool foreign;
    const char *versions;       /* of TLS, that are offered */
    bool certificate_requested; /* by the server */
    bool certificate_withheld;  /* requested in TLS 1.2, where keyd signs nothing */
    bool not_asked;             /* the handshake is complete, and failed because the server asked for no certificate */
    bool connected;             /* the handshake is complete */
    enum refusal refusal;       /* keyd's */
    enum err handle_error;      /* the handle's channel */
    /* Of the call that failed: */
    int ssl_error;                /* SSL_get_error */
    uint32_t library_error;       /* BoringSSL's oldest, 0: none */
    int system_error;             /* errno, 0: none */
    long verify_result;           /* X509_V_... of the server's chain */
    struct tlsclient_leaf server; /* what it has shown */
    uint64_t client_until;        /* the end of the client's certificate, seconds since the epoch; 0: none was sent */
};

/* tlsclient_new prepares a connection over fd, a connected and non-blocking stream socket. fd stays the caller's, as does
 * signer; both live as long. signed_one (NULL: none) is called with context when a wait for a signature is over, from
 * within tlsclient_signer_run. ERR_CRYPTO, ERR_MEMORY. */
MUST_CHECK enum err tlsclient_new(struct tlsclient **out, const struct tlsclient_server *server,
                                  struct tlsclient_signer *signer, int fd, void (*signed_one)(void *context),
                                  void *context);

/* tlsclient_free says nothing to the server. NULL is allowed. */
void tlsclient_free(struct tlsclient *tls);

/* tlsclient_handshake goes on with the handshake. ERR_OK: the server is verified, and was offered the client's certificate; a
 * server that asks for none is a failure, as it would let anyone in. In TLS 1.3 a server judges that certificate after the
 * client's part is over: a refusal comes with the first read. ERR_CRYPTO: it failed, see tlsclient_story. */
MUST_CHECK enum err tlsclient_handshake(struct tlsclient *tls, enum tlsclient_wait *out_wait);

/* tlsclient_read reads what there is, at least one byte; none with ERR_OK: the server ended the stream in order. An end
 * that nobody announced (no close_notify) is a failure: what came may be cut. ERR_CRYPTO as above. */
MUST_CHECK enum err tlsclient_read(struct tlsclient *tls, uint8_t *out, size_t *out_len, size_t cap,
                                   enum tlsclient_wait *out_wait);

/* tlsclient_peek is tlsclient_read that leaves what it has read to be read. */
MUST_CHECK enum err tlsclient_peek(struct tlsclient *tls, uint8_t *out, size_t *out_len, size_t cap,
                                   enum tlsclient_wait *out_wait);

/* tlsclient_write takes the beginning of data, *out_len bytes. After ERR_AGAIN the next call has to begin with the same
 * bytes, be they moved, and may have more behind them. ERR_CRYPTO: the server takes no more; why is known once it has been read. */
MUST_CHECK enum err tlsclient_write(struct tlsclient *tls, size_t *out_len, struct bytes data,
                                    enum tlsclient_wait *out_wait);

/* tlsclient_has_unread says whether tlsclient_read has bytes that the socket does not tell of. */
bool tlsclient_has_unread(const struct tlsclient *tls);

/* tlsclient_end tells the server that nothing more comes; reading goes on. */
void tlsclient_end(struct tlsclient *tls);

const struct tlsclient_story *tlsclient_story(const struct tlsclient *tls);

/* ---- For who looks at handshakes --------------------------------------------------------------------------------- */

/* tlsclient_watch has message called for each that BoringSSL reads or writes, handshake or not, before it is encrypted or
 * after it is decrypted. Before the handshake. A server that asks for no certificate is no failure then. */
void tlsclient_watch(struct tlsclient *tls,
                     void (*message)(void *context, bool from_client, int content_type, struct bytes data),
                     void *context);

enum tlsclient_versions { TLSCLIENT_12_AND_13, TLSCLIENT_12_ALONE };

/* tlsclient_offer offers TLS 1.2 too, or alone, and other protocols, before the handshake. In TLS 1.2 the server gets no
 * certificate: what is signed there would be good for other handshakes too, so keyd has no word for it. ERR_CRYPTO. */
MUST_CHECK enum err tlsclient_offer(struct tlsclient *tls, enum tlsclient_versions versions, const uint8_t *protocols,
                                    size_t protocols_len);

/* tlsclient_ssl returns BoringSSL's side, to ask it what was agreed. */
SSL *tlsclient_ssl(const struct tlsclient *tls);

#endif
