/* What BoringSSL wants signed, as the typed request that keyd answers.
 *
 * SSL_PRIVATE_KEY_METHOD.sign hands over the whole input of the signature. keyd takes no bytes to sign: it takes the
 * few values in them and builds the rest itself, so they are taken out here, and whatever is not exactly such an input
 * is refused. */
#ifndef KEYWARD_WEB_SIGN_INPUT_H
#define KEYWARD_WEB_SIGN_INPUT_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "proto/message.h"

/* The longest input: TLS 1.2's two randoms, then ECParameters and the point with its length (RFC 8422, 5.4). */
#define SIGN_INPUT_MAX (32u + 32u + 3u + 1u + LIMIT_ECDHE_POINT)

/* sign_input_parse fills out with SIGN_TLS13_SERVER or SIGN_TLS12_SERVER for an input of that TLS version (as
 * SSL_version names it). out's spans point into input; its id is 0. ERR_INPUT: not such an input. */
MUST_CHECK enum err sign_input_parse(struct msg *out, uint16_t tls_version, uint16_t scheme, struct bytes input);

/* sign_input_set_server says in such a request whose key it is for, by the number of the server certificate. */
void sign_input_set_server(struct msg *request, uint32_t server);

#endif
