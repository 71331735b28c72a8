/* Why handshakes failed, for people and for programs. What a client may have written cannot steer a terminal: of it only printable
 * ASCII is written as it is, all else as \xHH, and in JSON as \uHHHH. */
#ifndef KEYWARD_BROKER_PRINT_VERDICTS_H
#define KEYWARD_BROKER_PRINT_VERDICTS_H

#include <stdio.h>

#include "base/err.h"
#include "proto/message.h"

/* host: whose they are; empty: everybody's. */
void print_verdicts(FILE *out, const struct explanation *explanation, const char *host);

/* print_verdicts_json writes an array of one object each, the latest first: address, kind (verdict_kind_name), count, first and last
 * (milliseconds since the epoch), reason, remedy, certificate (null, or subject, issuer, serial, fingerprint, not_before, not_after).
 * ERR_MEMORY. */
MUST_CHECK enum err print_verdicts_json(FILE *out, const struct explanation *explanation);

#endif
