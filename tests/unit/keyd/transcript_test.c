/* The parser alone: real handshakes, each with one thing in them that is not as it has to be. */
#include "keyd/transcript.h"

#include <criterion/criterion.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/keystore.h"
#include "tests/unit/keyd/shake.h"

enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, ENCRYPTED = 8, CERTIFICATE = 11, REQUEST = 13, VERIFY = 15, FINISHED = 20 };

static struct keystore *keystore;
static struct shake shake;
static uint8_t messages[LIMIT_TRANSCRIPT + 64];
static size_t len;
static struct transcript transcript;

static void sign_server(void *unused, uint8_t *out, size_t *out_len, struct bytes content)
{
    (void)unused;
    struct digest digest;
    cr_assert(scheme_hash(&digest, SCHEME_ECDSA_P256_SHA256, content));
    cr_assert_eq(keystore_sign(keystore, out, out_len, KEY_SERVER, &digest), ERR_OK);
}

static void run(const struct shake_kind *kind)
{
    const struct shake_keys keys = {.server = keystore_certificate(keystore, KEY_SERVER),
                                    .client = keystore_certificate(keystore, KEY_CLIENT),
                                    .issuer = keystore_certificate(keystore, KEY_CA),
                                    .sign_server = sign_server};
    shake_run(&shake, kind, &keys);
}

static void setup(void)
{
    const struct keyd_setup names = {.dns_names = {"localhost"},
                                     .num_dns_names = 1,
                                     .ca_lifetime_s = 3600,
                                     .leaf_lifetime_s = 3600,
                                     .client_name = "client"};
    cr_assert_eq(keystore_new(&keystore, &names, clock_wall_s(), NULL), ERR_OK);
    run(&shake_kinds[0]);
}

TestSuite(transcript, .init = setup);

/* Begins with a good handshake, and returns where the message of a type is. */
static size_t begin(uint8_t type)
{
    const struct bytes good = shake_for_server(&shake);
    memcpy(messages, good.data, good.len);
    len = good.len;
    return shake_find(good, type, 0);
}

/* Puts a byte in front of what is at, in the message that begins at message. */
static void insert(size_t message, size_t at, uint8_t value)
{
    memmove(messages + at + 1, messages + at, len - at);
    messages[at] = value;
    len++;
    cr_assert_lt(messages[message + 3], 0xff);
    messages[message + 3]++;
}

static bool parses(void)
{
    return transcript_parse(&transcript, (struct bytes){messages, len}, TRANSCRIPT_TO_FINISHED);
}

Test(transcript, finds_what_is_in_a_handshake)
{
    for (size_t i = 0; i < shake_num_kinds; i++) {
        run(&shake_kinds[i]);
        begin(CLIENT_HELLO);
        cr_assert(parses(), "%s", shake_kinds[i].name);
        cr_assert(bytes_equal(transcript.chain[0], keystore_certificate(keystore, KEY_SERVER)));
        cr_assert_eq(transcript.scheme, SCHEME_ECDSA_P256_SHA256);
        cr_assert_eq(transcript.hash.len, shake_kinds[i].aes256 ? 48 : 32);
        cr_assert(transcript_parse(&transcript, shake_for_client(&shake), TRANSCRIPT_TO_CLIENT_CERTIFICATE));
        uint8_t hash[TRANSCRIPT_HASH];
        transcript_hash_finish(hash, &transcript.whole_hash);
        cr_assert_eq(memcmp(hash, shake.content + shake.content_len - transcript.hash.len, transcript.hash.len), 0);
    }
}

Test(transcript, parsed_messages_have_nothing_behind_their_last_field)
{
    static const uint8_t types[] = {SERVER_HELLO, REQUEST, CERTIFICATE, VERIFY, FINISHED};
    for (size_t i = 0; i < sizeof(types); i++) {
        const size_t at = begin(types[i]);
        insert(at, at + shake_message_len((struct bytes){messages, len}, at), 0);
        cr_assert_not(parses(), "type %u", types[i]);
    }
}

/* The context of a request and of its answer is for later in a connection (RFC 8446, 4.3.2). */
Test(transcript, no_message_has_a_context)
{
    static const uint8_t types[] = {REQUEST, CERTIFICATE};
    for (size_t i = 0; i < sizeof(types); i++) {
        const size_t at = begin(types[i]);
        cr_assert_eq(messages[at + 4], 0);
        insert(at, at + 5, 7);
        cr_assert_not(parses());
        messages[at + 4] = 1;
        cr_assert_not(parses(), "type %u", types[i]);
    }
}

Test(transcript, a_server_has_a_certificate)
{
    /* Certificate: header, context's length, list's length, then the first entry's length. */
    size_t at = begin(CERTIFICATE);
    const size_t end = at + shake_message_len((struct bytes){messages, len}, at);
    memset(messages + at + 5, 0, 3);
    memmove(messages + at + 8, messages + end, len - end);
    len -= end - at - 8;
    memcpy(messages + at + 1, "\0\0\4", 3);
    cr_assert_eq(shake_find((struct bytes){messages, len}, VERIFY, 0), at + 8);
    cr_assert_not(parses(), "an empty list");

    at = begin(CERTIFICATE);
    const uint8_t empty_entry[] = {0, 0, 0, 0, 0};
    memcpy(messages + at + 5, "\0\0\5", 3);
    memcpy(messages + at + 8, empty_entry, 5);
    memmove(messages + at + 13, messages + end, shake.server_len - end);
    len -= end - at - 13;
    memcpy(messages + at + 1, "\0\0\x09", 3);
    cr_assert_eq(shake_find((struct bytes){messages, len}, VERIFY, 0), at + 13);
    cr_assert_not(parses(), "an empty certificate");
}

Test(transcript, a_server_hello_is_of_tls13)
{
    size_t at = begin(SERVER_HELLO);
    messages[at + 5] = 0x04;
    cr_assert_not(parses(), "another legacy_version");
    at = begin(SERVER_HELLO);
    const size_t compression = at + 4 + 2 + 32 + 1 + messages[at + 4 + 2 + 32] + 2;
    cr_assert_eq(messages[compression], 0);
    messages[compression] = 1;
    cr_assert_not(parses(), "compression");
}

Test(transcript, lengths_stay_inside)
{
    for (size_t at = begin(CLIENT_HELLO); at < shake.server_len;
         at += shake_message_len(shake_for_server(&shake), at)) {
        begin(CLIENT_HELLO);
        messages[at + 1] = 0xff;
        cr_assert_not(parses());
        begin(CLIENT_HELLO);
        messages[at + 3]++;
        cr_assert_not(parses());
    }
    cr_assert_not(transcript_parse(&transcript, (struct bytes){NULL, 0}, TRANSCRIPT_TO_FINISHED));
}
