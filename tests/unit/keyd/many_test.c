/* The running program with as many channels as it may have, and at the edges of their number. */
#include <criterion/criterion.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/keyd/peer.h"

static struct peer peer;
static struct shake shake;
static struct link handles[LIMIT_GRANTS + 1];

/* Both ends need a descriptor for each. keyd starts with few and raises its limit itself. */
static void set_up(void)
{
    struct rlimit files;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    cr_assert_geq(files.rlim_max, LIMIT_GRANTS + 64, "the hard limit of open files is %llu; raise it (ulimit -Hn)",
                  (unsigned long long)files.rlim_max);
    files.rlim_cur = 256;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    peer_start(&peer);
    files.rlim_cur = files.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
}

static void tear_down(void)
{
    cr_assert_eq(peer_stop(&peer), 0);
}

TestSuite(many, .init = set_up, .fini = tear_down, .timeout = 120);

/* Grants numbers from first to last; keyd's channel takes so many at once and not more. */
static void grant(uint64_t first, uint64_t last, enum purpose purpose)
{
    for (uint64_t number = first; number <= last; number++) {
        handles[number] = peer_grant(&peer, number, purpose, 3600, 0);
        if (number % 50 == 0 || number == last) cr_assert_eq(peer_status(&peer).total, number);
    }
}

static void assert_signs(const struct link *handle)
{
    const struct msg request = peer_sign_tls13_client(&shake, 5);
    struct msg answer;
    cr_assert_eq(peer_ask(&peer, handle, &answer, &request), ERR_OK);
    peer_assert_client_signed(&peer, &shake, &answer);
    cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_SIGNED);
}

static void assert_no_room_for(uint64_t number, enum purpose purpose)
{
    const struct link link = peer_grant(&peer, number, purpose, 0, 0);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.grant, number);
    cr_assert_eq(event.what, GRANT_EVENT_CLOSED);
    cr_assert_eq(event.reason, REFUSAL_BUSY);
    close(link.fd);
}

Test(many, handles_as_many_as_it_says)
{
    grant(1, 1, PURPOSE_TLS_SERVER);
    peer_shake(&peer, &shake, &handles[1], &shake_kinds[0]);
    grant(2, LIMIT_GRANTS, PURPOSE_TLS_CLIENT);
    for (uint64_t number = 2; number <= LIMIT_GRANTS; number += 1000) assert_signs(&handles[number]);
    assert_signs(&handles[LIMIT_GRANTS]);
    assert_no_room_for(LIMIT_GRANTS + 1, PURPOSE_TLS_CLIENT);
    peer_revoke(&peer, 5);
    cr_assert_eq(peer_event(&peer).reason, REFUSAL_REVOKED);
    handles[5] = peer_grant(&peer, LIMIT_GRANTS + 1, PURPOSE_TLS_CLIENT, 0, 0);
    assert_signs(&handles[5]);
    peer_assert_signs(&peer, &handles[1]);
    assert_no_room_for(LIMIT_GRANTS + 2, PURPOSE_TLS_CLIENT);

    /* Every end is told of, each of its own. */
    for (uint64_t number = 6; number < 1006; number++) {
        close(handles[number].fd);
        const struct keyd_event event = peer_event(&peer);
        cr_assert_eq(event.what, GRANT_EVENT_CLOSED);
        cr_assert_eq(event.grant, number);
    }
    cr_assert_eq(peer_status(&peer).total, LIMIT_GRANTS - 1000);
}

Test(many, servers_as_many_as_it_says)
{
    grant(1, LIMIT_SERVER_GRANTS, PURPOSE_TLS_SERVER);
    const struct keyd_status status = peer_status(&peer);
    cr_assert_eq(status.num_grants, LIMIT_SERVER_GRANTS);
    peer_assert_signs(&peer, &handles[LIMIT_SERVER_GRANTS]);
    assert_no_room_for(LIMIT_SERVER_GRANTS + 1, PURPOSE_TLS_SERVER);
    cr_assert_eq(peer_status(&peer).total, LIMIT_SERVER_GRANTS);
    grant(LIMIT_SERVER_GRANTS + 1, LIMIT_SERVER_GRANTS + 1, PURPOSE_TLS_CLIENT);
    peer_revoke(&peer, 7);
    handles[7] = peer_grant(&peer, LIMIT_SERVER_GRANTS + 2, PURPOSE_TLS_SERVER, 0, 0);
    peer_assert_signs(&peer, &handles[7]);
}
