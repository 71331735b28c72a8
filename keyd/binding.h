/* From a handshake's messages to the one client signature that belongs to it. */
#ifndef KEYWARD_KEYD_BINDING_H
#define KEYWARD_KEYD_BINDING_H

#include <stdint.h>

#include "base/bytes.h"
#include "keyd/expectation.h"
#include "keyd/keystore.h"
#include "proto/message.h"

/* binding_expect takes what a web worker tells of its handshake, ClientHello to Finished, and makes it an expectation of
 * that worker's channel, under the worker's id. REFUSAL_TRANSCRIPT: these are not such messages. REFUSAL_SERVER: the server in them has another
 * certificate, or its CertificateVerify is not one that keyd made a moment ago for this channel. */
enum refusal binding_expect(struct expectation_source *source, const struct keystore *keystore, uint64_t id,
                            struct bytes messages, uint64_t now_ms);

/* The server that a client's handle is for. */
struct binding_server {
    const char *name; /* a host name, or an IP address in text */
    struct bytes ca;  /* DER: the CA that its certificate has to lead to; empty: it is this system's own server */
};

/* binding_client judges what a client tells of its handshake, ClientHello to its own Certificate, and writes the digest
 * that it may have signed, for a scheme that the client's key does. REFUSAL_TRANSCRIPT: these are not such messages, or
 * the client's certificate is not keyd's. REFUSAL_SERVER: the server has not that name, its certificate is not the one
 * that keyd issued (or does not lead to the CA) or is out of its time, or the CertificateVerify is not by its key.
 * REFUSAL_INTERNAL: no memory for the server's certificates. */
enum refusal binding_client(struct digest *out_digest, const struct keystore *keystore,
                            const struct binding_server *server, const struct sign_tls13_client *request,
                            uint64_t now_s);

/* binding_can says whether a handle can be for this server. REFUSAL_PARAMETERS: ca is not the certificate of a CA that
 * may vouch for servers, or name is neither a host name nor an address. */
enum refusal binding_can(const struct binding_server *server);

#endif
