/* A client's handshake with a server of other people's, whose CA its handle is pinned to; and each lie about one. */
#include <criterion/criterion.h>
#include <openssl/ec.h>
#include <openssl/nid.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/binding.h"
#include "keyd/purpose.h"
#include "keyd/secret_memory.h"
#include "keyd/transcript.h"
#include "tests/unit/keyd/pki.h"
#include "tests/unit/keyd/shake.h"

enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, CERTIFICATE = 11, REQUEST = 13, VERIFY = 15, FINISHED = 20 };

#define NAME "service.example.com"

static struct keystore *keystore;
static uint64_t now_s;
static struct pki_spec ca_spec, leaf_spec;
static struct binding_server server;
static struct shake_keys keys;
static struct shake shake;
static EVP_PKEY *signs; /* who makes the server's CertificateVerify */

static void sign_server(void *unused, uint8_t *out, size_t *out_len, struct bytes content)
{
    (void)unused;
    const struct bytes signature = pki_sign(signs, SCHEME_ECDSA_P256_SHA256, content);
    memcpy(out, signature.data, signature.len);
    *out_len = signature.len;
}

/* What keyd_new does: made in a test it would be made when memory is counted. */
static void warm(void)
{
    static const int curves[] = {NID_secp224r1, NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1};
    for (size_t i = 0; i < 4; i++) cr_assert(EC_GROUP_new_by_curve_name(curves[i]));
}

static void issue(void)
{
    server.ca = pki_issue(&ca_spec);
    keys.server = pki_issue(&leaf_spec);
    signs = leaf_spec.key;
}

static void setup(void)
{
    const struct keyd_setup names = {.dns_names = {"localhost"},
                                     .num_dns_names = 1,
                                     .ca_lifetime_s = 3600,
                                     .leaf_lifetime_s = 3600,
                                     .client_name = "client"};
    now_s = clock_wall_s();
    warm();
    cr_assert_eq(keystore_new(&keystore, &names, now_s, NULL), ERR_OK);
    EVP_PKEY *ca_key = pki_key(PKI_P256), *leaf_key = pki_key(PKI_P256);
    ca_spec = (struct pki_spec){.subject = "Root",
                                .issuer = "Root",
                                .key = ca_key,
                                .signer = ca_key,
                                .not_before = (int64_t)now_s - 1000,
                                .not_after = (int64_t)now_s + 1000,
                                .constraints = "critical,CA:TRUE",
                                .usage = "critical,keyCertSign"};
    leaf_spec = (struct pki_spec){.subject = "server",
                                  .issuer = "Root",
                                  .key = leaf_key,
                                  .signer = ca_key,
                                  .not_before = (int64_t)now_s - 1000,
                                  .not_after = (int64_t)now_s + 1000,
                                  .names = "DNS:" NAME ",IP:192.0.2.7",
                                  .usage = "critical,digitalSignature",
                                  .ext_usage = "serverAuth"};
    server.name = NAME;
    keys = (struct shake_keys){.client = keystore_certificate(keystore, KEY_CLIENT),
                               .issuer = keystore_certificate(keystore, KEY_CA),
                               .sign_server = sign_server};
    issue();
}

TestSuite(foreign, .init = setup);

static enum refusal ask(struct digest *out, struct bytes messages)
{
    const struct sign_tls13_client request = {SCHEME_ECDSA_P256_SHA256, messages};
    return binding_client(out, keystore, &server, &request, now_s);
}

static enum refusal ask_for(struct bytes messages)
{
    struct digest digest;
    return ask(&digest, messages);
}

static void expect(enum refusal refusal, const char *what)
{
    shake_run(&shake, &shake_kinds[0], &keys);
    cr_assert_eq(ask_for(shake_for_client(&shake)), refusal, "%s", what);
}

/* ---- A good one --------------------------------------------------------------------------------------------------- */

Test(foreign, gives_a_client_the_digest_of_its_own_handshake)
{
    for (size_t i = 0; i < shake_num_kinds; i++) {
        struct digest digest;
        shake_run(&shake, &shake_kinds[i], &keys);
        cr_assert_eq(ask(&digest, shake_for_client(&shake)), REFUSAL_NONE, "%s", shake_kinds[i].name);
        cr_assert_eq(memcmp(digest.data, shake.digest, digest.len), 0, "%s", shake_kinds[i].name);
    }
    server.name = "192.0.2.7";
    expect(REFUSAL_NONE, "by its address");
}

/* One that is for this system's own server is for no other, and the other way round. */
Test(foreign, is_another_type_of_handle)
{
    expect(REFUSAL_NONE, "pinned");
    const struct binding_server own = {.name = NAME};
    struct digest digest;
    const struct sign_tls13_client request = {SCHEME_ECDSA_P256_SHA256, shake_for_client(&shake)};
    cr_assert_eq(binding_client(&digest, keystore, &own, &request, now_s), REFUSAL_SERVER, "not pinned");
    server = (struct binding_server){.name = "localhost", .ca = keystore_certificate(keystore, KEY_CA)};
    cr_assert_eq(ask_for(shake_for_client(&shake)), REFUSAL_SERVER, "pinned to our own CA");
}

/* ---- Another server ------------------------------------------------------------------------------------------------ */

Test(foreign, refuses_another_ca)
{
    EVP_PKEY *other = pki_key(PKI_P256);
    leaf_spec.signer = other;
    issue();
    expect(REFUSAL_SERVER, "a look-alike");
    ca_spec.key = ca_spec.signer = other;
    const struct bytes look_alike = pki_issue(&ca_spec);
    keys.server_more = &look_alike;
    keys.num_server_more = 1;
    expect(REFUSAL_SERVER, "a look-alike that is shown");
    leaf_spec.issuer = leaf_spec.subject;
    leaf_spec.signer = leaf_spec.key;
    issue();
    expect(REFUSAL_SERVER, "self-signed");
}

Test(foreign, refuses_another_name)
{
    static const char *const names[] = {"example.com", "a." NAME, "192.0.2.8", "", "." NAME};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        server.name = names[i];
        expect(REFUSAL_SERVER, names[i]);
    }
}

Test(foreign, refuses_a_server_out_of_its_time)
{
    leaf_spec.not_before = (int64_t)now_s;
    leaf_spec.not_after = (int64_t)now_s + 10;
    issue();
    expect(REFUSAL_NONE, "its first second");
    now_s--;
    cr_assert_eq(ask_for(shake_for_client(&shake)), REFUSAL_SERVER);
    now_s += 10;
    cr_assert_eq(ask_for(shake_for_client(&shake)), REFUSAL_NONE);
    now_s++;
    cr_assert_eq(ask_for(shake_for_client(&shake)), REFUSAL_SERVER);
}

Test(foreign, refuses_a_client_of_that_ca)
{
    leaf_spec.ext_usage = "clientAuth";
    issue();
    expect(REFUSAL_SERVER, "a client");
}

/* ---- Another handshake --------------------------------------------------------------------------------------------- */

static uint8_t spoiled[LIMIT_CLIENT_TRANSCRIPT + 64];
static size_t spoiled_len;

static struct bytes spoiled_bytes(void)
{
    return (struct bytes){spoiled, spoiled_len};
}

static struct bytes spoil(void)
{
    shake_run(&shake, &shake_kinds[0], &keys);
    memcpy(spoiled, shake.client_messages, shake.client_len);
    spoiled_len = shake.client_len;
    return spoiled_bytes();
}

static void cut_out(size_t at, size_t len)
{
    memmove(spoiled + at, spoiled + at + len, spoiled_len - at - len);
    spoiled_len -= len;
}

/* Puts a message in the place of the one of its type. */
static void replace(uint8_t type, const uint8_t *body, size_t len)
{
    static uint8_t rest[sizeof(spoiled)];
    const size_t at = shake_find(spoiled_bytes(), type, 0), end = at + shake_message_len(spoiled_bytes(), at);
    const size_t rest_len = spoiled_len - end;
    cr_assert_leq(at + 4 + len + rest_len, sizeof(spoiled));
    memcpy(rest, spoiled + end, rest_len);
    spoiled[at + 1] = (uint8_t)(len >> 16);
    spoiled[at + 2] = (uint8_t)(len >> 8);
    spoiled[at + 3] = (uint8_t)len;
    memcpy(spoiled + at + 4, body, len);
    memcpy(spoiled + at + 4 + len, rest, rest_len);
    spoiled_len = at + 4 + len + rest_len;
}

/* Puts a signature by key in the place of the server's. */
static void sign_anew(EVP_PKEY *key)
{
    struct transcript transcript;
    uint8_t content[PURPOSE_TLS13_CONTENT], body[4 + 80] = {4, 3, 0};
    size_t content_len;
    cr_assert(transcript_parse(&transcript, spoiled_bytes(), TRANSCRIPT_TO_CLIENT_CERTIFICATE));
    purpose_tls13_content(content, &content_len, PURPOSE_ROLE_SERVER,
                          (struct bytes){transcript.signed_hash, transcript.hash.len});
    const struct bytes signature = pki_sign(key, SCHEME_ECDSA_P256_SHA256, (struct bytes){content, content_len});
    body[3] = (uint8_t)signature.len;
    memcpy(body + 4, signature.data, signature.len);
    replace(VERIFY, body, 4 + signature.len);
}

/* A handshake in which the server sent this chain. */
static struct bytes with_chain(const struct bytes *chain, size_t num)
{
    static uint8_t body[LIMIT_CLIENT_TRANSCRIPT];
    size_t len = 4;
    (void)spoil();
    for (size_t i = 0; i < num; i++) {
        const uint8_t header[] = {0, (uint8_t)(chain[i].len >> 8), (uint8_t)chain[i].len};
        memcpy(body + len, header, 3);
        memcpy(body + len + 3, chain[i].data, chain[i].len);
        memset(body + len + 3 + chain[i].len, 0, 2);
        len += 5 + chain[i].len;
    }
    const uint8_t header[] = {0, 0, (uint8_t)((len - 4) >> 8), (uint8_t)(len - 4)};
    memcpy(body, header, 4);
    replace(CERTIFICATE, body, len);
    sign_anew(leaf_spec.key);
    return spoiled_bytes();
}

/* Whoever has the server's certificate and not its key. */
Test(foreign, refuses_a_signature_of_another_key)
{
    EVP_PKEY *const others[] = {pki_key(PKI_P256), ca_spec.key};
    (void)spoil();
    sign_anew(leaf_spec.key);
    cr_assert_eq(ask_for(spoiled_bytes()), REFUSAL_NONE, "the server's");
    for (size_t i = 0; i < 2; i++) {
        sign_anew(others[i]);
        cr_assert_eq(ask_for(spoiled_bytes()), REFUSAL_SERVER, "another key");
    }
}

Test(foreign, each_byte_counts)
{
    struct digest good, digest;
    const struct bytes messages = spoil();
    cr_assert_eq(ask(&good, messages), REFUSAL_NONE);
    for (size_t at = 0; at < messages.len; at++) {
        spoiled[at] ^= 1;
        /* The server's Finished comes after its signature: then it is another handshake, whose digest is another. */
        cr_assert(ask(&digest, messages) != REFUSAL_NONE || memcmp(digest.data, good.data, good.len) != 0, "byte %zu",
                  at);
        spoiled[at] ^= 1;
    }
    const size_t verify = shake_find(messages, VERIFY, 0);
    for (size_t at = 0; at < verify + shake_message_len(messages, verify); at++) {
        spoiled[at] ^= 1;
        cr_assert_neq(ask_for(messages), REFUSAL_NONE, "byte %zu", at);
        spoiled[at] ^= 1;
    }
}

Test(foreign, refuses_what_is_cut_short)
{
    const struct bytes messages = spoil();
    for (size_t len = 0; len < messages.len; len++)
        cr_assert_eq(ask_for((struct bytes){spoiled, len}), REFUSAL_TRANSCRIPT, "%zu", len);
    cr_assert_eq(ask_for(shake_for_server(&shake)), REFUSAL_TRANSCRIPT, "without our certificate");
}

Test(foreign, refuses_a_server_that_did_not_ask)
{
    struct bytes messages = spoil();
    const size_t at = shake_find(messages, REQUEST, 0);
    cut_out(at, shake_message_len(messages, at));
    cr_assert_eq(ask_for(spoiled_bytes()), REFUSAL_TRANSCRIPT);
}

/* Its suites are others, and so is what is signed there. */
Test(foreign, refuses_tls12)
{
    const struct bytes messages = spoil();
    const size_t at = shake_find(messages, SERVER_HELLO, 0);
    const size_t suite = at + 4 + 2 + 32 + 1 + spoiled[at + 4 + 2 + 32];
    spoiled[suite] = 0xc0;
    spoiled[suite + 1] = 0x2b;
    cr_assert_eq(ask_for(messages), REFUSAL_TRANSCRIPT);
}

Test(foreign, refuses_a_chain_that_is_too_long)
{
    static struct bytes more[LIMIT_SERVER_CHAIN];
    for (size_t i = 0; i < LIMIT_SERVER_CHAIN; i++) more[i] = server.ca;
    keys.server_more = more;
    keys.num_server_more = LIMIT_SERVER_CHAIN - 1;
    expect(REFUSAL_NONE, "as long as allowed");
    keys.num_server_more++;
    expect(REFUSAL_TRANSCRIPT, "one more");
}

/* The client's Certificate is as much foretold as with our own server. */
Test(foreign, refuses_another_clients_certificate)
{
    leaf_spec.ext_usage = "clientAuth";
    keys.client = pki_issue(&leaf_spec);
    expect(REFUSAL_TRANSCRIPT, "another client");
}

/* ---- What it takes ------------------------------------------------------------------------------------------------- */

/* As many names as there is room for: of three octets each, for which BoringSSL makes three blocks. */
static struct bytes hostile_certificate(void)
{
    static uint8_t names[LIMIT_CERTIFICATE - 600] = {0x30, 0x82};
    const size_t len = (sizeof(names) - 4) / 3 * 3;
    names[2] = (uint8_t)(len >> 8);
    names[3] = (uint8_t)len;
    for (size_t at = 4; at < 4 + len; at += 3)
        memcpy(names + at,
               "\x82\x01"
               "a",
               3);
    struct pki_spec spec = leaf_spec;
    spec.names = NULL;
    spec.names_der = (struct bytes){names, 4 + len};
    return pki_issue(&spec);
}

static struct bytes largest_certificate(const char *subject)
{
    struct pki_spec spec = ca_spec;
    spec.subject = subject;
    spec.padding = LIMIT_CERTIFICATE - 500;
    return pki_issue(&spec);
}

/* Whatever a server sends: the keys' heap has what it had, and in the same pieces. */
Test(foreign, takes_nothing_from_the_keys)
{
    const struct bytes hostile = hostile_certificate();
    const struct bytes large[] = {keys.server, largest_certificate("A"), largest_certificate("B"),
                                  largest_certificate("C")};
    const size_t before = secret_memory_in_use();
    cr_assert_eq(ask_for(with_chain(large, 4)), REFUSAL_NONE, "as large as there is room for");
    for (int i = 0; i < 20; i++)
        cr_assert_eq(ask_for(with_chain(&hostile, 1)), REFUSAL_INTERNAL, "more than there is memory for");
    cr_assert_eq(ask_for(with_chain(large, 4)), REFUSAL_NONE, "and again");
    cr_assert_eq(secret_memory_in_use(), before);
    expect(REFUSAL_NONE, "a usual one");
}

Test(foreign, keys_of_every_kind_leave_nothing)
{
    static const enum pki_kind kinds[] = {PKI_P224, PKI_P384, PKI_P521, PKI_ED25519, PKI_RSA2048};
    static struct bytes more[sizeof(kinds) / sizeof(kinds[0])];
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        ca_spec.key = pki_key(kinds[i]);
        more[i] = pki_issue(&ca_spec);
    }
    keys.server_more = more;
    keys.num_server_more = sizeof(kinds) / sizeof(kinds[0]);
    shake_run(&shake, &shake_kinds[0], &keys);
    const size_t before = secret_memory_in_use();
    cr_assert_eq(ask_for(shake_for_client(&shake)), REFUSAL_NONE);
    cr_assert_eq(secret_memory_in_use(), before);
}

Test(foreign, says_whether_there_can_be_such_a_server)
{
    cr_assert_eq(binding_can(&server), REFUSAL_NONE);
    server.name = "no host";
    cr_assert_eq(binding_can(&server), REFUSAL_PARAMETERS);
    server.name = NAME;
    ca_spec.constraints = "CA:FALSE";
    server.ca = pki_issue(&ca_spec);
    cr_assert_eq(binding_can(&server), REFUSAL_PARAMETERS);
    server.ca = (struct bytes){(const uint8_t *)"nonsense", 8};
    cr_assert_eq(binding_can(&server), REFUSAL_PARAMETERS);
}
