/* PEM's armour (RFC 7468), without looking into what it holds: the broker does not parse certificates. */
#ifndef KEYWARD_BROKER_PEM_H
#define KEYWARD_BROKER_PEM_H

#include <stdio.h>

#include "base/bytes.h"
#include "base/err.h"

/* pem_print_certificate writes one certificate, 64 columns wide. */
void pem_print_certificate(FILE *out, struct bytes der);

/* pem_check_certificates looks whether text is PEM with at least one certificate in it, and each of them one whole DER
 * sequence. Whether it is a CA that can be used is web's to say. ERR_INPUT with what is wrong; max is how many are
 * allowed. */
MUST_CHECK enum err pem_check_certificates(struct bytes text, size_t max, struct diag *diag);

/* pem_read_certificates checks text in the same way and writes the certificates, at most max, one behind the other into
 * room; out points there. ERR_INPUT also if they do not fit, or one is longer than LIMIT_CERTIFICATE. */
MUST_CHECK enum err pem_read_certificates(struct bytes *out, size_t *out_num, size_t max, uint8_t *room,
                                          size_t room_len, struct bytes text, struct diag *diag);

#endif
