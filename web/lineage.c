#include "web/lineage.h"

#include <openssl/asn1.h>
#include <openssl/digest.h>
#include <openssl/mem.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

static void auto_octets(uint8_t **octets)
{
    OPENSSL_free(*octets);
}

bool lineage_issuer_of(struct lineage_issuer *out, const X509 *ca)
{
    const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(ca);
    AUTO(auto_octets) uint8_t *name = NULL;
    const int name_len = i2d_X509_NAME(X509_get_subject_name(ca), &name);
    if (key == NULL || name_len <= 0) return false;
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, name, (size_t)name_len); /* its length is in it */
    SHA256_Update(&sha, ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key));
    SHA256_Final(out->digest, &sha);
    return true;
}

/* An ASN1_INTEGER's data is the number without its sign and leading zeros. */
static bool take_serial(struct lineage_link *out, const X509 *certificate)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    const int len = ASN1_STRING_length(serial);
    const uint8_t *data = ASN1_STRING_get0_data(serial);
    if (ASN1_STRING_type(serial) != V_ASN1_INTEGER || len < 0) return false;
    size_t left = (size_t)len;
    while (left > 0 && data[0] == 0) left--, data++;
    if (left > sizeof out->serial) return false;
    if (left > 0) memcpy(out->serial, data, left);
    out->serial_len = (uint8_t)left;
    return true;
}

struct lineage *lineage_new(const STACK_OF(X509) * chain)
{
    const size_t num_links = sk_X509_num(chain) - 1;
    const X509 *anchor = sk_X509_value(chain, num_links);
    struct lineage *lineage = calloc(1, sizeof *lineage + num_links * sizeof lineage->links[0]);
    if (lineage == NULL) return NULL;
    lineage->references = 1;
    lineage->num_links = num_links;
    bool whole = X509_digest(anchor, EVP_sha256(), lineage->anchor, NULL);
    for (size_t i = 0; i < num_links && whole; i++) {
        whole = take_serial(&lineage->links[i], sk_X509_value(chain, i)) &&
                lineage_issuer_of(&lineage->links[i].issuer, sk_X509_value(chain, i + 1));
    }
    if (whole) return lineage;
    free(lineage);
    return NULL;
}

struct lineage *lineage_keep(struct lineage *lineage)
{
    if (lineage != NULL) lineage->references++;
    return lineage;
}

void lineage_free(struct lineage *lineage)
{
    if (lineage == NULL || --lineage->references > 0) return;
    free(lineage);
}
