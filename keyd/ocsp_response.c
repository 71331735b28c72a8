#include "keyd/ocsp_response.h"

#include <stdbool.h>

#include <openssl/bytestring.h>
#include <openssl/sha.h>

#include "keyd/der.h"

enum { SUCCESSFUL = 0 }; /* OCSPResponseStatus */

/* Contents of object identifiers. */
static const uint8_t oid_basic[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01};
static const uint8_t oid_sha1[] = {0x2b, 0x0e, 0x03, 0x02, 0x1a};

static bool add_hash(CBB *out, const uint8_t *data, size_t len)
{
    uint8_t digest[SHA_DIGEST_LENGTH];
    SHA1(data, len, digest);
    return der_add_element(out, CBS_ASN1_OCTETSTRING, digest, sizeof(digest));
}

static bool add_name_hash(CBB *out, const char *common_name)
{
    uint8_t name[CERTIFICATE_COMMON_NAME + 32];
    size_t len;
    CBB cbb;
    CBB_init_fixed(&cbb, name, sizeof(name));
    if (der_add_name(&cbb, common_name) && CBB_finish(&cbb, NULL, &len)) return add_hash(out, name, len);
    CBB_cleanup(&cbb);
    return false;
}

/* CertID. With SHA-1, as in RFC 6960, 4.3: it is a name here, which nobody has to believe, and the one that all clients know. */
static bool add_id(CBB *out, const struct certificate_spec *spec)
{
    CBB id, algorithm;
    return CBB_add_asn1(out, &id, CBS_ASN1_SEQUENCE) && CBB_add_asn1(&id, &algorithm, CBS_ASN1_SEQUENCE) &&
           DER_ADD_OID(&algorithm, oid_sha1) && der_add_element(&algorithm, CBS_ASN1_NULL, NULL, 0) &&
           add_name_hash(&id, spec->issuer) && add_hash(&id, spec->issuer_point, CERTIFICATE_POINT) &&
           der_add_element(&id, CBS_ASN1_INTEGER, spec->serial, sizeof(spec->serial)) && CBB_flush(out);
}

/* SingleResponse: good. */
static bool add_single(CBB *out, const struct certificate_spec *spec)
{
    CBB single, next_update;
    return CBB_add_asn1(out, &single, CBS_ASN1_SEQUENCE) && add_id(&single, spec) &&
           der_add_element(&single, CBS_ASN1_CONTEXT_SPECIFIC | 0, NULL, 0) &&
           der_add_generalized_time(&single, spec->not_before) &&
           CBB_add_asn1(&single, &next_update, DER_EXPLICIT(0)) &&
           der_add_generalized_time(&next_update, spec->not_after) && CBB_flush(out);
}

/* ResponseData, by the CA's key. */
static bool add_data(CBB *out, const struct certificate_spec *spec)
{
    CBB data, responder, singles;
    return CBB_add_asn1(out, &data, CBS_ASN1_SEQUENCE) && CBB_add_asn1(&data, &responder, DER_EXPLICIT(2)) &&
           add_hash(&responder, spec->issuer_point, CERTIFICATE_POINT) &&
           der_add_generalized_time(&data, spec->not_before) && CBB_add_asn1(&data, &singles, CBS_ASN1_SEQUENCE) &&
           add_single(&singles, spec) && CBB_flush(out);
}

static bool add_certificates(CBB *basic, struct bytes ca)
{
    CBB wrapper, certificates;
    return CBB_add_asn1(basic, &wrapper, DER_EXPLICIT(0)) && CBB_add_asn1(&wrapper, &certificates, CBS_ASN1_SEQUENCE) &&
           CBB_add_bytes(&certificates, ca.data, ca.len) && CBB_flush(basic);
}

static bool add_response(CBB *out, struct bytes data, const EC_KEY *issuer, struct bytes ca)
{
    CBB response, status, wrapper, bytes, octets, basic;
    return CBB_add_asn1(out, &response, CBS_ASN1_SEQUENCE) && CBB_add_asn1(&response, &status, CBS_ASN1_ENUMERATED) &&
           CBB_add_u8(&status, SUCCESSFUL) && CBB_add_asn1(&response, &wrapper, DER_EXPLICIT(0)) &&
           CBB_add_asn1(&wrapper, &bytes, CBS_ASN1_SEQUENCE) && DER_ADD_OID(&bytes, oid_basic) &&
           CBB_add_asn1(&bytes, &octets, CBS_ASN1_OCTETSTRING) && CBB_add_asn1(&octets, &basic, CBS_ASN1_SEQUENCE) &&
           der_add_signed(&basic, data.data, data.len, issuer) && add_certificates(&basic, ca) && CBB_flush(out);
}

enum err ocsp_response_write(uint8_t out[LIMIT_OCSP_RESPONSE], size_t *out_len, const struct certificate_spec *spec,
                             const EC_KEY *issuer, struct bytes ca)
{
    uint8_t data[512];
    size_t len;
    CBB cbb;
    CBB_init_fixed(&cbb, data, sizeof(data));
    if (!add_data(&cbb, spec) || !CBB_finish(&cbb, NULL, &len)) {
        CBB_cleanup(&cbb);
        return ERR_CRYPTO;
    }
    CBB_init_fixed(&cbb, out, LIMIT_OCSP_RESPONSE);
    if (!add_response(&cbb, (struct bytes){data, len}, issuer, ca) || !CBB_finish(&cbb, NULL, out_len)) {
        CBB_cleanup(&cbb);
        return ERR_CRYPTO;
    }
    return ERR_OK;
}
