/* Servers of other people's: one good one, and each thing that can be wrong with it. */
#include "keyd/server_verify.h"

#include <criterion/criterion.h>
#include <openssl/digest.h>
#include <string.h>

#include "base/limits.h"
#include "tests/unit/keyd/pki.h"

enum {
    ECDSA_P256 = 0x0403,
    ECDSA_P384 = 0x0503,
    ECDSA_P521 = 0x0603,
    RSA_PKCS1_SHA256 = 0x0401,
    RSA_SHA256 = 0x0804,
    RSA_SHA384 = 0x0805,
    RSA_SHA512 = 0x0806,
    ED25519 = 0x0807,
};

#define START INT64_C(1700000000)
#define END INT64_C(1800000000)
#define NOW UINT64_C(1750000000)
#define NAME "service.example.com"

static const uint8_t text[] = "what a server signs";
static const struct bytes content = {text, sizeof(text)};

/* A CA, a CA below it and a server. Tests change them before they issue. */
static struct pki_spec root, middle, leaf;
static struct server_wanted wanted;
static struct bytes chain[LIMIT_SERVER_CHAIN + 1];
static struct server_shown shown;

static void setup(void)
{
    EVP_PKEY *root_key = pki_key(PKI_P256), *middle_key = pki_key(PKI_P256), *leaf_key = pki_key(PKI_P256);
    const struct pki_spec ca = {.issuer = "Root",
                                .signer = root_key,
                                .not_before = START,
                                .not_after = END,
                                .constraints = "critical,CA:TRUE",
                                .usage = "critical,keyCertSign,cRLSign"};
    root = ca;
    root.subject = "Root";
    root.key = root_key;
    middle = ca;
    middle.subject = "Middle";
    middle.key = middle_key;
    leaf = (struct pki_spec){.subject = "not a name",
                             .issuer = "Middle",
                             .key = leaf_key,
                             .signer = middle_key,
                             .not_before = START,
                             .not_after = END,
                             .names = "DNS:" NAME ",IP:192.0.2.7,IP:2001:db8::7",
                             .constraints = "critical,CA:FALSE",
                             .usage = "critical,digitalSignature",
                             .ext_usage = "serverAuth"};
    wanted = (struct server_wanted){.name = NAME, .now_s = NOW};
    shown = (struct server_shown){.chain = chain, .num_chain = 2, .scheme = ECDSA_P256, .content = content};
}

TestSuite(server_verify, .init = setup);

static void issue(void)
{
    wanted.ca = pki_issue(&root);
    chain[0] = pki_issue(&leaf);
    chain[1] = pki_issue(&middle);
    shown.signature = pki_sign(leaf.key, shown.scheme, content);
}

#define assert_verdict(expected, ...) cr_assert_eq(server_verify(&wanted, &shown), expected, __VA_ARGS__)

static void issue_and_expect(enum server_verdict verdict, const char *what)
{
    issue();
    const enum server_verdict got = server_verify(&wanted, &shown);
    cr_assert_eq(got, verdict, "%s: %d", what, (int)got);
}

/* ---- Where the chain leads --------------------------------------------------------------------------------------- */

Test(server_verify, a_good_server)
{
    issue_and_expect(SERVER_GOOD, "with an intermediate");
    const struct bytes with_root[] = {chain[0], chain[1], wanted.ca};
    shown = (struct server_shown){with_root, 3, ECDSA_P256, content, shown.signature};
    assert_verdict(SERVER_GOOD, "the root too");
    const struct bytes shuffled[] = {chain[0], wanted.ca, chain[1]};
    shown.chain = shuffled;
    assert_verdict(SERVER_GOOD, "in another order, which RFC 8446, 4.4.2, tolerates");
}

Test(server_verify, an_intermediate_can_be_pinned)
{
    issue();
    wanted.ca = chain[1];
    assert_verdict(SERVER_GOOD, "and shown");
    shown.num_chain = 1;
    assert_verdict(SERVER_GOOD, "and not shown");
}

Test(server_verify, a_servers_own_certificate_can_be_pinned_if_it_is_a_ca)
{
    leaf.issuer = leaf.subject;
    leaf.signer = leaf.key;
    leaf.constraints = "critical,CA:TRUE";
    leaf.usage = "critical,digitalSignature,keyCertSign";
    issue();
    wanted.ca = chain[0];
    shown.num_chain = 1;
    assert_verdict(SERVER_GOOD, "self-signed");
    wanted.name = "other.example.com";
    assert_verdict(SERVER_NOT_NAMED, "another name");
    wanted.name = NAME;
    wanted.now_s = (uint64_t)END;
    assert_verdict(SERVER_OUT_OF_TIME, "too late");
    wanted.now_s = NOW;
    leaf.usage = "critical,keyCertSign";
    issue();
    wanted.ca = chain[0];
    assert_verdict(SERVER_MISUSED, "does not sign handshakes");
}

Test(server_verify, another_ca)
{
    issue();
    root.key = root.signer = pki_key(PKI_P256);
    root.subject = root.issuer = "Other";
    wanted.ca = pki_issue(&root);
    assert_verdict(SERVER_UNTRUSTED, "another root");
    shown.num_chain = 1;
    assert_verdict(SERVER_UNTRUSTED, "an intermediate is missing");
}

/* Same name, other key; it vouches for the server in the pinned one's place. */
Test(server_verify, a_look_alike)
{
    for (int with_key_id = 0; with_key_id < 2; with_key_id++) {
        setup();
        root.key_id = with_key_id ? "hash" : NULL;
        const struct bytes pinned = pki_issue(&root);
        root.key = root.signer = middle.signer = pki_key(PKI_P256);
        issue();
        const struct bytes with_look_alike[] = {chain[0], chain[1], wanted.ca};
        wanted.ca = pinned;
        assert_verdict(SERVER_UNTRUSTED, "not shown");
        shown.chain = with_look_alike;
        shown.num_chain = 3;
        assert_verdict(SERVER_UNTRUSTED, "shown");
    }
}

Test(server_verify, self_signed)
{
    leaf.issuer = leaf.subject;
    leaf.signer = leaf.key;
    issue_and_expect(SERVER_UNTRUSTED, "self-signed");
    shown.num_chain = 1;
    assert_verdict(SERVER_UNTRUSTED, "alone");
    leaf.subject = leaf.issuer = root.subject;
    issue_and_expect(SERVER_UNTRUSTED, "under the CA's name");
}

Test(server_verify, who_is_no_ca_vouches_for_nobody)
{
    middle.constraints = "critical,CA:FALSE";
    issue_and_expect(SERVER_MISUSED, "CA:FALSE");
    middle.constraints = NULL;
    issue_and_expect(SERVER_MISUSED, "no constraints at all");
    middle.constraints = "critical,CA:TRUE";
    middle.usage = "critical,digitalSignature";
    issue_and_expect(SERVER_UNTRUSTED, "no keyCertSign");
}

Test(server_verify, limits_on_a_ca_hold)
{
    root.constraints = "critical,CA:TRUE,pathlen:0";
    issue_and_expect(SERVER_MISUSED, "pathlen of the pinned one");
    root.constraints = "critical,CA:TRUE,pathlen:1";
    issue_and_expect(SERVER_GOOD, "just long enough");
    root.name_constraints = "critical,permitted;DNS:example.org";
    issue_and_expect(SERVER_UNTRUSTED, "name constraints of the pinned one");
    root.name_constraints = NULL;
    middle.name_constraints = "critical,excluded;DNS:example.com";
    issue_and_expect(SERVER_UNTRUSTED, "name constraints");
    middle.name_constraints = NULL;
    middle.ext_usage = "clientAuth";
    issue_and_expect(SERVER_MISUSED, "an intermediate that is for clients");
}

/* Three CAs in a row, of which the first may have one below it. */
Test(server_verify, the_path_is_as_long_as_a_ca_in_it_allows)
{
    struct pki_spec upper = middle;
    upper.subject = "Upper";
    upper.key = pki_key(PKI_P256);
    middle.issuer = "Upper";
    middle.signer = upper.key;
    upper.constraints = "critical,CA:TRUE,pathlen:1";
    issue();
    chain[2] = pki_issue(&upper);
    shown.num_chain = 3;
    assert_verdict(SERVER_GOOD, "pathlen 1");
    upper.constraints = "critical,CA:TRUE,pathlen:0";
    chain[2] = pki_issue(&upper);
    assert_verdict(SERVER_MISUSED, "pathlen 0");
}

Test(server_verify, a_chain_of_a_length)
{
    issue();
    for (size_t i = 2; i <= LIMIT_SERVER_CHAIN; i++) chain[i] = chain[1];
    shown.num_chain = LIMIT_SERVER_CHAIN;
    assert_verdict(SERVER_GOOD, "as long as allowed");
    shown.num_chain = LIMIT_SERVER_CHAIN + 1;
    assert_verdict(SERVER_UNTRUSTED, "one more");
    shown.num_chain = 0;
    assert_verdict(SERVER_UNTRUSTED, "none");
}

Test(server_verify, a_path_of_a_length)
{
    static char names[LIMIT_SERVER_CHAIN][8];
    issue();
    /* leaf, Middle, and below the root as many as there is room for. */
    struct pki_spec link = middle;
    for (size_t i = 2; i < LIMIT_SERVER_CHAIN; i++) {
        names[i][0] = (char)('A' + i);
        link.issuer = names[i];
        link.signer = pki_key(PKI_P256);
        chain[i - 1] = pki_issue(&link);
        link.subject = names[i];
        link.key = link.signer;
    }
    link.issuer = root.subject;
    link.signer = root.key;
    chain[LIMIT_SERVER_CHAIN - 1] = pki_issue(&link);
    shown.num_chain = LIMIT_SERVER_CHAIN;
    assert_verdict(SERVER_GOOD, "each of them needed");
    shown.num_chain--;
    assert_verdict(SERVER_UNTRUSTED, "the last one missing");
}

/* ---- Time, to the second ------------------------------------------------------------------------------------------ */

Test(server_verify, only_in_its_time)
{
    struct pki_spec *const each[] = {&leaf, &middle, &root};
    for (size_t i = 0; i < 3; i++) {
        setup();
        each[i]->not_before = (int64_t)NOW;
        issue_and_expect(SERVER_GOOD, "from its first second");
        each[i]->not_before = (int64_t)NOW + 1;
        issue_and_expect(SERVER_OUT_OF_TIME, "a second before");
        each[i]->not_before = START;
        each[i]->not_after = (int64_t)NOW + 1;
        issue_and_expect(SERVER_GOOD, "up to its last second");
        each[i]->not_after = (int64_t)NOW;
        issue_and_expect(SERVER_OUT_OF_TIME, "in the second it ends with, as BoringSSL has it");
        each[i]->not_after = (int64_t)NOW - 1;
        issue_and_expect(SERVER_OUT_OF_TIME, "afterwards");
    }
}

/* ---- The name ----------------------------------------------------------------------------------------------------- */

static void expect_name(const char *names, const char *name, enum server_verdict verdict)
{
    leaf.names = names;
    wanted.name = name;
    issue();
    const enum server_verdict got = server_verify(&wanted, &shown);
    cr_assert_eq(got, verdict, "'%s' for '%s': %d", names != NULL ? names : "", name, (int)got);
}

Test(server_verify, host_names)
{
    expect_name("DNS:" NAME, NAME, SERVER_GOOD);
    expect_name("DNS:SERVICE.example.COM", "service.EXAMPLE.com", SERVER_GOOD);
    expect_name("DNS:other.example.com,DNS:" NAME, NAME, SERVER_GOOD);
    expect_name("DNS:" NAME, "service.example.co", SERVER_NOT_NAMED);
    expect_name("DNS:" NAME, "example.com", SERVER_NOT_NAMED);
    expect_name("DNS:" NAME, "a." NAME, SERVER_NOT_NAMED);
    expect_name("DNS:" NAME ".evil.org", NAME, SERVER_NOT_NAMED);
    expect_name("DNS:localhost", "localhost", SERVER_GOOD);
}

/* RFC 9525, 6.3: the whole leftmost label, for one label. */
Test(server_verify, wildcards)
{
    expect_name("DNS:*.example.com", NAME, SERVER_GOOD);
    expect_name("DNS:*.example.com", "example.com", SERVER_NOT_NAMED);
    expect_name("DNS:*.example.com", "a.b.example.com", SERVER_NOT_NAMED);
    expect_name("DNS:*.com", "example.com", SERVER_NOT_NAMED);
    expect_name("DNS:s*.example.com", NAME, SERVER_NOT_NAMED);
    expect_name("DNS:*e.example.com", NAME, SERVER_NOT_NAMED);
    expect_name("DNS:service.*.com", NAME, SERVER_NOT_NAMED);
    expect_name("DNS:*", "localhost", SERVER_NOT_NAMED);
    expect_name("DNS:*.example.com", "*.example.com", SERVER_UNTRUSTED);
}

/* What is no host name is not looked for at all. */
Test(server_verify, what_is_no_name)
{
    static const char *const bad[] = {"",
                                      ".",
                                      ".example.com",
                                      "service.example.com.",
                                      "service_example.com",
                                      "-a.example.com",
                                      "a..example.com",
                                      "1.2.3",
                                      "exa mple.com",
                                      "*.example.com"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_name("DNS:*.example.com,DNS:service.example.com", bad[i], SERVER_UNTRUSTED);
        cr_assert_eq(server_verify_can(&wanted), SERVER_NOT_NAMED, "'%s'", bad[i]);
    }
}

Test(server_verify, addresses)
{
    expect_name("IP:192.0.2.7", "192.0.2.7", SERVER_GOOD);
    expect_name("IP:192.0.2.7", "192.0.2.8", SERVER_NOT_NAMED);
    expect_name("IP:2001:db8::7", "2001:db8:0::0:7", SERVER_GOOD);
    expect_name("IP:2001:db8::7", "2001:db8::8", SERVER_NOT_NAMED);
    expect_name("IP:192.0.2.7", "::ffff:192.0.2.7", SERVER_NOT_NAMED);
    expect_name("DNS:192.0.2.7", "192.0.2.7", SERVER_NOT_NAMED);
    expect_name("IP:192.0.2.7", NAME, SERVER_NOT_NAMED);
}

Test(server_verify, a_common_name_is_no_name)
{
    leaf.subject = NAME;
    expect_name(NULL, NAME, SERVER_NOT_NAMED);
    expect_name("DNS:other.example.com", NAME, SERVER_NOT_NAMED);
    expect_name("email:a@service.example.com,URI:https://service.example.com/", NAME, SERVER_NOT_NAMED);
    leaf.subject = "192.0.2.7";
    expect_name(NULL, "192.0.2.7", SERVER_NOT_NAMED);
}

/* ---- What a certificate is for ------------------------------------------------------------------------------------- */

Test(server_verify, a_server_is_for_servers)
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

Test(server_verify, what_is_critical_is_understood)
{
    struct pki_spec *const each[] = {&leaf, &middle};
    for (size_t i = 0; i < 2; i++) {
        setup();
        each[i]->unknown = "DER:0500";
        issue_and_expect(SERVER_GOOD, "unknown, and of no importance");
        each[i]->unknown = "critical,DER:0500";
        issue_and_expect(SERVER_MISUSED, "unknown and critical");
    }
    setup();
    root.unknown = "critical,DER:0500";
    issue_and_expect(SERVER_NO_CA, "in the pinned one");
}

static void expect_ca(enum server_verdict verdict, const char *what)
{
    issue();
    cr_assert_eq(server_verify_can(&wanted), verdict, "%s", what);
    if (verdict != SERVER_GOOD) assert_verdict(verdict, "%s", what);
}

Test(server_verify, who_can_be_pinned)
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

Test(server_verify, strong_keys_of_each_kind)
{
    static const struct {
        enum pki_kind kind;
        uint16_t scheme;
    } rows[] = {
        {PKI_P256, ECDSA_P256},    {PKI_P384, ECDSA_P384},    {PKI_RSA2048, RSA_SHA256},
        {PKI_RSA2048, RSA_SHA384}, {PKI_RSA2048, RSA_SHA512}, {PKI_ED25519, ED25519},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        setup();
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
        setup();
        root.key = root.signer = middle.signer = pki_key(kinds[i]);
        middle.hash = i % 2 == 0 ? EVP_sha384() : EVP_sha512();
        issue_and_expect(SERVER_GOOD, "a CA's");
        cr_assert_eq(server_verify_can(&wanted), SERVER_GOOD);
    }
}

Test(server_verify, other_keys)
{
    static const enum pki_kind kinds[] = {PKI_RSA1024, PKI_RSA2047, PKI_P224, PKI_P521};
    static const uint16_t schemes[] = {RSA_SHA256, RSA_SHA256, ECDSA_P256, ECDSA_P521};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        setup();
        leaf.key = pki_key(kinds[i]);
        shown.scheme = schemes[i];
        issue_and_expect(SERVER_WEAK, "the server's");
        setup();
        middle.key = leaf.signer = pki_key(kinds[i]);
        issue_and_expect(SERVER_WEAK, "an intermediate's");
        setup();
        root.key = root.signer = middle.signer = pki_key(kinds[i]);
        issue_and_expect(SERVER_WEAK, "the pinned one's");
        cr_assert_eq(server_verify_can(&wanted), SERVER_WEAK);
    }
}

Test(server_verify, other_signatures)
{
    for (int rsa = 0; rsa < 2; rsa++) {
        setup();
        if (rsa) middle.key = leaf.signer = pki_key(PKI_RSA2048);
        leaf.hash = EVP_sha1();
        issue_and_expect(SERVER_WEAK, "on the server's");
    }
    setup();
    middle.hash = EVP_sha1();
    issue_and_expect(SERVER_WEAK, "on an intermediate");
    setup();
    root.hash = EVP_sha1();
    issue_and_expect(SERVER_GOOD, "on the pinned one, where it says nothing");
}

/* ---- The handshake ------------------------------------------------------------------------------------------------- */

Test(server_verify, signed_by_that_key)
{
    issue();
    EVP_PKEY *other = pki_key(PKI_P256);
    shown.signature = pki_sign(other, ECDSA_P256, content);
    assert_verdict(SERVER_UNSIGNED, "another key");
    shown.signature = pki_sign(middle.key, ECDSA_P256, content);
    assert_verdict(SERVER_UNSIGNED, "its CA");
    shown.signature = pki_sign(leaf.key, ECDSA_P256, (struct bytes){text, sizeof(text) - 1});
    assert_verdict(SERVER_UNSIGNED, "something else");
    shown.signature = (struct bytes){NULL, 0};
    assert_verdict(SERVER_UNSIGNED, "nothing");
    shown.signature = pki_sign(leaf.key, ECDSA_P256, content);
    assert_verdict(SERVER_GOOD, "it");
}

Test(server_verify, signed_under_a_scheme_of_tls13)
{
    leaf.key = pki_key(PKI_P384);
    issue_and_expect(SERVER_UNSIGNED, "another curve than the scheme's");
    setup();
    leaf.key = pki_key(PKI_RSA2048);
    shown.scheme = RSA_SHA256;
    issue();
    shown.scheme = RSA_PKCS1_SHA256;
    assert_verdict(SERVER_UNSIGNED, "not in handshakes");
}

/* ---- What is not even a certificate -------------------------------------------------------------------------------- */

Test(server_verify, unreadable)
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

Test(server_verify, as_large_as_a_certificate_can_be)
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
Test(server_verify, each_changed_byte)
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
