/* What a listener asks of its clients, by its mode. The default, a certificate from everyone, is in conn_test.c. */
#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/web/rig.h"
#include "web/conn_internal.h"

static struct rig rig;

static void setup(void)
{
    rig_open(&rig, true);
}

static void teardown(void)
{
    rig_close(&rig);
}

TestSuite(mode, .init = setup, .fini = teardown);

/* Returns the connection's end at the server. */
static const struct conn *serve(const struct pki_cert *client)
{
    char out[256];
    rig_connect(&rig, SERVICE_ECHO, client);
    cr_assert(rig_wait_client(&rig), "%s", rig.log);
    rig_write(&rig, "works\n");
    cr_assert(rig_read(&rig, out, sizeof out, "Z 127.0.0.1:40000 works\n"), "%s", out);
    return rig.shared.conns.first;
}

static const uint16_t versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};

Test(mode, optional_takes_a_good_client_or_none)
{
    rig.mode = TLS_MODE_OPTIONAL;
    for (size_t i = 0; i < 2; i++) {
        SSL_CTX_set_max_proto_version(rig.client_context, versions[i]);
        cr_assert_not(session_peer_is_known(&serve(NULL)->peer));
        const struct conn *known = serve(&rig.client);
        cr_assert(session_peer_is_known(&known->peer));
        cr_assert_str_eq(known->peer.certificate.subject, "CN=client");
    }
}

Test(mode, optional_takes_no_bad_client)
{
    struct pki_cert ca = pki_ca("stranger"), stranger = pki_client(&ca);
    rig.mode = TLS_MODE_OPTIONAL;
    rig_connect(&rig, SERVICE_ECHO, &stranger);
    cr_assert(rig_refused(&rig, "certificate signed by an unknown CA (issuer CN=stranger)"), "%s", rig.log);
    pki_free(&stranger);
    pki_free(&ca);
}

/* A client that has one is not asked for it, and keyd is told to expect no signature of its own client's. */
Test(mode, server_asks_nobody)
{
    rig.mode = TLS_MODE_SERVER;
    for (size_t i = 0; i < 2; i++) {
        SSL_CTX_set_max_proto_version(rig.client_context, versions[i]);
        cr_assert_not(session_peer_is_known(&serve(NULL)->peer));
        cr_assert_not(session_peer_is_known(&serve(&rig.client)->peer));
        cr_assert(session_peer_is_private(&rig.shared.conns.first->peer));
    }
    cr_assert_eq(rig.keyd.num_expected, 0);
    rig.mode = TLS_MODE_OPTIONAL;
    SSL_CTX_set_max_proto_version(rig.client_context, TLS1_3_VERSION);
    serve(NULL);
    cr_assert_eq(rig.keyd.num_expected, 1);
}

static void expect_plain(const char *text)
{
    char out[1024] = "";
    size_t len = 0;
    for (int i = 0; i < 3000 && strstr(out, text) == NULL; i++) {
        rig_pump(&rig);
        ssize_t got = read(rig.fd, out + len, sizeof out - 1 - len);
        if (got > 0) len += (size_t)got;
        out[len] = '\0';
        if (got < 0) usleep(1000);
    }
    cr_assert(strstr(out, text) != NULL, "%s", out);
}

static void say_plain(const char *text)
{
    cr_assert_eq(write(rig.fd, text, strlen(text)), (ssize_t)strlen(text));
}

Test(mode, off_speaks_without_tls)
{
    rig.mode = TLS_MODE_OFF;
    rig_socket(&rig, SERVICE_ECHO);
    cr_assert_eq(rig.shared.conns.num_handshakes, 0);
    cr_assert_not(session_peer_is_private(&rig.shared.conns.first->peer));
    cr_assert_not(session_peer_is_known(&rig.shared.conns.first->peer));
    say_plain("hello\n");
    expect_plain("Z 127.0.0.1:40000 hello\n");
    say_plain("unfinished");
    shutdown(rig.fd, SHUT_WR);
    expect_plain("Z 127.0.0.1:40000 unfinished\n");
    cr_assert(rig_wait_closed(&rig, 1));
    cr_assert_eq(rig.shared.handshakes + rig.shared.handshakes_failed, 0);
}

/* Each write of the server's is taken in parts. */
Test(mode, off_loses_nothing_to_a_slow_reader)
{
    enum { LINES = 200, LEN = 4000 };
    static char line[LEN + 1], in[1500];
    size_t sent = 0, lines = 0, letters = 0;
    rig.mode = TLS_MODE_OFF;
    rig_socket(&rig, SERVICE_ECHO);
    memset(line, 'x', LEN);
    line[LEN] = '\n';
    for (int i = 0; i < 200000 && lines < LINES; i++) {
        const size_t at = sent % sizeof line;
        ssize_t n = sent < LINES * sizeof line ? write(rig.fd, line + at, sizeof line - at) : 0;
        if (n > 0) sent += (size_t)n;
        rig_pump(&rig);
        n = i % 2 == 0 ? read(rig.fd, in, sizeof in) : 0;
        for (ssize_t j = 0; j < n; j++) {
            lines += in[j] == '\n';
            letters += in[j] == 'x';
        }
    }
    cr_assert_eq(lines, LINES);
    cr_assert_eq(letters, (size_t)LINES * LEN);
}

Test(mode, off_ends_with_the_worker)
{
    rig.mode = TLS_MODE_OFF;
    rig_socket(&rig, SERVICE_ECHO);
    conn_drain_all(&rig.shared);
    expect_plain("error: the server is stopping\n");
    shutdown(rig.fd, SHUT_WR);
    cr_assert(rig_wait_closed(&rig, 1));
}
