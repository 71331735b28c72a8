/* The certificates, as BoringSSL and OpenSSL's own command read them. */
#include "keyd/keystore.h"

#include <criterion/criterion.h>
#include <openssl/asn1.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/certificate.h"
#include "base/clock.h"
#include "tests/unit/keyd/verify.h"

static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};

static struct keyd_setup usual_setup(void)
{
    return (struct keyd_setup){
        .dns_names = {"localhost", "kiosk.example"},
        .num_dns_names = 2,
        .ip_addresses = {{v4, sizeof(v4)}, {v6, sizeof(v6)}},
        .num_ip_addresses = 2,
        .ca_lifetime_s = 86400,
        .leaf_lifetime_s = 3600,
        .client_name = "kiosk 1",
    };
}

static struct keystore *make(const struct keyd_setup *setup, uint64_t now_s)
{
    struct keystore *keystore;
    struct diag diag = {0};
    const enum err err = keystore_new(&keystore, setup, now_s, &diag);
    cr_assert_eq(err, ERR_OK, "%s", diag.text);
    return keystore;
}

static struct keystore *make_usual(void)
{
    const struct keyd_setup setup = usual_setup();
    return make(&setup, clock_wall_s());
}

/* A kiosk without a battery for its clock wakes up in 1970. */
Test(keystore, is_made_in_the_first_minutes_of_the_epoch)
{
    const struct keyd_setup setup = usual_setup();
    struct keystore *keystore = make(&setup, 10);
    cr_assert_eq(keystore_info(keystore, KEY_SERVER)->not_before, 0);
    cr_assert_eq(keystore_info(keystore, KEY_SERVER)->not_after, 10 + 3600);
    keystore_free(keystore);
}

Test(keystore, chains_hold_for_their_purpose_alone)
{
    struct keystore *keystore = make_usual(), *other = make_usual();
    const struct bytes ca = keystore_certificate(keystore, KEY_CA), server = keystore_certificate(keystore, KEY_SERVER),
                       client = keystore_certificate(keystore, KEY_CLIENT);
    cr_assert_eq(verify_chain(server, ca, X509_PURPOSE_SSL_SERVER, "localhost"), X509_V_OK);
    cr_assert_eq(verify_chain(server, ca, X509_PURPOSE_SSL_SERVER, "kiosk.example"), X509_V_OK);
    cr_assert_eq(verify_chain(client, ca, X509_PURPOSE_SSL_CLIENT, NULL), X509_V_OK);

    cr_assert_neq(verify_chain(server, ca, X509_PURPOSE_SSL_SERVER, "example.com"), X509_V_OK);
    cr_assert_eq(verify_chain(server, ca, X509_PURPOSE_SSL_CLIENT, NULL), X509_V_ERR_INVALID_PURPOSE);
    cr_assert_eq(verify_chain(client, ca, X509_PURPOSE_SSL_SERVER, NULL), X509_V_ERR_INVALID_PURPOSE);
    cr_assert_neq(verify_chain(server, server, X509_PURPOSE_SSL_SERVER, NULL), X509_V_OK, "a leaf signs nothing");
    /* The CAs of two launches have the same name and different keys. */
    cr_assert_neq(verify_chain(server, keystore_certificate(other, KEY_CA), X509_PURPOSE_SSL_SERVER, NULL), X509_V_OK);
    keystore_free(keystore);
    keystore_free(other);
}

static void assert_extension(X509 *certificate, int nid, int critical, const char *want_hex)
{
    const int at = X509_get_ext_by_NID(certificate, nid, -1);
    if (want_hex == NULL) {
        cr_assert_eq(at, -1, "extension %s", OBJ_nid2sn(nid));
        return;
    }
    cr_assert_geq(at, 0, "no extension %s", OBJ_nid2sn(nid));
    X509_EXTENSION *extension = X509_get_ext(certificate, at);
    cr_assert_eq(X509_EXTENSION_get_critical(extension), critical);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
    char hex[256];
    cr_assert_lt(ASN1_STRING_length(value), 100);
    bytes_hex(hex, (struct bytes){ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)});
    cr_assert_str_eq(hex, want_hex, "extension %s", OBJ_nid2sn(nid));
}

Test(keystore, extensions_are_the_profiles)
{
    struct keystore *keystore = make_usual();
    X509 *ca = verify_parse(keystore_certificate(keystore, KEY_CA)),
         *server = verify_parse(keystore_certificate(keystore, KEY_SERVER)),
         *client = verify_parse(keystore_certificate(keystore, KEY_CLIENT));
    cr_assert(ca != NULL && server != NULL && client != NULL);
    assert_extension(ca, NID_basic_constraints, 1, "30060101ff020100"); /* CA:TRUE, pathlen:0 */
    assert_extension(ca, NID_key_usage, 1, "03020186");                 /* digitalSignature, keyCertSign, cRLSign */
    assert_extension(ca, NID_ext_key_usage, 0, NULL);
    assert_extension(ca, NID_subject_alt_name, 0, NULL);
    X509 *const leaves[] = {server, client};
    for (size_t i = 0; i < 2; i++) {
        assert_extension(leaves[i], NID_basic_constraints, 1, "3000");
        assert_extension(leaves[i], NID_key_usage, 1, "03020780"); /* digitalSignature */
        cr_assert_eq(X509_get_version(leaves[i]), 2);
        cr_assert_eq(X509_check_issued(ca, leaves[i]), X509_V_OK);
        cr_assert_eq(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaves[i]), X509_get0_subject_key_id(ca)), 0);
        cr_assert_neq(ASN1_OCTET_STRING_cmp(X509_get0_subject_key_id(leaves[i]), X509_get0_subject_key_id(ca)), 0);
    }
    assert_extension(server, NID_ext_key_usage, 0, "300a06082b06010505070301");
    assert_extension(client, NID_ext_key_usage, 0, "300a06082b06010505070302");
    assert_extension(client, NID_subject_alt_name, 0, NULL);
    assert_extension(server, NID_subject_alt_name, 0,
                     "303282096c6f63616c686f7374820d6b696f736b2e6578616d706c6587047f000001"
                     "871000000000000000000000000000000001");
    X509_free(ca);
    X509_free(server);
    X509_free(client);
    keystore_free(keystore);
}

/* What keyd says about a certificate without reading it is what a reader finds in it. */
Test(keystore, describes_what_is_in_the_certificate)
{
    const uint64_t now = clock_wall_s();
    const struct keyd_setup setup = usual_setup();
    struct keystore *keystore = make(&setup, now);
    const char *const subjects[] = {
        [KEY_CA] = "CN=Keyward ephemeral CA", [KEY_SERVER] = "CN=localhost", [KEY_CLIENT] = "CN=kiosk 1"};
    const char *const roles[] = {[KEY_CA] = "ca", [KEY_SERVER] = "server", [KEY_CLIENT] = "client"};
    for (enum key_role role = 0; role < KEY_NUM_ROLES; role++) {
        const struct certificate_info *info = keystore_info(keystore, role);
        X509 *parsed = verify_parse(keystore_certificate(keystore, role));
        struct certificate_text text;
        cr_assert_eq(certificate_describe(&text, parsed), ERR_OK);
        cr_assert_str_eq(info->role, roles[role]);
        cr_assert_str_eq(info->subject, subjects[role]);
        cr_assert_str_eq(info->subject, text.subject);
        cr_assert_str_eq(info->serial, text.serial);
        cr_assert_str_eq(info->fingerprint, text.fingerprint);
        cr_assert_eq(info->not_before, text.not_before);
        cr_assert_eq(info->not_after, text.not_after);
        cr_assert_eq(info->not_before, now - 300);
        cr_assert_eq(info->not_after, now + (role == KEY_CA ? 86400 : 3600));
        X509_free(parsed);
    }
    const struct certificate_info *server = keystore_info(keystore, KEY_SERVER);
    cr_assert_eq(server->num_names, 4);
    cr_assert_str_eq(server->names[1], "kiosk.example");
    cr_assert_str_eq(server->names[2], "127.0.0.1");
    cr_assert_str_eq(server->names[3], "::1");
    keystore_free(keystore);
}

Test(keystore, no_leaf_outlives_its_ca)
{
    struct keyd_setup setup = usual_setup();
    setup.ca_lifetime_s = 100;
    setup.leaf_lifetime_s = 200;
    struct keystore *keystore = make(&setup, 1000000000);
    cr_assert_eq(keystore_info(keystore, KEY_CA)->not_after, 1000000100);
    cr_assert_eq(keystore_info(keystore, KEY_SERVER)->not_after, 1000000100);
    cr_assert_eq(keystore_info(keystore, KEY_CLIENT)->not_after, 1000000100);
    keystore_free(keystore);
}

/* RFC 5280, 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050 on. */
Test(keystore, writes_the_year_2050)
{
    const uint64_t year_2050 = 2524608000; /* 2050-01-01 00:00:00 UTC */
    struct keyd_setup setup = usual_setup();
    struct keystore *keystore = make(&setup, year_2050 - 3600);
    X509 *parsed = verify_parse(keystore_certificate(keystore, KEY_SERVER));
    cr_assert_eq(ASN1_STRING_type(X509_get0_notBefore(parsed)), V_ASN1_UTCTIME);
    cr_assert_eq(ASN1_STRING_type(X509_get0_notAfter(parsed)), V_ASN1_GENERALIZEDTIME);
    struct certificate_text text;
    cr_assert_eq(certificate_describe(&text, parsed), ERR_OK);
    cr_assert_eq(text.not_after, year_2050);
    X509_free(parsed);
    keystore_free(keystore);
}

Test(keystore, serials_are_random_and_keys_differ)
{
    char seen[30][2 * 20 + 1];
    for (size_t i = 0; i < 30; i += 3) {
        struct keystore *keystore = make_usual();
        for (enum key_role role = 0; role < KEY_NUM_ROLES; role++) {
            const char *serial = keystore_info(keystore, role)->serial;
            cr_assert_eq(strlen(serial), 32);
            cr_assert(serial[0] >= '4' && serial[0] <= '7', "%s", serial);
            for (size_t j = 0; j < i + (size_t)role; j++) cr_assert_str_neq(serial, seen[j]);
            strcpy(seen[i + (size_t)role], serial);
        }
        keystore_free(keystore);
    }
}

Test(keystore, leaves_sign_and_the_ca_cannot_any_more)
{
    struct keystore *keystore = make_usual();
    const struct digest digest = {.scheme = SCHEME_ECDSA_P256_SHA256, .len = 32, .data = {1, 2, 3}};
    uint8_t signature[SCHEME_SIGNATURE];
    size_t len;
    const struct bytes signed_digest = {digest.data, digest.len};
    for (unsigned i = 0; i < 100; i++) {
        const enum key_role role = i % 2 ? KEY_SERVER : KEY_CLIENT, other = i % 2 ? KEY_CLIENT : KEY_SERVER;
        cr_assert_eq(keystore_sign(keystore, signature, &len, role, &digest), ERR_OK);
        cr_assert_leq(len, 72, "the longest Ecdsa-Sig-Value of P-256");
        const struct bytes made = {signature, len};
        cr_assert(verify_digest_signature(keystore_certificate(keystore, role), signed_digest, made));
        cr_assert_not(verify_digest_signature(keystore_certificate(keystore, other), signed_digest, made));
    }
    cr_assert_eq(keystore_sign(keystore, signature, &len, KEY_CA, &digest), ERR_DENIED);
    keystore_free(keystore);
}

Test(keystore, a_key_does_its_own_scheme_alone)
{
    struct keystore *keystore = make_usual();
    uint8_t signature[SCHEME_SIGNATURE];
    size_t len;
    for (unsigned scheme = 0; scheme <= 0xffff; scheme++) {
        const struct digest digest = {.scheme = (uint16_t)scheme, .len = scheme_digest_len((uint16_t)scheme)};
        cr_assert_eq(keystore_does(keystore, KEY_SERVER, digest.scheme), scheme == 0x0403, "%#x", scheme);
        cr_assert_not(keystore_does(keystore, KEY_CA, digest.scheme));
        if (scheme != 0x0403)
            cr_assert_eq(keystore_sign(keystore, signature, &len, KEY_SERVER, &digest), ERR_DENIED, "%#x", scheme);
    }
    const struct digest longer = {.scheme = 0x0403, .len = 48};
    cr_assert_eq(keystore_sign(keystore, signature, &len, KEY_SERVER, &longer), ERR_DENIED);
    keystore_free(keystore);
}

static void assert_rejected(const struct keyd_setup *setup, const char *why)
{
    struct keystore *keystore = (struct keystore *)&keystore;
    struct diag diag = {0};
    cr_assert_eq(keystore_new(&keystore, setup, 1000000000, &diag), ERR_INPUT);
    cr_assert_eq(keystore, NULL);
    cr_assert_neq(strstr(diag.text, why), NULL, "%s", diag.text);
}

Test(keystore, refuses_names_that_it_may_not_issue)
{
    struct keyd_setup setup = usual_setup();
    setup.dns_names[1] = "*.example";
    assert_rejected(&setup, "'*.example' is not a DNS name");
    setup = usual_setup();
    setup.num_dns_names = setup.num_ip_addresses = 0;
    assert_rejected(&setup, "no name and no address");
    setup = usual_setup();
    setup.ip_addresses[1].len = 5;
    assert_rejected(&setup, "address number 2");
    setup = usual_setup();
    setup.client_name = "";
    assert_rejected(&setup, "client name ''");
    char name[66];
    memset(name, 'x', 65);
    name[65] = '\0';
    setup.client_name = name;
    assert_rejected(&setup, "1 to 64 bytes");
    name[64] = '\0';
    keystore_free(make(&setup, clock_wall_s()));
    setup = usual_setup();
    for (size_t i = 0; i < LIMIT_NAMES; i++) setup.dns_names[i] = "a.example";
    setup.num_dns_names = LIMIT_NAMES;
    assert_rejected(&setup, "more than 16");
}

/* The longest names that may be asked for still fit. */
Test(keystore, has_room_for_the_longest_names)
{
    static char longest[254];
    memset(longest, 'a', 253);
    for (size_t i = 63; i < 253; i += 64) longest[i] = '.';
    struct keyd_setup setup = usual_setup();
    setup.num_ip_addresses = 0;
    setup.num_dns_names = LIMIT_NAMES;
    for (size_t i = 0; i < LIMIT_NAMES; i++) setup.dns_names[i] = longest;
    struct keystore *keystore = make(&setup, clock_wall_s());
    const struct bytes ca = keystore_certificate(keystore, KEY_CA), server = keystore_certificate(keystore, KEY_SERVER);
    cr_assert_eq(verify_chain(server, ca, X509_PURPOSE_SSL_SERVER, longest), X509_V_OK);
    keystore_free(keystore);
}

static void write_pem(char path[64], const struct keystore *keystore, enum key_role role)
{
    strcpy(path, "/tmp/keystore_test.XXXXXX");
    FILE *file = fdopen(mkstemp(path), "w");
    cr_assert_neq(file, NULL);
    X509 *certificate = verify_parse(keystore_certificate(keystore, role));
    cr_assert(PEM_write_X509(file, certificate));
    X509_free(certificate);
    fclose(file);
}

static int openssl_verify(const char *ca, const char *leaf, const char *purpose)
{
    const pid_t child = fork();
    if (child == 0) {
        execlp("openssl", "openssl", "verify", "-x509_strict", "-check_ss_sig", "-purpose", purpose, "-CAfile", ca,
               leaf, (char *)NULL);
        _exit(127);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(keystore, satisfies_openssl_verify_x509_strict)
{
    struct keystore *keystore = make_usual();
    char ca[64], server[64], client[64];
    write_pem(ca, keystore, KEY_CA);
    write_pem(server, keystore, KEY_SERVER);
    write_pem(client, keystore, KEY_CLIENT);
    cr_expect_eq(openssl_verify(ca, server, "sslserver"), 0);
    cr_expect_eq(openssl_verify(ca, client, "sslclient"), 0);
    cr_expect_eq(openssl_verify(ca, server, "sslclient"), 2);
    cr_expect_eq(openssl_verify(ca, client, "sslserver"), 2);
    unlink(ca);
    unlink(server);
    unlink(client);
    keystore_free(keystore);
}

static void write_ocsp(char path[64], const struct keystore *keystore)
{
    const struct bytes response = keystore_ocsp(keystore);
    strcpy(path, "/tmp/keystore_test.XXXXXX");
    FILE *file = fdopen(mkstemp(path), "w");
    cr_assert(file != NULL && fwrite(response.data, 1, response.len, file) == response.len);
    fclose(file);
}

static int openssl_ocsp(const char *ca, const char *leaf, const char *response)
{
    const pid_t child = fork();
    if (child == 0) {
        execlp("openssl", "openssl", "ocsp", "-no_nonce", "-respin", response, "-issuer", ca, "-CAfile", ca, "-cert",
               leaf, (char *)NULL);
        _exit(127);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(keystore, the_ca_calls_its_server_good)
{
    struct keystore *keystore = make_usual(), *other = make_usual();
    char ca[64], other_ca[64], server[64], response[64];
    write_pem(ca, keystore, KEY_CA);
    write_pem(other_ca, other, KEY_CA);
    write_pem(server, keystore, KEY_SERVER);
    write_ocsp(response, keystore);
    cr_expect_eq(openssl_ocsp(ca, server, response), 0);
    cr_expect_neq(openssl_ocsp(other_ca, server, response), 0);
    unlink(ca);
    unlink(other_ca);
    unlink(server);
    unlink(response);
    keystore_free(keystore);
    keystore_free(other);
}
