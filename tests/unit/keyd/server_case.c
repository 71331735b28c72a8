#include "tests/unit/keyd/server_case.h"

static const uint8_t text[] = "what a server signs";
const struct bytes content = {text, sizeof(text)};

struct pki_spec root, middle, leaf;
struct server_wanted wanted;
struct bytes chain[LIMIT_SERVER_CHAIN + 1];
struct server_shown shown;

void server_case_setup(void)
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

void issue(void)
{
    wanted.ca = pki_issue(&root);
    chain[0] = pki_issue(&leaf);
    chain[1] = pki_issue(&middle);
    shown.signature = pki_sign(leaf.key, shown.scheme, content);
}

void issue_and_expect(enum server_verdict verdict, const char *what)
{
    issue();
    const enum server_verdict got = server_verify(&wanted, &shown);
    cr_assert_eq(got, verdict, "%s: %d", what, (int)got);
}
