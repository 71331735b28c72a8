/* The echo session: the first bytes say how the rest is cut up and what happens between the pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "web/echo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEER = 8 };

static size_t take_output(struct session *session)
{
    uint8_t out[700];
    size_t total = 0, n;
    while ((n = session->ops->produce(session, out, sizeof out)) > 0) {
        CHECK(n <= sizeof out);
        total += n;
    }
    CHECK((session->ops->wants(session) & SESSION_WRITE) == 0);
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session_peer peer = {.address = "[2001:db8::1]:65535"};
    uint64_t lines = 0;
    uint8_t steer[STEER] = {0};
    if (size < STEER) return 0;
    memcpy(steer, data, STEER);
    data += STEER;
    size -= STEER;
    struct session *session = echo_session_new(&peer, &lines, 1000);
    CHECK(session != NULL);
    size_t given = size, out = 0;
    for (unsigned i = 0; size > 0; i++) {
        uint8_t how = steer[i % STEER];
        size_t len = how % 32 == 31 ? size : (size_t)(how % 32) * (size_t)(how / 32 + 1) + 1;
        if (len > size) len = size;
        CHECK(session->ops->receive(session, data, len) == ERR_OK);
        data += len;
        size -= len;
        if (how % 3 != 0) out += take_output(session);
        if (how == 255) session->ops->drain(session);
        if (how == 254) session->ops->expire(session);
        if (how == 253) session->ops->receive_end(session);
    }
    session->ops->receive_end(session);
    out += take_output(session);
    CHECK(session->ops->wants(session) == SESSION_CLOSE);
    CHECK(lines <= LIMIT_ECHO_LINES && lines <= given + 1);
    CHECK(out <= given + (lines + 1) * 128); /* an echo amplifies by a stamp a line */
    session->ops->free(session);
    return 0;
}
