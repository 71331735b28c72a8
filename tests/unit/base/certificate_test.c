#include "base/certificate.h"

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

static EVP_PKEY *key;
static X509 *certificate;
static X509 *parsed;

static void begin_certificate(void)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    cr_assert(EC_KEY_generate_key(ec));
    key = EVP_PKEY_new();
    cr_assert(EVP_PKEY_assign_EC_KEY(key, ec));
    certificate = X509_new();
    cr_assert(X509_set_version(certificate, X509_VERSION_3) && X509_set_pubkey(certificate, key));
}

static void end_certificate(void)
{
    X509_free(certificate);
    X509_free(parsed);
    EVP_PKEY_free(key);
}

TestSuite(certificate, .init = begin_certificate, .fini = end_certificate);

static void add_name(X509_NAME *name, const char *field, const char *value)
{
    const uint8_t *text = (const uint8_t *)value;
    cr_assert(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, text, -1, -1, 0));
}

static void set_serial(const uint8_t *octets, size_t len)
{
    BIGNUM *number = BN_bin2bn(octets, len, NULL);
    cr_assert_not_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)));
    BN_free(number);
}

static void set_times(int64_t from, int64_t to)
{
    cr_assert(ASN1_TIME_set_posix(X509_getm_notBefore(certificate), from));
    cr_assert(ASN1_TIME_set_posix(X509_getm_notAfter(certificate), to));
}

/* Signs and reads back, as a certificate that came over the wire. */
static const X509 *finish_certificate(char fingerprint[65])
{
    uint8_t *der = NULL;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    cr_assert_gt(X509_sign(certificate, key, EVP_sha256()), 0);
    const int len = i2d_X509(certificate, &der);
    cr_assert_gt(len, 0);
    SHA256(der, (size_t)len, digest);
    for (size_t i = 0; i < sizeof(digest); i++) snprintf(fingerprint + 2 * i, 3, "%02x", digest[i]);
    const uint8_t *at = der;
    X509_free(parsed);
    parsed = d2i_X509(NULL, &at, len);
    OPENSSL_free(der);
    cr_assert_not_null(parsed);
    return parsed;
}

Test(certificate, tells_names_serial_times_and_fingerprint)
{
    static const uint8_t serial[] = {0x7f, 0x00, 0xab};
    struct certificate_text text;
    char fingerprint[65];
    add_name(X509_get_subject_name(certificate), "O", "Keyward");
    add_name(X509_get_subject_name(certificate), "CN", "a kiosk");
    add_name(X509_get_issuer_name(certificate), "CN", "the CA");
    set_serial(serial, sizeof(serial));
    set_times(1700000000, 4102444800); /* UTCTime and GeneralizedTime: 2023 and 2100 */
    cr_assert_eq(certificate_describe(&text, finish_certificate(fingerprint)), ERR_OK);
    cr_expect_str_eq(text.subject, "CN=a kiosk,O=Keyward");
    cr_expect_str_eq(text.issuer, "CN=the CA");
    cr_expect_str_eq(text.serial, "7f00ab");
    cr_expect_eq(text.not_before, 1700000000);
    cr_expect_eq(text.not_after, 4102444800);
    cr_expect_str_eq(text.fingerprint, fingerprint);
}

Test(certificate, escapes_what_a_name_hides)
{
    struct certificate_text text;
    char fingerprint[65];
    add_name(X509_get_subject_name(certificate), "CN", "a\nb,\"c\303\251");
    set_times(0, 1);
    cr_assert_eq(certificate_describe(&text, finish_certificate(fingerprint)), ERR_OK);
    cr_expect_str_eq(text.subject, "CN=a\\0Ab\\,\\\"c\\C3\\A9");
    cr_expect_str_eq(text.issuer, "");
}

Test(certificate, cuts_a_long_name)
{
    struct certificate_text text;
    char fingerprint[65];
    char unit[61];
    memset(unit, 'u', sizeof(unit) - 1);
    unit[sizeof(unit) - 1] = '\0';
    for (int i = 0; i < 6; i++) add_name(X509_get_subject_name(certificate), "OU", unit);
    set_times(0, 1);
    cr_assert_eq(certificate_describe(&text, finish_certificate(fingerprint)), ERR_OK);
    cr_expect_eq(strlen(text.subject), LIMIT_SUBJECT);
}

Test(certificate, takes_serials_of_up_to_twenty_octets)
{
    struct certificate_text text;
    char fingerprint[65];
    uint8_t serial[21];
    memset(serial, 0x5a, sizeof(serial));
    set_times(0, 1);
    set_serial(serial, 20);
    cr_expect_eq(certificate_describe(&text, finish_certificate(fingerprint)), ERR_OK);
    cr_expect_eq(strlen(text.serial), 40);
    set_serial(serial, 21);
    cr_expect_eq(certificate_describe(&text, finish_certificate(fingerprint)), ERR_CRYPTO);
}

Test(certificate, a_serial_of_zero_is_a_number)
{
    struct certificate_text text;
    char fingerprint[65];
    set_times(0, 1);
    cr_assert(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 0));
    cr_assert_eq(certificate_describe(&text, finish_certificate(fingerprint)), ERR_OK);
    cr_expect_str_eq(text.serial, "00");
}

Test(certificate, a_negative_serial_is_refused)
{
    struct certificate_text text;
    set_times(0, 1);
    cr_assert(ASN1_INTEGER_set(X509_get_serialNumber(certificate), -5));
    cr_expect_eq(certificate_describe(&text, certificate), ERR_CRYPTO);
}

Test(certificate, a_time_before_the_epoch_counts_as_the_epoch)
{
    struct certificate_text text;
    char fingerprint[65];
    set_times(-86400, 1);
    cr_assert_eq(certificate_describe(&text, finish_certificate(fingerprint)), ERR_OK);
    cr_expect_eq(text.not_before, 0);
}
