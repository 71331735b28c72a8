/* The signatures that a worker's handshakes wait for: a place for each, and lists by what has become of it. Part of the
 * signer; nothing here sends or receives. */
#ifndef KEYWARD_WEB_SIGN_REQUESTS_H
#define KEYWARD_WEB_SIGN_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "web/sign_input.h"
#include "web/signer.h"

enum sign_request_state {
    REQUEST_FREE,
    REQUEST_QUEUED, /* the channel was full */
    REQUEST_SENT,
    REQUEST_SIGNED,
    REQUEST_FAILED,
};

/* One signature that a handshake waits for. Its id on the wire is its place in the table and its generation, which
 * changes with each use: the answer to a request that was given up matches nobody's id. */
struct sign_request {
    struct sign_request *prev, *next; /* in the list of its state */
    struct signer_wait *wait;
    uint64_t deadline;
    uint32_t generation;
    enum sign_request_state state;
    uint16_t tls_version, scheme;
    uint32_t server;
    size_t len;
    union {
        uint8_t input[SIGN_INPUT_MAX];
        uint8_t signature[LIMIT_SIGNATURE];
    };
};

struct sign_request_list {
    struct sign_request *first, *last;
};

/* Zero state: none. */
struct sign_requests {
    struct sign_request_list waiting; /* sent ones, then queued ones: by age */
    struct sign_request *first_queued;
    struct sign_request_list answered; /* their handshakes are still to be told */
    struct sign_request *free;         /* linked by next */
    uint32_t num_touched;              /* places from here on have never been used */
    struct sign_request places[LIMIT_SIGN_PENDING];
};

/* sign_requests_add makes a place for wait, at the end of those that wait, in REQUEST_SENT. NULL: there is none left. */
struct sign_request *sign_requests_add(struct sign_requests *requests, struct signer_wait *wait, uint64_t deadline);

/* sign_requests_remove frees the place. */
void sign_requests_remove(struct sign_requests *requests, struct sign_request *request);

/* sign_request_id returns the number for the wire: neither 0, which stands for "nothing asked", nor one with its highest
 * bit set (web/expect_queue.h). */
uint64_t sign_request_id(const struct sign_requests *requests, const struct sign_request *request);

/* sign_requests_find returns the request with this id. NULL: there is none (any more). */
struct sign_request *sign_requests_find(struct sign_requests *requests, uint64_t id);

/* sign_requests_answer and sign_requests_fail note the answer of a request that waits. Its handshake is told later, by
 * sign_requests_tell. */
void sign_requests_answer(struct sign_requests *requests, struct sign_request *request, struct bytes signature);
void sign_requests_fail(struct sign_requests *requests, struct sign_request *request, const char *why);
void sign_requests_fail_all(struct sign_requests *requests, const char *why);

/* sign_requests_tell lets the handshakes that have their answer go on. */
void sign_requests_tell(struct sign_requests *requests);

#endif
