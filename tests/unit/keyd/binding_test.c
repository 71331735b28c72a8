/* From real handshakes to the one digest that may be signed, and from each lie to a refusal. */
#include "keyd/binding.h"

#include <criterion/criterion.h>
#include <openssl/mem.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/purpose.h"
#include "keyd/transcript.h"
#include "tests/unit/keyd/shake.h"

enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, ENCRYPTED = 8, CERTIFICATE = 11, REQUEST = 13, VERIFY = 15, FINISHED = 20 };

#define NOW_MS 1000u
#define SHAKE_ID 77u /* the server's name for its handshake */

static struct keystore *keystore, *foreign;
static const struct binding_server localhost = {.name = "localhost"};
static struct expectations all;
static struct expectation_source *source;
static uint64_t now_s;
static struct digest signed_digest; /* the server's last */

static struct keystore *make_keystore(void)
{
    static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
    const struct keyd_setup setup = {.dns_names = {"localhost"},
                                     .num_dns_names = 1,
                                     .ip_addresses = {{v4, 4}, {v6, 16}},
                                     .num_ip_addresses = 2,
                                     .ca_lifetime_s = 3600,
                                     .leaf_lifetime_s = 3600,
                                     .client_name = "client"};
    struct keystore *made;
    cr_assert_eq(keystore_new(&made, &setup, now_s, NULL), ERR_OK);
    return made;
}

static void setup(void)
{
    now_s = clock_wall_s();
    keystore = make_keystore();
    foreign = make_keystore();
    source = expectation_source_new(&all, &all);
}

TestSuite(binding, .init = setup);

/* keyd's part: signs, and remembers that it did. */
static void sign_and_note(void *context, uint8_t *out, size_t *out_len, struct bytes content)
{
    cr_assert(scheme_hash(&signed_digest, SCHEME_ECDSA_P256_SHA256, content));
    cr_assert_eq(keystore_sign(context, out, out_len, KEY_SERVER, &signed_digest), ERR_OK);
    expectation_note_signature(source, KEY_SERVER, &signed_digest, (struct bytes){out, *out_len}, NOW_MS);
}

static struct shake_keys keys_of(struct keystore *of)
{
    return (struct shake_keys){.server = keystore_certificate(of, KEY_SERVER),
                               .client = keystore_certificate(of, KEY_CLIENT),
                               .issuer = keystore_certificate(of, KEY_CA),
                               .sign_server = sign_and_note,
                               .context = of};
}

static struct shake shake;

static void run(const struct shake_kind *kind)
{
    const struct shake_keys keys = keys_of(keystore);
    shake_run(&shake, kind, &keys);
}

static enum refusal expect_messages(struct bytes messages)
{
    return binding_expect(source, keystore, SHAKE_ID, messages, NOW_MS);
}

static enum refusal ask_as(const char *server, struct bytes messages)
{
    struct digest digest;
    const struct sign_tls13_client request = {SCHEME_ECDSA_P256_SHA256, messages};
    return binding_client(&digest, keystore, &(struct binding_server){.name = server}, &request, now_s);
}

/* What the browser would have signed. */
static const struct digest *wanted(void)
{
    static struct digest digest;
    cr_assert(scheme_take(&digest, SCHEME_ECDSA_P256_SHA256, (struct bytes){shake.digest, shake.digest_len}));
    return &digest;
}

static bool is_expected(void)
{
    return expectations_have(&all, wanted(), NOW_MS);
}

/* ---- What is foretold is what the client signs ------------------------------------------------------------------- */

Test(binding, foretells_what_a_client_signs)
{
    for (size_t i = 0; i < shake_num_kinds; i++) {
        run(&shake_kinds[i]);
        cr_assert_not(is_expected());
        cr_assert_eq(expect_messages(shake_for_server(&shake)), REFUSAL_NONE, "%s", shake_kinds[i].name);
        struct expected expected = {0};
        cr_assert(is_expected(), "%s", shake_kinds[i].name);
        cr_assert(expectations_find(&all, &expected, wanted(), NOW_MS));
        cr_assert_eq(expected.owner, &all);
        cr_assert_eq(expected.id, SHAKE_ID);
        cr_assert(expectations_take(&all, wanted(), NOW_MS));
        cr_assert_not(expectations_take(&all, wanted(), NOW_MS), "a digest is good for one signature");
    }
}

Test(binding, gives_a_client_the_digest_of_its_own_handshake)
{
    static const char *const names[] = {"localhost", "LOCALHOST", "127.0.0.1", "::1", "0:0:0:0:0:0:0:1"};
    for (size_t i = 0; i < shake_num_kinds; i++) {
        run(&shake_kinds[i]);
        for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
            struct digest digest;
            const struct sign_tls13_client request = {SCHEME_ECDSA_P256_SHA256, shake_for_client(&shake)};
            const struct binding_server server = {.name = names[j]};
            cr_assert_eq(binding_client(&digest, keystore, &server, &request, now_s), REFUSAL_NONE, "%s",
                         shake_kinds[i].name);
            cr_assert_eq(digest.scheme, SCHEME_ECDSA_P256_SHA256);
            cr_assert_eq(memcmp(digest.data, shake.digest, shake.digest_len), 0, "%s", shake_kinds[i].name);
        }
    }
}

/* In one of this file's two test programs the processor is said to have no AES. */
Test(binding, knows_each_suite)
{
    const bool chacha = getenv("OPENSSL_ia32cap") != NULL;
    run(&shake_kinds[0]);
#if defined(__x86_64__)
    cr_assert_eq(shake.suite, chacha ? 0x1303 : 0x1301, "suite %#x", shake.suite);
#endif
    cr_assert_eq(expect_messages(shake_for_server(&shake)), REFUSAL_NONE);
}

/* ---- What is not as it has to be --------------------------------------------------------------------------------- */

/* A copy to spoil. */
static uint8_t spoiled[LIMIT_TRANSCRIPT + 64];
static size_t spoiled_len;

static void copy(struct bytes messages)
{
    memcpy(spoiled, messages.data, messages.len);
    spoiled_len = messages.len;
}

static struct bytes spoiled_bytes(void)
{
    return (struct bytes){spoiled, spoiled_len};
}

static void assert_refused(enum refusal refusal, const char *what)
{
    cr_assert_eq(expect_messages(spoiled_bytes()), refusal, "%s", what);
    cr_assert_not(is_expected(), "%s", what);
}

/* After each lie the truth still holds: a refused transcript uses up nothing. */
static void assert_truth_holds(void)
{
    cr_assert_eq(expect_messages(shake_for_server(&shake)), REFUSAL_NONE);
    cr_assert(expectations_take(&all, wanted(), NOW_MS));
}

Test(binding, refuses_what_is_cut_short_or_goes_on)
{
    for (size_t i = 0; i < 4; i++) {
        run(&shake_kinds[i]);
        copy(shake_for_server(&shake));
        for (spoiled_len = 0; spoiled_len < shake.server_len; spoiled_len++)
            assert_refused(REFUSAL_TRANSCRIPT, "cut short");
        spoiled_len = shake.server_len + 1;
        spoiled[shake.server_len] = 0;
        assert_refused(REFUSAL_TRANSCRIPT, "a byte more");
        /* The client's Certificate is another matter. */
        copy(shake_for_client(&shake));
        assert_refused(REFUSAL_TRANSCRIPT, "a message more");
        cr_assert_eq(ask_as("localhost", shake_for_server(&shake)), REFUSAL_TRANSCRIPT);
        for (spoiled_len = shake.server_len; spoiled_len < shake.client_len; spoiled_len++)
            cr_assert_eq(ask_as("localhost", spoiled_bytes()), REFUSAL_TRANSCRIPT);
        assert_truth_holds();
    }
}

Test(binding, refuses_each_order_but_one)
{
    run(&shake_kinds[2]);
    const struct bytes good = shake_for_server(&shake);
    size_t starts[16], num = 0;
    for (size_t at = 0; at < good.len; at += shake_message_len(good, at)) starts[num++] = at;
    cr_assert_eq(num, 9);
    starts[num] = good.len;
    for (size_t i = 0; i < num; i++) {
        /* Left out, */
        copy(good);
        memmove(spoiled + starts[i], spoiled + starts[i + 1], good.len - starts[i + 1]);
        spoiled_len -= starts[i + 1] - starts[i];
        /* but for a first ClientHello or a HelloRetryRequest the rest cannot be in order either. */
        assert_refused(REFUSAL_TRANSCRIPT, "left out");
        /* twice, */
        copy(good);
        memcpy(spoiled + starts[i + 1], good.data + starts[i], good.len - starts[i]);
        spoiled_len += starts[i + 1] - starts[i];
        assert_refused(REFUSAL_TRANSCRIPT, "twice");
        /* and exchanged with the next. */
        if (i + 1 == num) continue;
        copy(good);
        memcpy(spoiled + starts[i], good.data + starts[i + 1], starts[i + 2] - starts[i + 1]);
        memcpy(spoiled + starts[i] + starts[i + 2] - starts[i + 1], good.data + starts[i], starts[i + 1] - starts[i]);
        assert_refused(REFUSAL_TRANSCRIPT, "exchanged");
    }
    assert_truth_holds();
}

/* Every byte counts: whatever is changed, what the client signs is not allowed by it. */
Test(binding, refuses_each_changed_byte)
{
    for (size_t i = 0; i < 3; i += 2) {
        run(&shake_kinds[i]);
        const size_t verify = shake_find(shake_for_server(&shake), VERIFY, 0);
        const size_t end = verify + shake_message_len(shake_for_server(&shake), verify);
        copy(shake_for_server(&shake));
        for (size_t at = 0; at < end; at++) {
            spoiled[at] ^= 0x01;
            cr_assert_neq(expect_messages(spoiled_bytes()), REFUSAL_NONE, "byte %zu", at);
            spoiled[at] ^= 0x01;
        }
        assert_truth_holds();
    }
}

/* The server's Finished comes after its signature, so only the client's own hash shows that it is another. */
Test(binding, another_finished_is_another_handshake)
{
    run(&shake_kinds[0]);
    copy(shake_for_server(&shake));
    spoiled[spoiled_len - 1] ^= 0x01;
    cr_assert_eq(expect_messages(spoiled_bytes()), REFUSAL_NONE);
    cr_assert_not(is_expected());
}

Test(binding, refuses_a_finished_that_is_not_as_long_as_the_hash)
{
    for (size_t i = 0; i < 2; i++) {
        run(&shake_kinds[i]);
        copy(shake_for_server(&shake));
        const size_t at = shake_find(spoiled_bytes(), FINISHED, 0);
        spoiled[at + 3]++;
        spoiled_len++;
        assert_refused(REFUSAL_TRANSCRIPT, "longer");
        spoiled[at + 3] = (uint8_t)(spoiled[at + 3] - 2);
        spoiled_len -= 2;
        assert_refused(REFUSAL_TRANSCRIPT, "shorter");
        assert_truth_holds();
    }
}

Test(binding, refuses_other_suites)
{
    static const uint16_t suites[] = {0x1304, 0x1305, 0xc02b, 0x0000, 0x1300};
    run(&shake_kinds[0]);
    copy(shake_for_server(&shake));
    const size_t hello = shake_find(spoiled_bytes(), SERVER_HELLO, 0);
    const size_t suite = hello + 4 + 2 + 32 + 1 + spoiled[hello + 4 + 2 + 32];
    cr_assert_eq(spoiled[suite] << 8 | spoiled[suite + 1], (int)shake.suite);
    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
        spoiled[suite] = (uint8_t)(suites[i] >> 8);
        spoiled[suite + 1] = (uint8_t)suites[i];
        assert_refused(REFUSAL_TRANSCRIPT, "suite");
    }
    assert_truth_holds();
}

/* A retry may not change the suite (RFC 8446, 4.1.4), nor be followed by another. */
Test(binding, refuses_a_retry_that_changes_its_mind)
{
    run(&shake_kinds[2]);
    copy(shake_for_server(&shake));
    const size_t retry = shake_find(spoiled_bytes(), SERVER_HELLO, 0);
    const size_t suite = retry + 4 + 2 + 32 + 1 + spoiled[retry + 4 + 2 + 32];
    spoiled[suite + 1] ^= 0x02; /* AES-128 and ChaCha20 have the same hash */
    cr_assert(spoiled[suite + 1] == 0x03 || spoiled[suite + 1] == 0x01);
    assert_refused(REFUSAL_TRANSCRIPT, "another suite");
    copy(shake_for_server(&shake));
    const size_t second = shake_find(spoiled_bytes(), SERVER_HELLO, 1);
    memcpy(spoiled + second + 6, spoiled + retry + 6, 32);
    assert_refused(REFUSAL_TRANSCRIPT, "two retries");
    assert_truth_holds();
}

/* ---- Who is not who he has to be --------------------------------------------------------------------------------- */

Test(binding, refuses_a_foreign_server)
{
    struct shake_keys keys = keys_of(foreign);
    keys.client = keystore_certificate(keystore, KEY_CLIENT);
    shake_run(&shake, &shake_kinds[0], &keys); /* its signature is noted too, so only the certificate tells */
    cr_assert_eq(expect_messages(shake_for_server(&shake)), REFUSAL_SERVER);
    cr_assert_eq(ask_as("localhost", shake_for_client(&shake)), REFUSAL_SERVER);
}

/* Puts into the copy another signature of the server's, as long as its own. */
static void spoil_signature(const struct keystore *signer, const struct digest *digest)
{
    const size_t at = shake_find(spoiled_bytes(), VERIFY, 0), len = shake_message_len(spoiled_bytes(), at) - 8;
    uint8_t other[SCHEME_SIGNATURE];
    size_t other_len = 0;
    while (other_len != len) cr_assert_eq(keystore_sign(signer, other, &other_len, KEY_SERVER, digest), ERR_OK);
    memcpy(spoiled + at + 8, other, len);
}

/* Who holds no key can still show the server's certificate. */
Test(binding, refuses_a_signature_by_another_key)
{
    static const struct digest something = {.scheme = SCHEME_ECDSA_P256_SHA256, .len = 32, .data = {1}};
    run(&shake_kinds[0]);
    copy(shake_for_client(&shake));
    spoil_signature(foreign, &signed_digest);
    cr_assert_eq(ask_as("localhost", spoiled_bytes()), REFUSAL_SERVER);
    spoil_signature(keystore, &something);
    cr_assert_eq(ask_as("localhost", spoiled_bytes()), REFUSAL_SERVER);
    spoil_signature(keystore, &signed_digest);
    cr_assert_eq(ask_as("localhost", spoiled_bytes()), REFUSAL_NONE);
}

/* A server key that vouched for another certificate would still not make it this server's. */
Test(binding, refuses_another_certificate_with_a_good_signature)
{
    struct transcript transcript;
    struct digest digest;
    const struct bytes own = keystore_certificate(keystore, KEY_SERVER);
    run(&shake_kinds[0]);
    copy(shake_for_client(&shake));
    cr_assert(transcript_parse(&transcript, spoiled_bytes(), TRANSCRIPT_TO_CLIENT_CERTIFICATE));
    uint8_t *leaf = spoiled + (transcript.chain[0].data - spoiled);
    leaf[own.len - 1] ^= 0x01;
    cr_assert(transcript_parse(&transcript, spoiled_bytes(), TRANSCRIPT_TO_CLIENT_CERTIFICATE));
    const struct sign_tls13 request = {SCHEME_ECDSA_P256_SHA256, {transcript.signed_hash, transcript.hash.len}, 0};
    cr_assert_eq(purpose_tls13(&digest, PURPOSE_ROLE_SERVER, &request), REFUSAL_NONE);
    spoil_signature(keystore, &digest);
    cr_assert_eq(ask_as("localhost", spoiled_bytes()), REFUSAL_SERVER);
    leaf[own.len - 1] ^= 0x01;
    spoil_signature(keystore, &signed_digest);
    cr_assert_eq(ask_as("localhost", spoiled_bytes()), REFUSAL_NONE);
}

/* What keyd signed for somebody else, it did not sign for this channel. */
Test(binding, refuses_a_signature_of_another_channel)
{
    struct expectation_source *mine = source;
    source = expectation_source_new(&all, NULL);
    run(&shake_kinds[0]);
    cr_assert_eq(binding_expect(mine, keystore, SHAKE_ID, shake_for_server(&shake), NOW_MS), REFUSAL_SERVER);
    assert_truth_holds();
}

Test(binding, refuses_a_signature_that_keyd_did_not_make)
{
    run(&shake_kinds[0]);
    copy(shake_for_server(&shake));
    spoil_signature(keystore, &signed_digest); /* a good one, but not the one that was given to this channel */
    assert_refused(REFUSAL_SERVER, "another signature");
    assert_truth_holds();
}

Test(binding, refuses_a_replayed_handshake)
{
    run(&shake_kinds[0]);
    assert_truth_holds();
    cr_assert_eq(expect_messages(shake_for_server(&shake)), REFUSAL_SERVER);
    cr_assert_not(is_expected());
}

Test(binding, refuses_a_handshake_that_is_too_old)
{
    run(&shake_kinds[0]);
    cr_assert_eq(binding_expect(source, keystore, SHAKE_ID, shake_for_server(&shake), NOW_MS + DEADLINE_SIGNED_MS),
                 REFUSAL_SERVER);
    cr_assert_eq(binding_expect(source, keystore, SHAKE_ID, shake_for_server(&shake), NOW_MS + DEADLINE_SIGNED_MS - 1),
                 REFUSAL_NONE);
}

Test(binding, refuses_a_client_that_is_for_another_server)
{
    static const char *const names[] = {"",    "kiosk.example", "localhost.", "127.0.0.2",
                                        "::2", "localhos",      "localhost2"};
    run(&shake_kinds[0]);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cr_assert_eq(ask_as(names[i], shake_for_client(&shake)), REFUSAL_SERVER, "'%s'", names[i]);
    cr_assert_eq(ask_as("localhost", shake_for_client(&shake)), REFUSAL_NONE);
}

Test(binding, refuses_a_server_out_of_its_time)
{
    struct digest digest;
    run(&shake_kinds[0]);
    const struct certificate_info *info = keystore_info(keystore, KEY_SERVER);
    const struct sign_tls13_client request = {SCHEME_ECDSA_P256_SHA256, shake_for_client(&shake)};
    cr_assert_eq(binding_client(&digest, keystore, &localhost, &request, info->not_before - 1), REFUSAL_SERVER);
    cr_assert_eq(binding_client(&digest, keystore, &localhost, &request, info->not_before), REFUSAL_NONE);
    cr_assert_eq(binding_client(&digest, keystore, &localhost, &request, info->not_after), REFUSAL_NONE);
    cr_assert_eq(binding_client(&digest, keystore, &localhost, &request, info->not_after + 1), REFUSAL_SERVER);
}

Test(binding, refuses_another_clients_certificate)
{
    struct shake_keys keys = keys_of(keystore);
    keys.client = keystore_certificate(foreign, KEY_CLIENT);
    shake_run(&shake, &shake_kinds[0], &keys);
    cr_assert_eq(ask_as("localhost", shake_for_client(&shake)), REFUSAL_TRANSCRIPT);
    cr_assert_eq(expect_messages(shake_for_server(&shake)), REFUSAL_NONE);
    cr_assert_not(is_expected());

    keys = keys_of(keystore);
    keys.issuer = keystore_certificate(foreign, KEY_CA);
    shake_run(&shake, &shake_kinds[4], &keys);
    cr_assert_eq(ask_as("localhost", shake_for_client(&shake)), REFUSAL_TRANSCRIPT);
}

Test(binding, refuses_a_clients_certificate_with_a_context)
{
    run(&shake_kinds[0]);
    copy(shake_for_client(&shake));
    const size_t at = shake_find(spoiled_bytes(), CERTIFICATE, 1);
    memmove(spoiled + at + 6, spoiled + at + 5, spoiled_len - at - 5);
    spoiled[at + 4] = 1; /* one byte of context */
    spoiled[at + 5] = 7;
    spoiled[at + 3]++;
    spoiled_len++;
    cr_assert_neq(spoiled[at + 3], 0);
    cr_assert_eq(ask_as("localhost", spoiled_bytes()), REFUSAL_TRANSCRIPT);
}

/* No secret memory left: refused, and good again when there is some. */
Test(binding, running_out_of_memory_refuses)
{
    static void *blocks[LIMIT_SECRET_HEAP / 64];
    size_t num = 0;
    run(&shake_kinds[0]);
    for (size_t size = 32768; size >= 32; size /= 2) {
        for (void *block; (block = OPENSSL_malloc(size)) != NULL;) blocks[num++] = block;
    }
    cr_assert_eq(ask_as("localhost", shake_for_client(&shake)), REFUSAL_SERVER);
    const enum refusal expected = expect_messages(shake_for_server(&shake)); /* needs none */
    while (num > 0) OPENSSL_free(blocks[--num]);
    cr_assert_eq(expected, REFUSAL_NONE);
    cr_assert_eq(ask_as("localhost", shake_for_client(&shake)), REFUSAL_NONE);
}
