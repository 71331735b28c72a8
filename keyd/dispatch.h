/* From a request on a signing channel to its answer. Which channel may ask what is one const table in dispatch.c. No
 * descriptor, no loop and no clock here, so that a test or a fuzzer can drive the whole of it. */
#ifndef KEYWARD_KEYD_DISPATCH_H
#define KEYWARD_KEYD_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "keyd/expectation.h"
#include "keyd/grant.h"
#include "keyd/keystores.h"
#include "proto/message.h"

/* What a request is judged by, besides its grant. */
struct dispatch_scene {
    const struct keystore *keystore;   /* the channel's */
    const struct keystores *keystores; /* with which of them a server signed may be asked; NULL: with that one */
    const struct ucred *sender;        /* as the kernel names it, or NULL */
    uint64_t now_ms;
    uint64_t now_s;                          /* of the wall clock */
    const struct expectations *expectations; /* what browsers may have signed */
    struct expectation_source *source;       /* this channel's part of them; NULL unless it is a server's */
    /* Tells the server that owns an expectation which handle's holder will have the signature, and what that handle was
     * derived from. False: it cannot be told now, so there will be none. */
    bool (*tell_bound)(const struct expected *expected, const struct grant *grant);
    bool held;       /* what the broker is told would not be recorded: no handle is served meanwhile */
    bool can_report; /* the broker can be told; a handle that cannot be reported on is not served */
};

/* An answer and what the broker hears of it. msg.kind is MSG_NONE where nothing is to be said. msg's spans point into this struct, the keystore and the grant. */
struct answer {
    struct msg msg;
    uint8_t signature[SCHEME_SIGNATURE];
    enum grant_event event; /* GRANT_EVENT_NONE: nothing to report */
    enum refusal refusal;   /* REFUSAL_NONE: done as asked */
};

/* dispatch_request answers a request that passed the codec, and counts it on the grant. */
void dispatch_request(struct answer *out, struct grant *grant, const struct msg *request,
                      const struct dispatch_scene *scene);

/* dispatch_refuse makes out a refusal, for what did not even become a request. */
void dispatch_refuse(struct answer *out, struct grant *grant, uint64_t request_id, enum refusal refusal);

#endif
