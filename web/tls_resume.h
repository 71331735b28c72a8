/* Resumption by session tickets, of TLS 1.3 alone and never with early data.
 *
 * A ticket carries the session with the client's whole chain. Whoever resumes is judged as in a full handshake, but for the proof
 * of the key, which it gave LIMIT_TICKET_LIFETIME_S ago at most: the chain is verified under the CAs of now, at the time of now,
 * against the revocations of now. A client with keyd's own certificate gets no ticket, so that revoking its handle is the end of it. */
#ifndef KEYWARD_WEB_TLS_RESUME_H
#define KEYWARD_WEB_TLS_RESUME_H

#include "web/tls.h"

/* tls_resume_context lets the context's connections make and take tickets. */
void tls_resume_context(SSL_CTX *context);

/* tls_resume_begin says to ssl, whose app data is the handshake, whether it may. ERR_CRYPTO. */
MUST_CHECK enum err tls_resume_begin(SSL *ssl, const struct tls_handshake *handshake);

/* tls_resume_bind makes the session good where the same is asked of clients, by the same CAs, of a server with the same certificate
 * (RFC 8446, 4.6.1). To be called again when the handshake gets another certificate. ERR_CRYPTO. */
MUST_CHECK enum err tls_resume_bind(SSL *ssl, const struct tls_handshake *handshake);

/* tls_resume_forbid: this connection gets no ticket. */
void tls_resume_forbid(SSL *ssl);

/* tls_resume_limit bounds for how long the client's proof of its key in this full handshake is good. */
void tls_resume_limit(SSL *ssl);

/* tls_resume_judge fills handshake->certificate of a finished handshake if it was a resumption, and says whether the client
 * is let in; if not, handshake->refused says why. */
MUST_CHECK bool tls_resume_judge(SSL *ssl, struct tls_handshake *handshake);

#endif
