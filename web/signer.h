/* The server's private key, which is in keyd: handshakes ask here for a signature and are told when it has come.
 *
 * tls.c and conn.c know only this header. //web:signer_keyd implements it over a channel to keyd; a benchmark may link
 * another implementation that holds a key itself, to measure what the other process costs.
 *
 * One signer for each worker; one thread. */
#ifndef KEYWARD_WEB_SIGNER_H
#define KEYWARD_WEB_SIGNER_H

#include <openssl/base.h>
#include <stdint.h>

#include "base/bytes.h"
#include "proto/message.h"

struct ev_loop;
struct signer;

/* The highest bit of the number makes its id on the wire one that no request for a signature has. */
#define SIGNER_MAX_NUMBER INT64_MAX

/* A handshake's place at the signer, part of the connection's memory. */
struct signer_wait {
    uint64_t number;              /* of the connection, below SIGNER_MAX_NUMBER; keyd says by it whose handle is used */
    uint32_t server;              /* whose key it is: what keyd calls it; 0: the default one's */
    void (*ready)(void *context); /* the answer is there, or will not come: go on with SSL_do_handshake */
    void *context;
    const char *failure; /* why the last signature did not come, in words; NULL: nothing failed */

    /* The implementation's own. */
    struct signer *signer;
    uint64_t id;    /* of what is pending; 0: nothing */
    uint64_t epoch; /* of the key that the handshake began with */
};

/* signer_new makes a signer without a key; every signature fails until signer_connect. A signature that takes longer
 * than deadline_ms fails. NULL: no memory. */
struct signer *signer_new(struct ev_loop *loop, unsigned deadline_ms);
void signer_free(struct signer *signer);

/* signer_on_bound says who is told, with this context, that the client's signature in the connection of that number was made
 * for this handle, and what the handle was derived from. It is told before the client has the signature, if signer_catch_up is called before the client's Finished
 * is believed. */
void signer_on_bound(struct signer *signer,
                     void (*bound)(void *context, uint64_t number, const struct client_bound *client), void *context);

/* signer_on_unbound says who is told that keyd refuses to expect a client's signature in the handshake of that number. */
void signer_on_unbound(struct signer *signer, void (*unbound)(void *context, uint64_t number, enum refusal refusal),
                       void *context);

/* signer_catch_up takes what keyd has said by now, without letting any handshake go on. */
void signer_catch_up(struct signer *signer);

/* signer_connect takes the channel over which the new key is used, and its descriptor. What is pending under the key
 * before fails now, and so do signatures of handshakes that began under it. */
void signer_connect(struct signer *signer, int channel);

/* signer_method returns what belongs into the SSL_CTX. */
const SSL_PRIVATE_KEY_METHOD *signer_method(void);

/* signer_attach lets ssl's handshake sign; wait->ready and context are set by the caller before. wait must stay where
 * it is until signer_detach. */
void signer_attach(struct signer *signer, struct signer_wait *wait, SSL *ssl);

/* signer_expect tells keyd the messages of a TLS 1.3 handshake, ClientHello to the server's Finished, so that a browser may
 * answer them. There is no answer; what goes wrong is logged. The caller keeps messages. */
void signer_expect(struct signer_wait *wait, struct bytes messages);

/* signer_detach ends it: an answer that is still on its way will find nobody. Harmless when done twice. */
void signer_detach(struct signer_wait *wait);

#endif
