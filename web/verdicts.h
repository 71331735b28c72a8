/* Why the last handshakes came to nothing, for `broker explain`: a table of fixed size in each worker.
 *
 * What repeats is one row with a count. One client address has LIMIT_VERDICTS_EACH rows, of which its next takes the oldest; and where
 * the table is full, the row that goes is the oldest of those of the address with the most. So whoever floods a server from one address
 * (the first 64 bits of one, in IPv6) pushes out nobody's rows but his own. The rows end with the worker. */
#ifndef KEYWARD_WEB_VERDICTS_H
#define KEYWARD_WEB_VERDICTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/certificate.h"
#include "base/limits.h"
#include "proto/message.h"

struct verdicts;

/* verdicts_new makes an empty table. NULL: no memory. */
struct verdicts *verdicts_new(void);
void verdicts_free(struct verdicts *verdicts);

/* What there is to be remembered. */
struct verdict_note {
    const char *address;                        /* as peer_address_format writes it */
    const struct certificate_text *certificate; /* NULL, or without a fingerprint: none was seen */
    uint32_t kind;                              /* as in struct verdict */
    const char *reason, *remedy;                /* cut to their limits */
};

/* verdicts_add remembers it, at now_ms (since the epoch). A NULL table does nothing. */
void verdicts_add(struct verdicts *verdicts, const struct verdict_note *note, uint64_t now_ms);

/* verdicts_num returns the number of rows. NULL has none. */
size_t verdicts_num(const struct verdicts *verdicts);

/* verdicts_list writes the latest rows that the query asks for, the latest first, and returns their number. Their texts live until the
 * next verdicts_add. */
size_t verdicts_list(const struct verdicts *verdicts, struct verdict out[LIMIT_EXPLANATION],
                     const struct explain_query *query);

#endif
