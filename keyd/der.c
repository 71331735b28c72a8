#include "keyd/der.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/ecdsa.h>
#include <openssl/sha.h>
#if __has_include(<openssl/posix_time.h>)
#include <openssl/posix_time.h>
#else
#include <openssl/time.h> /* its name until 2023 */
#endif

/* Contents of object identifiers. */
static const uint8_t oid_ecdsa_with_sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t oid_common_name[] = {0x55, 0x04, 0x03};

bool der_add_element(CBB *out, CBS_ASN1_TAG tag, const uint8_t *data, size_t len)
{
    CBB contents;
    return CBB_add_asn1(out, &contents, tag) && CBB_add_bytes(&contents, data, len) && CBB_flush(out);
}

bool der_add_bit_string(CBB *out, const uint8_t *data, size_t len)
{
    CBB contents;
    return CBB_add_asn1(out, &contents, CBS_ASN1_BITSTRING) && CBB_add_u8(&contents, 0) &&
           CBB_add_bytes(&contents, data, len) && CBB_flush(out);
}

bool der_add_name(CBB *out, const char *common_name)
{
    CBB name, relative, attribute;
    return CBB_add_asn1(out, &name, CBS_ASN1_SEQUENCE) && CBB_add_asn1(&name, &relative, CBS_ASN1_SET) &&
           CBB_add_asn1(&relative, &attribute, CBS_ASN1_SEQUENCE) && DER_ADD_OID(&attribute, oid_common_name) &&
           der_add_element(&attribute, CBS_ASN1_UTF8STRING, (const uint8_t *)common_name, strlen(common_name)) &&
           CBB_flush(out);
}

enum form { FORM_UTC, FORM_GENERALIZED };

static bool add_time(CBB *out, enum form form, const struct tm *tm)
{
    char text[32];
    const bool is_utc = form == FORM_UTC;
    const int year = is_utc ? tm->tm_year % 100 : tm->tm_year + 1900;
    const int len = snprintf(text, sizeof(text), is_utc ? "%02d%02d%02d%02d%02d%02dZ" : "%04d%02d%02d%02d%02d%02dZ",
                             year, tm->tm_mon + 1, tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec);
    return len > 0 && der_add_element(out, is_utc ? CBS_ASN1_UTCTIME : CBS_ASN1_GENERALIZEDTIME, (const uint8_t *)text,
                                      (size_t)len);
}

/* RFC 5280, 4.1.2.5. */
bool der_add_time(CBB *out, uint64_t when)
{
    struct tm tm;
    if (when > INT64_MAX || !OPENSSL_posix_to_tm((int64_t)when, &tm)) return false;
    return add_time(out, tm.tm_year < 150 ? FORM_UTC : FORM_GENERALIZED, &tm);
}

bool der_add_generalized_time(CBB *out, uint64_t when)
{
    struct tm tm;
    return when <= INT64_MAX && OPENSSL_posix_to_tm((int64_t)when, &tm) && add_time(out, FORM_GENERALIZED, &tm);
}

bool der_add_signature_algorithm(CBB *out)
{
    CBB algorithm;
    return CBB_add_asn1(out, &algorithm, CBS_ASN1_SEQUENCE) && DER_ADD_OID(&algorithm, oid_ecdsa_with_sha256) &&
           CBB_flush(out);
}

bool der_add_signed(CBB *out, const uint8_t *data, size_t len, const EC_KEY *issuer)
{
    uint8_t digest[SHA256_DIGEST_LENGTH], signature[80];
    unsigned signature_len = 0;
    SHA256(data, len, digest);
    if (ECDSA_size(issuer) > sizeof(signature) ||
        !ECDSA_sign(0, digest, sizeof(digest), signature, &signature_len, issuer))
        return false;
    return CBB_add_bytes(out, data, len) && der_add_signature_algorithm(out) &&
           der_add_bit_string(out, signature, signature_len) && CBB_flush(out);
}
