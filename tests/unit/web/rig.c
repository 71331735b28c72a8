#include "tests/unit/web/rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "web/tls.h"

enum { PATIENCE_MS = 3000 };

static void catch_log(struct rig *rig)
{
    int ends[2];
    rig->stderr_fd = dup(STDERR_FILENO);
    CHECK(rig->stderr_fd >= 0 && pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0 &&
          dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
    rig->log_fd = ends[0];
}

static void on_closed(void *context)
{
    ((struct rig *)context)->num_closed++;
}

static void on_bound(void *context, uint64_t number, const struct client_bound *client)
{
    conn_bound(&((struct rig *)context)->shared, number, client);
}

/* signer_on_unbound */
static void on_unbound(void *context, uint64_t number, enum refusal refusal)
{
    struct rig *rig = context;
    conn_unbound(&rig->shared, number, refusal);
}

static SSL_CTX *client_context(struct rig *rig)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    CHECK(context != NULL && X509_STORE_add_cert(SSL_CTX_get_cert_store(context), rig->server_ca.x509));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return context;
}

void rig_identity(struct rig *rig, bool with_tls12)
{
    struct diag diag;
    struct certificate_text own;
    struct tls_terms terms = rig->terms;
    terms.tls12 = with_tls12;
    CHECK(certificate_describe(&own, rig->own_client.x509) == ERR_OK);
    const struct web_identity identity = {
        .chain = {rig->server.der}, .num_chain = 1, .ocsp = rig->ocsp, .issuer = rig->server_ca.der};
    const struct clients_terms clients = {
        .cas = &rig->client_ca.der, .num_cas = 1, .client_ca_fd = -1, .own_client = own.fingerprint};
    SSL_CTX_free(rig->shared.tls);
    CHECK(tls_context_new(&rig->shared.tls, &identity, &terms, NULL, &clients, &diag) == ERR_OK);
    if (rig->keyd.arena != NULL) fake_keyd_close(&rig->keyd);
    signer_connect(rig->shared.signer, fake_keyd_open(&rig->keyd, rig->server.key));
}

void rig_open(struct rig *rig, bool with_tls12)
{
    memset(rig, 0, sizeof *rig);
    signal(SIGPIPE, SIG_IGN);
    catch_log(rig);
    rig->fd = -1;
    rig->server_ca = pki_ca("server CA");
    rig->client_ca = pki_ca("client CA");
    rig->client = pki_client(&rig->client_ca);
    rig->own_client = pki_client(&rig->client_ca);
    rig->server = pki_make(&(struct pki_request){.name = "server", .issuer = &rig->server_ca, .eku = NID_server_auth});
    rig->client_context = client_context(rig);
    rig->shared.loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
    rig->shared.deadlines = conn_deadlines_default();
    rig->shared.signer = signer_new(rig->shared.loop, DEADLINE_SIGN_MS);
    rig->shared.closed = on_closed;
    rig->shared.context = rig;
    rig->shared.expects = true;
    CHECK(rig->shared.loop != NULL && rig->shared.signer != NULL);
    signer_on_bound(rig->shared.signer, on_bound, rig);
    signer_on_unbound(rig->shared.signer, on_unbound, rig);
    rig->shared.log.verdicts = verdicts_new();
    rig_identity(rig, with_tls12);
}

static void client_leave(struct rig *rig)
{
    SSL_free(rig->ssl);
    if (rig->fd >= 0) close(rig->fd);
    rig->ssl = NULL;
    rig->fd = -1;
}

void rig_close(struct rig *rig)
{
    client_leave(rig);
    conn_free_all(&rig->shared);
    signer_free(rig->shared.signer);
    SSL_CTX_free(rig->shared.tls);
    SSL_CTX_free(rig->client_context);
    verdicts_free(rig->shared.log.verdicts);
    ev_loop_destroy(rig->shared.loop);
    fake_keyd_close(&rig->keyd);
    pki_free(&rig->server);
    pki_free(&rig->server_ca);
    pki_free(&rig->client);
    pki_free(&rig->own_client);
    pki_free(&rig->client_ca);
    dup2(rig->stderr_fd, STDERR_FILENO); /* a sanitizer may have something to say */
    close(rig->stderr_fd);
    close(rig->log_fd);
}

void rig_socket(struct rig *rig, enum service service)
{
    int ends[2];
    struct sockaddr_storage peer = {0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(40000)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(&peer, &address, sizeof address);
    client_leave(rig);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    rig->fd = ends[0];
    rig->client_error = 0;
    const struct web_listen listen = {.service = service, .mode = rig->mode};
    CHECK(conn_open(&rig->shared, ends[1], &listen, &peer) == ERR_OK);
}

void rig_connect(struct rig *rig, enum service service, const struct pki_cert *client)
{
    rig_socket(rig, service);
    rig->ssl = SSL_new(rig->client_context);
    CHECK(rig->ssl != NULL && SSL_set_fd(rig->ssl, rig->fd));
    SSL_set_connect_state(rig->ssl);
    if (client == NULL) return;
    CHECK(SSL_use_certificate(rig->ssl, client->x509) && SSL_use_PrivateKey(rig->ssl, client->key));
}

static void pump_client(struct rig *rig)
{
    if (rig->ssl == NULL || rig->client_error != 0 || !SSL_in_init(rig->ssl)) return;
    ERR_clear_error();
    int result = SSL_do_handshake(rig->ssl);
    int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(rig->ssl, result);
    if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        rig->client_error = error;
}

void rig_pump(struct rig *rig)
{
    pump_client(rig);
    fake_keyd_step(&rig->keyd);
    ev_run(rig->shared.loop, EVRUN_NOWAIT);
}

/* One more turn, unless time is up. */
static bool keep_on(struct rig *rig, uint64_t begin)
{
    rig_pump(rig);
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    return clock_monotonic_ms() - begin < PATIENCE_MS;
}

bool rig_wait_closed(struct rig *rig, unsigned count)
{
    uint64_t begin = clock_monotonic_ms();
    while (rig->num_closed < count && keep_on(rig, begin)) {
        /* A client that is done closes its side. */
        if (rig->client_error != 0) client_leave(rig);
    }
    return rig->num_closed >= count;
}

bool rig_wait_handshakes(struct rig *rig, unsigned count)
{
    uint64_t begin = clock_monotonic_ms();
    while (rig->shared.handshakes < count && keep_on(rig, begin)) {
    }
    return rig->shared.handshakes >= count;
}

bool rig_wait_requests(struct rig *rig, unsigned count)
{
    uint64_t begin = clock_monotonic_ms();
    while (rig->keyd.num_requests < count && keep_on(rig, begin)) {
    }
    return rig->keyd.num_requests >= count;
}

static void on_idle_over(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)watcher;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

unsigned rig_idle_turns(struct rig *rig, unsigned ms)
{
    ev_timer over;
    unsigned before = ev_iteration(rig->shared.loop);
    ev_timer_init(&over, on_idle_over, ms / 1e3, 0);
    ev_timer_start(rig->shared.loop, &over);
    ev_run(rig->shared.loop, 0);
    return ev_iteration(rig->shared.loop) - before;
}

bool rig_wait_client(struct rig *rig)
{
    uint64_t begin = clock_monotonic_ms();
    while (rig->client_error == 0 && SSL_in_init(rig->ssl) && keep_on(rig, begin)) {
    }
    return rig->client_error == 0 && !SSL_in_init(rig->ssl);
}

bool rig_read(struct rig *rig, char *out, size_t out_len, const char *text)
{
    uint64_t begin = clock_monotonic_ms();
    size_t len = 0;
    out[0] = '\0';
    do {
        ERR_clear_error();
        int n = SSL_read(rig->ssl, out + len, (int)(out_len - len - 1));
        if (n > 0)
            len += (size_t)n;
        else if (SSL_get_error(rig->ssl, n) != SSL_ERROR_WANT_READ)
            return false;
        out[len] = '\0';
        if (strstr(out, text) != NULL) return true;
    } while (keep_on(rig, begin));
    return false;
}

void rig_write(struct rig *rig, const char *text)
{
    CHECK(SSL_write(rig->ssl, text, (int)strlen(text)) == (int)strlen(text));
}

bool rig_logged(struct rig *rig, const char *text)
{
    ssize_t n;
    while ((n = read(rig->log_fd, rig->log + rig->log_len, sizeof rig->log - rig->log_len - 1)) > 0)
        rig->log_len += (size_t)n;
    rig->log[rig->log_len] = '\0';
    return strstr(rig->log, text) != NULL;
}

bool rig_refused(struct rig *rig, const char *reason)
{
    const struct conn_shared *shared = &rig->shared;
    uint64_t failed = shared->handshakes_failed, done = shared->handshakes, begin = clock_monotonic_ms();
    while ((shared->handshakes_failed == failed || shared->conns.num > 0) && keep_on(rig, begin)) {
        char nothing[1];
        /* In TLS 1.3 the client is through before the server has looked at its certificate. */
        if (rig->ssl != NULL && !SSL_in_init(rig->ssl) && SSL_read(rig->ssl, nothing, 1) <= 0 &&
            SSL_get_error(rig->ssl, -1) != SSL_ERROR_WANT_READ)
            rig->client_error = SSL_ERROR_SSL;
        if (rig->client_error != 0 && rig->fd >= 0) shutdown(rig->fd, SHUT_WR);
    }
    return shared->conns.num == 0 && shared->handshakes == done && shared->handshakes_failed == failed + 1 &&
           rig_logged(rig, "handshake refused peer='127.0.0.1:40000'") && rig_logged(rig, reason);
}
