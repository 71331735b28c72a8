/* Server certificates beside the default one: each key signs for its own number, and a handshake is a server's by its leaf. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "keyd/binding.h"
#include "keyd/dispatch.h"
#include "keyd/purpose.h"
#include "keyd/transcript.h"
#include "tests/unit/keyd/bring.h"
#include "tests/unit/keyd/peer.h"
#include "tests/unit/keyd/shake.h"
#include "tests/unit/keyd/verify.h"

#define NOW_MS 1000u

static const uint8_t hash[32] = {7};
static struct keystore *keystore;
static struct expectations all;
static struct expectation_source *source;
static struct shake shake;
static struct bring elsewhere, rsa;

/* Number 1 is on P-256, as the default one, and number 3 is RSA; there is no 2. */
static void setup(void)
{
    const struct keyd_setup names = bring_setup(NULL, NULL);
    struct diag diag = {0};
    elsewhere = bring_open("elsewhere.pem", "p256.key");
    rsa = bring_open("rsa2048.server.pem", "rsa2048.key");
    const struct brought_files first = {elsewhere.chain, elsewhere.num, elsewhere.key, "elsewhere"},
                               third = {rsa.chain, rsa.num, rsa.key, "rsa"};
    cr_assert_eq(keystore_new(&keystore, &names, clock_wall_s(), &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(keystore_bring_server(keystore, 1, &first, clock_wall_s(), &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(keystore_bring_server(keystore, 3, &third, clock_wall_s(), &diag), ERR_OK, "%s", diag.text);
    source = expectation_source_new(&all, NULL);
}

TestSuite(server_certificate, .init = setup);

static enum refusal ask(struct answer *out, uint32_t number, uint16_t scheme)
{
    struct grant grant = {.id = 1, .purpose = PURPOSE_TLS_SERVER, .label = "web[0]"};
    const struct dispatch_scene scene = {
        .keystore = keystore, .now_ms = NOW_MS, .expectations = &all, .source = source, .can_report = true};
    const struct msg request = {
        .kind = MSG_SIGN_TLS13_SERVER, .id = 1, .sign_tls13_server = {scheme, {hash, sizeof(hash)}, number}};
    dispatch_request(out, &grant, &request, &scene);
    return out->refusal;
}

Test(server_certificate, each_number_has_its_own_key)
{
    uint8_t content[PURPOSE_TLS13_CONTENT];
    size_t len;
    struct answer answer;
    purpose_tls13_content(content, &len, PURPOSE_ROLE_SERVER, (struct bytes){hash, sizeof(hash)});
    for (uint32_t number = 0; number <= LIMIT_SERVER_CERTIFICATES; number++) {
        const uint16_t scheme = number == 3 ? SCHEME_RSA_PSS_SHA256 : SCHEME_ECDSA_P256_SHA256;
        const bool is_there = number == 0 || number == 1 || number == 3;
        cr_assert_eq(ask(&answer, number, scheme), is_there ? REFUSAL_NONE : REFUSAL_SERVER, "%u", number);
        if (!is_there) continue;
        const struct bytes leaf = keystore_certificate(keystore, key_of_server(number));
        cr_assert(verify_scheme(leaf, scheme, (struct bytes){content, len}, answer.msg.signature), "%u", number);
        cr_assert_eq(ask(&answer, number, number == 3 ? SCHEME_ECDSA_P256_SHA256 : SCHEME_RSA_PSS_SHA256),
                     REFUSAL_SCHEME);
    }
}

Test(server_certificate, tls12_is_signed_with_the_numbers_key_too)
{
    struct keyd_setup names = bring_setup(NULL, NULL);
    const struct brought_files file = {elsewhere.chain, elsewhere.num, elsewhere.key, "elsewhere"};
    static const uint8_t point[32] = {9};
    names.tls12 = true;
    struct keystore *tls12;
    cr_assert_eq(keystore_new(&tls12, &names, clock_wall_s(), NULL), ERR_OK);
    cr_assert_eq(keystore_bring_server(tls12, 2, &file, clock_wall_s(), NULL), ERR_OK);
    struct grant grant = {.id = 1, .purpose = PURPOSE_TLS_SERVER, .label = "web[0]"};
    const struct dispatch_scene scene = {.keystore = tls12, .now_ms = NOW_MS, .source = source, .can_report = true};
    struct msg request = {.kind = MSG_SIGN_TLS12_SERVER, .id = 1};
    request.sign_tls12_server = (struct sign_tls12_server){
        .scheme = SCHEME_ECDSA_P256_SHA256, .group = GROUP_X25519, .point = {point, sizeof(point)}, .server = 2};
    uint8_t content[PURPOSE_TLS12_CONTENT];
    size_t len;
    struct answer answer;
    purpose_tls12_content(content, &len, &request.sign_tls12_server);
    dispatch_request(&answer, &grant, &request, &scene);
    cr_assert(verify_signature(elsewhere.chain[0], (struct bytes){content, len}, answer.msg.signature));
    request.sign_tls12_server.server = 1;
    dispatch_request(&answer, &grant, &request, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_SERVER);
    keystore_free(tls12);
}

/* The server's part of a handshake: signed with the key that fits the leaf, and remembered as key. */
struct signing {
    enum key_role fits, key;
};

static void sign_server(void *context, uint8_t *out, size_t *out_len, struct bytes content)
{
    const struct signing *signing = context;
    struct digest digest;
    cr_assert(scheme_hash(&digest, SCHEME_ECDSA_P256_SHA256, content));
    cr_assert_eq(keystore_sign(keystore, out, out_len, signing->fits, &digest), ERR_OK);
    expectation_note_signature(source, signing->key, &digest, (struct bytes){out, *out_len}, NOW_MS);
}

static void shake_hands(struct signing signing)
{
    const struct shake_keys keys = {.server = keystore_certificate(keystore, signing.fits),
                                    .client = keystore_certificate(keystore, KEY_CLIENT),
                                    .issuer = keystore_issuer(keystore, KEY_CLIENT),
                                    .sign_server = sign_server,
                                    .context = &signing};
    shake_run(&shake, &shake_kinds[0], &keys);
}

Test(server_certificate, a_handshake_is_expected_under_the_certificate_that_its_signature_is_of)
{
    const enum key_role first = key_of_server(1);
    struct digest wanted;
    shake_hands((struct signing){first, first});
    cr_assert_eq(binding_expect(source, keystore, 5, shake_for_server(&shake), NOW_MS), REFUSAL_NONE);
    cr_assert(scheme_take(&wanted, SCHEME_ECDSA_P256_SHA256, (struct bytes){shake.digest, shake.digest_len}));
    cr_assert(expectations_take(&all, &wanted, NOW_MS));
    shake_hands((struct signing){first, KEY_SERVER});
    cr_assert_eq(binding_expect(source, keystore, 5, shake_for_server(&shake), NOW_MS), REFUSAL_SERVER);
    shake_hands((struct signing){KEY_SERVER, first});
    cr_assert_eq(binding_expect(source, keystore, 5, shake_for_server(&shake), NOW_MS), REFUSAL_SERVER);
}

/* Has keyd sign this transcript with the number's key, and puts that into the handshake in place of what is there. */
static void sign_again(uint32_t number)
{
    enum { CERTIFICATE_VERIFY = 15, HEAD = 4 + 2 + 2 };
    struct transcript transcript;
    struct answer answer;
    struct grant grant = {.id = 1, .purpose = PURPOSE_TLS_SERVER, .label = "web[0]"};
    const struct dispatch_scene scene = {.keystore = keystore, .now_ms = NOW_MS, .source = source, .can_report = true};
    const struct bytes messages = shake_for_server(&shake);
    uint8_t *message = shake.server_messages + shake_find(messages, CERTIFICATE_VERIFY, 0);
    const size_t len = shake_message_len(messages, (size_t)(message - shake.server_messages)) - HEAD;
    cr_assert(transcript_parse(&transcript, messages, TRANSCRIPT_TO_FINISHED));
    const struct msg request = {
        .kind = MSG_SIGN_TLS13_SERVER,
        .id = 1,
        .sign_tls13_server = {SCHEME_ECDSA_P256_SHA256, {transcript.signed_hash, transcript.hash.len}, number}};
    do dispatch_request(&answer, &grant, &request, &scene);
    while (answer.msg.kind == MSG_SIGNATURE && answer.msg.signature.len != len);
    cr_assert_eq(answer.msg.kind, MSG_SIGNATURE);
    memcpy(message + HEAD, answer.msg.signature.data, len);
}

static enum refusal expect(void)
{
    struct answer answer;
    struct grant grant = {.id = 1, .purpose = PURPOSE_TLS_SERVER, .label = "web[0]"};
    const struct dispatch_scene scene = {.keystore = keystore, .now_ms = NOW_MS, .source = source, .can_report = true};
    const struct msg request = {.kind = MSG_EXPECT_CLIENT, .id = 7, .expect_client = shake_for_server(&shake)};
    dispatch_request(&answer, &grant, &request, &scene);
    return answer.refusal;
}

/* Both keys are keyd's, both signatures are keyd's, of this transcript and under the same scheme. */
Test(server_certificate, a_pair_that_does_not_belong_together_is_refused)
{
    for (uint32_t number = 0; number <= 1; number++) {
        const enum key_role key = key_of_server(number);
        shake_hands((struct signing){key, key});
        sign_again(1 - number);
        cr_assert_eq(expect(), REFUSAL_SERVER);
        sign_again(number);
        cr_assert_eq(expect(), REFUSAL_NONE);
    }
}

/* elsewhere.pem is not for localhost, and keyd's own certificate is for nothing else. */
Test(server_certificate, a_handle_is_for_the_server_that_has_its_name)
{
    const struct binding_server local = {.name = "localhost"}, other = {.name = "kiosk.example"};
    const enum key_role first = key_of_server(1);
    struct digest digest;
    shake_hands((struct signing){first, first});
    struct sign_tls13_client request = {SCHEME_ECDSA_P256_SHA256, shake_for_client(&shake)};
    cr_assert_eq(binding_client(&digest, keystore, &other, &request, clock_wall_s()), REFUSAL_NONE);
    cr_assert_eq(binding_client(&digest, keystore, &local, &request, clock_wall_s()), REFUSAL_SERVER);
    shake_hands((struct signing){KEY_SERVER, KEY_SERVER});
    request.messages = shake_for_client(&shake);
    cr_assert_eq(binding_client(&digest, keystore, &local, &request, clock_wall_s()), REFUSAL_NONE);
    cr_assert_eq(binding_client(&digest, keystore, &other, &request, clock_wall_s()), REFUSAL_SERVER);
}

/* ---- The program ------------------------------------------------------------------------------------------------ */

static struct msg bring(struct peer *peer, uint32_t number, const struct bring *files)
{
    struct msg msg = {.kind = MSG_SERVER_CERTIFICATE, .id = 100 + number}, answer;
    struct packet_extra extra;
    msg.server_certificate =
        (struct server_certificate){.number = number, .name = "shop", .num_chain = files->num, .has_key = true};
    memcpy(msg.server_certificate.chain, files->chain, sizeof(msg.server_certificate.chain));
    cr_assert_eq(link_send(&peer->broker, &msg, &files->key, 1), ERR_OK);
    cr_assert_eq(channel_wait(peer->broker.fd, PEER_TIMEOUT_MS), ERR_OK);
    cr_assert_eq(link_recv(&peer->broker, &answer, &extra, peer->arena), ERR_OK);
    cr_assert_eq(answer.id, 100 + number);
    return answer;
}

static void assert_signs_rsa(struct peer *peer, const struct link *server, uint32_t number)
{
    struct msg request = peer_sign_tls13_server(9), answer;
    request.sign_tls13_server.scheme = SCHEME_RSA_PSS_SHA256;
    request.sign_tls13_server.server = number;
    cr_assert_eq(peer_ask(peer, server, &answer, &request), ERR_OK);
    cr_assert_eq(answer.kind, MSG_SIGNATURE, "%u", number);
}

/* The largest keys, as many as there may be, and there is room for as many that replace them. */
Test(server_certificate, keyd_has_memory_for_all_of_them)
{
    const struct bring large = bring_open("rsa4096.server.pem", "rsa4096.key");
    struct peer peer;
    peer_start(&peer);
    for (uint32_t number = 1; number <= LIMIT_SERVER_CERTIFICATES; number++) {
        const struct msg answer = bring(&peer, number, &large);
        cr_assert_eq(answer.kind, MSG_SERVER_INFO, "%u: %s", number, answer.failed.text);
        cr_assert_str_eq(answer.server_info.role, "server/shop");
        cr_assert_gt(answer.server_info.num_names, 0);
    }
    const struct link server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    for (unsigned round = 0; round < 2; round++) {
        for (uint32_t number = 1; number <= LIMIT_SERVER_CERTIFICATES; number++)
            assert_signs_rsa(&peer, &server, number);
    }
    peer_assert_signs(&peer, &server);
    const uint64_t bytes = peer_status(&peer).secret_bytes;
    cr_assert_lt(bytes, LIMIT_SECRET_HEAP / 2, "%llu", (unsigned long long)bytes);
    const int status = peer_stop(&peer);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%#x", (unsigned)status);
}

Test(server_certificate, what_is_no_good_costs_nothing)
{
    struct bring mixed = elsewhere;
    struct peer peer;
    mixed.key = rsa.key;
    peer_start(&peer);
    struct msg answer = bring(&peer, 1, &mixed);
    cr_assert_eq(answer.kind, MSG_FAILED);
    cr_assert_eq(answer.failed.error, ERR_INPUT);
    cr_assert_eq(strncmp(answer.failed.text, "[certificate \"shop\"] key: is not the key of", 43), 0, "%s",
                 answer.failed.text);
    const struct link server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    peer_assert_signs(&peer, &server);
    cr_assert_eq(bring(&peer, 1, &rsa).kind, MSG_SERVER_INFO);
    cr_assert_eq(bring(&peer, 1, &elsewhere).kind, MSG_FAILED, "the number has a key");
    assert_signs_rsa(&peer, &server, 1);
    peer_stop(&peer);
}

/* The default one is keyd's own, and goes along; further ones are the new setup's alone, and the old one keeps its own. */
Test(server_certificate, another_setup_brings_its_own)
{
    const struct keyd_setup names = bring_setup(NULL, NULL);
    struct diag diag = {0};
    struct keystore *renewed;
    const struct bring other = bring_open("rsa2048.server.pem", "rsa2048.key");
    const struct brought_files first = {other.chain, other.num, other.key, "other"};
    cr_assert_eq(keystore_renew(&renewed, keystore, &names, -1, clock_wall_s(), &diag), ERR_OK, "%s", diag.text);
    cr_assert(keystore_has(renewed, KEY_SERVER));
    cr_assert_not(keystore_has(renewed, key_of_server(1)));
    cr_assert_not(keystore_has(renewed, key_of_server(3)));
    cr_assert_eq(keystore_bring_server(renewed, 1, &first, clock_wall_s(), &diag), ERR_OK, "%s", diag.text);
    enum key_role which;
    cr_assert_not(keystore_find_server(renewed, &which, elsewhere.chain[0]));
    cr_assert(keystore_find_server(renewed, &which, other.chain[0]) && which == key_of_server(1));
    cr_assert(keystore_find_server(keystore, &which, elsewhere.chain[0]) && which == key_of_server(1));
    keystore_free(renewed);
}
