#include "keyd/certificate.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/bytestring.h>
#include <openssl/sha.h>

#include "keyd/der.h"

/* Contents of object identifiers. */
static const uint8_t oid_ec_public_key[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
static const uint8_t oid_prime256v1[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t oid_subject_key_id[] = {0x55, 0x1d, 0x0e};
static const uint8_t oid_key_usage[] = {0x55, 0x1d, 0x0f};
static const uint8_t oid_subject_alt_name[] = {0x55, 0x1d, 0x11};
static const uint8_t oid_basic_constraints[] = {0x55, 0x1d, 0x13};
static const uint8_t oid_authority_key_id[] = {0x55, 0x1d, 0x23};
static const uint8_t oid_ext_key_usage[] = {0x55, 0x1d, 0x25};
static const uint8_t oid_server_auth[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
static const uint8_t oid_client_auth[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};

enum criticality { EXTENSION_PLAIN, EXTENSION_CRITICAL };

/* What a profile fixes. The BIT STRING of keyUsage is its count of unused bits and one octet (RFC 5280, 4.2.1.3). */
struct profile {
    const uint8_t *basic_constraints;
    size_t basic_constraints_len;
    uint8_t key_usage[2];
    const uint8_t *ext_key_usage; /* NULL: none */
};

static const uint8_t constraints_ca[] = {0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00}; /* CA, pathLen 0 */
static const uint8_t constraints_leaf[] = {0x30, 0x00};                                   /* not a CA */

static const struct profile profiles[CERTIFICATE_NUM_PROFILES] = {
    /* digitalSignature (for ocsp_response.h), keyCertSign, cRLSign */
    [CERTIFICATE_CA] = {constraints_ca, sizeof(constraints_ca), {1, 0x86}, NULL},
    [CERTIFICATE_SERVER] = {constraints_leaf,
                            sizeof(constraints_leaf),
                            {7, 0x80},
                            oid_server_auth}, /* digitalSignature */
    [CERTIFICATE_CLIENT] = {constraints_leaf, sizeof(constraints_leaf), {7, 0x80}, oid_client_auth},
};

static bool add_validity(CBB *out, const struct certificate_spec *spec)
{
    CBB validity;
    return CBB_add_asn1(out, &validity, CBS_ASN1_SEQUENCE) && der_add_time(&validity, spec->not_before) &&
           der_add_time(&validity, spec->not_after) && CBB_flush(out);
}

/* RFC 5480, 2. */
static bool add_public_key(CBB *out, const uint8_t point[CERTIFICATE_POINT])
{
    CBB spki, algorithm;
    return CBB_add_asn1(out, &spki, CBS_ASN1_SEQUENCE) && CBB_add_asn1(&spki, &algorithm, CBS_ASN1_SEQUENCE) &&
           DER_ADD_OID(&algorithm, oid_ec_public_key) && DER_ADD_OID(&algorithm, oid_prime256v1) &&
           der_add_bit_string(&spki, point, CERTIFICATE_POINT) && CBB_flush(out);
}

/* begin_extension leaves out_value open for what the extension holds. */
static bool begin_extension(CBB *extensions, CBB *out_extension, CBB *out_value, const uint8_t *oid, size_t oid_len,
                            enum criticality criticality)
{
    return CBB_add_asn1(extensions, out_extension, CBS_ASN1_SEQUENCE) &&
           der_add_element(out_extension, CBS_ASN1_OBJECT, oid, oid_len) &&
           (criticality == EXTENSION_PLAIN || CBB_add_asn1_bool(out_extension, 1)) &&
           CBB_add_asn1(out_extension, out_value, CBS_ASN1_OCTETSTRING);
}

/* The leftmost 160 bits of the SHA-256 of the public key (RFC 7093, 2, method 1). */
static bool add_key_id(CBB *out, CBS_ASN1_TAG tag, const uint8_t point[CERTIFICATE_POINT])
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA256(point, CERTIFICATE_POINT, hash);
    return der_add_element(out, tag, hash, 20);
}

static bool add_constraints_and_usage(CBB *extensions, const struct profile *profile)
{
    CBB extension, value;
    if (!begin_extension(extensions, &extension, &value, oid_basic_constraints, sizeof(oid_basic_constraints),
                         EXTENSION_CRITICAL) ||
        !CBB_add_bytes(&value, profile->basic_constraints, profile->basic_constraints_len) || !CBB_flush(extensions))
        return false;
    if (!begin_extension(extensions, &extension, &value, oid_key_usage, sizeof(oid_key_usage), EXTENSION_CRITICAL) ||
        !der_add_element(&value, CBS_ASN1_BITSTRING, profile->key_usage, sizeof(profile->key_usage)) ||
        !CBB_flush(extensions))
        return false;
    if (profile->ext_key_usage == NULL) return true;

    CBB purposes;
    return begin_extension(extensions, &extension, &value, oid_ext_key_usage, sizeof(oid_ext_key_usage),
                           EXTENSION_PLAIN) &&
           CBB_add_asn1(&value, &purposes, CBS_ASN1_SEQUENCE) &&
           der_add_element(&purposes, CBS_ASN1_OBJECT, profile->ext_key_usage, sizeof(oid_server_auth)) &&
           CBB_flush(extensions);
}
_Static_assert(sizeof(oid_server_auth) == sizeof(oid_client_auth), "one length serves both");

static bool add_key_ids(CBB *extensions, const struct certificate_spec *spec)
{
    CBB extension, value, authority;
    return begin_extension(extensions, &extension, &value, oid_subject_key_id, sizeof(oid_subject_key_id),
                           EXTENSION_PLAIN) &&
           add_key_id(&value, CBS_ASN1_OCTETSTRING, spec->subject_point) && CBB_flush(extensions) &&
           begin_extension(extensions, &extension, &value, oid_authority_key_id, sizeof(oid_authority_key_id),
                           EXTENSION_PLAIN) &&
           CBB_add_asn1(&value, &authority, CBS_ASN1_SEQUENCE) &&
           add_key_id(&authority, CBS_ASN1_CONTEXT_SPECIFIC | 0, spec->issuer_point) && CBB_flush(extensions);
}

static bool add_alt_names(CBB *extensions, const struct certificate_spec *spec)
{
    if (spec->num_dns_names + spec->num_ip_addresses == 0) return true;
    CBB extension, value, names;
    if (!begin_extension(extensions, &extension, &value, oid_subject_alt_name, sizeof(oid_subject_alt_name),
                         EXTENSION_PLAIN) ||
        !CBB_add_asn1(&value, &names, CBS_ASN1_SEQUENCE))
        return false;
    for (size_t i = 0; i < spec->num_dns_names; i++) {
        const char *name = spec->dns_names[i];
        if (!der_add_element(&names, CBS_ASN1_CONTEXT_SPECIFIC | 2, (const uint8_t *)name, strlen(name))) return false;
    }
    for (size_t i = 0; i < spec->num_ip_addresses; i++) {
        const struct bytes *address = &spec->ip_addresses[i];
        if (!der_add_element(&names, CBS_ASN1_CONTEXT_SPECIFIC | 7, address->data, address->len)) return false;
    }
    return CBB_flush(extensions);
}

static bool add_extensions(CBB *out, const struct certificate_spec *spec)
{
    CBB wrapper, extensions;
    return CBB_add_asn1(out, &wrapper, DER_EXPLICIT(3)) && CBB_add_asn1(&wrapper, &extensions, CBS_ASN1_SEQUENCE) &&
           add_constraints_and_usage(&extensions, &profiles[spec->profile]) && add_key_ids(&extensions, spec) &&
           add_alt_names(&extensions, spec) && CBB_flush(out);
}

/* TBSCertificate (RFC 5280, 4.1). */
static bool add_tbs(CBB *out, const struct certificate_spec *spec)
{
    CBB tbs, version;
    return CBB_add_asn1(out, &tbs, CBS_ASN1_SEQUENCE) && CBB_add_asn1(&tbs, &version, DER_EXPLICIT(0)) &&
           CBB_add_asn1_uint64(&version, 2) && /* v3 */
           der_add_element(&tbs, CBS_ASN1_INTEGER, spec->serial, sizeof(spec->serial)) &&
           der_add_signature_algorithm(&tbs) && der_add_name(&tbs, spec->issuer) && add_validity(&tbs, spec) &&
           der_add_name(&tbs, spec->subject) && add_public_key(&tbs, spec->subject_point) &&
           add_extensions(&tbs, spec) && CBB_flush(out);
}

enum err certificate_write(uint8_t out[LIMIT_CERTIFICATE], size_t *out_len, const struct certificate_spec *spec,
                           const EC_KEY *issuer)
{
    uint8_t tbs[LIMIT_CERTIFICATE];
    size_t tbs_len;
    CBB cbb, certificate;
    CBB_init_fixed(&cbb, tbs, sizeof(tbs));
    if (!add_tbs(&cbb, spec) || !CBB_finish(&cbb, NULL, &tbs_len)) {
        CBB_cleanup(&cbb);
        return ERR_CRYPTO;
    }
    CBB_init_fixed(&cbb, out, LIMIT_CERTIFICATE);
    if (!CBB_add_asn1(&cbb, &certificate, CBS_ASN1_SEQUENCE) || !der_add_signed(&certificate, tbs, tbs_len, issuer) ||
        !CBB_finish(&cbb, NULL, out_len)) {
        CBB_cleanup(&cbb);
        return ERR_CRYPTO;
    }
    return ERR_OK;
}
