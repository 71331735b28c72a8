/* Sessions that are resumed, and those that are not. Each that is not becomes a full handshake. */
#include <criterion/criterion.h>
#include <openssl/asn1.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/web/rig.h"
#include "tests/unit/web/terms.h"
#include "web/conn_internal.h"
#include "web/tickets.h"

static struct rig rig;
static SSL_SESSION *session; /* the last that the client was given */
static unsigned num_given;

static int on_session(SSL *ssl, SSL_SESSION *given)
{
    (void)ssl;
    SSL_SESSION_free(session);
    session = given;
    num_given++;
    return 1;
}

/* Keys whose bytes are all of this value, the first one to seal with. */
static void give_keys(const char *values)
{
    uint8_t keys[4 * LIMIT_TICKET_KEY];
    int fd = memfd_create("keys", MFD_CLOEXEC);
    const size_t num = strlen(values);
    for (size_t i = 0; i < num; i++) memset(keys + i * LIMIT_TICKET_KEY, values[i], LIMIT_TICKET_KEY);
    cr_assert(fd >= 0 && write(fd, keys, num * LIMIT_TICKET_KEY) == (ssize_t)(num * LIMIT_TICKET_KEY));
    cr_assert_eq(tickets_take(rig.shared.tickets, fd), ERR_OK);
    close(fd);
}

static void setup(void)
{
    rig_open(&rig, true);
    rig.shared.tickets = tickets_new();
    cr_assert_not_null(rig.shared.tickets);
    SSL_CTX_set_session_cache_mode(rig.client_context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(rig.client_context, on_session);
    give_keys("a");
}

static void teardown(void)
{
    struct tickets *tickets = rig.shared.tickets;
    SSL_SESSION_free(session);
    rig_close(&rig);
    tickets_free(tickets);
}

TestSuite(resume, .init = setup, .fini = teardown);

static const struct session_peer *rig_peer(const struct rig *of)
{
    return &of->shared.conns.first->peer;
}

/* Says whether the connection was a resumption. The client is served in any case. */
static bool comes(const struct pki_cert *client, SSL_SESSION *with)
{
    char out[256];
    rig_connect(&rig, SERVICE_ECHO, client);
    if (with != NULL) cr_assert(SSL_set_session(rig.ssl, with));
    cr_assert(rig_wait_client(&rig), "%s", rig.log);
    rig_write(&rig, "works\n");
    cr_assert(rig_read(&rig, out, sizeof out, "works\n"), "%s", out);
    const bool resumed = SSL_session_reused(rig.ssl) == 1;
    cr_assert_eq(rig.shared.handshakes_failed, 0);
    return resumed;
}

/* A session of the client's, the caller's to free. */
static SSL_SESSION *earn(const struct pki_cert *client)
{
    cr_assert_not(comes(client, NULL));
    cr_assert_not_null(session);
    SSL_SESSION_up_ref(session);
    return session;
}

Test(resume, a_client_comes_again_without_a_signature)
{
    SSL_SESSION *first = earn(&rig.client);
    cr_assert_eq(rig.keyd.num_requests, 1);
    for (int i = 0; i < 3; i++) cr_assert(comes(&rig.client, first));
    cr_assert(comes(&rig.client, session), "with what the last resumption has brought");
    cr_assert_eq(rig.keyd.num_requests, 1, "keyd was asked no more");
    cr_assert_leq(SSL_SESSION_get_timeout(session), LIMIT_TICKET_LIFETIME_S);
    SSL_SESSION_free(first);
}

Test(resume, the_server_knows_who_it_is)
{
    rig.shared.keeps_leaf = true; /* for an application */
    SSL_SESSION *first = earn(&rig.client);
    cr_assert_not(rig_peer(&rig)->resumed);
    cr_assert(comes(&rig.client, first));
    cr_assert(rig_peer(&rig)->resumed);
    cr_assert_str_eq(rig_peer(&rig)->certificate.subject, "CN=client");
    cr_assert(bytes_equal(rig_peer(&rig)->leaf, rig.client.der));
    SSL_SESSION_free(first);
}

Test(resume, not_in_tls12)
{
    SSL_CTX_set_max_proto_version(rig.client_context, TLS1_2_VERSION);
    cr_assert_not(comes(&rig.client, NULL));
    cr_assert_eq(num_given, 0);
}

Test(resume, not_without_keys)
{
    SSL_SESSION *first = earn(&rig.client);
    tickets_drop(rig.shared.tickets);
    num_given = 0;
    cr_assert_not(comes(&rig.client, first));
    cr_assert_eq(num_given, 0);
    give_keys("b");
    cr_assert_not(comes(&rig.client, first));
    SSL_SESSION_free(first);
}

Test(resume, over_one_change_of_keys_and_not_over_two)
{
    SSL_SESSION *first = earn(&rig.client);
    give_keys("ba");
    cr_assert(comes(&rig.client, first));
    give_keys("cb");
    cr_assert_not(comes(&rig.client, first));
    SSL_SESSION_free(first);
}

/* Another worker has the same keys and CAs, and has never seen the client. */
Test(resume, at_another_worker)
{
    SSL_SESSION *first = earn(&rig.client);
    SSL_CTX *before = rig.shared.tls;
    SSL_CTX_up_ref(before);
    struct diag diag;
    struct certificate_text own;
    cr_assert_eq(certificate_describe(&own, rig.own_client.x509), ERR_OK);
    const struct web_identity identity = {.chain = {rig.server.der},
                                          .num_chain = 1,
                                          .client_cas = {rig.client_ca.der},
                                          .num_client_cas = 1,
                                          .own_client = own.fingerprint};
    const struct tls_terms terms = {.tls12 = true};
    SSL_CTX_free(rig.shared.tls);
    cr_assert_eq(make_context(&rig.shared.tls, &identity, &terms, -1, &diag), ERR_OK, "%s", diag.text);
    cr_assert(comes(&rig.client, first));
    cr_assert_eq(clients_num_verified(tls_clients(rig.shared.tls)), 1, "its chain was");
    SSL_CTX_free(before);
    SSL_SESSION_free(first);
}

Test(resume, not_under_other_cas)
{
    SSL_SESSION *first = earn(&rig.client);
    struct diag diag;
    struct pki_cert other = pki_ca("another CA");
    const struct web_identity identity = {
        .chain = {rig.server.der}, .num_chain = 1, .client_cas = {other.der, rig.client_ca.der}, .num_client_cas = 2};
    const struct tls_terms terms = {.tls12 = true};
    SSL_CTX_free(rig.shared.tls);
    cr_assert_eq(make_context(&rig.shared.tls, &identity, &terms, -1, &diag), ERR_OK, "%s", diag.text);
    cr_assert_not(comes(&rig.client, first), "even if it would be let in");
    SSL_SESSION_free(first);
    pki_free(&other);
}

Test(resume, not_after_the_certificate_is_revoked)
{
    SSL_SESSION *first = earn(&rig.client);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(rig.client.x509);
    cr_assert_eq(revoked_add(&rig.shared.revoked,
                             (struct bytes){ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)}),
                 ERR_OK);
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(SSL_set_session(rig.ssl, first));
    cr_assert(rig_refused(&rig, "client certificate revoked"), "%s", rig.log);
    SSL_SESSION_free(first);
}

Test(resume, not_after_the_certificate_has_expired)
{
    struct pki_cert brief =
        pki_make(&(struct pki_request){.name = "brief", .issuer = &rig.client_ca, .not_after_s = 2});
    SSL_SESSION *first = earn(&brief);
    sleep(3);
    rig_connect(&rig, SERVICE_ECHO, &brief);
    cr_assert(SSL_set_session(rig.ssl, first));
    cr_assert(rig_refused(&rig, "certificate expired"), "%s", rig.log);
    SSL_SESSION_free(first);
    pki_free(&brief);
}

/* Whoever used a handle comes with keyd's certificate, and is given nothing to come back with. */
Test(resume, not_the_holder_of_a_handle)
{
    rig.keyd.binds_to = 7;
    cr_assert_not(comes(&rig.own_client, NULL));
    cr_assert_eq(num_given, 0);
}

Test(resume, only_where_the_same_is_asked)
{
    static const enum tls_mode modes[] = {TLS_MODE_MUTUAL, TLS_MODE_OPTIONAL, TLS_MODE_SERVER};
    for (size_t i = 0; i < 3; i++) {
        rig.mode = modes[i];
        SSL_SESSION *known = earn(&rig.client);
        for (size_t j = 0; j < 3; j++) {
            rig.mode = modes[j];
            cr_assert_eq(comes(&rig.client, known), i == j, "%zu %zu", i, j);
            cr_assert_eq(session_peer_is_known(rig_peer(&rig)), modes[j] != TLS_MODE_SERVER, "%zu %zu", i, j);
        }
        SSL_SESSION_free(known);
    }
}

/* Its first session is nobody's, and stays nobody's. */
Test(resume, who_was_nobody_is_nobody)
{
    rig.mode = TLS_MODE_OPTIONAL;
    SSL_SESSION *anonymous = earn(NULL);
    cr_assert(comes(&rig.client, anonymous));
    cr_assert_not(session_peer_is_known(rig_peer(&rig)));
    rig.mode = TLS_MODE_MUTUAL;
    rig_connect(&rig, SERVICE_ECHO, NULL);
    cr_assert(SSL_set_session(rig.ssl, anonymous));
    cr_assert(rig_refused(&rig, "client sent no certificate"), "%s", rig.log);
    SSL_SESSION_free(anonymous);
}

Test(tickets, are_opened_as_they_were_sealed)
{
    const struct bytes text = {(const uint8_t *)"a session", 9};
    uint8_t sealed[9 + TICKETS_OVERHEAD], other[sizeof sealed], opened[sizeof sealed];
    size_t len;
    struct tickets *tickets = tickets_new();
    rig.shared.tickets = tickets;
    cr_assert_eq(tickets_seal(tickets, sealed, text), ERR_OK, "without a key, which nobody opens");
    give_keys("ab");
    cr_assert_eq(tickets_open(tickets, opened, &len, (struct bytes){sealed, sizeof sealed}), ERR_DENIED);
    cr_assert_eq(tickets_seal(tickets, sealed, text), ERR_OK);
    cr_assert_eq(tickets_open(tickets, opened, &len, (struct bytes){sealed, sizeof sealed}), ERR_OK);
    cr_assert(bytes_equal((struct bytes){opened, len}, text));
    for (size_t i = 0; i < sizeof sealed; i++) {
        memcpy(other, sealed, sizeof sealed);
        other[i] ^= 1;
        cr_assert_eq(tickets_open(tickets, opened, &len, (struct bytes){other, sizeof other}), ERR_DENIED, "%zu", i);
        cr_assert_eq(tickets_open(tickets, opened, &len, (struct bytes){sealed, i}), ERR_DENIED, "%zu", i);
    }
    tickets_free(tickets);
}

Test(tickets, take_so_many_keys_and_whole_ones)
{
    static const size_t lengths[] = {0,
                                     1,
                                     LIMIT_TICKET_KEY - 1,
                                     LIMIT_TICKET_KEY + 1,
                                     LIMIT_TICKET_KEYS * LIMIT_TICKET_KEY + 1,
                                     (LIMIT_TICKET_KEYS + 1) * LIMIT_TICKET_KEY};
    static const uint8_t zeros[4 * LIMIT_TICKET_KEY];
    struct tickets *tickets = tickets_new();
    rig.shared.tickets = tickets;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        give_keys("ab");
        cr_assert(tickets_ready(tickets));
        int fd = memfd_create("keys", MFD_CLOEXEC);
        cr_assert(write(fd, zeros, lengths[i]) == (ssize_t)lengths[i]);
        cr_assert_eq(tickets_take(tickets, fd), ERR_MALFORMED, "%zu", lengths[i]);
        cr_assert_not(tickets_ready(tickets), "%zu", lengths[i]);
        close(fd);
    }
    tickets_free(tickets);
}
