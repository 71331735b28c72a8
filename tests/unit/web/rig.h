/* A worker's inside without a worker: connections over socketpairs, a real BoringSSL client at the other end, a fake
 * keyd, and the log caught. All in one thread: rig_pump lets each side do what it can. */
#ifndef KEYWARD_TESTS_UNIT_WEB_RIG_H
#define KEYWARD_TESTS_UNIT_WEB_RIG_H

#include <stdbool.h>

#include "proto/tls_choice.h"
#include "tests/unit/web/fake_keyd.h"
#include "tests/unit/web/pki.h"
#include "web/conn.h"

struct rig {
    struct conn_shared shared;
    struct fake_keyd keyd;
    struct pki_cert server_ca, server, client_ca, client;
    struct pki_cert own_client; /* keyd's */
    SSL_CTX *client_context;    /* a test may change it before rig_connect */
    SSL *ssl;                   /* the client's */
    int fd;
    int client_error;       /* of SSL_get_error, once the client's handshake has failed */
    enum tls_mode mode;     /* of the next connection */
    struct tls_terms terms; /* of the next identity; tls12 is not looked at */
    struct bytes ocsp;      /* the same */
    unsigned num_closed;
    int log_fd;
    int stderr_fd; /* where the log went before */
    char log[65536];
    size_t log_len;
};

/* rig_open makes all but a connection. with_tls12: the server also speaks TLS 1.2. */
void rig_open(struct rig *rig, bool with_tls12);
void rig_close(struct rig *rig);

/* rig_identity gives the server its certificate, and a channel to a new keyd that has its key. */
void rig_identity(struct rig *rig, bool with_tls12);

/* rig_connect opens a connection to the service, by a client with this certificate (NULL: none). The one before, if
 * any, is left to the server. */
void rig_connect(struct rig *rig, enum service service, const struct pki_cert *client);

/* rig_socket opens a connection without a TLS client: rig->fd is the peer. */
void rig_socket(struct rig *rig, enum service service);

/* rig_pump gives the client's handshake, keyd and the server's loop a turn. */
void rig_pump(struct rig *rig);

/* rig_wait pumps until *what is at least count, or 3 s have passed; says whether it is. */
bool rig_wait_closed(struct rig *rig, unsigned count);
bool rig_wait_handshakes(struct rig *rig, unsigned count);
bool rig_wait_requests(struct rig *rig, unsigned count);

/* rig_idle_turns lets the server's loop run alone for ms, and returns how often it woke up. */
unsigned rig_idle_turns(struct rig *rig, unsigned ms);

/* rig_wait_client pumps until the client's handshake has ended; says whether it succeeded. */
bool rig_wait_client(struct rig *rig);

/* rig_read reads what the server sends into out (NUL-terminated) until text is in it, or the server closes or 3 s
 * have passed; says whether it is. */
bool rig_read(struct rig *rig, char *out, size_t out_len, const char *text);

/* rig_write writes text as one record. */
void rig_write(struct rig *rig, const char *text);

/* rig_logged says whether the log has this text by now. */
bool rig_logged(struct rig *rig, const char *text);

/* rig_refused runs all connections to their end, and says whether the server logged this as its reason. */
bool rig_refused(struct rig *rig, const char *reason);

#endif
