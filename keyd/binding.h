/* From a handshake's messages to the one client signature that belongs to it. */
#ifndef KEYWARD_KEYD_BINDING_H
#define KEYWARD_KEYD_BINDING_H

#include <stdint.h>

#include "keyd/expectation.h"
#include "keyd/keystore.h"
#include "proto/message.h"

/* binding_expect takes what a web worker tells of its handshake, ClientHello to Finished, and makes it an expectation of
 * that worker's channel, under the worker's id. REFUSAL_TRANSCRIPT: these are not such messages. REFUSAL_SERVER: the server in them has another
 * certificate, or its CertificateVerify is not one that keyd made a moment ago for this channel. */
enum refusal binding_expect(struct expectation_source *source, const struct keystore *keystore, uint64_t id,
                            struct bytes messages, uint64_t now_ms);

/* binding_client judges what a client tells of its handshake, ClientHello to its own Certificate, and writes the digest
 * that it may have signed, for a scheme that the client's key does. server is the name that the client's handle is for. REFUSAL_TRANSCRIPT: these are not such
 * messages, or the client's certificate is not keyd's. REFUSAL_SERVER: the server has not that name, not the certificate
 * that keyd issued, that certificate is out of its time, or the CertificateVerify is not by its key. */
enum refusal binding_client(struct digest *out_digest, const struct keystore *keystore, const char *server,
                            const struct sign_tls13_client *request, uint64_t now_s);

#endif
