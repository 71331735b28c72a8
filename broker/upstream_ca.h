/* The file of a CA that vouches for an application elsewhere. */
#ifndef KEYWARD_BROKER_UPSTREAM_CA_H
#define KEYWARD_BROKER_UPSTREAM_CA_H

#include "base/bytes.h"
#include "base/err.h"
#include "broker/opener.h"

/* upstream_ca_read reads a PEM file, which opener opens, with exactly one certificate into memory of its own, as DER; free out->data. Whether it is a
 * CA that can be used is keyd's to say. ERR_INPUT with a diagnostic. */
MUST_CHECK enum err upstream_ca_read(struct bytes *out, struct opener *opener, const char *path, struct diag *diag);

#endif
