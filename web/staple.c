#include "web/staple.h"

#include <openssl/asn1.h>
#include <openssl/bytestring.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/auto.h"
#include "base/limits.h"
#include "web/chain_strength.h"
#include "web/der.h"
#include "web/ocsp.h"

#define ITS_CA "ask a responder of the CA that signed this certificate"

static void auto_x509(X509 **certificate)
{
    X509_free(*certificate);
}

static void auto_chain(STACK_OF(X509) * *chain)
{
    sk_X509_free(*chain); /* the certificates are others' */
}

static void auto_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void auto_octets(uint8_t **octets)
{
    OPENSSL_free(*octets);
}

static enum err complain(struct diag *diag, const char *why)
{
    return diag_set(diag, ERR_INPUT, "%s", why);
}

/* ---- Which certificate it is about ------------------------------------------------------------------------------ */

static bool is_hash(struct bytes hash, const EVP_MD *md, struct bytes data)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len;
    return EVP_Digest(data.data, data.len, digest, &len, md, NULL) && bytes_equal(hash, (struct bytes){digest, len});
}

static bool is_name_hash(struct bytes hash, const EVP_MD *md, const X509_NAME *name)
{
    AUTO(auto_octets) uint8_t *der = NULL;
    const int len = i2d_X509_NAME((X509_NAME *)(uintptr_t)name, &der);
    return len > 0 && is_hash(hash, md, (struct bytes){der, (size_t)len});
}

static struct bytes key_of(const X509 *certificate)
{
    const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(certificate);
    return (struct bytes){ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key)};
}

/* SHA-1 is what clients look for: it stands for a name here, and nobody has to believe it. */
static const EVP_MD *hash_of(struct bytes oid)
{
    CBS contents = der_cbs(oid);
    switch (OBJ_cbs2nid(&contents)) {
    case NID_sha1: return EVP_sha1();
    case NID_sha256: return EVP_sha256();
    default: return NULL;
    }
}

/* An ASN1_INTEGER's data is the number without its sign and leading zeros; here it has a leading zero if it would look negative. */
static bool is_serial(struct bytes integer, const X509 *leaf)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
    const struct bytes wanted = {ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)};
    if (integer.len == 0 || (integer.data[0] & 0x80) != 0 || ASN1_STRING_type(serial) != V_ASN1_INTEGER) return false;
    if (integer.len > 1 && integer.data[0] == 0) integer = (struct bytes){integer.data + 1, integer.len - 1};
    return bytes_equal(integer, wanted);
}

static bool is_about(const struct ocsp_single *single, const X509 *leaf, const X509 *issuer)
{
    const EVP_MD *md = hash_of(single->hash);
    return md != NULL && is_serial(single->serial, leaf) &&
           is_name_hash(single->issuer_name, md, X509_get_issuer_name(leaf)) &&
           is_hash(single->issuer_key, md, key_of(issuer));
}

/* Clients take the first that they find: what follows must not be better. */
static enum err find_single(struct ocsp_single *out, const struct ocsp_response *response, const X509 *leaf,
                            const X509 *issuer, struct diag *diag)
{
    struct bytes rest = response->singles;
    struct ocsp_single single;
    bool found = false;
    while (ocsp_next(&single, &rest)) {
        if (!is_about(&single, leaf, issuer)) continue;
        if (found) return complain(diag, "it speaks of this certificate twice; " ITS_CA);
        *out = single;
        found = true;
    }
    if (!found)
        return complain(
            diag, "it is not about this certificate, which another CA signed or another number has; ask for this one");
    if (out->status == OCSP_REVOKED) return complain(diag, "this certificate has been revoked; have a new one made");
    return out->status == OCSP_GOOD ? ERR_OK : complain(diag, "its responder does not know this certificate; " ITS_CA);
}

/* ---- Who says it ------------------------------------------------------------------------------------------------ */

static bool is_responder(const struct ocsp_response *response, const X509 *certificate)
{
    AUTO(auto_octets) uint8_t *name = NULL;
    if (response->responder_name.len == 0) return is_hash(response->responder_key, EVP_sha1(), key_of(certificate));
    const int len = i2d_X509_NAME(X509_get_subject_name(certificate), &name);
    return len > 0 && bytes_equal(response->responder_name, (struct bytes){name, (size_t)len});
}

/* ERR_DENIED: somebody else has signed. */
static enum err check_signature(const struct ocsp_response *response, const X509 *signer, struct diag *diag)
{
    AUTO(auto_key) EVP_PKEY *key = X509_get_pubkey((X509 *)(uintptr_t)signer);
    return key != NULL ? signed_data_verify(&response->body, key, diag) : ERR_DENIED;
}

/* RFC 6960, 4.2.2.2: signed by the CA itself, and for this purpose by its own word; one for any purpose will not do. */
static enum err check_delegate(X509 *delegate, X509 *issuer, struct diag *diag)
{
    char why[2 * LIMIT_SUBJECT];
    AUTO(auto_key) EVP_PKEY *key = X509_get_pubkey(issuer);
    AUTO(auto_chain) STACK_OF(X509) *chain = sk_X509_new_null();
    const uint32_t flags = X509_get_extension_flags(delegate);
    if (key == NULL || chain == NULL || !sk_X509_push(chain, delegate) || !sk_X509_push(chain, issuer))
        return diag_set(diag, ERR_MEMORY, "no memory");
    if (X509_check_issued(issuer, delegate) != X509_V_OK || X509_verify(delegate, key) != 1)
        return complain(diag, "its responder's certificate is not by the CA that signed this certificate; " ITS_CA);
    if ((flags & (EXFLAG_INVALID | EXFLAG_CRITICAL)) != 0 || (flags & EXFLAG_XKUSAGE) == 0 ||
        (X509_get_extended_key_usage(delegate) & XKU_OCSP_SIGN) == 0 ||
        (X509_get_key_usage(delegate) & X509v3_KU_DIGITAL_SIGNATURE) == 0)
        return complain(diag, "its responder's certificate is not for this (id-kp-OCSPSigning); " ITS_CA);
    if (!chain_strength_check(why, sizeof why, chain))
        return diag_set(diag, ERR_INPUT, "its responder's certificate: %s; " ITS_CA, why);
    return ERR_OK;
}

/* Clients do not believe a responder whose certificate has run out. */
static enum err narrow(struct staple_time *time, const X509 *delegate, struct diag *diag)
{
    int64_t from, until;
    if (!ASN1_TIME_to_posix(X509_get0_notBefore(delegate), &from) ||
        !ASN1_TIME_to_posix(X509_get0_notAfter(delegate), &until))
        return complain(diag, "its responder's certificate does not parse; " ITS_CA);
    if (from > 0 && (uint64_t)from > time->from) time->from = (uint64_t)from;
    if (until < 0) until = 0;
    if ((uint64_t)until < time->until) time->until = (uint64_t)until;
    return ERR_OK;
}

/* Of the certificates in it, the one that signed. NULL: none of them. */
static X509 *find_delegate(const struct ocsp_response *response)
{
    CBS rest = der_cbs(response->certificates), element;
    while (CBS_len(&rest) > 0 && CBS_get_asn1_element(&rest, &element, CBS_ASN1_SEQUENCE)) {
        const uint8_t *at = CBS_data(&element);
        AUTO(auto_x509) X509 *certificate = d2i_X509(NULL, &at, (long)CBS_len(&element));
        if (certificate == NULL || at != CBS_data(&element) + CBS_len(&element) ||
            !is_responder(response, certificate) || check_signature(response, certificate, NULL) != ERR_OK)
            continue;
        X509 *found = certificate;
        certificate = NULL;
        return found;
    }
    return NULL;
}

static enum err check_signer(struct staple_time *time, const struct ocsp_response *response, X509 *issuer,
                             struct diag *diag)
{
    const enum err err = is_responder(response, issuer) ? check_signature(response, issuer, diag) : ERR_DENIED;
    if (err != ERR_DENIED) return err;
    AUTO(auto_x509) X509 *delegate = find_delegate(response);
    if (delegate == NULL)
        return complain(diag,
                        "neither the CA that signed this certificate nor a responder whose certificate is in it has "
                        "signed it, with SHA-256 or better; " ITS_CA);
    const enum err checked = check_delegate(delegate, issuer, diag);
    return checked == ERR_OK ? narrow(time, delegate, diag) : checked;
}

/* ----------------------------------------------------------------------------------------------------------------- */

enum err staple_check(struct staple_time *out, struct bytes response, X509 *leaf, X509 *issuer, struct diag *diag)
{
    struct ocsp_response parsed;
    struct ocsp_single single = {0};
    enum err err = ocsp_parse(&parsed, response, diag);
    if (err == ERR_OK) err = find_single(&single, &parsed, leaf, issuer, diag);
    if (err == ERR_OK) {
        *out = (struct staple_time){single.this_update, single.next_update};
        err = check_signer(out, &parsed, issuer, diag);
    }
    ERR_clear_error();
    return err;
}

bool staple_is_due(const struct staple_time *time, uint64_t now_s)
{
    return now_s >= time->from && now_s < time->until;
}

/* TLS feature (RFC 7633, 4): a SEQUENCE OF INTEGER, among which 5 is status_request. */
bool staple_is_wanted(const X509 *leaf)
{
    static const uint8_t oid[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x18};
    for (int i = 0; i < X509_get_ext_count(leaf); i++) {
        const X509_EXTENSION *extension = X509_get_ext(leaf, i);
        const ASN1_OBJECT *object = X509_EXTENSION_get_object((X509_EXTENSION *)(uintptr_t)extension);
        const ASN1_STRING *value = X509_EXTENSION_get_data((X509_EXTENSION *)(uintptr_t)extension);
        if (!bytes_equal((struct bytes){OBJ_get0_data(object), OBJ_length(object)}, (struct bytes){oid, sizeof oid}))
            continue;
        CBS contents, features;
        uint64_t feature;
        CBS_init(&contents, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
        if (!CBS_get_asn1(&contents, &features, CBS_ASN1_SEQUENCE)) return false;
        while (CBS_get_asn1_uint64(&features, &feature))
            if (feature == 5) return true;
    }
    return false;
}
