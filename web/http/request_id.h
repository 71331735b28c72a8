/* Names for requests: in the answer, in the body of an error, and in the log. */
#ifndef KEYWARD_WEB_HTTP_REQUEST_ID_H
#define KEYWARD_WEB_HTTP_REQUEST_ID_H

#include <stdint.h>

#include "base/err.h"

#define REQUEST_ID_LEN 24u

struct request_ids {
    uint32_t worker; /* random, so that two workers have different ones */
    uint64_t next;   /* begins at a random number */
};

/* request_ids_init: ERR_SYSTEM, no random numbers. */
MUST_CHECK enum err request_ids_init(struct request_ids *ids);

/* request_id_make writes the next name, in hexadecimal. No two are the same, and they do not tell how many there were. */
void request_id_make(char out[REQUEST_ID_LEN + 1], struct request_ids *ids);

#endif
