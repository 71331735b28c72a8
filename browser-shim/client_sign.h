/* What BoringSSL wants signed, as the value that keyd takes. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_SIGN_H
#define KEYWARD_BROWSER_SHIM_CLIENT_SIGN_H

#include "base/bytes.h"
#include "base/err.h"

/* client_sign_transcript_hash takes the transcript hash out of the content of a TLS 1.3 client CertificateVerify
 * (RFC 8446, 4.4.3). out points into content. ERR_INPUT: it is not such a content; then there is nothing to sign. */
MUST_CHECK enum err client_sign_transcript_hash(struct bytes *out, struct bytes content);

#endif
