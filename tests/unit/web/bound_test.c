/* Whose handle a client uses: what keyd says of it, and a client with keyd's certificate of which it says nothing. */
#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/web/rig.h"
#include "web/conn_internal.h"
#include "web/expect_queue.h"

#define UNKNOWN "the client has keyd\\x27s certificate, but keyd knows of no handle that it used"

static struct rig rig;

static void setup(void)
{
    rig_open(&rig, true);
}

static void teardown(void)
{
    rig_close(&rig);
}

TestSuite(bound, .init = setup, .fini = teardown);

static void expect_served(const struct pki_cert *client)
{
    char out[256];
    rig_connect(&rig, SERVICE_ECHO, client);
    cr_assert(rig_wait_client(&rig), "%s", rig.log);
    rig_write(&rig, "works\n");
    cr_assert(rig_read(&rig, out, sizeof out, "works\n"), "%s", rig.log);
}

Test(bound, a_connection_knows_its_handle)
{
    rig.keyd.binds_to = 7;
    expect_served(&rig.own_client);
    cr_assert_eq(rig.shared.conns.first->client.handle, 7);
    rig.keyd.binds_to = UINT64_MAX;
    expect_served(&rig.own_client);
    cr_assert_eq(rig.shared.conns.first->client.handle, UINT64_MAX);
}

Test(bound, other_clients_need_no_handle)
{
    expect_served(&rig.client);
    cr_assert_eq(rig.shared.conns.first->client.handle, 0);
}

Test(bound, keyds_certificate_without_a_handle_is_refused)
{
    rig_connect(&rig, SERVICE_ECHO, &rig.own_client);
    cr_assert(rig_refused(&rig, UNKNOWN), "%s", rig.log);
    SSL_CTX_set_max_proto_version(rig.client_context, TLS1_2_VERSION);
    rig.keyd.binds_to = 7; /* of TLS 1.2 keyd is told nothing */
    rig_connect(&rig, SERVICE_ECHO, &rig.own_client);
    cr_assert(rig_refused(&rig, UNKNOWN), "%s", rig.log);
}

/* Leaves it to the server to read the client's last flight. */
static struct conn *shake_up_to_the_last_flight(void)
{
    rig_connect(&rig, SERVICE_ECHO, &rig.own_client);
    while (SSL_do_handshake(rig.ssl) != 1) {
        fake_keyd_step(&rig.keyd);
        ev_run(rig.shared.loop, EVRUN_NOWAIT);
    }
    fake_keyd_step(&rig.keyd);
    return rig.shared.conns.youngest_handshake;
}

/* As the loop would, if it looked at this socket first. */
static void read_now(struct conn *conn)
{
    ev_feed_event(rig.shared.loop, &conn->io, EV_READ);
    ev_invoke_pending(rig.shared.loop);
}

Test(bound, keyds_word_is_in_time_even_if_it_is_read_last)
{
    struct conn *conn = shake_up_to_the_last_flight();
    cr_assert_eq(rig.keyd.expected_id, EXPECT_QUEUE_ID | conn->number);
    fake_keyd_bind(&rig.keyd, 9);
    read_now(conn);
    cr_assert_eq(conn->state, CONN_OPEN, "%d %s", conn->state, rig.log);
    cr_assert_eq(conn->client.handle, 9);
}

Test(bound, an_answer_for_somebody_else_that_came_with_it_is_passed_on)
{
    struct conn *conn = shake_up_to_the_last_flight();
    SSL *ssl = rig.ssl;
    int fd = rig.fd;
    rig.ssl = NULL;
    rig.fd = -1;
    fake_keyd_bind(&rig.keyd, 9);
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert_neq(SSL_do_handshake(rig.ssl), 1);
    struct conn *other = rig.shared.conns.youngest_handshake;
    conn_run(other); /* asks for its signature */
    cr_assert_eq(other->wait, WAIT_CALL);
    fake_keyd_step(&rig.keyd);
    read_now(conn);
    cr_assert_eq(conn->client.handle, 9);
    cr_assert(rig_wait_client(&rig), "%s", rig.log);
    SSL_free(ssl);
    close(fd);
}

Test(bound, a_word_about_nobody_changes_nothing)
{
    expect_served(&rig.client);
    fake_keyd_bind(&rig.keyd, 7); /* it is no handshake any more */
    rig.keyd.expected_id = EXPECT_QUEUE_ID | INT64_MAX;
    fake_keyd_bind(&rig.keyd, 7);
    rig.keyd.expected_id = 1; /* a place where a signature could be waited for */
    fake_keyd_bind(&rig.keyd, 7);
    for (int i = 0; i < 10; i++) rig_pump(&rig);
    cr_assert_eq(rig.shared.conns.first->client.handle, 0);
    expect_served(&rig.client);
    cr_assert_not(rig_logged(&rig, "lost"), "%s", rig.log);
}

Test(bound, each_connection_has_a_number_of_its_own)
{
    struct conn_table *table = &rig.shared.conns;
    table->last_number = LIMIT_HANDSHAKES - 2;
    for (unsigned i = 1; i <= 4; i++) {
        rig_socket(&rig, SERVICE_ECHO);
        cr_assert_eq(table->youngest_handshake->number, LIMIT_HANDSHAKES - 2 + i);
    }
    struct conn *oldest = table->oldest_handshake;
    table->last_number = 2 * LIMIT_HANDSHAKES - 2; /* the same places in the table once more */
    for (unsigned i = 1; i <= 4; i++) rig_socket(&rig, SERVICE_ECHO);
    for (struct conn *conn = oldest; conn != NULL; conn = conn->younger)
        cr_assert_eq(conn_table_find(table, conn->number), conn);
    cr_assert_null(conn_table_find(table, 1));
    const uint64_t number = oldest->number;
    conn_free(oldest);
    cr_assert_null(conn_table_find(table, number));
    cr_assert_not_null(conn_table_find(table, number + LIMIT_HANDSHAKES));
}
