/* What the key of a server certificate does: schemes, and suites of TLS 1.2. keyd knows no other keys. */
#ifndef KEYWARD_WEB_SERVER_KEY_H
#define KEYWARD_WEB_SERVER_KEY_H

#include <openssl/base.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/tls_choice.h"

struct server_key {
    uint16_t schemes[3];
    size_t num_schemes;
};

/* server_key_read reads it from the certificate, and looks whether the terms leave it a suite. name is what the certificate is
 * called in the diagnostic, NULL for the default one. ERR_INPUT. */
MUST_CHECK enum err server_key_read(struct server_key *out, X509 *certificate, const char *name,
                                    const struct tls_terms *terms, struct diag *diag);

bool server_key_does(const struct server_key *key, uint16_t scheme);

/* server_key_bit is one of two bits, for ECDSA and for RSA; server_key_bit_of_suite the one of the keys that a suite of TLS 1.2 with
 * this authentication (an NID) is for, 0 if for neither. */
unsigned server_key_bit(const struct server_key *key);
unsigned server_key_bit_of_suite(int auth_nid);

/* server_key_complain sets a diagnostic about that certificate and returns err. */
enum err server_key_complain(struct diag *diag, enum err err, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
