/* The handle: what it is, and one signature from it. The only file here that talks to keyd.
 *
 * The handle is an inherited descriptor, which stays open until another has taken its place. Any number of threads may call at
 * once; one exchange goes at a time, and none takes longer than DEADLINE_MODULE_MS, waiting included. */
#ifndef KEYWARD_BROWSER_SHIM_MODULE_TOKEN_H
#define KEYWARD_BROWSER_SHIM_MODULE_TOKEN_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "browser-shim/module/der.h"
#include "proto/message.h"

/* Where the browser finds its handle. */
#define TOKEN_FD 3

/* What keyd says of the handle; the spans are the token's. */
struct token_description {
    char label[LIMIT_LABEL + 1];
    struct bytes leaf;
    struct bytes issuer;    /* the leaf itself, if nobody else signed it */
    struct bytes server_ca; /* perhaps the same as the issuer */
};

struct token;

/* token_guard marks the descriptor close-on-exec if it is a channel, so that what the browser starts does not inherit
 * it. False: it is something else and was left alone. */
bool token_guard(int fd);

/* token_open asks keyd what the handle is. ERR_NOT_FOUND: the descriptor is not a channel. ERR_TIMEOUT, ERR_CLOSED,
 * ERR_DENIED, ERR_MALFORMED: keyd did not answer, is gone, refused, or answered nonsense. The descriptor stays the
 * caller's; the token is the caller's to drop. */
MUST_CHECK enum err token_open(struct token **out, int fd);

/* token_hold keeps the token alive for one more token_drop; the last one frees all but the descriptor. NULL is allowed
 * in token_drop. */
void token_hold(struct token *token);
void token_drop(struct token *token);

/* token_retire has the last token_drop close the descriptor too. */
void token_retire(struct token *token);

const struct token_description *token_describe(const struct token *token);

/* token_is_present says whether the other end of the handle is still there. */
bool token_is_present(struct token *token);

/* What a browser wants signed: the digest, of 32, 48 or 64 bytes, as the scheme's hash makes them. */
struct token_request {
    uint16_t scheme; /* RFC 8446, 4.2.3 */
    struct bytes digest;
};

/* token_sign has the digest signed and writes out_len bytes: r and s of an ECDSA signature, or an RSA key's signature as
 * it is. ERR_DENIED: keyd refused, and out_refusal says why. ERR_CLOSED: the handle is gone, for good. ERR_MALFORMED: not a signature of that
 * length. ERR_TIMEOUT: no answer in time; the next call may succeed. */
MUST_CHECK enum err token_sign(struct token *token, uint8_t *out, size_t out_len, enum refusal *out_refusal,
                               const struct token_request *request);

#endif
