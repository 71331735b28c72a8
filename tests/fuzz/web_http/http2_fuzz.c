/* Any frames to an HTTP/2 session, after the client's preface. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "fuzz_site.h"
#include "web/http/http2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void pump(struct session *session)
{
    uint8_t out[4096];
    for (int turns = 0; (session->ops->wants(session) & SESSION_WRITE) != 0; turns++) {
        if (turns > 100000) abort();
        session->ops->produce(session, out, sizeof(out));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    struct session *session = http2_session_new(fuzz_site(), fuzz_peer(), fuzz_host());
    if (session == NULL) abort();
    if (session->ops->receive(session, (const uint8_t *)preface, sizeof(preface) - 1) != ERR_OK) abort();
    size_t step = size > 0 ? 1 + data[0] % 64u : 1;
    enum err err = ERR_OK;
    for (size_t at = 0; at < size && err == ERR_OK; at += step) {
        err = session->ops->receive(session, data + at, size - at < step ? size - at : step);
        if (at % 3 == 0) pump(session);
    }
    pump(session);
    if (err != ERR_OK && session->ops->wants(session) != SESSION_CLOSE) abort();
    session->ops->drain(session);
    pump(session);
    /* Each stream may be given up twice: its request, then the answer to that. At last the session itself is. */
    for (unsigned turns = 0; turns <= 2 * LIMIT_H2_STREAMS && session->ops->wants(session) != SESSION_CLOSE; turns++) {
        session->ops->expire(session);
        pump(session);
    }
    if (session->ops->wants(session) != SESSION_CLOSE) abort();
    session->ops->free(session);
    return 0;
}
