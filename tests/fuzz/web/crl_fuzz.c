/* Revocation lists. What is taken of one is what BoringSSL's own reader finds in it; a file of any bytes is of no CA's. */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "tests/unit/web/pki.h"
#include "web/crl.h"
#include "web/crls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct crl_entry *entry, const X509_REVOKED *wanted)
{
    const ASN1_INTEGER *serial = X509_REVOKED_get0_serialNumber(wanted);
    const uint8_t *number = ASN1_STRING_get0_data(serial);
    size_t len = (size_t)ASN1_STRING_length(serial);
    int64_t at;
    while (len > 0 && number[0] == 0) len--, number++;
    CHECK(ASN1_STRING_type(serial) == V_ASN1_INTEGER && entry->serial_len == len);
    CHECK(len == 0 || memcmp(entry->serial, number, len) == 0);
    CHECK(ASN1_TIME_to_posix(X509_REVOKED_get0_revocationDate(wanted), &at));
    CHECK(entry->revoked_at == (at < 0 ? 0 : (uint64_t)at));
}

static void check_list(const struct crl *crl, struct bytes der)
{
    const uint8_t *at = der.data;
    X509_CRL *wanted = d2i_X509_CRL(NULL, &at, (long)der.len);
    const STACK_OF(X509_REVOKED) *revoked = wanted != NULL ? X509_CRL_get_REVOKED(wanted) : NULL;
    struct bytes rest = crl->entries;
    struct crl_entry entry;
    size_t num = 0;
    for (; crl_next(&entry, &rest); num++) {
        CHECK(entry.serial_len <= LIMIT_SERIAL);
        if (wanted != NULL) check_entry(&entry, sk_X509_REVOKED_value(revoked, num));
    }
    CHECK(rest.len == 0 && num == crl->num_entries && crl->this_update < crl->next_update);
    CHECK(wanted == NULL || num == sk_X509_REVOKED_num(revoked));
    X509_CRL_free(wanted);
    ERR_clear_error();
}

static void check_file(struct bytes file)
{
    static struct pki_cert ca;
    static X509_STORE *store;
    SHA256_CTX digest;
    struct diag diag;
    struct crls *crls;
    if (store == NULL) {
        ca = pki_ca("CA");
        store = X509_STORE_new();
        CHECK(store != NULL && X509_STORE_add_cert(store, ca.x509));
    }
    const struct crls_authorities authorities = {store, NULL, 0};
    SHA256_Init(&digest);
    CHECK(crls_new(&crls, &digest, &authorities, file, &diag) == ERR_INPUT && crls == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes der = {data, size};
    struct diag diag;
    struct crl crl;
    if (crl_parse(&crl, der, &diag) == ERR_OK) check_list(&crl, der);
    check_file(der);
    return 0;
}
