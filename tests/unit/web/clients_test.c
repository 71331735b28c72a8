/* Verdicts on clients' chains, and what is remembered of them. */
#include "web/clients.h"

#include <criterion/criterion.h>
#include <openssl/asn1.h>
#include <openssl/nid.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/web/pki.h"
#include "tests/unit/web/terms.h"
#include "web/verified_chains.h"

static struct pki_cert ca, other_ca, client;
static struct clients *clients;
static struct certificate_text text;
static struct lineage *lineage;
static char reason[CLIENTS_REASON];
static uint64_t now;

static struct clients *clients_of(const struct pki_cert *authority)
{
    struct diag diag;
    struct clients *made;
    const struct web_identity identity = {.client_cas = {authority->der}, .num_client_cas = 1};
    const struct clients_terms terms = terms_of(&identity, -1);
    cr_assert_eq(clients_new(&made, &terms, &diag), ERR_OK, "%s", diag.text);
    return made;
}

static void setup(void)
{
    ca = pki_ca("CA");
    other_ca = pki_ca("another CA");
    client = pki_client(&ca);
    clients = clients_of(&ca);
    now = (uint64_t)time(NULL);
}

static void teardown(void)
{
    lineage_free(lineage);
    clients_free(clients);
    pki_free(&client);
    pki_free(&other_ca);
    pki_free(&ca);
}

TestSuite(clients, .init = setup, .fini = teardown);

static STACK_OF(CRYPTO_BUFFER) * chain_of(const struct pki_cert *const *certs, size_t num)
{
    STACK_OF(CRYPTO_BUFFER) *chain = sk_CRYPTO_BUFFER_new_null();
    for (size_t i = 0; i < num; i++)
        cr_assert(sk_CRYPTO_BUFFER_push(chain, CRYPTO_BUFFER_new(certs[i]->der.data, certs[i]->der.len, NULL)));
    return chain;
}

static int ask_all(struct clients *of, const struct pki_cert *const *certs, size_t num, const struct revoked *revoked,
                   uint64_t at)
{
    STACK_OF(CRYPTO_BUFFER) *chain = chain_of(certs, num);
    memset(&text, 0, sizeof text);
    reason[0] = '\0';
    const int error = clients_verify(&text, &lineage, reason, of, chain, revoked, at);
    sk_CRYPTO_BUFFER_pop_free(chain, CRYPTO_BUFFER_free);
    return error;
}

static int ask(const struct pki_cert *cert, const struct revoked *revoked, uint64_t at)
{
    return ask_all(clients, &cert, 1, revoked, at);
}

Test(clients, verifies_a_chain_once)
{
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(ask(&client, NULL, now), X509_V_OK, "%s", reason);
        cr_assert_str_eq(text.subject, "CN=client");
        cr_assert_str_eq(text.issuer, "CN=CA");
        cr_assert_eq(clients_num_verified(clients), 1);
    }
}

static uint64_t end_of(const struct pki_cert *cert)
{
    int64_t seconds;
    cr_assert(ASN1_TIME_to_posix(X509_get0_notAfter(cert->x509), &seconds));
    return (uint64_t)seconds;
}

Test(clients, a_known_chain_expires_to_the_second)
{
    const uint64_t end = end_of(&client);
    cr_assert_eq(ask(&client, NULL, now), X509_V_OK, "%s", reason);
    cr_assert_eq(ask(&client, NULL, end - 1), X509_V_OK, "%s", reason);
    cr_assert_eq(clients_num_verified(clients), 1);
    cr_assert_eq(ask(&client, NULL, end), X509_V_ERR_CERT_HAS_EXPIRED);
    cr_assert(strstr(reason, "certificate expired on ") != NULL, "%s", reason);
    cr_assert_str_eq(text.subject, "CN=client", "whose it was");
}

Test(clients, a_clock_that_goes_back_ends_it_too)
{
    cr_assert_eq(ask(&client, NULL, now), X509_V_OK, "%s", reason);
    cr_assert_eq(ask(&client, NULL, now - 60), X509_V_OK, "%s", reason); /* pki's leaves begin a minute ago */
    cr_assert_eq(ask(&client, NULL, now - 120), X509_V_ERR_CERT_NOT_YET_VALID);
}

Test(clients, the_chain_ends_with_its_first_certificate)
{
    struct pki_cert middle =
        pki_make(&(struct pki_request){.name = "middle", .issuer = &ca, .is_ca = true, .not_after_s = 100});
    struct pki_cert leaf = pki_client(&middle);
    const struct pki_cert *const sent[] = {&leaf, &middle};
    cr_assert_eq(ask_all(clients, sent, 2, NULL, now), X509_V_OK, "%s", reason);
    cr_assert_eq(ask_all(clients, sent, 2, NULL, end_of(&middle) - 1), X509_V_OK, "%s", reason);
    cr_assert_eq(clients_num_verified(clients), 1);
    cr_assert_eq(ask_all(clients, sent, 2, NULL, end_of(&middle)), X509_V_ERR_CERT_HAS_EXPIRED);
    pki_free(&leaf);
    pki_free(&middle);
}

Test(clients, a_revoked_serial_number_is_refused_however_known_it_is)
{
    static struct revoked revoked;
    const ASN1_INTEGER *serial = X509_get0_serialNumber(client.x509);
    cr_assert_eq(ask(&client, &revoked, now), X509_V_OK, "%s", reason);
    cr_assert_eq(
        revoked_add(&revoked, (struct bytes){ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)}),
        ERR_OK);
    cr_assert_eq(ask(&client, &revoked, now), X509_V_ERR_CERT_REVOKED);
    cr_assert(strstr(reason, "client certificate revoked serial=") != NULL, "%s", reason);
    cr_assert_eq(clients_num_verified(clients), 1, "it was known");
}

Test(clients, other_cas_know_nothing_of_it)
{
    const struct pki_cert *const sent = &client;
    cr_assert_eq(ask(&client, NULL, now), X509_V_OK, "%s", reason);
    struct clients *others = clients_of(&other_ca);
    cr_assert_eq(ask_all(others, &sent, 1, NULL, now), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "%s", reason);
    clients_free(others);
}

Test(clients, another_chain_with_the_same_leaf_is_verified)
{
    struct pki_cert stranger = pki_client(&other_ca);
    const struct pki_cert *const longer[] = {&client, &ca}, *const behind[] = {&stranger, &client};
    cr_assert_eq(ask(&client, NULL, now), X509_V_OK, "%s", reason);
    cr_assert_eq(ask_all(clients, longer, 2, NULL, now), X509_V_OK, "%s", reason);
    cr_assert_eq(clients_num_verified(clients), 2);
    cr_assert_neq(ask_all(clients, behind, 2, NULL, now), X509_V_OK, "the leaf comes first");
    cr_assert_eq(clients_num_verified(clients), 3);
    pki_free(&stranger);
}

Test(clients, what_was_refused_is_not_remembered)
{
    struct pki_cert stranger = pki_client(&other_ca),
                    weak = pki_make(&(struct pki_request){.name = "weak", .issuer = &ca, .rsa_bits = 1024}),
                    server = pki_make(&(struct pki_request){.name = "s", .issuer = &ca, .eku = NID_server_auth});
    for (uint64_t i = 0; i < 2; i++) {
        cr_assert_eq(ask(&stranger, NULL, now), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        cr_assert_eq(ask(&weak, NULL, now), X509_V_ERR_CERT_REJECTED);
        cr_assert_eq(ask(&server, NULL, now), X509_V_ERR_INVALID_PURPOSE);
        cr_assert_eq(clients_num_verified(clients), 3 * (i + 1));
    }
    pki_free(&stranger);
    pki_free(&weak);
    pki_free(&server);
}

Test(clients, refuses_what_is_no_chain)
{
    const struct pki_cert *many[LIMIT_CLIENT_CHAIN + 1];
    for (size_t i = 0; i < LIMIT_CLIENT_CHAIN + 1; i++) many[i] = i == 0 ? &client : &ca;
    cr_assert_neq(ask_all(clients, many, 0, NULL, now), X509_V_OK);
    cr_assert_eq(ask_all(clients, many, LIMIT_CLIENT_CHAIN, NULL, now), X509_V_OK, "%s", reason);
    cr_assert_eq(ask_all(clients, many, LIMIT_CLIENT_CHAIN + 1, NULL, now), X509_V_ERR_CERT_CHAIN_TOO_LONG);
    struct pki_cert cut = {.der = {client.der.data, client.der.len - 1}};
    cr_assert_neq(ask(&cut, NULL, now), X509_V_OK);
    cr_assert(strstr(reason, "does not parse") != NULL, "%s", reason);
}

Test(clients, knows_keyds_own)
{
    struct certificate_text mine = {.fingerprint = "ab"};
    const struct web_identity identity = {.client_cas = {ca.der}, .num_client_cas = 1, .own_client = "ab"};
    const struct clients_terms terms = terms_of(&identity, -1);
    struct diag diag;
    struct clients *made;
    cr_assert_eq(clients_new(&made, &terms, &diag), ERR_OK);
    cr_assert(clients_is_own(made, &mine));
    cr_assert_not(clients_is_own(clients, &mine));
    clients_free(made);
}

static struct verified_chain chain_number(unsigned number)
{
    struct verified_chain chain = {.from = 10, .until = 20};
    memcpy(chain.digest + 1, &number, sizeof number); /* the first byte is that of all others: one set */
    return chain;
}

static const struct verified_chain *find(struct verified_chains *chains, unsigned number)
{
    const struct verified_chain wanted = chain_number(number);
    return verified_chains_find(chains, wanted.digest, 15);
}

Test(verified_chains, forgets_what_was_not_used_for_the_longest_time)
{
    struct verified_chains *chains = verified_chains_new();
    for (unsigned i = 0; i < 8; i++) {
        const struct verified_chain chain = chain_number(i);
        verified_chains_add(chains, &chain);
        verified_chains_add(chains, &chain); /* takes no second place */
    }
    for (unsigned i = 0; i < 8; i++) cr_assert_not_null(find(chains, i), "%u", i);
    cr_assert_not_null(find(chains, 0));
    const struct verified_chain ninth = chain_number(8);
    verified_chains_add(chains, &ninth);
    cr_assert_null(find(chains, 1));
    cr_assert_not_null(find(chains, 0));
    cr_assert_not_null(find(chains, 8));
    verified_chains_free(chains);
}

Test(verified_chains, keeps_so_many_and_no_more)
{
    struct verified_chains *chains = verified_chains_new();
    for (unsigned i = 0; i < 2 * LIMIT_VERIFIED_CHAINS; i++) {
        struct verified_chain chain = chain_number(i);
        chain.digest[0] = (uint8_t)i;
        verified_chains_add(chains, &chain);
    }
    unsigned kept = 0;
    for (unsigned i = 0; i < 2 * LIMIT_VERIFIED_CHAINS; i++) {
        struct verified_chain wanted = chain_number(i);
        wanted.digest[0] = (uint8_t)i;
        const bool found = verified_chains_find(chains, wanted.digest, 15) != NULL;
        cr_assert_eq(found, i >= LIMIT_VERIFIED_CHAINS, "%u", i);
        kept += found;
    }
    cr_assert_eq(kept, LIMIT_VERIFIED_CHAINS);
    verified_chains_free(chains);
}

Test(verified_chains, a_digest_stands_for_every_byte_and_boundary)
{
    uint8_t whole[SHA256_DIGEST_LENGTH], moved[SHA256_DIGEST_LENGTH];
    const uint8_t bytes[] = "abcd";
    for (size_t cut = 1; cut <= 2; cut++) {
        STACK_OF(CRYPTO_BUFFER) *chain = sk_CRYPTO_BUFFER_new_null();
        cr_assert(sk_CRYPTO_BUFFER_push(chain, CRYPTO_BUFFER_new(bytes, cut, NULL)));
        cr_assert(sk_CRYPTO_BUFFER_push(chain, CRYPTO_BUFFER_new(bytes + cut, 4 - cut, NULL)));
        verified_chains_digest(cut == 1 ? whole : moved, chain);
        sk_CRYPTO_BUFFER_pop_free(chain, CRYPTO_BUFFER_free);
    }
    cr_assert_neq(memcmp(whole, moved, sizeof whole), 0);
}

/* ---- Revocation lists ------------------------------------------------------------------------------------------- */

static int file_of(struct bytes bytes)
{
    int fd = memfd_create("crl", MFD_CLOEXEC);
    cr_assert(fd >= 0);
    cr_assert_eq(pwrite(fd, bytes.data, bytes.len, 0), (ssize_t)bytes.len);
    return fd;
}

/* The clients of ca from here on, with this list. */
static enum err use_crl(struct bytes crl, struct diag *diag)
{
    struct clients *made;
    const int fd = file_of(crl);
    const struct clients_terms terms = {
        .cas = &ca.der, .num_cas = 1, .client_ca_fd = -1, .crl_rule = CRL_RULE_ALL_CAS, .crl_fd = fd};
    enum err err = clients_new(&made, &terms, diag);
    close(fd);
    if (err != ERR_OK) return err;
    clients_free(clients);
    clients = made;
    return ERR_OK;
}

static void crl_of(const struct pki_crl_request *request)
{
    struct diag diag = {{0}};
    cr_assert_eq(use_crl(pki_crl(request), &diag), ERR_OK, "%s", diag.text);
}

Test(clients, whom_a_list_names_is_refused)
{
    crl_of(&(struct pki_crl_request){.issuer = &ca, .revoked = {&client}, .reason = 4});
    struct pki_cert other = pki_client(&ca);
    cr_assert_eq(ask(&other, NULL, now), X509_V_OK, "%s", reason);
    cr_assert_eq(ask(&client, NULL, now), X509_V_ERR_CERT_REVOKED);
    cr_assert(strstr(reason, "certificate revoked on 2026-01-01T00:00:00.000Z by the CRL of CN=CA (superseded; subject "
                             "CN=client, serial ") != NULL,
              "%s", reason);
    cr_assert_str_eq(text.subject, "CN=client", "whose it was");
    pki_free(&other);
}

Test(clients, a_revoked_ca_in_the_chain_is_refused)
{
    struct pki_cert middle = pki_make(&(struct pki_request){.name = "middle", .issuer = &ca, .is_ca = true});
    struct pki_cert leaf = pki_client(&middle);
    const struct pki_cert *const sent[] = {&leaf, &middle};
    const struct bytes of_both[] = {pki_crl(&(struct pki_crl_request){.issuer = &ca, .revoked = {&middle}}),
                                    pki_crl(&(struct pki_crl_request){.issuer = &middle})};
    crl_of(&(struct pki_crl_request){.issuer = &ca});
    cr_assert_eq(ask_all(clients, sent, 2, NULL, now), X509_V_ERR_UNABLE_TO_GET_CRL);
    cr_assert(strstr(reason, "there is no CRL of CN=middle, which signed it") != NULL, "%s", reason);
    uint8_t file[4096];
    memcpy(file, of_both[0].data, of_both[0].len);
    memcpy(file + of_both[0].len, of_both[1].data, of_both[1].len);
    const int fd = file_of((struct bytes){file, of_both[0].len + of_both[1].len});
    const struct bytes cas[] = {ca.der, middle.der};
    const struct clients_terms terms = {
        .cas = cas, .num_cas = 2, .client_ca_fd = -1, .crl_rule = CRL_RULE_ALL_CAS, .crl_fd = fd};
    struct diag diag = {{0}};
    clients_free(clients);
    cr_assert_eq(clients_new(&clients, &terms, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(ask_all(clients, sent, 2, NULL, now), X509_V_ERR_CERT_REVOKED);
    cr_assert(strstr(reason, "subject CN=middle") != NULL, "%s", reason);
    close(fd);
    pki_free(&leaf);
    pki_free(&middle);
}

Test(clients, a_known_chain_is_good_no_longer_than_its_list)
{
    crl_of(&(struct pki_crl_request){.issuer = &ca, .next_update_s = 600});
    cr_assert_eq(ask(&client, NULL, now), X509_V_OK, "%s", reason);
    cr_assert_eq(ask(&client, NULL, now + 500), X509_V_OK, "%s", reason);
    cr_assert_eq(clients_num_verified(clients), 1, "it was known");
    cr_assert_eq(ask(&client, NULL, now + 700), X509_V_ERR_CRL_HAS_EXPIRED, "its certificate is good for an hour");
    cr_assert(strstr(reason, "the CRL of CN=CA was good until ") != NULL, "%s", reason);
    crl_of(&(struct pki_crl_request){.issuer = &ca, .this_update_s = 300});
    cr_assert_eq(ask(&client, NULL, now), X509_V_ERR_CRL_NOT_YET_VALID);
    cr_assert(strstr(reason, "the CRL of CN=CA is not good before ") != NULL, "%s", reason);
}

Test(clients, other_lists_know_nothing_of_it)
{
    uint8_t without[SHA256_DIGEST_LENGTH], first[SHA256_DIGEST_LENGTH], second[SHA256_DIGEST_LENGTH];
    clients_digest(without, clients);
    crl_of(&(struct pki_crl_request){.issuer = &ca});
    clients_digest(first, clients);
    cr_assert_eq(ask(&client, NULL, now), X509_V_OK, "%s", reason);
    cr_assert(clients_trust(clients, lineage));
    crl_of(&(struct pki_crl_request){.issuer = &ca, .revoked = {&client}});
    clients_digest(second, clients);
    cr_assert_not(clients_trust(clients, lineage), "its connections end");
    cr_assert_eq(ask(&client, NULL, now), X509_V_ERR_CERT_REVOKED);
    cr_assert_neq(memcmp(without, first, sizeof first), 0, "its sessions are not resumed");
    cr_assert_neq(memcmp(first, second, sizeof first), 0);
}

Test(clients, a_list_out_of_date_ends_no_connection)
{
    cr_assert_eq(ask(&client, NULL, now), X509_V_OK, "%s", reason);
    crl_of(&(struct pki_crl_request){.issuer = &ca, .this_update_s = -7200, .next_update_s = -3600});
    cr_assert(clients_trust(clients, lineage));
    cr_assert_eq(ask(&client, NULL, now), X509_V_ERR_CRL_HAS_EXPIRED);
    crl_of(
        &(struct pki_crl_request){.issuer = &ca, .revoked = {&client}, .this_update_s = -7200, .next_update_s = -3600});
    cr_assert_not(clients_trust(clients, lineage), "unless it names its client");
}

Test(clients, who_is_exempt_needs_no_list)
{
    char pem[4096];
    const int ca_fd = file_of((struct bytes){(const uint8_t *)pem, pki_pem(pem, sizeof pem, &other_ca)}),
              crl_fd = file_of(pki_crl(&(struct pki_crl_request){.issuer = &other_ca}));
    struct clients_terms terms = {
        .cas = &ca.der, .num_cas = 1, .client_ca_fd = ca_fd, .crl_rule = CRL_RULE_ALL_CAS, .crl_fd = crl_fd};
    struct diag diag = {{0}};
    struct clients *made;
    cr_assert_eq(clients_new(&made, &terms, &diag), ERR_INPUT);
    cr_assert(strstr(diag.text, "it has no list of the client CA 'CN=CA'") != NULL, "%s", diag.text);
    terms.crl_rule = CRL_RULE_FILE_CAS;
    cr_assert_eq(clients_new(&made, &terms, &diag), ERR_OK, "%s", diag.text);
    clients_free(clients);
    clients = made;
    cr_assert_eq(ask(&client, NULL, now), X509_V_OK, "%s", reason);
    close(ca_fd);
    close(crl_fd);
}

Test(clients, a_file_of_lists_has_an_end)
{
    struct diag diag = {{0}};
    uint8_t *file = calloc(1, LIMIT_CRL_FILE + 1);
    cr_assert_eq(use_crl((struct bytes){file, LIMIT_CRL_FILE}, &diag), ERR_INPUT);
    cr_assert(strstr(diag.text, "neither PEM nor DER") != NULL, "%s", diag.text);
    cr_assert_eq(use_crl((struct bytes){file, LIMIT_CRL_FILE + 1}, &diag), ERR_INPUT);
    cr_assert(strstr(diag.text, "CRL file: longer than 4194304 bytes") != NULL, "%s", diag.text);
    memcpy(file, "-----BEGIN PRIVATE KEY-----", 27);
    cr_assert_eq(use_crl((struct bytes){file, LIMIT_CRL_FILE}, &diag), ERR_INPUT);
    cr_assert(strstr(diag.text, "holds a private key") != NULL, "%s", diag.text);
    free(file);
}
