/* Keys that operators bring: each kind does all that keyd's own does, in real handshakes, and nothing else. */
#include "keyd/keystore.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/binding.h"
#include "keyd/purpose.h"
#include "keyd/secret_memory.h"
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
    expectation_note_signature(source, KEY_SERVER, &digest, (struct bytes){out, *out_len}, NOW_MS);
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
    cr_assert_eq(keystore_ocsp(keystore).len, 0);
    cr_assert(bytes_equal(keystore_issuer(keystore, KEY_CLIENT), keystore_certificate(keystore, KEY_CA)));
    shake_hands(&shake_kinds[4], SCHEME_ECDSA_P384_SHA384, SCHEME_ECDSA_P256_SHA256);
    expect_bound(SCHEME_ECDSA_P256_SHA256);
    keystore_free(keystore);

    bring_both(NULL, &client);
    cr_assert(keystore_issues(keystore));
    cr_assert(bytes_equal(keystore_anchor(keystore, KEY_SERVER), keystore_certificate(keystore, KEY_CA)));
    cr_assert_gt(keystore_ocsp(keystore).len, 0);
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
        cr_assert(keystore_is_server_name(keystore, KEY_SERVER, good[i]), "'%s'", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(keystore_is_server_name(keystore, KEY_SERVER, bad[i]), "'%s'", bad[i]);
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

/* What all of it needs of the secret heap, with room to spare for what one handshake takes. */
Test(brought, the_largest_keys_leave_room)
{
    const struct bring server = bring_of(&bring_kinds[4], "server"), client = bring_of(&bring_kinds[4], "client");
    bring_both(&server, &client);
    cr_assert_lt(secret_memory_in_use(), LIMIT_SECRET_HEAP / 3);
    keystore_free(keystore);
}
