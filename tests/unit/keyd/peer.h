/* A running keyd, the program itself with its sandbox on, seen from its broker; and the holders of its channels. */
#ifndef KEYWARD_TESTS_UNIT_KEYD_PEER_H
#define KEYWARD_TESTS_UNIT_KEYD_PEER_H

#include <sys/types.h>

#include "base/err.h"
#include "keyd/purpose.h"
#include "proto/link.h"
#include "tests/unit/keyd/shake.h"

#define PEER_TIMEOUT_MS 5000u
#define PEER_EXPECT_ID UINT64_C(0x8000000000000002)
#define PEER_KEYD "keyd/keyd" /* in a test's runfiles */

struct peer {
    pid_t pid;
    struct link broker;
    struct codec_arena *arena;
    struct msg identity; /* its spans live in identity_arena */
    struct codec_arena *identity_arena;
};

/* peer_spawn starts program; peer_start does, and has it set up. Failures fail the test. */
void peer_spawn(struct peer *peer, const char *program);
void peer_start(struct peer *peer);

/* peer_setup asks for the usual names. */
void peer_setup(struct peer *peer);

/* peer_stop says stop and returns the exit status as wait(2) gives it. */
int peer_stop(struct peer *peer);

/* peer_grant has keyd serve a new channel, and returns the other end. */
struct link peer_grant(struct peer *peer, uint64_t grant, enum purpose purpose, uint32_t lifetime_s,
                       uint64_t max_signatures);

/* peer_grant_terms is peer_grant with all the terms. */
struct link peer_grant_terms(struct peer *peer, const struct keyd_grant *terms);
void peer_revoke(struct peer *peer, uint64_t grant);

/* peer_event waits for the next event. */
struct keyd_event peer_event(struct peer *peer);

/* peer_status asks for the status; its array lives until the next call. */
struct keyd_status peer_status(struct peer *peer);

/* peer_ask sends a request and waits for its answer, whose spans live until the next call. ERR_CLOSED: keyd cut the
 * channel. */
MUST_CHECK enum err peer_ask(struct peer *peer, const struct link *link, struct msg *out, const struct msg *request);

/* peer_shake runs a handshake whose server has its signature from keyd, over the server's channel. */
void peer_shake(struct peer *peer, struct shake *out, const struct link *server, const struct shake_kind *kind);

/* peer_expect tells keyd of the handshake, under PEER_EXPECT_ID; there is no answer. peer_bound waits on the server's channel
 * for the word of whose handle was used in a handshake. */
void peer_expect(const struct link *server, const struct shake *shake);
uint64_t peer_bound(struct peer *peer, const struct link *server);
struct client_bound peer_bound_family(struct peer *peer, const struct link *server);

/* Requests: for a server, with a hash of 32 bytes of 0x11; for the client of a handshake, and for a browser in one. */
struct msg peer_sign_tls13_server(uint64_t id);
struct msg peer_sign_tls13_client(const struct shake *shake, uint64_t id);
struct msg peer_sign_digest(const struct shake *shake, uint64_t id);

/* Assertions: an answer refuses for this reason; it is the signature that the handshake's client wants; the channel signs
 * a request for the server. */
void peer_assert_refused(const struct msg *answer, enum refusal refusal);
void peer_assert_client_signed(const struct peer *peer, const struct shake *shake, const struct msg *answer);
void peer_assert_signs(struct peer *peer, const struct link *link);

#endif
