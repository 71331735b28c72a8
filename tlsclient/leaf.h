/* What a server's certificate says of itself, for people who have to mend it. */
#ifndef KEYWARD_TLSCLIENT_LEAF_H
#define KEYWARD_TLSCLIENT_LEAF_H

#include <openssl/base.h>
#include <stdint.h>

#include "base/limits.h"

struct tlsclient_leaf {
    char names[LIMIT_NAME + 1]; /* of its subjectAltName, with commas between; "..." stands for those that do not fit */
    char issuer[LIMIT_SUBJECT + 1]; /* RFC 2253 form, cut if longer; empty: no certificate has been seen */
    uint64_t not_before;            /* seconds since the epoch */
    uint64_t not_after;
};

/* tlsclient_leaf_read fills out from what the server has shown, whether it was taken or not. */
void tlsclient_leaf_read(struct tlsclient_leaf *out, const SSL *ssl);

#define TLSCLIENT_TIME 32

/* tlsclient_time_text writes seconds since the epoch as "Nov 27 13:00:00 2026 GMT". It opens no file. */
void tlsclient_time_text(char out[TLSCLIENT_TIME], uint64_t time_s);

#endif
