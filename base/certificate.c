#include "base/certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/auto.h"
#include "base/bytes.h"

#define CERTIFICATE_SERIAL 20 /* octets (RFC 5280, 4.1.2.2) */

static void certificate_free_bio(BIO **bio)
{
    BIO_free(*bio);
}

/* RFC 2253 form escapes control characters and what is not ASCII, so the text is safe for a log line. */
static enum err certificate_name(char out[LIMIT_SUBJECT + 1], const X509_NAME *name)
{
    AUTO(certificate_free_bio) BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) return ERR_MEMORY;
    const uint8_t *text = NULL;
    size_t len = 0;
    if (name == NULL || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0 || !BIO_mem_contents(bio, &text, &len)) {
        return ERR_CRYPTO;
    }
    if (len > LIMIT_SUBJECT) len = LIMIT_SUBJECT;
    if (len > 0) memcpy(out, text, len);
    out[len] = '\0';
    return ERR_OK;
}

static enum err certificate_serial(char out[2 * CERTIFICATE_SERIAL + 1], const ASN1_INTEGER *serial)
{
    static const uint8_t zero[1] = {0};
    const int len = ASN1_STRING_length(serial);
    if (len < 0 || len > CERTIFICATE_SERIAL || ASN1_STRING_type(serial) != V_ASN1_INTEGER) return ERR_CRYPTO;
    struct bytes octets = {.data = ASN1_STRING_get0_data(serial), .len = (size_t)len};
    if (octets.len == 0) octets = (struct bytes){.data = zero, .len = 1};
    bytes_hex(out, octets);
    return ERR_OK;
}

static enum err certificate_time(uint64_t *out, const ASN1_TIME *time)
{
    int64_t seconds = 0;
    if (!ASN1_TIME_to_posix(time, &seconds)) return ERR_CRYPTO;
    *out = seconds < 0 ? 0 : (uint64_t)seconds; /* before 1970: long past either way */
    return ERR_OK;
}

static enum err certificate_fingerprint(char out[2 * 32 + 1], const X509 *certificate)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!X509_digest(certificate, EVP_sha256(), digest, &len) || len != 32) return ERR_CRYPTO;
    bytes_hex(out, (struct bytes){.data = digest, .len = len});
    return ERR_OK;
}

enum err certificate_describe(struct certificate_text *out, const X509 *certificate)
{
    *out = (struct certificate_text){0};
    enum err err = certificate_name(out->subject, X509_get_subject_name(certificate));
    if (err == ERR_OK) err = certificate_name(out->issuer, X509_get_issuer_name(certificate));
    if (err == ERR_OK) err = certificate_serial(out->serial, X509_get0_serialNumber(certificate));
    if (err == ERR_OK) err = certificate_time(&out->not_before, X509_get0_notBefore(certificate));
    if (err == ERR_OK) err = certificate_time(&out->not_after, X509_get0_notAfter(certificate));
    if (err == ERR_OK) err = certificate_fingerprint(out->fingerprint, certificate);
    if (err == ERR_CRYPTO) ERR_clear_error();
    return err;
}
