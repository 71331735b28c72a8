/* Keys that operators bring: each kind does all that keyd's own does, in real handshakes, and nothing else. */
#include "keyd/keystore.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/binding.h"
#include "keyd/purpose.h"
#include "tests/unit/keyd/bring.h"
#include "tests/unit/keyd/shake.h"
#include "tests/unit/keyd/verify.h"

#define NOW_MS 1000u

static const struct binding_server own_server = {.name = "localhost"}, other_server = {.name = "example.com"};
static struct keystore *keystore;
static struct expectations all;
static struct expectation_source *source;
static struct shake shake;

static void setup(void)
{
    source = expectation_source_new(&all, NULL);
}

TestSuite(brought, .init = setup);

static void bring_both(const struct bring *server, const struct bring *client)
{
    const struct keyd_setup wanted = bring_setup(server, client);
    const struct keystore_files files = {.server_key = server != NULL ? server->key : -1,
                                         .client_key = client != NULL ? client->key : -1};
    struct diag diag = {0};
    cr_assert_eq(keystore_new_with(&keystore, &wanted, &files, clock_wall_s(), &diag), ERR_OK, "%s", diag.text);
}

static void bring_kind(const struct bring_kind *kind)
{
    const struct bring server = bring_of(kind, "server"), client = bring_of(kind, "client");
    bring_both(&server, &client);
}

/* keyd's part: signs what BoringSSL wants signed, and remembers that it did. */
static void sign_server(void *context, uint8_t *out, size_t *out_len, struct bytes content)
{
    const uint16_t *scheme = context;
    struct digest digest;
    cr_assert(scheme_hash(&digest, *scheme, content));
    cr_assert_eq(keystore_sign(keystore, out, out_len, KEY_SERVER, &digest), ERR_OK);
    cr_assert(
        verify_scheme(keystore_certificate(keystore, KEY_SERVER), *scheme, content, (struct bytes){out, *out_len}));
    expectation_note_signature(source, &digest, (struct bytes){out, *out_len}, NOW_MS);
}

static void shake_hands(const struct shake_kind *kind, uint16_t server_scheme, uint16_t client_scheme)
{
    const struct shake_keys keys = {.server = keystore_certificate(keystore, KEY_SERVER),
                                    .client = keystore_certificate(keystore, KEY_CLIENT),
                                    .issuer = keystore_issuer(keystore, KEY_CLIENT),
                                    .server_scheme = server_scheme,
                                    .client_scheme = client_scheme,
                                    .sign_server = sign_server,
                                    .context = &server_scheme};
    shake_run(&shake, kind, &keys);
}

static void expect_client_signature(const struct digest *digest)
{
    uint8_t signature[SCHEME_SIGNATURE];
    size_t len;
    cr_assert_eq(keystore_sign(keystore, signature, &len, KEY_CLIENT, digest), ERR_OK);
    cr_assert(verify_scheme(keystore_certificate(keystore, KEY_CLIENT), digest->scheme,
                            (struct bytes){shake.content, shake.content_len}, (struct bytes){signature, len}));
}

/* The two ways to a client's signature: by the browser's digest, which the server has foretold, and by its messages. */
static void expect_bound(uint16_t client_scheme)
{
    struct digest wanted, own;
    cr_assert(scheme_take(&wanted, client_scheme, (struct bytes){shake.digest, shake.digest_len}));
    cr_assert_not(expectations_have(&all, &wanted, NOW_MS));
    cr_assert_eq(binding_expect(source, keystore, 0, shake_for_server(&shake), NOW_MS), REFUSAL_NONE);
    cr_assert(expectations_take(&all, &wanted, NOW_MS), "scheme %#x", client_scheme);
    cr_assert_not(expectations_take(&all, &wanted, NOW_MS));
    expect_client_signature(&wanted);

    const struct sign_tls13_client request = {client_scheme, shake_for_client(&shake)};
    cr_assert_eq(binding_client(&own, keystore, &own_server, &request, clock_wall_s()), REFUSAL_NONE);
    cr_assert(own.scheme == wanted.scheme && own.len == wanted.len && memcmp(own.data, wanted.data, own.len) == 0);
}

Test(brought, each_kind_does_each_of_its_schemes)
{
    for (size_t i = 0; i < bring_num_kinds; i++) {
        const struct bring_kind *kind = &bring_kinds[i];
        bring_kind(kind);
        for (size_t j = 0; j < kind->num_schemes; j++) {
            for (size_t k = 0; k < kind->num_schemes; k++) {
                shake_hands(&shake_kinds[0], kind->schemes[j], kind->schemes[k]);
                expect_bound(kind->schemes[k]);
            }
        }
        keystore_free(keystore);
    }
}

Test(brought, each_kind_goes_with_each_handshake)
{
    static const size_t kinds[] = {1, 2}; /* P-384 and RSA: hashes that differ from the suite's, either way */
    for (size_t i = 0; i < 2; i++) {
        const struct bring_kind *kind = &bring_kinds[kinds[i]];
        bring_kind(kind);
        for (size_t j = 0; j < shake_num_kinds; j++) {
            shake_hands(&shake_kinds[j], kind->schemes[0], kind->schemes[0]);
            expect_bound(kind->schemes[0]);
        }
        keystore_free(keystore);
    }
}

/* One of the two may be brought without the other. */
Test(brought, the_other_key_stays_keyds_own)
{
    const struct bring server = bring_of(&bring_kinds[1], "server"), client = bring_of(&bring_kinds[2], "client");
    bring_both(&server, NULL);
    cr_assert(keystore_issues(keystore));
    cr_assert(bytes_equal(keystore_anchor(keystore, KEY_SERVER), server.chain[2]));
    cr_assert(bytes_equal(keystore_issuer(keystore, KEY_CLIENT), keystore_certificate(keystore, KEY_CA)));
    shake_hands(&shake_kinds[4], SCHEME_ECDSA_P384_SHA384, SCHEME_ECDSA_P256_SHA256);
    expect_bound(SCHEME_ECDSA_P256_SHA256);
    keystore_free(keystore);

    bring_both(NULL, &client);
    cr_assert(keystore_issues(keystore));
    cr_assert(bytes_equal(keystore_anchor(keystore, KEY_SERVER), keystore_certificate(keystore, KEY_CA)));
    cr_assert(bytes_equal(keystore_issuer(keystore, KEY_CLIENT), client.chain[1]));
    shake_hands(&shake_kinds[4], SCHEME_ECDSA_P256_SHA256, SCHEME_RSA_PSS_SHA256);
    expect_bound(SCHEME_RSA_PSS_SHA256);
    keystore_free(keystore);

    bring_both(&server, &client);
    cr_assert_not(keystore_issues(keystore));
    keystore_free(keystore);
}

Test(brought, a_key_does_its_own_schemes_alone)
{
    for (size_t i = 0; i < bring_num_kinds; i++) {
        const struct bring_kind *kind = &bring_kinds[i];
        bring_kind(kind);
        for (unsigned scheme = 0; scheme <= 0xffff; scheme++) {
            bool own = false;
            for (size_t j = 0; j < kind->num_schemes; j++) own = own || kind->schemes[j] == scheme;
            cr_assert_eq(keystore_does(keystore, KEY_SERVER, (uint16_t)scheme), own, "%s %#x", kind->name, scheme);
            cr_assert_eq(keystore_does(keystore, KEY_CLIENT, (uint16_t)scheme), own, "%s %#x", kind->name, scheme);
            const struct digest digest = {.scheme = (uint16_t)scheme, .len = scheme_digest_len((uint16_t)scheme)};
            uint8_t signature[SCHEME_SIGNATURE];
            size_t len;
            if (own) {
                cr_assert_eq(keystore_sign(keystore, signature, &len, KEY_SERVER, &digest), ERR_OK);
                cr_assert_leq(len, kind->max_signature);
            } else {
                cr_assert_eq(keystore_sign(keystore, signature, &len, KEY_SERVER, &digest), ERR_DENIED);
            }
        }
        keystore_free(keystore);
    }
}

Test(brought, signs_tls12_key_exchanges)
{
    static const uint8_t point[32] = {9};
    struct sign_tls12_server request = {.group = GROUP_X25519, .point = {point, sizeof(point)}};
    for (size_t i = 0; i < bring_num_kinds; i++) {
        const struct bring_kind *kind = &bring_kinds[i];
        bring_kind(kind);
        for (size_t j = 0; j < kind->num_schemes; j++) {
            uint8_t content[PURPOSE_TLS12_CONTENT], signature[SCHEME_SIGNATURE];
            size_t content_len, len;
            struct digest digest;
            request.scheme = kind->schemes[j];
            cr_assert_eq(purpose_tls12_server(&digest, &request), REFUSAL_NONE);
            cr_assert_eq(keystore_sign(keystore, signature, &len, KEY_SERVER, &digest), ERR_OK);
            purpose_tls12_content(content, &content_len, &request);
            cr_assert(verify_scheme(keystore_certificate(keystore, KEY_SERVER), request.scheme,
                                    (struct bytes){content, content_len}, (struct bytes){signature, len}));
        }
        keystore_free(keystore);
    }
}

/* ---- The server's names and times -------------------------------------------------------------------------------- */

Test(brought, the_servers_names_are_the_leafs)
{
    static const char *const good[] = {"localhost", "LOCALHOST", "kiosk.example",   "a.wild.example",
                                       "127.0.0.1", "::1",       "0:0:0:0:0:0:0:1", "B.WILD.EXAMPLE"};
    static const char *const bad[] = {"",          "example", "wild.example", "a.b.wild.example", "*.wild.example2",
                                      "127.0.0.2", "::2",     "server p384",  "localhost2"};
    bring_kind(&bring_kinds[1]);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert(keystore_is_server_name(keystore, good[i]), "'%s'", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(keystore_is_server_name(keystore, bad[i]), "'%s'", bad[i]);
    const struct certificate_info *info = keystore_info(keystore, KEY_SERVER);
    static const char *const names[] = {"localhost", "kiosk.example", "*.wild.example", "127.0.0.1", "::1"};
    cr_assert_eq(info->num_names, 5);
    for (size_t i = 0; i < 5; i++) cr_assert_str_eq(info->names[i], names[i]);
    cr_assert_str_eq(info->role, "server");
    cr_assert_str_eq(info->subject, "CN=server p384");
    cr_assert_str_eq(keystore_info(keystore, KEY_CLIENT)->subject, "CN=client p384");
    keystore_free(keystore);
}

Test(brought, a_client_is_bound_to_the_servers_time)
{
    const uint16_t scheme = SCHEME_RSA_PSS_SHA256;
    struct digest digest;
    bring_kind(&bring_kinds[2]);
    shake_hands(&shake_kinds[0], scheme, scheme);
    const struct certificate_info *info = keystore_info(keystore, KEY_SERVER);
    const struct sign_tls13_client request = {scheme, shake_for_client(&shake)};
    cr_assert_eq(binding_client(&digest, keystore, &own_server, &request, info->not_before - 1), REFUSAL_SERVER);
    cr_assert_eq(binding_client(&digest, keystore, &own_server, &request, info->not_before), REFUSAL_NONE);
    cr_assert_eq(binding_client(&digest, keystore, &own_server, &request, info->not_after), REFUSAL_NONE);
    cr_assert_eq(binding_client(&digest, keystore, &own_server, &request, info->not_after + 1), REFUSAL_SERVER);
    cr_assert_eq(binding_client(&digest, keystore, &other_server, &request, info->not_before), REFUSAL_SERVER);
    keystore_free(keystore);
}

/* ---- What is refused, and how it is said ------------------------------------------------------------------------- */

static enum err load(const struct bring *server, const struct bring *client, uint64_t now_s, struct diag *diag)
{
    const struct keyd_setup wanted = bring_setup(server, client);
    const struct keystore_files files = {.server_key = server != NULL ? server->key : -1,
                                         .client_key = client != NULL ? client->key : -1};
    struct keystore *made;
    diag->text[0] = '\0';
    const enum err err = keystore_new_with(&made, &wanted, &files, now_s, diag);
    cr_assert_eq(made == NULL, err != ERR_OK);
    keystore_free(made);
    return err;
}

static void expect_refused(const char *chain, const char *key, const char *why)
{
    const struct bring server = bring_open(chain, key);
    struct diag diag;
    cr_assert_eq(load(&server, NULL, clock_wall_s(), &diag), ERR_INPUT, "%s, %s: %s", chain, key, diag.text);
    cr_assert_neq(strstr(diag.text, why), NULL, "%s, %s: %s", chain, key, diag.text);
}

Test(brought, refuses_keys_that_keyd_does_not_hold)
{
    static const char wanted[] = "want ECDSA on P-256 or P-384, or RSA of 2048, 3072 or 4096 bits";
    static const struct {
        const char *key, *why;
    } cases[] = {
        {"rsa1024.key", "--server-key: an RSA key of 1024 bits"},
        {"rsa8192.key", "--server-key: an RSA key of 8192 bits"},
        {"p521.key", "--server-key: an ECDSA key on P-521"},
        {"ed25519.key", "--server-key: an Ed25519 key, which browsers do not take"},
        {"k256.key", "--server-key: the private key in it cannot be read"},
        {"rsapss.key", "--server-key: the private key in it cannot be read"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_refused("p256.server.pem", cases[i].key, cases[i].why);
        expect_refused("p256.server.pem", cases[i].key, wanted);
    }
}

Test(brought, refuses_files_that_are_no_key)
{
    expect_refused("p256.server.pem", "encrypted.key", "--server-key: the private key is encrypted");
    expect_refused("rsa2048.server.pem", "encrypted_pkcs1.key", "--server-key: the private key is encrypted");
    expect_refused("p256.server.pem", "public.key", "--server-key: no private key in it");
    expect_refused("p256.server.pem", "ca.crt", "--server-key: no private key in it");
}

Test(brought, refuses_a_key_that_is_another_certificates)
{
    expect_refused("p256.server.pem", "other_p256.key", "--server-key: is not the key of the first certificate");
    expect_refused("p256.server.pem", "p384.key", "--server-key: is not the key of the first certificate");
    expect_refused("rsa2048.server.pem", "p256.key", "--server-key: is not the key of the first certificate");
    expect_refused("rsa2048.server.pem", "rsa3072.key", "--server-key: is not the key of the first certificate");
}

Test(brought, refuses_chains_that_lead_nowhere)
{
    expect_refused("leaf_alone.pem", "p256.key", "--server-certificate: holds the leaf alone");
    expect_refused("wrong_order.pem", "ca.key", "--server-certificate: certificate 2 did not sign certificate 1");
    expect_refused("wrong_issuer.pem", "p256.key", "--server-certificate: certificate 2 did not sign certificate 1");
    expect_refused("under_a_leaf.pem", "other_p256.key", "--server-certificate: certificate 2 is not a CA's");
}

Test(brought, refuses_leaves_that_no_peer_would_take)
{
    expect_refused("no_names.pem", "p256.key", "--server-certificate: the leaf has no DNS name");
    expect_refused("no_signing.pem", "p256.key", "--server-certificate: the leaf");
    expect_refused("p256.client.pem", "p256.key",
                   "--server-certificate: the leaf is not for TLS server authentication");
    const struct bring server = bring_open("p256.server.pem", "p256.key"),
                       client = bring_open("p256.client.pem", "p256.key");
    struct diag diag;
    cr_assert_eq(load(NULL, &server, clock_wall_s(), &diag), ERR_INPUT);
    cr_assert_neq(strstr(diag.text, "--client-certificate: the leaf is not for TLS client authentication"), NULL, "%s",
                  diag.text);
    cr_assert_eq(load(&server, &client, clock_wall_s(), &diag), ERR_OK);
}

Test(brought, refuses_a_leaf_from_the_second_after_its_last)
{
    const struct bring server = bring_open("p256.server.pem", "p256.key");
    struct diag diag;
    bring_both(&server, NULL);
    const uint64_t last = keystore_info(keystore, KEY_SERVER)->not_after;
    cr_assert_eq(load(&server, NULL, last, &diag), ERR_OK);
    cr_assert_eq(load(&server, NULL, last + 1, &diag), ERR_INPUT);
    cr_assert_neq(strstr(diag.text, "--server-certificate: the leaf has expired"), NULL, "%s", diag.text);
    /* A machine whose clock is not set yet starts all the same; its peers will say what they think. */
    cr_assert_eq(load(&server, NULL, 10, &diag), ERR_OK);
}

Test(brought, refuses_certificates_that_do_not_parse)
{
    struct bring server = bring_open("p256.server.pem", "p256.key");
    struct diag diag;
    server.chain[1].len--;
    cr_assert_eq(load(&server, NULL, clock_wall_s(), &diag), ERR_INPUT);
    cr_assert_str_eq(diag.text, "--server-certificate: certificate 2 does not parse");
}

Test(brought, takes_a_leaf_that_signed_itself)
{
    const struct bring server = bring_open("self_signed.pem", "p256.key");
    bring_both(&server, NULL);
    cr_assert(bytes_equal(keystore_anchor(keystore, KEY_SERVER), keystore_certificate(keystore, KEY_SERVER)));
    keystore_free(keystore);
}

Test(brought, takes_the_other_forms_of_a_key)
{
    static const char *const pairs[][2] = {
        {"p384.server.pem", "sec1.key"}, {"p384.server.pem", "parameters.key"}, {"rsa2048.server.pem", "pkcs1.key"}};
    for (size_t i = 0; i < 3; i++) {
        const struct bring server = bring_open(pairs[i][0], pairs[i][1]);
        struct diag diag;
        cr_assert_eq(load(&server, NULL, clock_wall_s(), &diag), ERR_OK, "%s: %s", pairs[i][1], diag.text);
    }
}
