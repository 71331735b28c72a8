/* The client key, which is in keyd: one handle (LINK_SIGN_CLIENT), asked by any number of connections at once. Nothing
 * here waits: whoever has an event loop watches tlsclient_signer_fd and calls tlsclient_signer_run, whoever has none polls
 * it. One thread. */
#ifndef KEYWARD_TLSCLIENT_SIGNER_H
#define KEYWARD_TLSCLIENT_SIGNER_H

#include <stdbool.h>

#include "base/err.h"
#include "proto/message.h"

struct tlsclient_signer;

/* tlsclient_signer_new makes one of a handle, which is its own from then on, whatever it returns. ERR_MEMORY. */
MUST_CHECK enum err tlsclient_signer_new(struct tlsclient_signer **out, int handle);

/* tlsclient_signer_free closes the handle. No connection may wait for a signature. NULL is allowed. */
void tlsclient_signer_free(struct tlsclient_signer *signer);

int tlsclient_signer_fd(const struct tlsclient_signer *signer);

/* tlsclient_signer_wants_write says whether a request waits for room in the channel. */
bool tlsclient_signer_wants_write(const struct tlsclient_signer *signer);

/* tlsclient_signer_run takes all answers that have come and sends what waits. The connections whose wait is over are told
 * (signed_one of tlsclient_new), which must not free the signer. ERR_AGAIN: all is done for now. Anything else: the handle has ended, and so
 * has every wait; tlsclient_signer_refusal may say why. */
MUST_CHECK enum err tlsclient_signer_run(struct tlsclient_signer *signer);

/* tlsclient_signer_refusal returns keyd's last word about the handle as a whole, such as REFUSAL_REVOKED. */
enum refusal tlsclient_signer_refusal(const struct tlsclient_signer *signer);

#endif
