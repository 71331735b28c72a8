/* Revocation lists: their form, their signature, and which of them belong to which CA. */
#include "web/crl.h"

#include <criterion/criterion.h>
#include <openssl/digest.h>
#include <openssl/nid.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/web/pki.h"
#include "web/crls.h"

static struct pki_cert ca, other_ca, client, other_client;
static struct diag diag;
static struct crls *crls;
static uint64_t now;

static void setup(void)
{
    ca = pki_ca("CA");
    other_ca = pki_ca("another CA");
    client = pki_client(&ca);
    other_client = pki_client(&other_ca);
    now = (uint64_t)time(NULL);
    crls = NULL;
}

static void teardown(void)
{
    crls_free(crls);
    pki_free(&other_client);
    pki_free(&client);
    pki_free(&other_ca);
    pki_free(&ca);
}

TestSuite(crl, .init = setup, .fini = teardown);

static void expect_refused(const struct pki_crl_request *request, const char *why)
{
    struct crl crl;
    memset(&diag, 0, sizeof diag);
    cr_expect_eq(crl_parse(&crl, pki_crl(request), &diag), ERR_INPUT, "want: %s", why);
    cr_expect(strstr(diag.text, why) != NULL, "%s; want: %s", diag.text, why);
}

Test(crl, is_read)
{
    struct crl crl;
    struct crl_entry entry;
    const ASN1_INTEGER *serial = X509_get0_serialNumber(client.x509);
    const struct bytes der = pki_crl(&(struct pki_crl_request){.issuer = &ca, .revoked = {&client}, .reason = 1});
    cr_assert_eq(crl_parse(&crl, der, &diag), ERR_OK, "%s", diag.text);
    cr_assert(crl.this_update <= now && crl.this_update > now - 120);
    cr_assert(crl.next_update > now + 3500 && crl.next_update < now + 3700);
    cr_assert_eq(crl.num_entries, 1);
    struct bytes rest = crl.entries;
    cr_assert(crl_next(&entry, &rest));
    cr_assert_eq(entry.serial_len, ASN1_STRING_length(serial));
    cr_assert_eq(memcmp(entry.serial, ASN1_STRING_get0_data(serial), entry.serial_len), 0);
    cr_assert_str_eq(crl_reason_name(entry.reason), "keyCompromise");
    cr_assert_eq(entry.revoked_at, 1767225600);
    cr_assert_not(crl_next(&entry, &rest));
}

Test(crl, of_version_1_is_read_too)
{
    struct crl crl;
    const struct bytes der = pki_crl(&(struct pki_crl_request){.issuer = &ca, .revoked = {&client}, .version1 = true});
    cr_assert_eq(crl_parse(&crl, der, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(crl.num_entries, 1);
}

Test(crl, cut_anywhere_is_refused)
{
    struct crl crl;
    const struct bytes der = pki_crl(&(struct pki_crl_request){.issuer = &ca, .revoked = {&client}, .reason = 1});
    for (size_t len = 0; len < der.len; len++) {
        uint8_t *copy = malloc(len + 1); /* of that size, so that a sanitizer sees what is read behind it */
        memcpy(copy, der.data, len);
        cr_expect_eq(crl_parse(&crl, (struct bytes){copy, len}, &diag), ERR_INPUT, "%zu", len);
        free(copy);
    }
}

Test(crl, with_a_byte_behind_it_is_refused)
{
    struct crl crl;
    static uint8_t longer[4096];
    const struct bytes der = pki_crl(&(struct pki_crl_request){.issuer = &ca});
    memcpy(longer, der.data, der.len);
    cr_assert_eq(crl_parse(&crl, (struct bytes){longer, der.len + 1}, &diag), ERR_INPUT);
}

Test(crl, that_is_not_complete_is_refused)
{
    static const uint8_t number[] = {2, 1, 1};                 /* INTEGER 1 */
    static const uint8_t indirect[] = {0x30, 3, 0x84, 1, 255}; /* indirectCRL */
    static const uint8_t users[] = {0x30, 3, 0x81, 1, 255};    /* onlyContainsUserCerts */
    static const uint8_t names[] = {0x30, 0};
    expect_refused(
        &(struct pki_crl_request){
            .issuer = &ca, .extension = NID_delta_crl, .critical = true, .value = {number, sizeof number}},
        "it is a delta");
    expect_refused(
        &(struct pki_crl_request){.issuer = &ca, .extension = NID_delta_crl, .value = {number, sizeof number}},
        "it is a delta"); /* it has to be critical, and is a delta if it is not */
    expect_refused(&(struct pki_crl_request){.issuer = &ca,
                                             .extension = NID_issuing_distribution_point,
                                             .critical = true,
                                             .value = {indirect, sizeof indirect}},
                   "indirect");
    expect_refused(&(struct pki_crl_request){.issuer = &ca,
                                             .extension = NID_issuing_distribution_point,
                                             .critical = true,
                                             .value = {users, sizeof users}},
                   "some certificates only");
    expect_refused(&(struct pki_crl_request){.issuer = &ca,
                                             .revoked = {&client},
                                             .critical = true,
                                             .entry_extension = NID_certificate_issuer,
                                             .value = {names, sizeof names}},
                   "another CA's certificate");
}

Test(crl, with_a_critical_extension_that_is_not_known_is_refused)
{
    static const uint8_t nothing[] = {5, 0};
    struct pki_crl_request request = {
        .issuer = &ca, .extension = NID_subject_alt_name, .critical = true, .value = {nothing, sizeof nothing}};
    expect_refused(&request, "critical extension that is not known here (2.5.29.17)");
    request.critical = false;
    struct crl crl;
    cr_assert_eq(crl_parse(&crl, pki_crl(&request), &diag), ERR_OK, "%s", diag.text);
    request = (struct pki_crl_request){.issuer = &ca,
                                       .revoked = {&client},
                                       .entry_extension = NID_subject_alt_name,
                                       .critical = true,
                                       .value = {nothing, sizeof nothing}};
    expect_refused(&request, "critical extension that is not known here (2.5.29.17)");
}

Test(crl, without_an_end_is_refused)
{
    expect_refused(&(struct pki_crl_request){.issuer = &ca, .no_next_update = true}, "it has no nextUpdate");
    expect_refused(&(struct pki_crl_request){.issuer = &ca, .next_update_s = -60}, "not behind its thisUpdate");
}

Test(crl, serial_numbers_are_compared_as_numbers)
{
    static const uint8_t plain[] = {0xff, 1}, padded[] = {0, 0xff, 1}, negative[] = {0x80}, zero[] = {0};
    static uint8_t most[LIMIT_SERIAL + 2] = {0, 0x80}, longest[LIMIT_SERIAL + 1] = {1};
    struct crl_entry one, other;
    cr_assert(crl_serial(&one, (struct bytes){padded, sizeof padded}));
    cr_assert_eq(one.serial_len, 2);
    cr_assert_eq(memcmp(one.serial, plain, 2), 0);
    cr_assert(crl_serial(&other, (struct bytes){zero, 1}));
    cr_assert_eq(other.serial_len, 0);
    cr_assert_not(crl_serial(&other, (struct bytes){negative, 1}));
    cr_assert_not(crl_serial(&other, (struct bytes){zero, 0}));
    cr_assert(crl_serial(&other, (struct bytes){most, LIMIT_SERIAL + 1}));
    cr_assert_eq(other.serial_len, LIMIT_SERIAL);
    cr_assert_not(crl_serial(&other, (struct bytes){longest, sizeof longest}));
}

/* ---- Signatures ------------------------------------------------------------------------------------------------- */

static void expect_verified(struct pki_request kind, const EVP_MD *md, bool pss)
{
    struct crl crl;
    kind.name = "CA";
    kind.is_ca = true;
    struct pki_cert signer = pki_make(&kind);
    const struct bytes der = pki_crl(&(struct pki_crl_request){.issuer = &signer, .md = md, .pss = pss});
    cr_assert_eq(crl_parse(&crl, der, &diag), ERR_OK, "%s", diag.text);
    cr_expect_eq(signed_data_verify(&crl.body, signer.key, &diag), ERR_OK, "%s", diag.text);
    cr_expect_eq(signed_data_verify(&crl.body, ca.key, &diag), ERR_DENIED);
    static uint8_t changed[4096];
    memcpy(changed, der.data, der.len);
    changed[(size_t)(crl.body.data.data - der.data) + crl.body.data.len - 1] ^= 1;
    crl.body.data.data = changed + (crl.body.data.data - der.data);
    cr_expect_eq(signed_data_verify(&crl.body, signer.key, &diag), ERR_DENIED);
    pki_free(&signer);
}

Test(crl, signatures_of_every_kind)
{
    const EVP_MD *const hashes[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};
    for (size_t i = 0; i < 3; i++) {
        expect_verified((struct pki_request){0}, hashes[i], false);
        expect_verified((struct pki_request){.curve = NID_secp384r1}, hashes[i], false);
        expect_verified((struct pki_request){.rsa_bits = 2048}, hashes[i], false);
        expect_verified((struct pki_request){.rsa_bits = 2048}, hashes[i], true);
    }
    expect_verified((struct pki_request){.curve = NID_ED25519}, NULL, false);
}

Test(crl, signatures_with_sha1_are_refused)
{
    struct crl crl;
    const struct bytes der = pki_crl(&(struct pki_crl_request){.issuer = &ca, .md = EVP_sha1()});
    cr_assert_eq(crl_parse(&crl, der, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(signed_data_verify(&crl.body, ca.key, &diag), ERR_INPUT);
    cr_assert(strstr(diag.text, "SHA-256 or better") != NULL, "%s", diag.text);
}

/* ---- A file of them --------------------------------------------------------------------------------------------- */

static X509_STORE *store_of(const struct pki_cert *first, const struct pki_cert *second)
{
    X509_STORE *store = X509_STORE_new();
    cr_assert(X509_STORE_add_cert(store, first->x509));
    if (second != NULL) cr_assert(X509_STORE_add_cert(store, second->x509));
    return store;
}

static enum err load(struct bytes file, const struct pki_cert *first, const struct pki_cert *second,
                     const struct pki_cert *exempt)
{
    SHA256_CTX digest;
    X509_STORE *store = store_of(first, second);
    struct bytes der = {0};
    if (exempt != NULL) der = exempt->der;
    const struct crls_authorities authorities = {store, &der, exempt != NULL ? 1 : 0};
    SHA256_Init(&digest);
    crls_free(crls);
    memset(&diag, 0, sizeof diag);
    enum err err = crls_new(&crls, &digest, &authorities, file, &diag);
    X509_STORE_free(store);
    return err;
}

static void expect_not_loaded(struct bytes file, const struct pki_cert *first, const struct pki_cert *second,
                              const char *why)
{
    cr_expect_eq(load(file, first, second, NULL), ERR_INPUT, "want: %s", why);
    cr_expect(strstr(diag.text, why) != NULL, "%s; want: %s", diag.text, why);
}

static enum crls_verdict look(const struct pki_cert *cert, const struct pki_cert *issuer, uint64_t at)
{
    struct crls_finding finding;
    STACK_OF(X509) *chain = sk_X509_new_null();
    cr_assert(sk_X509_push(chain, cert->x509) && sk_X509_push(chain, issuer->x509));
    struct lineage *lineage = lineage_new(chain);
    cr_assert_not_null(lineage);
    cr_assert_eq(lineage->num_links, 1);
    crls_look(&finding, crls, &lineage->links[0], at);
    lineage_free(lineage);
    sk_X509_free(chain);
    return finding.verdict;
}

static struct bytes join(struct bytes a, struct bytes b)
{
    static uint8_t room[65536];
    memcpy(room, a.data, a.len);
    memcpy(room + a.len, b.data, b.len);
    return (struct bytes){room, a.len + b.len};
}

static struct bytes armoured(struct bytes a, struct bytes b)
{
    static char text[65536];
    size_t len = pki_crl_pem(text, sizeof text, a);
    len += pki_crl_pem(text + len, sizeof text - len, b);
    return (struct bytes){(const uint8_t *)text, len};
}

Test(crl, files_of_both_forms)
{
    const struct bytes a = pki_crl(&(struct pki_crl_request){.issuer = &ca, .revoked = {&client}}),
                       b = pki_crl(&(struct pki_crl_request){.issuer = &other_ca});
    const struct bytes files[] = {join(a, b), armoured(a, b)};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(load(files[i], &ca, &other_ca, NULL), ERR_OK, "%s", diag.text);
        cr_expect_eq(look(&client, &ca, now), CRLS_REVOKED);
        cr_expect_eq(look(&other_client, &other_ca, now), CRLS_GOOD);
    }
}

Test(crl, a_serial_number_is_of_one_ca)
{
    const struct bytes a = pki_crl(&(struct pki_crl_request){.issuer = &ca, .revoked = {&other_client}}),
                       b = pki_crl(&(struct pki_crl_request){.issuer = &other_ca, .revoked = {&client}});
    cr_assert_eq(load(join(a, b), &ca, &other_ca, NULL), ERR_OK, "%s", diag.text);
    cr_expect_eq(look(&client, &ca, now), CRLS_GOOD);
    cr_expect_eq(look(&other_client, &other_ca, now), CRLS_GOOD);
}

Test(crl, everybody_who_is_in_it_is_found)
{
    cr_assert_eq(
        load(pki_crl(&(struct pki_crl_request){.issuer = &ca, .revoked = {&client}, .further = 5000}), &ca, NULL, NULL),
        ERR_OK, "%s", diag.text);
    struct pki_cert free_one = pki_client(&ca);
    cr_expect_eq(look(&client, &ca, now), CRLS_REVOKED);
    cr_expect_eq(look(&free_one, &ca, now), CRLS_GOOD);
    pki_free(&free_one);
}

Test(crl, out_of_date_still_says_who_is_revoked)
{
    struct pki_cert free_one = pki_client(&ca);
    struct crl crl;
    const struct bytes der = pki_crl(&(struct pki_crl_request){.issuer = &ca, .revoked = {&client}});
    cr_assert_eq(crl_parse(&crl, der, &diag), ERR_OK);
    cr_assert_eq(load(der, &ca, NULL, NULL), ERR_OK, "%s", diag.text);
    cr_expect_eq(look(&free_one, &ca, crl.next_update - 1), CRLS_GOOD);
    cr_expect_eq(look(&free_one, &ca, crl.next_update), CRLS_STALE);
    cr_expect_eq(look(&free_one, &ca, crl.this_update), CRLS_GOOD);
    cr_expect_eq(look(&free_one, &ca, crl.this_update - 1), CRLS_EARLY);
    cr_expect_eq(look(&client, &ca, crl.next_update), CRLS_REVOKED);
    cr_expect_eq(look(&client, &ca, crl.this_update - 1), CRLS_REVOKED);
    char text[LIMIT_TEXT];
    size_t at = 0;
    cr_expect_not(crls_out_of_date(text, sizeof text, &at, crls, now));
    at = 0;
    cr_expect(crls_out_of_date(text, sizeof text, &at, crls, crl.next_update));
    cr_expect(strstr(text, "the CRL of CN=CA is good from ") != NULL, "%s", text);
    cr_expect_not(crls_out_of_date(text, sizeof text, &at, crls, crl.next_update));
    pki_free(&free_one);
}

Test(crl, of_one_ca_the_newest_counts)
{
    const struct bytes older = pki_crl(&(struct pki_crl_request){.issuer = &ca, .this_update_s = -600}),
                       newer = pki_crl(&(struct pki_crl_request){.issuer = &ca, .revoked = {&client}});
    cr_assert_eq(load(join(older, newer), &ca, NULL, NULL), ERR_OK, "%s", diag.text);
    cr_expect_eq(look(&client, &ca, now), CRLS_REVOKED);
    cr_assert_eq(load(join(newer, older), &ca, NULL, NULL), ERR_OK, "%s", diag.text);
    cr_expect_eq(look(&client, &ca, now), CRLS_REVOKED);
}

Test(crl, every_ca_needs_one_but_those_that_are_exempt)
{
    const struct bytes of_ca = pki_crl(&(struct pki_crl_request){.issuer = &ca});
    expect_not_loaded(of_ca, &ca, &other_ca, "it has no list of the client CA 'CN=another CA'");
    cr_assert_eq(load(of_ca, &ca, &other_ca, &other_ca), ERR_OK, "%s", diag.text);
    cr_expect_eq(look(&other_client, &other_ca, now + 86400), CRLS_GOOD);
    struct pki_cert stranger = pki_ca("stranger"), theirs = pki_client(&stranger);
    cr_expect_eq(look(&theirs, &stranger, now), CRLS_NO_LIST);
    pki_free(&theirs);
    pki_free(&stranger);
}

Test(crl, of_somebody_else_is_refused)
{
    struct pki_cert namesake = pki_ca("CA"),
                    mute = pki_make(&(struct pki_request){.name = "mute", .is_ca = true, .no_crl_sign = true});
    const struct bytes of_ca = pki_crl(&(struct pki_crl_request){.issuer = &ca});
    expect_not_loaded(of_ca, &other_ca, NULL, "by 'CN=CA', which is none of the client CAs");
    expect_not_loaded(of_ca, &namesake, NULL, "of 'CN=CA': the client CA of that name has not signed it");
    expect_not_loaded(pki_crl(&(struct pki_crl_request){.issuer = &ca, .signer = &client}), &ca, NULL,
                      "the client CA of that name has not signed it");
    expect_not_loaded(pki_crl(&(struct pki_crl_request){.issuer = &mute}), &mute, NULL, "key usage cRLSign");
    /* A CA with a new key under its old name needs a list of each. */
    expect_not_loaded(of_ca, &ca, &namesake, "it has no list of the client CA 'CN=CA'");
    cr_expect_eq(load(join(of_ca, pki_crl(&(struct pki_crl_request){.issuer = &namesake})), &ca, &namesake, NULL),
                 ERR_OK, "%s", diag.text);
    pki_free(&mute);
    pki_free(&namesake);
}

Test(crl, files_that_are_none)
{
    static char pem[8192];
    const struct bytes of_ca = pki_crl(&(struct pki_crl_request){.issuer = &ca});
    expect_not_loaded((struct bytes){NULL, 0}, &ca, NULL, "it is empty");
    expect_not_loaded((struct bytes){(const uint8_t *)"nothing", 7}, &ca, NULL, "list 1: neither PEM nor DER");
    expect_not_loaded((struct bytes){of_ca.data, of_ca.len - 1}, &ca, NULL, "list 1: neither PEM nor DER");
    expect_not_loaded(join(of_ca, (struct bytes){(const uint8_t *)"\n", 1}), &ca, NULL, "list 2: neither PEM nor DER");
    size_t len = pki_pem(pem, sizeof pem, &ca);
    expect_not_loaded((struct bytes){(const uint8_t *)pem, len}, &ca, NULL, "holds a CERTIFICATE; want");
    len = pki_crl_pem(pem, sizeof pem, of_ca);
    expect_not_loaded((struct bytes){(const uint8_t *)pem, len - 20}, &ca, NULL, "list 1: does not parse");
    pem[100] = '!';
    expect_not_loaded((struct bytes){(const uint8_t *)pem, len}, &ca, NULL, "list 1: does not parse");
}

Test(crl, as_many_lists_as_there_may_be)
{
    static uint8_t file[LIMIT_CRLS * 1024];
    const struct bytes of_ca = pki_crl(&(struct pki_crl_request){.issuer = &ca});
    size_t len = 0;
    for (size_t i = 0; i <= LIMIT_CRLS; i++) {
        memcpy(file + len, of_ca.data, of_ca.len);
        len += of_ca.len;
        if (i + 1 == LIMIT_CRLS)
            cr_expect_eq(load((struct bytes){file, len}, &ca, NULL, NULL), ERR_OK, "%s", diag.text);
    }
    expect_not_loaded((struct bytes){file, len}, &ca, NULL, "more than 64 lists");
}

Test(crl, other_lists_have_another_digest)
{
    uint8_t first[SHA256_DIGEST_LENGTH], second[SHA256_DIGEST_LENGTH];
    const struct bytes files[] = {pki_crl(&(struct pki_crl_request){.issuer = &ca}),
                                  pki_crl(&(struct pki_crl_request){.issuer = &ca, .revoked = {&client}})};
    for (size_t i = 0; i < 2; i++) {
        SHA256_CTX digest;
        X509_STORE *store = store_of(&ca, NULL);
        const struct crls_authorities authorities = {store, NULL, 0};
        SHA256_Init(&digest);
        crls_free(crls);
        cr_assert_eq(crls_new(&crls, &digest, &authorities, files[i], &diag), ERR_OK, "%s", diag.text);
        SHA256_Final(i == 0 ? first : second, &digest);
        X509_STORE_free(store);
    }
    cr_assert_neq(memcmp(first, second, sizeof first), 0);
}
