/* Servers of other people's: where the chain leads, when, and to which name. */
#include <string.h>

#include "tests/unit/keyd/server_case.h"

TestSuite(server_verify, .init = server_case_setup);

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
        server_case_setup();
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
        server_case_setup();
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
