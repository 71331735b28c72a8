/* Connections that end because their handle or their certificate is revoked, and those beside them. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/web/rig.h"
#include "web/conn_internal.h"

static struct rig rig;

static void setup(void)
{
    rig_open(&rig, true);
}

/* A client's end that outlives the next rig_connect. */
struct end {
    SSL *ssl;
    int fd;
};

static struct end kept[8];
static size_t num_kept;

static void teardown(void)
{
    for (size_t i = 0; i < num_kept; i++) {
        if (kept[i].ssl == rig.ssl) continue; /* the rig's again */
        SSL_free(kept[i].ssl);
        close(kept[i].fd);
    }
    rig_close(&rig);
}

TestSuite(revoke, .init = setup, .fini = teardown);

static struct end keep_end(void)
{
    const struct end end = {rig.ssl, rig.fd};
    cr_assert_lt(num_kept, sizeof kept / sizeof *kept);
    kept[num_kept++] = end;
    rig.ssl = NULL;
    rig.fd = -1;
    return end;
}

static void use(struct end end)
{
    rig.ssl = end.ssl;
    rig.fd = end.fd;
}

static void expect_served(void)
{
    char out[256];
    rig_write(&rig, "works\n");
    cr_assert(rig_read(&rig, out, sizeof out, "works\n"), "%s", rig.log);
}

static struct end open_as(const struct pki_cert *client, uint64_t handle)
{
    rig.keyd.binds_to = handle;
    rig_connect(&rig, SERVICE_ECHO, client);
    cr_assert(rig_wait_client(&rig), "%s", rig.log);
    expect_served();
    return keep_end();
}

/* The client hears that it is over, in good order. */
static void expect_ended(struct end end)
{
    char byte;
    use(end);
    int n = SSL_read(rig.ssl, &byte, 1);
    cr_assert_leq(n, 0);
    cr_assert_eq(SSL_get_error(rig.ssl, n), SSL_ERROR_ZERO_RETURN, "close_notify");
}

static size_t revoke_handles(uint64_t *handles, size_t num)
{
    size_t ended;
    const struct web_revoke revoke = {.handles = handles, .num_handles = num};
    cr_assert_eq(conn_revoke(&rig.shared, &ended, &revoke), ERR_OK);
    return ended;
}

static size_t revoke_handle(uint64_t handle)
{
    return revoke_handles(&handle, 1);
}

Test(revoke, ends_the_connections_of_what_was_derived_from_the_handle)
{
    struct end whole = open_as(&rig.own_client, 7);
    rig.keyd.parent = 7;
    struct end part = open_as(&rig.own_client, 8);
    rig.keyd.parent = 6;
    struct end other = open_as(&rig.own_client, 9);
    cr_assert_eq(revoke_handle(7), 2);
    expect_ended(whole);
    expect_ended(part);
    use(other);
    expect_served();
}

static struct bytes serial_of(const struct pki_cert *cert)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert->x509);
    return (struct bytes){ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)};
}

static size_t revoke_serial(struct bytes serial)
{
    size_t ended;
    const struct web_revoke revoke = {.serials = &serial, .num_serials = 1};
    cr_assert_eq(conn_revoke(&rig.shared, &ended, &revoke), ERR_OK);
    return ended;
}

Test(revoke, ends_the_connections_of_the_handle_and_no_others)
{
    struct end first = open_as(&rig.own_client, 7), other = open_as(&rig.own_client, 8),
               foreign = open_as(&rig.client, 0), second = open_as(&rig.own_client, 7);
    cr_assert_eq(revoke_handle(9), 0);
    cr_assert_eq(revoke_handle(7), 2);
    cr_assert_eq(rig.num_closed, 2, "at once");
    expect_ended(first);
    expect_ended(second);
    use(other);
    expect_served();
    use(foreign);
    expect_served();
    cr_assert_eq(revoke_handle(7), 0);
}

Test(revoke, takes_several_handles_in_any_order)
{
    uint64_t handles[] = {9, 7, 100, 8, 1};
    struct end first = open_as(&rig.own_client, 7), second = open_as(&rig.own_client, 9),
               other = open_as(&rig.own_client, 6);
    cr_assert_eq(revoke_handles(handles, 5), 2);
    expect_ended(first);
    expect_ended(second);
    use(other);
    expect_served();
}

/* Up to the server's last word to it; its own is not read yet. */
static struct conn *shake_up_to_the_last_flight(const struct pki_cert *client)
{
    rig_connect(&rig, SERVICE_ECHO, client);
    while (SSL_do_handshake(rig.ssl) != 1) {
        fake_keyd_step(&rig.keyd);
        ev_run(rig.shared.loop, EVRUN_NOWAIT);
    }
    fake_keyd_step(&rig.keyd);
    return rig.shared.conns.youngest_handshake;
}

Test(revoke, ends_handshakes_in_progress)
{
    shake_up_to_the_last_flight(&rig.own_client);
    fake_keyd_bind(&rig.keyd, 7); /* in the channel, and not read yet */
    cr_assert_eq(revoke_handle(7), 1);
    cr_assert_eq(rig.shared.conns.num, 0);
    cr_assert_eq(rig.shared.conns.num_handshakes, 0);
}

/* Nothing can be said behind a record of which only a part was written. */
Test(revoke, does_not_wait_for_a_peer_that_reads_nothing)
{
    struct end end = open_as(&rig.own_client, 7);
    char byte;
    rig.shared.conns.first->unsent = malloc(1);
    cr_assert_eq(revoke_handle(7), 1);
    cr_assert_eq(rig.num_closed, 1);
    use(end);
    int n = SSL_read(rig.ssl, &byte, 1);
    cr_assert_leq(n, 0);
    cr_assert_neq(SSL_get_error(rig.ssl, n), SSL_ERROR_ZERO_RETURN);
}

Test(revoke, ends_the_connections_of_a_certificate)
{
    struct end mine = open_as(&rig.client, 0), other = open_as(&rig.own_client, 7);
    cr_assert_eq(revoke_serial(serial_of(&rig.client)), 1);
    expect_ended(mine);
    use(other);
    expect_served();
}

Test(revoke, ends_handshakes_whose_certificate_has_been_seen)
{
    struct conn *conn = shake_up_to_the_last_flight(&rig.client);
    cr_assert_eq(revoke_serial(serial_of(&rig.own_client)), 0);
    memcpy(conn->peer.certificate.serial, "0a0b", 5); /* as from the verification on */
    cr_assert_eq(revoke_serial((struct bytes){(const uint8_t *)"\x0a\x0b", 2}), 1);
}

static void expect_turned_away(const struct pki_cert *client)
{
    char byte, reason[256];
    struct certificate_text text;
    rig_connect(&rig, SERVICE_ECHO, client);
    cr_assert_eq(certificate_describe(&text, client->x509), ERR_OK);
    snprintf(reason, sizeof reason, "client certificate revoked serial=%s", text.serial);
    unsigned long failed = rig.shared.handshakes_failed;
    int alert = 0;
    for (int i = 0; i < 10000 && alert == 0; i++) {
        rig_pump(&rig);
        ERR_clear_error();
        if (!SSL_in_init(rig.ssl) && SSL_read(rig.ssl, &byte, 1) <= 0 && ERR_peek_error() != 0)
            alert = ERR_GET_REASON(ERR_peek_error()) - SSL_AD_REASON_OFFSET;
        if (rig.client_error != 0) alert = ERR_GET_REASON(ERR_peek_error()) - SSL_AD_REASON_OFFSET;
    }
    cr_assert_eq(alert, SSL_AD_CERTIFICATE_REVOKED, "%d", alert);
    cr_assert_eq(rig.shared.handshakes_failed, failed + 1);
    cr_assert(rig_logged(&rig, reason), "%s", rig.log);
}

Test(revoke, turns_a_revoked_certificate_away)
{
    cr_assert_eq(revoke_serial(serial_of(&rig.client)), 0);
    expect_turned_away(&rig.client);
    open_as(&rig.own_client, 7);
    rig_identity(&rig, true); /* it outlives the server's certificate */
    expect_turned_away(&rig.client);
}

Test(revoked, keeps_so_many_serial_numbers)
{
    static struct revoked revoked;
    uint8_t serial[LIMIT_SERIAL] = {1};
    for (unsigned i = 0; i < LIMIT_REVOKED_SERIALS; i++) {
        serial[1] = (uint8_t)(i * 7); /* in no order */
        serial[2] = (uint8_t)(i >> 8);
        serial[3] = (uint8_t)i;
        cr_assert_eq(revoked_add(&revoked, (struct bytes){serial, sizeof serial}), ERR_OK);
        cr_assert_eq(revoked_add(&revoked, (struct bytes){serial, sizeof serial}), ERR_OK, "again");
        cr_assert_eq(revoked.num, i + 1);
    }
    char text[2 * LIMIT_SERIAL + 1];
    for (unsigned i = 0; i < LIMIT_REVOKED_SERIALS; i++) {
        serial[1] = (uint8_t)(i * 7);
        serial[2] = (uint8_t)(i >> 8);
        serial[3] = (uint8_t)i;
        bytes_hex(text, (struct bytes){serial, sizeof serial});
        cr_assert(revoked_has(&revoked, text), "%u", i);
    }
    cr_assert_eq(revoked_add(&revoked, (struct bytes){serial, sizeof serial}), ERR_OK, "one of them");
    serial[0] = 2;
    bytes_hex(text, (struct bytes){serial, sizeof serial});
    cr_assert_not(revoked_has(&revoked, text));
    cr_assert_eq(revoked_add(&revoked, (struct bytes){serial, sizeof serial}), ERR_TOO_LARGE);
    cr_assert_not(revoked_has(&revoked, ""));
    cr_assert_not(revoked_has(&revoked, "01"));
}
