/* Any bytes to an HTTP/1 session, whole and one at a time: the answers must be the same. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_site.h"
#include "web/http/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_OUT = 1 << 20 };

struct run {
    uint8_t out[MAX_OUT];
    size_t len;
    unsigned wants;
};

static struct run whole;
static struct run pieces;

static void pump(struct run *run, struct session *session)
{
    while ((session->ops->wants(session) & SESSION_WRITE) != 0) {
        size_t room = MAX_OUT - run->len;
        if (room < 1000) abort(); /* so small an input has not so many answers */
        run->len += session->ops->produce(session, run->out + run->len, room < 999 ? room : 999);
    }
}

static void feed(struct run *run, const uint8_t *data, size_t size, size_t step)
{
    struct session *session = http1_session_new(fuzz_site(), fuzz_peer(), fuzz_host());
    if (session == NULL) abort();
    run->len = 0;
    for (size_t at = 0; at < size && (session->ops->wants(session) & SESSION_READ) != 0; at += step) {
        if (session->ops->receive(session, data + at, size - at < step ? size - at : step) != ERR_OK) abort();
        pump(run, session);
    }
    run->wants = session->ops->wants(session);
    session->ops->receive_end(session);
    pump(run, session);
    if (session->ops->wants(session) != SESSION_CLOSE) abort();
    session->ops->free(session);
}

/* Time passes between two runs, each request has a name of its own, and so has what separates the parts of a file. */
static void forget_time(struct run *run)
{
    static const char *const names[] = {"X-Request-Id: ", "Request ", "boundary=", "\r\n--"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = strlen(names[i]);
        for (size_t at = 0; at + len + 24 <= run->len; at++)
            if (memcmp(run->out + at, names[i], len) == 0) memset(run->out + at + len, '0', 24);
    }
    for (size_t i = 0; i < run->len; i++) {
        if (isdigit(run->out[i])) run->out[i] = '0';
        if (run->len - i > 29 && memcmp(run->out + i, "Date: ", 6) == 0) memset(run->out + i + 6, '-', 20);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 8192) return 0;
    feed(&whole, data, size, size > 0 ? size : 1);
    feed(&pieces, data, size, 1);
    forget_time(&whole);
    forget_time(&pieces);
    if (whole.len != pieces.len || memcmp(whole.out, pieces.out, whole.len) != 0) abort();
    if (whole.wants != pieces.wants) abort();
    return 0;
}
