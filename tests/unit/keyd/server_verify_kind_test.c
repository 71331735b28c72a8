/* Servers of other people's: what certificates and keys are for, which there may be, and what is not even one. */
#include <openssl/digest.h>
#include <string.h>

#include "tests/unit/keyd/server_case.h"

TestSuite(server_verify_kind, .init = server_case_setup);

/* ---- What a certificate is for ------------------------------------------------------------------------------------- */

Test(server_verify_kind, a_server_is_for_servers)
{
    leaf.ext_usage = "clientAuth";
    issue_and_expect(SERVER_MISUSED, "a client's");
    leaf.ext_usage = "emailProtection,codeSigning";
    issue_and_expect(SERVER_MISUSED, "neither");
    leaf.ext_usage = "clientAuth,serverAuth";
    issue_and_expect(SERVER_GOOD, "both");
    leaf.ext_usage = NULL;
    issue_and_expect(SERVER_GOOD, "not said");
    leaf.usage = "critical,keyEncipherment";
    issue_and_expect(SERVER_MISUSED, "of TLS 1.2");
    leaf.usage = NULL;
    issue_and_expect(SERVER_GOOD, "not said");
    leaf.constraints = NULL;
    issue_and_expect(SERVER_GOOD, "no constraints");
}

Test(server_verify_kind, what_is_critical_is_understood)
{
    struct pki_spec *const each[] = {&leaf, &middle};
    for (size_t i = 0; i < 2; i++) {
        server_case_setup();
        each[i]->unknown = "DER:0500";
        issue_and_expect(SERVER_GOOD, "unknown, and of no importance");
        each[i]->unknown = "critical,DER:0500";
        issue_and_expect(SERVER_MISUSED, "unknown and critical");
    }
    server_case_setup();
    root.unknown = "critical,DER:0500";
    issue_and_expect(SERVER_NO_CA, "in the pinned one");
}

static void expect_ca(enum server_verdict verdict, const char *what)
{
    issue();
    cr_assert_eq(server_verify_can(&wanted), verdict, "%s", what);
    if (verdict != SERVER_GOOD) assert_verdict(verdict, "%s", what);
}

Test(server_verify_kind, who_can_be_pinned)
{
    expect_ca(SERVER_GOOD, "a CA");
    root.usage = NULL;
    root.constraints = "CA:TRUE";
    expect_ca(SERVER_GOOD, "the least that a CA has");
    root.ext_usage = "serverAuth";
    expect_ca(SERVER_GOOD, "a CA for servers");
    root.ext_usage = "clientAuth";
    expect_ca(SERVER_NO_CA, "a CA for clients");
    root.ext_usage = NULL;
    root.constraints = "CA:FALSE";
    expect_ca(SERVER_NO_CA, "not a CA");
    root.constraints = NULL;
    expect_ca(SERVER_NO_CA, "does not say that it is one");
    root.constraints = "CA:TRUE";
    root.usage = "digitalSignature";
    expect_ca(SERVER_NO_CA, "may not sign certificates");
    root.usage = root.constraints = NULL;
    root.version1 = true;
    expect_ca(SERVER_NO_CA, "from before there were extensions");
}

/* ---- Keys and algorithms ------------------------------------------------------------------------------------------- */

Test(server_verify_kind, strong_keys_of_each_kind)
{
    static const struct {
        enum pki_kind kind;
        uint16_t scheme;
    } rows[] = {
        {PKI_P256, ECDSA_P256},    {PKI_P384, ECDSA_P384},    {PKI_RSA2048, RSA_SHA256},
        {PKI_RSA2048, RSA_SHA384}, {PKI_RSA2048, RSA_SHA512}, {PKI_ED25519, ED25519},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        server_case_setup();
        leaf.key = pki_key(rows[i].kind);
        shown.scheme = rows[i].scheme;
        issue_and_expect(SERVER_GOOD, "a server's");
        /* Each of the others with that key is none. */
        for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++) {
            shown.scheme = rows[j].scheme;
            if (shown.scheme != rows[i].scheme) assert_verdict(SERVER_UNSIGNED, "%#x", rows[j].scheme);
        }
    }
    static const enum pki_kind kinds[] = {PKI_P384, PKI_ED25519, PKI_RSA2048};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        server_case_setup();
        root.key = root.signer = middle.signer = pki_key(kinds[i]);
        middle.hash = i % 2 == 0 ? EVP_sha384() : EVP_sha512();
        issue_and_expect(SERVER_GOOD, "a CA's");
        cr_assert_eq(server_verify_can(&wanted), SERVER_GOOD);
    }
}

Test(server_verify_kind, other_keys)
{
    static const enum pki_kind kinds[] = {PKI_RSA1024, PKI_RSA2047, PKI_P224, PKI_P521};
    static const uint16_t schemes[] = {RSA_SHA256, RSA_SHA256, ECDSA_P256, ECDSA_P521};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        server_case_setup();
        leaf.key = pki_key(kinds[i]);
        shown.scheme = schemes[i];
        issue_and_expect(SERVER_WEAK, "the server's");
        server_case_setup();
        middle.key = leaf.signer = pki_key(kinds[i]);
        issue_and_expect(SERVER_WEAK, "an intermediate's");
        server_case_setup();
        root.key = root.signer = middle.signer = pki_key(kinds[i]);
        issue_and_expect(SERVER_WEAK, "the pinned one's");
        cr_assert_eq(server_verify_can(&wanted), SERVER_WEAK);
    }
}

Test(server_verify_kind, other_signatures)
{
    for (int rsa = 0; rsa < 2; rsa++) {
        server_case_setup();
        if (rsa) middle.key = leaf.signer = pki_key(PKI_RSA2048);
        leaf.hash = EVP_sha1();
        issue_and_expect(SERVER_WEAK, "on the server's");
    }
    server_case_setup();
    middle.hash = EVP_sha1();
    issue_and_expect(SERVER_WEAK, "on an intermediate");
    server_case_setup();
    root.hash = EVP_sha1();
    issue_and_expect(SERVER_GOOD, "on the pinned one, where it says nothing");
}

/* ---- The handshake ------------------------------------------------------------------------------------------------- */

Test(server_verify_kind, signed_by_that_key)
{
    issue();
    EVP_PKEY *other = pki_key(PKI_P256);
    shown.signature = pki_sign(other, ECDSA_P256, content);
    assert_verdict(SERVER_UNSIGNED, "another key");
    shown.signature = pki_sign(middle.key, ECDSA_P256, content);
    assert_verdict(SERVER_UNSIGNED, "its CA");
    shown.signature = pki_sign(leaf.key, ECDSA_P256, (struct bytes){content.data, content.len - 1});
    assert_verdict(SERVER_UNSIGNED, "something else");
    shown.signature = (struct bytes){NULL, 0};
    assert_verdict(SERVER_UNSIGNED, "nothing");
    shown.signature = pki_sign(leaf.key, ECDSA_P256, content);
    assert_verdict(SERVER_GOOD, "it");
}

Test(server_verify_kind, signed_under_a_scheme_of_tls13)
{
    leaf.key = pki_key(PKI_P384);
    issue_and_expect(SERVER_UNSIGNED, "another curve than the scheme's");
    server_case_setup();
    leaf.key = pki_key(PKI_RSA2048);
    shown.scheme = RSA_SHA256;
    issue();
    shown.scheme = RSA_PKCS1_SHA256;
    assert_verdict(SERVER_UNSIGNED, "not in handshakes");
}

/* ---- What is not even a certificate -------------------------------------------------------------------------------- */

Test(server_verify_kind, unreadable)
{
    static uint8_t spoiled[LIMIT_CERTIFICATE];
    issue();
    const struct bytes good = chain[0];
    memcpy(spoiled, good.data, good.len);
    for (size_t len = 0; len < good.len; len++) {
        chain[0] = (struct bytes){spoiled, len};
        assert_verdict(SERVER_UNREADABLE, "cut to %zu", len);
    }
    chain[0] = (struct bytes){spoiled, good.len + 1};
    assert_verdict(SERVER_UNREADABLE, "something behind it");
    chain[0] = good;
    for (size_t len = 0; len < wanted.ca.len; len += 13) {
        const struct server_wanted cut = {{wanted.ca.data, len}, wanted.name, NOW};
        cr_assert_eq(server_verify_can(&cut), SERVER_UNREADABLE);
        cr_assert_eq(server_verify(&cut, &shown), SERVER_UNREADABLE);
    }
    assert_verdict(SERVER_GOOD, "whole");
}

Test(server_verify_kind, as_large_as_a_certificate_can_be)
{
    middle.key = leaf.signer = pki_key(PKI_ED25519); /* its signatures are of one length */
    issue();
    leaf.padding = LIMIT_CERTIFICATE;
    while ((chain[0] = pki_issue(&leaf)).len > LIMIT_CERTIFICATE) leaf.padding--;
    cr_assert_eq(chain[0].len, LIMIT_CERTIFICATE);
    assert_verdict(SERVER_GOOD, "the largest");
    leaf.padding++;
    chain[0] = pki_issue(&leaf);
    assert_verdict(SERVER_UNREADABLE, "a byte more");
}

/* No bit of what is signed can be changed. */
Test(server_verify_kind, each_changed_byte)
{
    static uint8_t spoiled[LIMIT_CERTIFICATE];
    issue();
    for (size_t i = 0; i < 2; i++) {
        const struct bytes good = chain[i];
        memcpy(spoiled, good.data, good.len);
        chain[i].data = spoiled;
        for (size_t at = 0; at < good.len; at++) {
            spoiled[at] ^= 1;
            cr_assert_neq(server_verify(&wanted, &shown), SERVER_GOOD, "byte %zu of %zu", at, i);
            spoiled[at] ^= 1;
        }
        chain[i] = good;
    }
}
