/* The policy: every purpose against every kind of request, and what is counted and reported. */
#include "keyd/dispatch.h"

#include <criterion/criterion.h>
#include <openssl/mem.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/purpose.h"
#include "tests/unit/keyd/shake.h"
#include "tests/unit/keyd/verify.h"

static const uint8_t hash[32] = {7};
static const struct ucred browser = {.pid = 4242, .uid = 1000}, stranger = {.pid = 4243, .uid = 1000};
static struct keystore *keystore;
static struct expected told; /* what the server was told last */
static uint64_t told_handle; /* 0: nothing */
static bool server_is_deaf;
static struct expectations all;
static struct expectation_source *source;
static struct shake shake;

#define EXPECTED_ID 31u

static bool tell_bound(const struct expected *expected, const struct grant *grant)
{
    if (server_is_deaf) return false;
    told = *expected;
    told_handle = grant->id;
    return true;
}

static void sign_server(void *context, uint8_t *out, size_t *out_len, struct bytes content)
{
    (void)context;
    struct digest digest;
    cr_assert(scheme_hash(&digest, SCHEME_ECDSA_P256_SHA256, content));
    cr_assert_eq(keystore_sign(keystore, out, out_len, KEY_SERVER, &digest), ERR_OK);
    expectation_note_signature(source, KEY_SERVER, &digest, (struct bytes){out, *out_len}, 1);
}

/* A handshake of which keyd knows, but which it has not been told to expect. */
static void shake_hands(void)
{
    const struct shake_keys keys = {.server = keystore_certificate(keystore, KEY_SERVER),
                                    .client = keystore_certificate(keystore, KEY_CLIENT),
                                    .sign_server = sign_server};
    shake_run(&shake, &shake_kinds[0], &keys);
}

static const struct digest *expected_digest(void)
{
    static struct digest digest;
    cr_assert(scheme_take(&digest, SCHEME_ECDSA_P256_SHA256, (struct bytes){hash, sizeof(hash)}));
    return &digest;
}

/* Lets the next SIGN_BROWSER_DIGEST of make_request be granted. */
static void expect_digest(void)
{
    struct digest candidates[2] = {{.scheme = SCHEME_ECDSA_P256_SHA256, .len = 32, .data = {1}}};
    candidates[1] = *expected_digest();
    expectation_add(source, EXPECTED_ID, candidates, 2, 1);
}

static void setup(void)
{
    const struct keyd_setup names = {.dns_names = {"localhost"},
                                     .num_dns_names = 1,
                                     .ca_lifetime_s = 3600,
                                     .leaf_lifetime_s = 3600,
                                     .client_name = "client",
                                     .tls12 = true};
    cr_assert_eq(keystore_new(&keystore, &names, clock_wall_s(), NULL), ERR_OK);
    source = expectation_source_new(&all, &all);
    shake_hands();
}

TestSuite(dispatch, .init = setup);

static struct grant make_grant(enum purpose purpose)
{
    struct grant grant;
    const struct keyd_grant terms = {.grant = 1, .purpose = purpose, .label = "label", .server = "localhost"};
    grant_init(&grant, &terms, 0);
    if (grant_is_pinnable(&grant)) grant_pin(&grant, &browser);
    return grant;
}

/* A good request of each kind that keyd knows. */
static struct msg make_request(enum msg_kind kind)
{
    static const uint8_t point[32] = {9};
    struct msg msg;
    memset(&msg, 0, sizeof(msg));
    msg.kind = kind;
    msg.id = 99;
    const struct sign_tls13 tls13 = {.scheme = SCHEME_ECDSA_P256_SHA256, .transcript_hash = {hash, sizeof(hash)}};
    if (kind == MSG_SIGN_TLS13_SERVER) msg.sign_tls13_server = tls13;
    if (kind == MSG_SIGN_TLS13_CLIENT)
        msg.sign_tls13_client = (struct sign_tls13_client){SCHEME_ECDSA_P256_SHA256, shake_for_client(&shake)};
    if (kind == MSG_EXPECT_CLIENT) msg.expect_client = shake_for_server(&shake);
    if (kind == MSG_SIGN_BROWSER_DIGEST)
        msg.sign_browser_digest = (struct sign_browser_digest){SCHEME_ECDSA_P256_SHA256, sizeof(hash), {7}};
    if (kind == MSG_SIGN_TLS12_SERVER)
        msg.sign_tls12_server = (struct sign_tls12_server){
            .scheme = SCHEME_ECDSA_P256_SHA256, .group = GROUP_X25519, .point = {point, sizeof(point)}};
    return msg;
}

static struct dispatch_scene make_scene(const struct ucred *sender)
{
    return (struct dispatch_scene){.keystore = keystore,
                                   .sender = sender,
                                   .now_ms = 1,
                                   .now_s = clock_wall_s(),
                                   .expectations = &all,
                                   .source = source,
                                   .tell_bound = tell_bound,
                                   .can_report = true};
}

/* dispatch asks with everything in order, and checks what is the same for every answer. */
static void dispatch(struct answer *answer, struct grant *grant, const struct msg *request,
                     const struct dispatch_scene *scene)
{
    const uint64_t signatures = grant->signatures, refusals = grant->refusals;
    memset(answer, 0, sizeof(*answer));
    dispatch_request(answer, grant, request, scene);
    cr_assert_eq(answer->msg.id, request->id);
    cr_assert_eq(answer->msg.kind == MSG_REFUSAL, answer->refusal != REFUSAL_NONE);
    cr_assert_eq(grant->refusals, refusals + (answer->msg.kind == MSG_REFUSAL));
    cr_assert_eq(grant->signatures, signatures + (answer->msg.kind == MSG_SIGNATURE));
    if (answer->msg.kind == MSG_REFUSAL) {
        cr_assert_eq(answer->msg.refusal, answer->refusal);
        cr_assert_eq(answer->event, GRANT_EVENT_REFUSED);
    }
}

Test(dispatch, each_purpose_gets_its_own_requests_and_no_others)
{
    static const enum msg_kind answers[PURPOSE_NUM][MSG_NUM_KINDS] = {
        [PURPOSE_TLS_SERVER] = {[MSG_SIGN_TLS13_SERVER] = MSG_SIGNATURE, [MSG_SIGN_TLS12_SERVER] = MSG_SIGNATURE},
        [PURPOSE_TLS_CLIENT] = {[MSG_SIGN_TLS13_CLIENT] = MSG_SIGNATURE},
        [PURPOSE_BROWSER_DIGEST] =
            {[MSG_SIGN_BROWSER_DIGEST] = MSG_SIGNATURE, [MSG_DESCRIBE_HANDLE] = MSG_HANDLE_DESCRIPTION},
        [PURPOSE_GATEWAY] = {[MSG_DESCRIBE_HANDLE] = MSG_HANDLE_DESCRIPTION},
    };
    const struct dispatch_scene scene = make_scene(&browser);
    for (enum purpose purpose = PURPOSE_NONE; purpose < PURPOSE_NUM; purpose++) {
        for (enum msg_kind kind = MSG_NONE; kind < MSG_NUM_KINDS; kind++) {
            struct grant grant = make_grant(purpose);
            if (grant_is_pinnable(&grant) && kind == MSG_PIN_HANDLE) continue; /* below */
            const struct msg request = make_request(kind);
            struct answer answer;
            if (kind == MSG_SIGN_BROWSER_DIGEST) expect_digest();
            dispatch(&answer, &grant, &request, &scene);
            if (purpose == PURPOSE_TLS_SERVER && kind == MSG_EXPECT_CLIENT) {
                cr_assert_eq(answer.msg.kind, MSG_NONE, "it is not answered");
                cr_assert_eq(answer.event, GRANT_EVENT_NONE);
                continue;
            }
            const enum msg_kind want = answers[purpose][kind] != MSG_NONE ? answers[purpose][kind] : MSG_REFUSAL;
            cr_assert_eq(answer.msg.kind, want, "%s asks for %s", purpose_name(purpose), msg_kind_name(kind));
            /* What it shows is in order, but no server has told of that handshake. */
            const bool is_known = purpose == PURPOSE_GATEWAY && kind == MSG_SIGN_TLS13_CLIENT;
            if (want == MSG_REFUSAL) cr_assert_eq(answer.refusal, is_known ? REFUSAL_UNEXPECTED : REFUSAL_PURPOSE);
        }
    }
}

static bool signed_by(const struct answer *answer, enum key_role role, struct bytes content)
{
    return verify_signature(keystore_certificate(keystore, role), content, answer->msg.signature);
}

Test(dispatch, signs_the_roles_content_with_the_roles_key)
{
    const struct dispatch_scene scene = make_scene(&browser);
    struct answer answer;
    uint8_t content[PURPOSE_TLS13_CONTENT], content12[PURPOSE_TLS12_CONTENT];
    size_t len, len12;

    struct grant server = make_grant(PURPOSE_TLS_SERVER);
    struct msg request = make_request(MSG_SIGN_TLS13_SERVER);
    dispatch(&answer, &server, &request, &scene);
    purpose_tls13_content(content, &len, PURPOSE_ROLE_SERVER, (struct bytes){hash, sizeof(hash)});
    cr_assert(signed_by(&answer, KEY_SERVER, (struct bytes){content, len}));
    cr_assert_eq(answer.event, GRANT_EVENT_NONE);

    request = make_request(MSG_SIGN_TLS12_SERVER);
    dispatch(&answer, &server, &request, &scene);
    purpose_tls12_content(content12, &len12, &request.sign_tls12_server);
    cr_assert(signed_by(&answer, KEY_SERVER, (struct bytes){content12, len12}));

    struct grant client = make_grant(PURPOSE_TLS_CLIENT);
    request = make_request(MSG_SIGN_TLS13_CLIENT);
    dispatch(&answer, &client, &request, &scene);
    cr_assert(signed_by(&answer, KEY_CLIENT, (struct bytes){shake.content, shake.content_len}));
    cr_assert_eq(answer.event, GRANT_EVENT_SIGNED);

    struct grant handle = make_grant(PURPOSE_BROWSER_DIGEST);
    request = make_request(MSG_SIGN_BROWSER_DIGEST);
    expect_digest();
    dispatch(&answer, &handle, &request, &scene);
    cr_assert(verify_digest_signature(keystore_certificate(keystore, KEY_CLIENT), (struct bytes){hash, sizeof(hash)},
                                      answer.msg.signature));
    cr_assert_eq(answer.event, GRANT_EVENT_SIGNED);
}

Test(dispatch, pins_once)
{
    struct grant grant;
    const struct keyd_grant terms = {.grant = 1, .purpose = PURPOSE_BROWSER_DIGEST, .label = "label"};
    grant_init(&grant, &terms, 0);
    const struct dispatch_scene scene = make_scene(&browser), other = make_scene(&stranger);
    const struct msg pin = make_request(MSG_PIN_HANDLE), sign = make_request(MSG_SIGN_BROWSER_DIGEST);
    struct answer answer;
    expect_digest();
    dispatch(&answer, &grant, &sign, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_NOT_PINNED);
    dispatch(&answer, &grant, &pin, &scene);
    cr_assert_eq(answer.msg.kind, MSG_HANDLE_PINNED);
    cr_assert_eq(answer.event, GRANT_EVENT_PINNED);
    cr_assert_eq(grant.pinned_pid, 4242);
    dispatch(&answer, &grant, &pin, &other);
    cr_assert_eq(answer.refusal, REFUSAL_WRONG_PROCESS);
    cr_assert_eq(grant.pinned_pid, 4242);
    dispatch(&answer, &grant, &sign, &other);
    cr_assert_eq(answer.refusal, REFUSAL_WRONG_PROCESS);
    dispatch(&answer, &grant, &sign, &scene);
    cr_assert_eq(answer.msg.kind, MSG_SIGNATURE, "who may not ask has used nothing up");
}

/* A server key of P-256 signs under its own scheme alone, and so does the client's. */
Test(dispatch, refuses_schemes_that_the_key_does_not_do)
{
    static const uint16_t schemes[] = {0, 0x0401, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0807, 0xffff};
    const struct dispatch_scene scene = make_scene(&browser);
    struct grant server = make_grant(PURPOSE_TLS_SERVER), client = make_grant(PURPOSE_TLS_CLIENT),
                 handle = make_grant(PURPOSE_BROWSER_DIGEST);
    struct answer answer;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        struct msg request = make_request(MSG_SIGN_TLS13_SERVER);
        request.sign_tls13_server.scheme = schemes[i];
        dispatch(&answer, &server, &request, &scene);
        cr_assert_eq(answer.refusal, REFUSAL_SCHEME, "%#x", schemes[i]);
        request = make_request(MSG_SIGN_TLS12_SERVER);
        request.sign_tls12_server.scheme = schemes[i];
        dispatch(&answer, &server, &request, &scene);
        cr_assert_eq(answer.refusal, REFUSAL_SCHEME, "%#x", schemes[i]);
        request = make_request(MSG_SIGN_TLS13_CLIENT);
        request.sign_tls13_client.scheme = schemes[i];
        dispatch(&answer, &client, &request, &scene);
        cr_assert_eq(answer.refusal, REFUSAL_SCHEME, "%#x", schemes[i]);
        request = make_request(MSG_SIGN_BROWSER_DIGEST);
        request.sign_browser_digest.scheme = schemes[i];
        expect_digest();
        dispatch(&answer, &handle, &request, &scene);
        cr_assert_eq(answer.refusal, REFUSAL_SCHEME, "%#x", schemes[i]);
    }
    cr_assert(expectations_have(&all, expected_digest(), 1), "what is refused uses nothing up");
}

Test(dispatch, refuses_a_digest_that_is_not_as_long_as_the_schemes)
{
    const struct dispatch_scene scene = make_scene(&browser);
    struct grant handle = make_grant(PURPOSE_BROWSER_DIGEST);
    struct msg request = make_request(MSG_SIGN_BROWSER_DIGEST);
    struct answer answer;
    for (size_t len = 48; len <= 64; len += 16) {
        request.sign_browser_digest.digest_len = len;
        expect_digest();
        dispatch(&answer, &handle, &request, &scene);
        cr_assert_eq(answer.refusal, REFUSAL_PARAMETERS, "%zu", len);
    }
    cr_assert(expectations_have(&all, expected_digest(), 1), "what is refused uses nothing up");
}

Test(dispatch, counts_signatures_up_to_the_last_one)
{
    struct grant grant = make_grant(PURPOSE_TLS_CLIENT);
    grant.max_signatures = 3;
    const struct dispatch_scene scene = make_scene(NULL);
    const struct msg request = make_request(MSG_SIGN_TLS13_CLIENT);
    struct msg bad = request;
    bad.sign_tls13_client.scheme = 0x0804;
    struct answer answer;
    for (unsigned i = 0; i < 3; i++) {
        dispatch(&answer, &grant, &bad, &scene);
        cr_assert_eq(answer.refusal, REFUSAL_SCHEME, "what is refused does not count");
        dispatch(&answer, &grant, &request, &scene);
        cr_assert_eq(answer.msg.kind, MSG_SIGNATURE);
    }
    dispatch(&answer, &grant, &request, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_EXHAUSTED);
}

Test(dispatch, an_exhausted_handle_can_still_be_described)
{
    struct grant grant = make_grant(PURPOSE_BROWSER_DIGEST);
    grant.max_signatures = grant.signatures = 1;
    const struct dispatch_scene scene = make_scene(&browser), other = make_scene(&stranger);
    const struct msg sign = make_request(MSG_SIGN_BROWSER_DIGEST), describe = make_request(MSG_DESCRIBE_HANDLE);
    struct answer answer;
    dispatch(&answer, &grant, &sign, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_EXHAUSTED);
    dispatch(&answer, &grant, &describe, &scene);
    cr_assert_eq(answer.msg.kind, MSG_HANDLE_DESCRIPTION);
    cr_assert_str_eq(answer.msg.handle_description.label, "label");
    dispatch(&answer, &grant, &describe, &other);
    cr_assert_eq(answer.refusal, REFUSAL_WRONG_PROCESS);
}

Test(dispatch, refuses_what_has_expired)
{
    struct grant grant = make_grant(PURPOSE_TLS_CLIENT);
    grant.expires_ms = 1000;
    struct dispatch_scene scene = make_scene(NULL);
    const struct msg request = make_request(MSG_SIGN_TLS13_CLIENT);
    struct answer answer;
    scene.now_ms = 999;
    dispatch(&answer, &grant, &request, &scene);
    cr_assert_eq(answer.msg.kind, MSG_SIGNATURE);
    scene.now_ms = 1000;
    dispatch(&answer, &grant, &request, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_EXPIRED);
}

Test(dispatch, a_use_that_cannot_be_reported_is_none)
{
    struct dispatch_scene scene = make_scene(&browser);
    scene.can_report = false;
    struct answer answer;
    struct grant client = make_grant(PURPOSE_TLS_CLIENT), handle = make_grant(PURPOSE_BROWSER_DIGEST),
                 server = make_grant(PURPOSE_TLS_SERVER), unpinned = handle;
    unpinned.pinned_pid = 0;
    struct msg request = make_request(MSG_SIGN_TLS13_CLIENT);
    dispatch(&answer, &client, &request, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_BUSY);
    request = make_request(MSG_SIGN_BROWSER_DIGEST);
    expect_digest();
    dispatch(&answer, &handle, &request, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_BUSY);
    cr_assert(expectations_have(&all, expected_digest(), 1), "it is still good, for when there is room");
    request = make_request(MSG_PIN_HANDLE);
    dispatch(&answer, &unpinned, &request, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_BUSY);
    cr_assert_eq(unpinned.pinned_pid, 0);
    request = make_request(MSG_SIGN_TLS13_SERVER);
    dispatch(&answer, &server, &request, &scene);
    cr_assert_eq(answer.msg.kind, MSG_SIGNATURE);
}

static void shake_and_expect(void)
{
    const struct dispatch_scene scene = make_scene(NULL);
    struct grant server = make_grant(PURPOSE_TLS_SERVER);
    const struct msg expect = make_request(MSG_EXPECT_CLIENT);
    struct answer answer;
    dispatch(&answer, &server, &expect, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_NONE);
    cr_assert_eq(told_handle, 0);
}

Test(dispatch, tells_the_server_whose_signature_it_will_see)
{
    const struct dispatch_scene scene = make_scene(&browser);
    struct grant handle = make_grant(PURPOSE_BROWSER_DIGEST), client = make_grant(PURPOSE_TLS_CLIENT);
    struct msg request = make_request(MSG_SIGN_BROWSER_DIGEST);
    struct answer answer;
    handle.id = 7;
    expect_digest();
    dispatch(&answer, &handle, &request, &scene);
    cr_assert_eq(answer.msg.kind, MSG_SIGNATURE);
    cr_assert_eq(told_handle, 7);
    cr_assert_eq(told.id, EXPECTED_ID);
    cr_assert_eq(told.owner, &all);

    told_handle = 0;
    client.id = 8;
    shake_and_expect();
    request = make_request(MSG_SIGN_TLS13_CLIENT);
    dispatch(&answer, &client, &request, &scene);
    cr_assert_eq(answer.msg.kind, MSG_SIGNATURE);
    cr_assert_eq(told_handle, 8);
    cr_assert_eq(told.id, 99, "the id of make_request");
    struct digest used = {.scheme = SCHEME_ECDSA_P256_SHA256, .len = sizeof(shake.digest)};
    memcpy(used.data, shake.digest, sizeof(shake.digest));
    cr_assert_not(expectations_have(&all, &used, 1), "a transcript uses it up too");
}

Test(dispatch, signs_nothing_that_the_server_cannot_be_told_of)
{
    const struct dispatch_scene scene = make_scene(&browser);
    struct grant handle = make_grant(PURPOSE_BROWSER_DIGEST), client = make_grant(PURPOSE_TLS_CLIENT);
    const struct msg digest = make_request(MSG_SIGN_BROWSER_DIGEST), transcript = make_request(MSG_SIGN_TLS13_CLIENT);
    struct answer answer;
    expect_digest();
    shake_and_expect();
    server_is_deaf = true;
    dispatch(&answer, &handle, &digest, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_BUSY);
    dispatch(&answer, &client, &transcript, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_BUSY);
    server_is_deaf = false;
    dispatch(&answer, &handle, &digest, &scene);
    cr_assert_eq(answer.msg.kind, MSG_SIGNATURE, "it is still good, for when there is room");
    dispatch(&answer, &client, &transcript, &scene);
    cr_assert_eq(answer.msg.kind, MSG_SIGNATURE);
}

/* The whole way: keyd signs for the server, the server tells of its handshake, and one digest is good, once. */
Test(dispatch, signs_a_browsers_digest_for_one_handshake)
{
    const struct dispatch_scene scene = make_scene(&browser);
    struct grant server = make_grant(PURPOSE_TLS_SERVER), handle = make_grant(PURPOSE_BROWSER_DIGEST);
    const struct msg expect = make_request(MSG_EXPECT_CLIENT);
    struct msg digest = make_request(MSG_SIGN_BROWSER_DIGEST);
    struct answer answer;
    dispatch(&answer, &handle, &digest, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_UNEXPECTED, "a digest of the holder's own making");
    memcpy(digest.sign_browser_digest.digest, shake.digest, 32);
    dispatch(&answer, &handle, &digest, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_UNEXPECTED, "nobody told of it");
    dispatch(&answer, &server, &expect, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_NONE);
    dispatch(&answer, &handle, &digest, &scene);
    cr_assert_eq(answer.msg.kind, MSG_SIGNATURE);
    cr_assert(verify_digest_signature(keystore_certificate(keystore, KEY_CLIENT),
                                      (struct bytes){shake.digest, shake.digest_len}, answer.msg.signature));
    dispatch(&answer, &handle, &digest, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_UNEXPECTED, "used");
    dispatch(&answer, &server, &expect, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_SERVER, "told twice");
    dispatch(&answer, &handle, &digest, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_UNEXPECTED);
}

/* What keyd signs for a server's channel is what an expectation may refer to; TLS 1.2's signatures are not. */
Test(dispatch, remembers_what_it_signed_for_a_server)
{
    const struct dispatch_scene scene = make_scene(NULL);
    struct grant server = make_grant(PURPOSE_TLS_SERVER);
    uint8_t content[PURPOSE_TLS12_CONTENT];
    struct digest digest;
    size_t len;
    struct answer answer;
    struct msg request = make_request(MSG_SIGN_TLS13_SERVER);
    dispatch(&answer, &server, &request, &scene);
    cr_assert_eq(purpose_tls13(&digest, PURPOSE_ROLE_SERVER, &request.sign_tls13_server), REFUSAL_NONE);
    cr_assert(expectation_take_signature(source, KEY_SERVER, &digest, answer.msg.signature, 1));
    request = make_request(MSG_SIGN_TLS12_SERVER);
    dispatch(&answer, &server, &request, &scene);
    purpose_tls12_content(content, &len, &request.sign_tls12_server);
    cr_assert(scheme_hash(&digest, SCHEME_ECDSA_P256_SHA256, (struct bytes){content, len}));
    cr_assert_not(expectation_take_signature(source, KEY_SERVER, &digest, answer.msg.signature, 1));
}

Test(dispatch, signs_for_tls12_only_where_it_is_spoken)
{
    const struct keyd_setup names = {.dns_names = {"localhost"},
                                     .num_dns_names = 1,
                                     .ca_lifetime_s = 3600,
                                     .leaf_lifetime_s = 3600,
                                     .client_name = "client"};
    struct keystore *without;
    cr_assert_eq(keystore_new(&without, &names, clock_wall_s(), NULL), ERR_OK);
    struct dispatch_scene scene = make_scene(NULL);
    struct grant server = make_grant(PURPOSE_TLS_SERVER);
    const struct msg request = make_request(MSG_SIGN_TLS12_SERVER), other = make_request(MSG_SIGN_TLS13_SERVER);
    struct answer answer;
    scene.keystore = without;
    dispatch(&answer, &server, &request, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_PURPOSE);
    cr_assert_eq(answer.event, GRANT_EVENT_REFUSED);
    dispatch(&answer, &server, &other, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_NONE);
    keystore_free(without);
}

Test(dispatch, a_clients_handle_is_for_one_server)
{
    const struct dispatch_scene scene = make_scene(NULL);
    struct grant other = make_grant(PURPOSE_TLS_CLIENT);
    strcpy(other.server, "kiosk.example");
    const struct msg request = make_request(MSG_SIGN_TLS13_CLIENT);
    struct answer answer;
    dispatch(&answer, &other, &request, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_SERVER);
    other.server[0] = '\0';
    dispatch(&answer, &other, &request, &scene);
    cr_assert_eq(answer.refusal, REFUSAL_SERVER, "one that is for nobody");
}

/* No secret memory left: this request fails, and the next one after there is some does not. */
Test(dispatch, running_out_of_memory_refuses_the_request_alone)
{
    static void *blocks[LIMIT_SECRET_HEAP / 64];
    size_t num = 0;
    for (size_t size = 32768; size >= 32; size /= 2) {
        for (void *block; (block = OPENSSL_malloc(size)) != NULL;) blocks[num++] = block;
    }
    const struct dispatch_scene scene = make_scene(NULL);
    struct grant grant = make_grant(PURPOSE_TLS_SERVER);
    static const uint8_t point[65] = {4};
    struct msg requests[] = {make_request(MSG_SIGN_TLS13_SERVER), make_request(MSG_SIGN_TLS12_SERVER)};
    requests[1].sign_tls12_server.group = GROUP_SECP256R1;
    requests[1].sign_tls12_server.point = (struct bytes){point, sizeof(point)};
    struct answer answer;
    for (size_t i = 0; i < 2; i++) {
        dispatch(&answer, &grant, &requests[i], &scene);
        cr_assert_eq(answer.refusal, REFUSAL_INTERNAL);
    }
    while (num > 0) OPENSSL_free(blocks[--num]);
    dispatch(&answer, &grant, &requests[0], &scene);
    cr_assert_eq(answer.msg.kind, MSG_SIGNATURE);
}
