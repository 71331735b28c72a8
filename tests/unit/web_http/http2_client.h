/* An HTTP/2 client in memory, talking to one session. It may send nonsense. */
#ifndef KEYWARD_TESTS_UNIT_WEB_HTTP_HTTP2_CLIENT_H
#define KEYWARD_TESTS_UNIT_WEB_HTTP_HTTP2_CLIENT_H

#include <nghttp2/nghttp2.h>
#include <string.h>

#include "rig.h"

#define MAX_UPLOAD 1000000
#define MAX_STREAMS 2048

/* What the client knows of a stream. */
struct reply {
    unsigned status;
    unsigned interim; /* an informational status */
    size_t body_len;
    uint64_t body_hash;
    char body[4096]; /* its beginning */
    char type[64];
    char allow[64];
    bool ended;
    bool closed;
    uint32_t error; /* if closed */
};

struct client {
    nghttp2_session *session;
    struct reply replies[MAX_STREAMS]; /* by stream id / 2 */
    bool goaway;
    uint32_t goaway_error;
    int32_t goaway_last;
};

extern struct rig rig;
extern struct client *client;

/* A site with a root and an uploads directory, a session and its client; for a test suite's init and fini. */
void http2_start(void);
void http2_stop(void);

/* end_notice waits until the session that drains says which stream is its last. */
void end_notice(void);

/* Whether the client opens its windows again by itself. */
enum window { WINDOW_AUTO, WINDOW_MANUAL };

/* restart makes a new session and a new client. */
void restart(enum window window);

struct reply *reply_of(int32_t id);

/* exchange_pieces moves everything from the client to the session, in pieces, and what comes back; how the session took
 * it. */
enum err exchange_pieces(size_t step);
enum err exchange_all(void);

/* send_all moves the client's bytes to the session, and nothing back. */
enum err send_all(void);

/* exchange_commit goes on after one upload has been committed. */
void exchange_commit(void);

#define NV(name, value)                                                                                                \
    {                                                                                                                  \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE \
    }

/* submit sends a request with more fields and perhaps a body, and returns its stream. */
int32_t submit(const char *method, const char *path, const nghttp2_nv *more, size_t num_more,
               const nghttp2_data_provider *body);

/* ask sends a request without a body and waits for the reply. */
const struct reply *ask(const char *method, const char *path);

#endif
