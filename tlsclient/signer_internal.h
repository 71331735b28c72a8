/* Between the handle and the connections that ask it. Nobody outside this room includes this. */
#ifndef KEYWARD_TLSCLIENT_SIGNER_INTERNAL_H
#define KEYWARD_TLSCLIENT_SIGNER_INTERNAL_H

#include "tlsclient/signer.h"

/* One connection's wish for a signature. Zero state: it has none. */
struct signing {
    struct tlsclient_signer *signer; /* not NULL: it waits */
    struct signing *prev, *next;
    uint64_t id; /* of the request; 0: it is not sent yet */
    uint16_t scheme;
    struct bytes messages; /* what it is about; they stay the connection's until the wait is over */
    void (*done)(void *context);
    void *context;

    /* When the wait is over: */
    enum err err; /* of the handle; ERR_OK: see the next two */
    enum refusal refusal;
    size_t len; /* 0: refused */
    uint8_t signature[LIMIT_SIGNATURE];
};

/* signing_begin asks; scheme, messages, done and context are set. done is called once, and never from within. ERR_CLOSED and
 * the like: the handle has ended. ERR_TOO_LARGE: more messages than keyd reads. */
MUST_CHECK enum err signing_begin(struct signing *signing, struct tlsclient_signer *signer);

/* signing_give_up: nobody waits any more. */
void signing_give_up(struct signing *signing);

#endif
