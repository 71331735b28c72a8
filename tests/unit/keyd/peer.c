#include "tests/unit/keyd/peer.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/keep.h"
#include "tests/unit/keyd/verify.h"

static void exec_keyd(const char *program, int channel)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(channel, 3) != 3) _exit(99);
    if (channel == 3) _exit(98); /* it would be close-on-exec */
    char *const argv[] = {strdup(program), NULL};
    char *const environment[] = {NULL};
    execve(program, argv, environment);
    _exit(97);
}

void peer_spawn(struct peer *peer, const char *program)
{
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    if (ends[1] == 3) ends[1] = dup(ends[1]);
    peer->pid = fork();
    cr_assert_geq(peer->pid, 0);
    if (peer->pid == 0) exec_keyd(program, ends[1]);
    close(ends[1]);
    peer->broker = (struct link){.fd = ends[0], .role = LINK_BROKER_KEYD, .end = LINK_UPPER};
    peer->arena = keep(codec_arena_new(LIMIT_DECODE_ARENA));
    peer->identity_arena = keep(codec_arena_new(LIMIT_DECODE_ARENA));
}

void peer_setup(struct peer *peer)
{
    static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
    struct msg setup = {.kind = MSG_KEYD_SETUP, .id = 1};
    setup.keyd_setup = (struct keyd_setup){
        .dns_names = {"localhost"},
        .num_dns_names = 1,
        .ip_addresses = {{v4, sizeof(v4)}, {v6, sizeof(v6)}},
        .num_ip_addresses = 2,
        .ca_lifetime_s = 86400,
        .leaf_lifetime_s = 3600,
        .client_name = "kiosk",
    };
    struct packet_extra extra;
    enum err err =
        link_call(&peer->broker, &peer->identity, &extra, peer->identity_arena, &setup, NULL, 0, PEER_TIMEOUT_MS);
    cr_assert_eq(err, ERR_OK, "KEYD_SETUP: %s", err_name(err));
    cr_assert_eq(peer->identity.kind, MSG_KEYD_IDENTITY, "%s: %s", msg_kind_name(peer->identity.kind),
                 peer->identity.kind == MSG_FAILED ? peer->identity.failed.text : "");
}

void peer_start(struct peer *peer)
{
    peer_spawn(peer, PEER_KEYD);
    peer_setup(peer);
}

int peer_stop(struct peer *peer)
{
    const struct msg stop = {.kind = MSG_STOP};
    if (link_send(&peer->broker, &stop, NULL, 0) != ERR_OK) close(peer->broker.fd);
    int status = -1;
    cr_assert_eq(waitpid(peer->pid, &status, 0), peer->pid);
    return status;
}

struct link peer_grant(struct peer *peer, uint64_t grant, enum purpose purpose, uint32_t lifetime_s,
                       uint64_t max_signatures)
{
    const struct keyd_grant terms = {.grant = grant,
                                     .purpose = purpose,
                                     .label = "test",
                                     .lifetime_s = lifetime_s,
                                     .max_signatures = max_signatures,
                                     .server = purpose == PURPOSE_TLS_CLIENT || purpose == PURPOSE_GATEWAY ? "localhost"
                                                                                                           : ""};
    return peer_grant_terms(peer, &terms);
}

struct link peer_grant_terms(struct peer *peer, const struct keyd_grant *terms)
{
    static const enum link_role roles[PURPOSE_NUM] = {
        [PURPOSE_TLS_SERVER] = LINK_SIGN_SERVER,
        [PURPOSE_TLS_CLIENT] = LINK_SIGN_CLIENT,
        [PURPOSE_BROWSER_DIGEST] = LINK_SIGN_BROWSER,
        [PURPOSE_GATEWAY] = LINK_SIGN_GATEWAY,
    };
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    /* As the broker does: what is sent before keyd has read the grant names its sender too. */
    cr_assert_eq(channel_want_sender(ends[1]), ERR_OK);
    struct msg msg = {.kind = MSG_KEYD_GRANT};
    msg.keyd_grant = *terms;
    cr_assert_eq(link_send(&peer->broker, &msg, &ends[1], 1), ERR_OK);
    close(ends[1]);
    return (struct link){.fd = ends[0], .role = roles[terms->purpose], .end = LINK_LOWER};
}

void peer_revoke(struct peer *peer, uint64_t grant)
{
    struct msg msg = {.kind = MSG_KEYD_REVOKE};
    msg.keyd_revoke = grant;
    cr_assert_eq(link_send(&peer->broker, &msg, NULL, 0), ERR_OK);
}

static enum err receive(const struct link *link, struct msg *out, struct codec_arena *arena)
{
    struct packet_extra extra;
    for (;;) {
        enum err err = link_recv(link, out, &extra, arena);
        if (err != ERR_AGAIN) return err;
        err = channel_wait(link->fd, PEER_TIMEOUT_MS);
        if (err != ERR_OK) return err;
    }
}

struct keyd_event peer_event(struct peer *peer)
{
    struct msg msg;
    enum err err = receive(&peer->broker, &msg, peer->arena);
    cr_assert_eq(err, ERR_OK, "waiting for an event: %s", err_name(err));
    cr_assert_eq(msg.kind, MSG_KEYD_EVENT, "%s", msg_kind_name(msg.kind));
    return msg.keyd_event;
}

struct keyd_status peer_status(struct peer *peer)
{
    const struct msg query = {.kind = MSG_STATUS_QUERY, .id = 77};
    struct msg msg;
    struct packet_extra extra;
    enum err err = link_call(&peer->broker, &msg, &extra, peer->arena, &query, NULL, 0, PEER_TIMEOUT_MS);
    cr_assert_eq(err, ERR_OK, "STATUS_QUERY: %s", err_name(err));
    cr_assert_eq(msg.kind, MSG_KEYD_STATUS);
    return msg.keyd_status;
}

enum err peer_ask(struct peer *peer, const struct link *link, struct msg *out, const struct msg *request)
{
    struct packet_extra extra;
    return link_call(link, out, &extra, peer->arena, request, NULL, 0, PEER_TIMEOUT_MS);
}

static const uint8_t hash[32] = {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11};

struct msg peer_sign_tls13_server(uint64_t id)
{
    struct msg msg = {.kind = MSG_SIGN_TLS13_SERVER, .id = id};
    msg.sign_tls13_server =
        (struct sign_tls13){.scheme = SCHEME_ECDSA_P256_SHA256, .transcript_hash = {hash, sizeof(hash)}};
    return msg;
}

struct signing {
    struct peer *peer;
    const struct link *server;
};

/* As web does: the hash alone goes to keyd. */
static void sign_server(void *context, uint8_t *out, size_t *out_len, struct bytes content)
{
    const struct signing *signing = context;
    struct msg answer, request = {.kind = MSG_SIGN_TLS13_SERVER, .id = 600};
    const size_t head = 64 + sizeof("TLS 1.3, server CertificateVerify");
    request.sign_tls13_server = (struct sign_tls13){.scheme = SCHEME_ECDSA_P256_SHA256,
                                                    .transcript_hash = {content.data + head, content.len - head}};
    cr_assert_eq(peer_ask(signing->peer, signing->server, &answer, &request), ERR_OK);
    cr_assert_eq(answer.kind, MSG_SIGNATURE, "%s", msg_kind_name(answer.kind));
    memcpy(out, answer.signature.data, answer.signature.len);
    *out_len = answer.signature.len;
}

void peer_shake(struct peer *peer, struct shake *out, const struct link *server, const struct shake_kind *kind)
{
    struct signing signing = {peer, server};
    const struct keyd_identity *identity = &peer->identity.keyd_identity;
    const struct shake_keys keys = {.server = identity->server,
                                    .client = identity->client,
                                    .issuer = identity->ca,
                                    .sign_server = sign_server,
                                    .context = &signing};
    shake_run(out, kind, &keys);
}

struct msg peer_sign_tls13_client(const struct shake *shake, uint64_t id)
{
    struct msg msg = {.kind = MSG_SIGN_TLS13_CLIENT, .id = id};
    msg.sign_tls13_client = (struct sign_tls13_client){SCHEME_ECDSA_P256_SHA256, shake_for_client(shake)};
    return msg;
}

struct msg peer_sign_digest(const struct shake *shake, uint64_t id)
{
    struct msg msg = {.kind = MSG_SIGN_BROWSER_DIGEST, .id = id};
    msg.sign_browser_digest = (struct sign_browser_digest){SCHEME_ECDSA_P256_SHA256, 32, {0}};
    memcpy(msg.sign_browser_digest.digest, shake->digest, 32);
    return msg;
}

void peer_expect(const struct link *server, const struct shake *shake)
{
    struct msg msg = {.kind = MSG_EXPECT_CLIENT, .id = PEER_EXPECT_ID};
    msg.expect_client = shake_for_server(shake);
    cr_assert_eq(link_send(server, &msg, NULL, 0), ERR_OK);
}

uint64_t peer_bound(struct peer *peer, const struct link *server)
{
    return peer_bound_family(peer, server).handle;
}

struct client_bound peer_bound_family(struct peer *peer, const struct link *server)
{
    struct msg msg;
    enum err err = receive(server, &msg, peer->arena);
    cr_assert_eq(err, ERR_OK, "waiting for CLIENT_BOUND: %s", err_name(err));
    cr_assert_eq(msg.kind, MSG_CLIENT_BOUND, "%s", msg_kind_name(msg.kind));
    cr_assert_eq(msg.id, PEER_EXPECT_ID);
    return msg.client_bound;
}

void peer_assert_refused(const struct msg *answer, enum refusal refusal)
{
    cr_assert_eq(answer->kind, MSG_REFUSAL, "%s", msg_kind_name(answer->kind));
    cr_assert_eq(answer->refusal, refusal, "refused: %s", refusal_text(answer->refusal));
}

void peer_assert_client_signed(const struct peer *peer, const struct shake *shake, const struct msg *answer)
{
    cr_assert_eq(answer->kind, MSG_SIGNATURE, "%s: %s", msg_kind_name(answer->kind),
                 answer->kind == MSG_REFUSAL ? refusal_text(answer->refusal) : "");
    cr_assert(verify_signature(peer->identity.keyd_identity.client, (struct bytes){shake->content, shake->content_len},
                               answer->signature));
}

void peer_assert_signs(struct peer *peer, const struct link *link)
{
    const struct msg request = peer_sign_tls13_server(500);
    struct msg answer;
    cr_assert_eq(peer_ask(peer, link, &answer, &request), ERR_OK);
    cr_assert_eq(answer.kind, MSG_SIGNATURE, "%s", msg_kind_name(answer.kind));
    uint8_t content[PURPOSE_TLS13_CONTENT];
    size_t len;
    purpose_tls13_content(content, &len, PURPOSE_ROLE_SERVER, (struct bytes){hash, sizeof(hash)});
    cr_assert(verify_signature(peer->identity.keyd_identity.server, (struct bytes){content, len}, answer.signature));
}
