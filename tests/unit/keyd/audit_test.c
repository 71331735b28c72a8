/* The running program's part in the audit log: it signs heads, holds handles back, and tells what servers have signed. */
#include <criterion/criterion.h>
#include <openssl/bytestring.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/audit_head.h"
#include "tests/unit/keep.h"
#include "tests/unit/keyd/peer.h"

static struct peer peer;
static struct msg answer;

static void setup(void)
{
    peer_start(&peer);
}

TestSuite(audit, .init = setup);

static enum err sign_head(uint64_t number)
{
    struct packet_extra extra;
    const struct msg wanted = {.kind = MSG_SIGN_AUDIT_HEAD, .id = 40 + number, .sign_audit_head = {number, {0xaa}}};
    return link_call(&peer.broker, &answer, &extra, peer.arena, &wanted, NULL, 0, PEER_TIMEOUT_MS);
}

static void hold(bool held)
{
    const struct msg msg = {.kind = MSG_KEYD_HOLD, .keyd_hold = held};
    cr_assert_eq(link_send(&peer.broker, &msg, NULL, 0), ERR_OK);
}

Test(audit, signs_heads_with_the_key_of_its_identity)
{
    CBS cbs;
    uint8_t content[AUDIT_HEAD_CONTENT], digest[32], hash[AUDIT_HEAD_HASH] = {0xaa};
    const struct bytes der = peer.identity.keyd_identity.audit_key;
    CBS_init(&cbs, der.data, der.len);
    EVP_PKEY *key = keep(EVP_parse_public_key(&cbs));
    cr_assert_not_null(key);
    for (uint64_t number = 5; number < 8; number++) {
        cr_assert_eq(sign_head(number), ERR_OK);
        cr_assert_eq(answer.kind, MSG_AUDIT_HEAD);
        cr_expect_eq(answer.audit_head.number, number);
        audit_head_content(content, number, hash);
        SHA256(content, sizeof(content), digest);
        cr_expect_eq(ECDSA_verify(0, digest, sizeof(digest), answer.audit_head.signature.data,
                                  answer.audit_head.signature.len, EVP_PKEY_get0_EC_KEY(key)),
                     1);
    }
    peer_stop(&peer);
}

/* Two logs of the same length cannot both be signed: whoever asks for that has no keyd any more. */
Test(audit, ends_rather_than_sign_another_head_of_that_number)
{
    int status;
    cr_assert_eq(sign_head(5), ERR_OK);
    const struct msg again = {.kind = MSG_SIGN_AUDIT_HEAD, .id = 50, .sign_audit_head = {5, {0xbb}}};
    struct packet_extra extra;
    cr_assert_eq(link_send(&peer.broker, &again, NULL, 0), ERR_OK);
    cr_assert_eq(channel_wait(peer.broker.fd, PEER_TIMEOUT_MS), ERR_OK);
    cr_assert_eq(link_recv(&peer.broker, &answer, &extra, peer.arena), ERR_OK);
    cr_assert_eq(answer.kind, MSG_FAILED);
    cr_expect_not_null(strstr(answer.failed.text, "head number 5"), "%s", answer.failed.text);
    cr_assert_eq(waitpid(peer.pid, &status, 0), peer.pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SYSTEM, "%#x", (unsigned)status);
}

Test(audit, is_another_key_in_another_keyd)
{
    static struct peer other;
    peer_start(&other);
    cr_expect_not(bytes_equal(peer.identity.keyd_identity.audit_key, other.identity.keyd_identity.audit_key));
    peer_stop(&other);
    peer_stop(&peer);
}

Test(audit, holds_handles_back_and_nothing_else)
{
    static struct shake shake;
    struct link server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link client = peer_grant(&peer, 2, PURPOSE_TLS_CLIENT, 60, 0);
    struct link browser = peer_grant(&peer, 3, PURPOSE_BROWSER_DIGEST, 0, 0);
    const struct msg pin = {.kind = MSG_PIN_HANDLE, .id = 2};
    cr_assert_eq(peer_ask(&peer, &browser, &answer, &pin), ERR_OK);
    cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_PINNED);
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    peer_expect(&server, &shake);
    hold(true);
    (void)peer_status(&peer); /* by now it has heard */

    const struct msg for_client = peer_sign_tls13_client(&shake, 7), for_browser = peer_sign_digest(&shake, 8);
    cr_assert_eq(peer_ask(&peer, &client, &answer, &for_client), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_HELD);
    cr_expect_eq(peer_event(&peer).reason, REFUSAL_HELD);
    cr_assert_eq(peer_ask(&peer, &browser, &answer, &for_browser), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_HELD);
    cr_expect_eq(peer_event(&peer).reason, REFUSAL_HELD);
    peer_assert_signs(&peer, &server);

    hold(false);
    (void)peer_status(&peer);
    cr_assert_eq(peer_ask(&peer, &browser, &answer, &for_browser), ERR_OK); /* what was expected still is */
    peer_assert_client_signed(&peer, &shake, &answer);
    peer_stop(&peer);
}

Test(audit, tells_what_a_channel_has_signed_when_it_ends)
{
    struct link server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    for (unsigned i = 0; i < 3; i++) peer_assert_signs(&peer, &server);
    struct msg bad = peer_sign_tls13_server(9);
    bad.sign_tls13_server.scheme = 0x0804;
    cr_assert_eq(peer_ask(&peer, &server, &answer, &bad), ERR_OK);
    cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_REFUSED);
    close(server.fd);
    const struct keyd_event event = peer_event(&peer);
    cr_expect_eq(event.what, GRANT_EVENT_CLOSED);
    cr_expect_eq(event.signatures, 3);
    cr_expect_eq(event.refusals, 1);
    peer_stop(&peer);
}

/* More than the channel to the broker holds, of as many handles as one alone could not have waiting. */
enum { USERS = 16, USES = LIMIT_KEYD_EVENTS_EACH - 4 };

static void use_handles_while_nobody_listens(void)
{
    static struct shake shake;
    struct link server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    for (uint64_t i = 0; i < USERS; i++) {
        const struct link client = peer_grant(&peer, 2 + i, PURPOSE_TLS_CLIENT, 60, 0);
        const struct msg request = peer_sign_tls13_client(&shake, 7);
        for (unsigned j = 0; j < USES; j++) {
            cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
            peer_assert_client_signed(&peer, &shake, &answer);
        }
    }
}

/* What keyd says until something else than the use of a handle: that is in answer, or MSG_NONE at the channel's end. */
static unsigned count_uses(void)
{
    unsigned num = 0;
    for (;;) {
        struct packet_extra extra;
        cr_assert_eq(channel_wait(peer.broker.fd, PEER_TIMEOUT_MS), ERR_OK);
        const enum err err = link_recv(&peer.broker, &answer, &extra, peer.arena);
        if (err != ERR_OK) cr_assert_eq(err, ERR_CLOSED);
        if (err != ERR_OK || answer.kind != MSG_KEYD_EVENT) return num;
        cr_assert_eq(answer.keyd_event.what, GRANT_EVENT_SIGNED);
        num++;
    }
}

Test(audit, tells_of_every_use_before_it_stops)
{
    int status;
    const struct msg stop = {.kind = MSG_STOP};
    use_handles_while_nobody_listens();
    cr_assert_eq(link_send(&peer.broker, &stop, NULL, 0), ERR_OK);
    cr_assert_eq(count_uses(), USERS * USES);
    cr_assert_eq(answer.kind, MSG_NONE);
    cr_assert_eq(waitpid(peer.pid, &status, 0), peer.pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%#x", (unsigned)status);
}

/* So a log that is closed with it has them all. */
Test(audit, signs_a_head_behind_every_use)
{
    const struct msg wanted = {.kind = MSG_SIGN_AUDIT_HEAD, .id = 45, .sign_audit_head = {5, {0xaa}}};
    use_handles_while_nobody_listens();
    cr_assert_eq(link_send(&peer.broker, &wanted, NULL, 0), ERR_OK);
    cr_assert_eq(count_uses(), USERS * USES);
    cr_assert_eq(answer.kind, MSG_AUDIT_HEAD);
    cr_assert_eq(answer.id, 45);
    peer_stop(&peer);
}
