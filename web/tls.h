/* TLS as the front end speaks it: the server's side, a certificate from every client, a key that is elsewhere. */
#ifndef KEYWARD_WEB_TLS_H
#define KEYWARD_WEB_TLS_H

#include <openssl/base.h>
#include <stdbool.h>

#include "base/certificate.h"
#include "base/err.h"
#include "proto/message.h"
#include "proto/tls_choice.h"
#include "web/clients.h"
#include "web/handshake_messages.h"
#include "web/revoked.h"
#include "web/session.h"
#include "web/signer.h"
#include "web/tickets.h"
#include "web/tls_servers.h"

/* What a connection needs until its handshake is over. */
struct tls_handshake {
    struct signer_wait signer;
    const bool *expected;                 /* whether a handle's holder may be the client; NULL: always */
    const struct revoked *revoked;        /* certificates that are not taken; NULL: any */
    enum tls_mode mode;                   /* not TLS_MODE_OFF */
    const struct tickets *tickets;        /* NULL: nothing is resumed */
    bool asked;                           /* a CertificateRequest of TLS 1.3 has gone out */
    enum service service;                 /* decides which ALPN protocols are offered */
    struct certificate_text *certificate; /* filled when the client's chain has been judged, well or not */
    CRYPTO_BUFFER **leaf;         /* once verified gets its leaf, which is then the caller's; NULL: not wanted */
    struct lineage **lineage;     /* the same, clients_verify's; never NULL */
    char refused[CLIENTS_REASON]; /* why it was refused, in words */
    int refused_error;            /* and as X509_V_ERR_... */
    unsigned server;              /* the place of the certificate it has; the default one's at first */
    unsigned tls12_keys;          /* for which keys the client has a suite of TLS 1.2 (server_key_bit) */
    bool read_alert; /* the last record that was read calls itself an alert, which encrypted ones of TLS 1.3 do not */
    const char *unbound; /* why keyd expects no signature of a handle's in it; NULL: it has said nothing */
    bool own_client;     /* its leaf is keyd's: only a handle's holder can have signed */
    struct handshake_messages messages; /* of TLS 1.3, until the server's Finished; zero before the handshake */
};

/* tls_context_new makes the context of one identity on these terms, for these clients. servers has the certificates beside the
 * identity's own, NULL for none; it is taken, also on an error. ERR_INPUT and ERR_CRYPTO with a diagnostic: which certificate, and
 * why. */
MUST_CHECK enum err tls_context_new(SSL_CTX **out, const struct web_identity *identity, const struct tls_terms *terms,
                                    struct tls_servers *servers, const struct clients_terms *clients,
                                    struct diag *diag);

/* tls_context_trust has the context let in others' clients, at once and in handshakes that are in progress too. Takes clients, also
 * when it fails: ERR_MEMORY, then all is as it was. */
MUST_CHECK enum err tls_context_trust(SSL_CTX *context, struct clients *clients);

/* tls_clients returns whose clients the context lets in. They stay the context's. */
struct clients *tls_clients(const SSL_CTX *context);

/* tls_buffer_pool is where certificates of one kind are in memory once. NULL: no memory. */
CRYPTO_BUFFER_POOL *tls_buffer_pool(void);

/* tls_keep_leaf gives the first certificate of a verified chain to whoever wants it. */
void tls_keep_leaf(struct tls_handshake *handshake, const STACK_OF(CRYPTO_BUFFER) * chain);

/* tls_new makes the TLS state of an accepted connection; fd stays the caller's. handshake (whose mode, service, certificate, lineage, revoked
 * and signer.ready the caller has set) must stay in place until tls_handshake_end. NULL: no memory. */
SSL *tls_new(SSL_CTX *context, struct tls_handshake *handshake, struct signer *signer, int fd);

/* tls_handshake_end takes handshake out of use, whether it succeeded or not. */
void tls_handshake_end(SSL *ssl, struct tls_handshake *handshake);

/* tls_describe sets protocol, cipher, group and alpn of a finished handshake; the strings live as long as ssl. */
void tls_describe(struct session_peer *out, const SSL *ssl);

#endif
