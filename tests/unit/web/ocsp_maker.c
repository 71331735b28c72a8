#include "tests/unit/web/ocsp_maker.h"

#include <openssl/bytestring.h>
#include <openssl/digest.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "tests/unit/keep.h"

#define TAG(n) (CBS_ASN1_CONTEXT_SPECIFIC | (n))
#define TAG_EXPLICIT(n) (CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | (n))

static void begin(CBB *out, CBB *child, CBS_ASN1_TAG tag)
{
    CHECK(CBB_add_asn1(out, child, tag));
}

static void add(CBB *out, CBS_ASN1_TAG tag, const void *data, size_t len)
{
    CBB child;
    begin(out, &child, tag);
    CHECK(CBB_add_bytes(&child, data, len) && CBB_flush(out));
}

static void add_time(CBB *out, long from_now)
{
    char text[32];
    const time_t when = time(NULL) + from_now;
    struct tm tm;
    CHECK(gmtime_r(&when, &tm) != NULL && strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &tm) > 0);
    add(out, CBS_ASN1_GENERALIZEDTIME, text, strlen(text));
}

static void add_hash(CBB *out, const EVP_MD *md, const uint8_t *data, size_t len)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_len;
    CHECK(EVP_Digest(data, len, digest, &digest_len, md, NULL));
    add(out, CBS_ASN1_OCTETSTRING, digest, digest_len);
}

static void add_key_hash(CBB *out, const EVP_MD *md, const X509 *certificate)
{
    const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(certificate);
    add_hash(out, md, ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key));
}

static struct bytes subject_of(const X509 *certificate)
{
    uint8_t *name = NULL;
    const int len = i2d_X509_NAME(X509_get_subject_name(certificate), &name);
    CHECK(len > 0);
    return (struct bytes){keep(name), (size_t)len};
}

static void add_id(CBB *out, const struct ocsp_request *request)
{
    CBB id, algorithm;
    const EVP_MD *md = request->sha256 ? EVP_sha256() : EVP_sha1();
    const struct bytes name = subject_of(request->issuer->x509);
    uint8_t *serial = NULL;
    const int serial_len = i2d_ASN1_INTEGER(X509_get_serialNumber(request->leaf->x509), &serial);
    begin(out, &id, CBS_ASN1_SEQUENCE);
    begin(&id, &algorithm, CBS_ASN1_SEQUENCE);
    CHECK(OBJ_nid2cbb(&algorithm, EVP_MD_type(md)));
    if (!request->sha256) add(&algorithm, CBS_ASN1_NULL, "", 0); /* both ways are usual */
    add_hash(&id, md, name.data, name.len);
    add_key_hash(&id, md, request->issuer->x509);
    CHECK(serial_len > 0 && CBB_add_bytes(&id, keep(serial), (size_t)serial_len) && CBB_flush(out));
}

static void add_status(CBB *out, const struct ocsp_request *request)
{
    CBB revoked;
    if (request->status != MAKE_REVOKED) {
        add(out, request->status == MAKE_GOOD ? TAG(0) : TAG(2), "", 0);
        return;
    }
    begin(out, &revoked, TAG_EXPLICIT(1));
    add_time(&revoked, -86400);
    CHECK(CBB_flush(out));
}

static void add_extensions(CBB *out)
{
    CBB wrapper, extensions, extension;
    begin(out, &wrapper, TAG_EXPLICIT(1));
    begin(&wrapper, &extensions, CBS_ASN1_SEQUENCE);
    begin(&extensions, &extension, CBS_ASN1_SEQUENCE);
    CHECK(OBJ_nid2cbb(&extension, NID_subject_alt_name) && CBB_add_asn1_bool(&extension, 1));
    add(&extension, CBS_ASN1_OCTETSTRING, "\x05", 2);
    CHECK(CBB_flush(out));
}

static void add_single(CBB *out, const struct ocsp_request *request)
{
    CBB single, wrapper;
    begin(out, &single, CBS_ASN1_SEQUENCE);
    add_id(&single, request);
    add_status(&single, request);
    add_time(&single, request->this_update_s != 0 ? request->this_update_s : -60);
    if (!request->no_next_update) {
        begin(&single, &wrapper, TAG_EXPLICIT(0));
        add_time(&wrapper, request->next_update_s != 0 ? request->next_update_s : 3600);
    }
    if (request->critical) add_extensions(&single);
    CHECK(CBB_flush(out));
}

static void add_data(CBB *out, const struct ocsp_request *request, const struct pki_cert *signer)
{
    CBB data, responder, singles;
    const struct bytes name = subject_of(signer->x509);
    begin(out, &data, CBS_ASN1_SEQUENCE);
    begin(&data, &responder, request->by_key ? TAG_EXPLICIT(2) : TAG_EXPLICIT(1));
    if (request->by_key)
        add_key_hash(&responder, EVP_sha1(), signer->x509);
    else
        CHECK(CBB_add_bytes(&responder, name.data, name.len));
    add_time(&data, -60);
    begin(&data, &singles, CBS_ASN1_SEQUENCE);
    for (int i = 0; i < (request->twice ? 2 : 1); i++) add_single(&singles, request);
    CHECK(CBB_flush(out));
}

/* ECDSA with SHA-256. */
static void add_signature(CBB *out, const uint8_t *data, size_t len, EVP_PKEY *key)
{
    uint8_t signature[128];
    size_t signature_len = sizeof signature;
    CBB algorithm, bits;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(context != NULL && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) &&
          EVP_DigestSign(context, signature, &signature_len, data, len));
    EVP_MD_CTX_free(context);
    begin(out, &algorithm, CBS_ASN1_SEQUENCE);
    CHECK(OBJ_nid2cbb(&algorithm, NID_ecdsa_with_SHA256));
    begin(out, &bits, CBS_ASN1_BITSTRING);
    CHECK(CBB_add_u8(&bits, 0) && CBB_add_bytes(&bits, signature, signature_len) && CBB_flush(out));
}

struct bytes ocsp_make(const struct ocsp_request *request)
{
    const struct pki_cert *signer = request->signer != NULL ? request->signer : request->issuer;
    CBB data, out, response, wrapper, bytes, octets, basic, certificates, list;
    uint8_t *tbs, *der;
    size_t tbs_len, der_len;
    CHECK(CBB_init(&data, 512));
    add_data(&data, request, signer);
    CHECK(CBB_finish(&data, &tbs, &tbs_len) && CBB_init(&out, 1024));
    begin(&out, &response, CBS_ASN1_SEQUENCE);
    add(&response, CBS_ASN1_ENUMERATED, "", 1);
    begin(&response, &wrapper, TAG_EXPLICIT(0));
    begin(&wrapper, &bytes, CBS_ASN1_SEQUENCE);
    add(&bytes, CBS_ASN1_OBJECT, "\x2b\x06\x01\x05\x05\x07\x30\x01\x01", 9);
    begin(&bytes, &octets, CBS_ASN1_OCTETSTRING);
    begin(&octets, &basic, CBS_ASN1_SEQUENCE);
    CHECK(CBB_add_bytes(&basic, keep(tbs), tbs_len));
    add_signature(&basic, tbs, tbs_len, signer->key);
    if (signer != request->issuer) {
        begin(&basic, &certificates, TAG_EXPLICIT(0));
        begin(&certificates, &list, CBS_ASN1_SEQUENCE);
        CHECK(CBB_add_bytes(&list, signer->der.data, signer->der.len));
    }
    CHECK(CBB_finish(&out, &der, &der_len));
    return (struct bytes){keep(der), der_len};
}
