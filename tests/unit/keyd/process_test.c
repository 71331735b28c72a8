/* The program itself, sandbox and all: how it starts, serves and ends. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/keyd/peer.h"
#include "tests/unit/keyd/verify.h"

Test(process, sets_up_signs_and_stops)
{
    struct peer peer;
    peer_start(&peer);
    const struct keyd_identity *identity = &peer.identity.keyd_identity;
    cr_assert_eq(peer.identity.id, 1);
    cr_assert_eq(identity->num_certificates, 3);
    cr_assert_eq(verify_chain(identity->server, identity->ca, X509_PURPOSE_SSL_SERVER, "localhost"), X509_V_OK);
    cr_assert_eq(verify_chain(identity->client, identity->ca, X509_PURPOSE_SSL_CLIENT, NULL), X509_V_OK);

    struct link server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    peer_assert_signs(&peer, &server);
    struct link client = peer_grant(&peer, 2, PURPOSE_TLS_CLIENT, 60, 2);
    static struct shake shake;
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    const struct msg request = peer_sign_tls13_client(&shake, 7);
    struct msg answer;
    cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
    peer_assert_client_signed(&peer, &shake, &answer);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.grant, 2);
    cr_assert_eq(event.what, GRANT_EVENT_SIGNED);
    cr_assert_eq(event.pid, (uint32_t)getpid());

    const struct keyd_status status = peer_status(&peer);
    cr_assert_eq(status.signatures, 3);
    cr_assert_eq(status.refusals, 0);
    cr_assert_eq(status.total, 2);
    cr_assert_gt(status.secret_bytes, 0);
    cr_assert_lt(status.secret_bytes, LIMIT_SECRET_HEAP / 4);
    const int exit_status = peer_stop(&peer);
    cr_assert(WIFEXITED(exit_status) && WEXITSTATUS(exit_status) == 0, "%#x", (unsigned)exit_status);
}

Test(process, ends_with_the_broker)
{
    struct peer peer;
    peer_start(&peer);
    close(peer.broker.fd);
    int status;
    cr_assert_eq(waitpid(peer.pid, &status, 0), peer.pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%#x", (unsigned)status);
}

Test(process, revokes_at_once)
{
    struct peer peer;
    peer_start(&peer);
    struct link server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link other = peer_grant(&peer, 2, PURPOSE_TLS_SERVER, 0, 0);
    peer_assert_signs(&peer, &server);
    peer_revoke(&peer, 1);
    peer_revoke(&peer, 12345); /* no such grant: nothing happens */
    cr_assert_eq(peer_status(&peer).total, 1);
    const struct msg request = peer_sign_tls13_server(5);
    struct msg answer;
    cr_assert_eq(peer_ask(&peer, &server, &answer, &request), ERR_CLOSED);
    peer_assert_signs(&peer, &other);
    peer_stop(&peer);
}

/* Behind all that it was used for, the broker hears that it is closed; and so does its holder. */
Test(process, revokes_a_handle_with_a_word_to_both_sides)
{
    static const enum purpose purposes[] = {PURPOSE_TLS_CLIENT, PURPOSE_BROWSER_DIGEST};
    struct peer peer;
    struct msg answer;
    struct packet_extra extra;
    peer_start(&peer);
    for (uint64_t i = 0; i < 2; i++) {
        struct link handle = peer_grant(&peer, 7 + i, purposes[i], 60, 0);
        const struct msg request = {.kind = MSG_DESCRIBE_HANDLE, .id = 5};
        if (purposes[i] == PURPOSE_BROWSER_DIGEST) {
            cr_assert_eq(peer_ask(&peer, &handle, &answer, &request), ERR_OK);
            cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_REFUSED);
        }
        peer_revoke(&peer, 7 + i);
        struct keyd_event event = peer_event(&peer);
        cr_assert_eq(event.grant, 7 + i);
        cr_assert_eq(event.what, GRANT_EVENT_CLOSED);
        cr_assert_eq(event.reason, REFUSAL_REVOKED);
        cr_assert_eq(link_recv(&handle, &answer, &extra, peer.arena), ERR_OK);
        cr_assert_eq(answer.id, 0);
        peer_assert_refused(&answer, REFUSAL_REVOKED);
        cr_assert_eq(channel_wait(handle.fd, PEER_TIMEOUT_MS), ERR_OK);
        cr_assert_eq(link_recv(&handle, &answer, &extra, peer.arena), ERR_CLOSED);
        cr_assert_eq(peer_status(&peer).num_grants, 0);
    }
    peer_stop(&peer);
}

/* A holder that does not read its answers is not waited for. */
Test(process, revokes_a_handle_whose_channel_is_full)
{
    const struct msg request = {.kind = MSG_SIGN_TLS13_CLIENT,
                                .id = 6,
                                .sign_tls13_client = {SCHEME_ECDSA_P256_SHA256, {(const uint8_t *)"x", 1}}};
    struct peer peer;
    peer_start(&peer);
    struct link handle = peer_grant(&peer, 7, PURPOSE_TLS_CLIENT, 60, 0);
    for (unsigned i = 0; i < 4; i++) {
        while (link_send(&handle, &request, NULL, 0) == ERR_OK) continue;
        struct keyd_event event;
        do event = peer_event(&peer);
        while (event.what != GRANT_EVENT_REFUSED);
    }
    peer_revoke(&peer, 7);
    struct keyd_event event;
    do event = peer_event(&peer);
    while (event.what != GRANT_EVENT_CLOSED);
    cr_assert_eq(event.reason, REFUSAL_REVOKED);
    peer_stop(&peer);
}

/* The sandbox is on in the program itself, not only in the policy's own test. */
Test(process, has_its_sandbox_on)
{
    struct peer peer;
    peer_start(&peer);
    char path[64], text[4096] = "";
    snprintf(path, sizeof(path), "/proc/%d/status", (int)peer.pid);
    FILE *status = fopen(path, "r");
    cr_assert_neq(status, NULL);
    cr_assert_gt(fread(text, 1, sizeof(text) - 1, status), 0);
    fclose(status);
    cr_assert_neq(strstr(text, "\nNoNewPrivs:\t1\n"), NULL);
    cr_assert_neq(strstr(text, "\nSeccomp:\t2\n"), NULL);
    cr_assert_neq(strstr(text, "\nCapBnd:\t0000000000000000\n"), NULL);
    cr_assert_neq(strstr(text, "\nThreads:\t1\n"), NULL);
    peer_stop(&peer);
}

/* Otherwise each packet takes the core from the worker that sends it (docs/adr/0017-one-signing-thread.md). */
Test(process, leaves_the_core_to_whom_it_serves)
{
    struct peer peer;
    peer_start(&peer);
    cr_assert_eq(sched_getscheduler(peer.pid), SCHED_BATCH);
    peer_stop(&peer);
}

Test(process, refuses_a_name_that_is_taken)
{
    struct peer peer;
    peer_start(&peer);
    struct link first = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link second = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.what, GRANT_EVENT_CLOSED);
    cr_assert_eq(event.reason, REFUSAL_PARAMETERS);
    cr_assert_eq(channel_wait(second.fd, PEER_TIMEOUT_MS), ERR_OK);
    struct msg answer;
    struct packet_extra extra;
    cr_assert_eq(link_recv(&second, &answer, &extra, peer.arena), ERR_CLOSED);
    peer_assert_signs(&peer, &first);
    peer_stop(&peer);
}

static int wait_exit(const struct peer *peer)
{
    int status;
    cr_assert_eq(waitpid(peer->pid, &status, 0), peer->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

Test(process, grants_nothing_before_it_has_keys)
{
    struct peer peer;
    peer_spawn(&peer, PEER_KEYD);
    (void)peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    cr_assert_eq(wait_exit(&peer), EXIT_SYSTEM);
}

/* Another setup is about the server's key; the CA and the client's are made once. */
Test(process, makes_keys_only_once)
{
    struct peer peer;
    struct packet_extra extra;
    struct msg setup = {.kind = MSG_KEYD_SETUP, .id = 2}, answer;
    peer_start(&peer);
    setup.keyd_setup = (struct keyd_setup){
        .dns_names = {"localhost"}, .num_dns_names = 1, .ca_lifetime_s = 60, .leaf_lifetime_s = 60, .client_name = "x"};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(link_send(&peer.broker, &setup, NULL, 0), ERR_OK);
        cr_assert_eq(channel_wait(peer.broker.fd, PEER_TIMEOUT_MS), ERR_OK);
        cr_assert_eq(link_recv(&peer.broker, &answer, &extra, peer.arena), ERR_OK);
        cr_assert_eq(answer.kind, MSG_KEYD_IDENTITY);
        cr_assert_eq(answer.id, setup.id++);
        cr_expect(bytes_equal(answer.keyd_identity.ca, peer.identity.keyd_identity.ca));
        cr_expect(bytes_equal(answer.keyd_identity.client, peer.identity.keyd_identity.client));
    }
}

Test(process, says_what_is_wrong_with_a_name)
{
    struct peer peer;
    peer_spawn(&peer, PEER_KEYD);
    struct msg setup = {.kind = MSG_KEYD_SETUP, .id = 2}, answer;
    setup.keyd_setup = (struct keyd_setup){.dns_names = {"*.example.com"},
                                           .num_dns_names = 1,
                                           .ca_lifetime_s = 60,
                                           .leaf_lifetime_s = 60,
                                           .client_name = "x"};
    cr_assert_eq(link_send(&peer.broker, &setup, NULL, 0), ERR_OK);
    cr_assert_eq(channel_wait(peer.broker.fd, PEER_TIMEOUT_MS), ERR_OK);
    struct packet_extra extra;
    cr_assert_eq(link_recv(&peer.broker, &answer, &extra, peer.arena), ERR_OK);
    cr_assert_eq(answer.kind, MSG_FAILED);
    cr_assert_eq(answer.failed.error, ERR_INPUT);
    cr_assert_neq(strstr(answer.failed.text, "'*.example.com'"), NULL, "%s", answer.failed.text);
    cr_assert_eq(wait_exit(&peer), EXIT_INPUT);
}

Test(process, takes_no_arguments)
{
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        execl(PEER_KEYD, PEER_KEYD, "--help", (char *)NULL);
        _exit(1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_INPUT);
}
