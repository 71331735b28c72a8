/* What `broker explain` asks for and is told: why handshakes came to nothing. Part of proto/message.h, which is what to
 * include. */
#ifndef KEYWARD_PROTO_MESSAGE_EXPLAIN_H
#define KEYWARD_PROTO_MESSAGE_EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

#include "proto/message_web.h"

/* What a verdict is about: an enum handshake_failure, or a connection that a limit turned away. */
enum { VERDICT_LIMIT = HANDSHAKE_FAILURES, VERDICT_KINDS };

/* Handshakes of one client that failed for one reason. What a client may have written (names, reasons) is text as in every
 * message, and still has to be escaped for a terminal. */
struct verdict {
    const char *address; /* of the last one, with its port: 1 to LIMIT_LABEL bytes */
    uint32_t kind;       /* below VERDICT_KINDS */
    uint64_t count;      /* at least 1 */
    uint64_t first_ms;   /* since the epoch, as the next */
    uint64_t last_ms;
    const char *reason;      /* 1 to LIMIT_VERDICT_REASON bytes */
    const char *remedy;      /* at most LIMIT_VERDICT_REMEDY bytes */
    const char *subject;     /* at most LIMIT_SUBJECT bytes, as the next; empty: no certificate was seen */
    const char *issuer;      /* this and the rest are as in struct certificate_text (base/certificate.h) */
    const char *serial;      /* at most LIMIT_LABEL bytes, as the next */
    const char *fingerprint; /* empty: no certificate was seen */
    uint64_t not_before;
    uint64_t not_after;
};

struct explain_query {
    const char
        *host;    /* "127.0.0.1", "[::1]": of this client alone; at most LIMIT_LABEL bytes; empty: of every client */
    uint32_t max; /* the latest so many: 1 to LIMIT_EXPLANATION */
};

struct explanation {
    struct verdict *verdicts; /* the latest first; at most LIMIT_EXPLANATION */
    size_t num_verdicts;
    uint32_t silent; /* workers that did not answer: theirs are missing; at most LIMIT_WORKER_NUMBERS */
};

/* verdict_kind_name returns a word for programs, such as "no-certificate". Never NULL. */
const char *verdict_kind_name(uint32_t kind);

#endif
