/* Certificates under every profile, from whatever a spec may hold: BoringSSL reads each, writes it the same again, and finds
 * in it what the profile says and no more. */
#include <openssl/asn1.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/check.h"
#include "keyd/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LAST_SECOND UINT64_C(253402300799) /* of the year 9999 */

struct input {
    const uint8_t *data;
    size_t len;
};

static uint8_t take(struct input *input)
{
    if (input->len == 0) return 0;
    input->len--;
    return *input->data++;
}

static uint64_t take_number(struct input *input, unsigned num)
{
    uint64_t value = 0;
    while (num-- > 0) value = value << 8 | take(input);
    return value;
}

/* 1 to max bytes of UTF-8 without control characters, as the codec lets through. */
static void take_text(char *out, size_t max, struct input *input)
{
    static const char *const wide[4] = {"\xc3\xa4", "\xd0\x96", "\xe2\x82\xac", "\xf0\x9f\x94\x91"};
    const size_t wanted = 1 + take(input) % max;
    size_t len = 0;
    while (len < wanted) {
        const uint8_t next = take(input);
        char one[5] = {(char)(' ' + next % 95)};
        if (next >= 0xf0) memcpy(one, wide[next & 3], strlen(wide[next & 3]) + 1);
        if (len + strlen(one) > max) break;
        memcpy(out + len, one, strlen(one));
        len += strlen(one);
    }
    out[len] = '\0';
}

struct names {
    char text[LIMIT_NAMES][LIMIT_NAME + 1];
    const char *dns[LIMIT_NAMES];
    uint8_t addresses[LIMIT_NAMES][16];
    struct bytes ip[LIMIT_NAMES];
};

static void take_names(struct certificate_spec *spec, struct names *names, struct input *input)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
    spec->num_dns_names = take(input) % (LIMIT_NAMES + 1);
    spec->num_ip_addresses = take(input) % (LIMIT_NAMES + 1);
    spec->dns_names = names->dns;
    spec->ip_addresses = names->ip;
    for (size_t i = 0; i < spec->num_dns_names; i++) {
        const size_t len = 1 + take(input) % LIMIT_NAME;
        for (size_t n = 0; n < len; n++) names->text[i][n] = letters[take(input) % (sizeof letters - 1)];
        names->text[i][len] = '\0';
        names->dns[i] = names->text[i];
    }
    for (size_t i = 0; i < spec->num_ip_addresses; i++) {
        for (size_t n = 0; n < 16; n++) names->addresses[i][n] = take(input);
        names->ip[i] = (struct bytes){names->addresses[i], (names->addresses[i][0] & 1) != 0 ? 16 : 4};
    }
}

static EVP_PKEY *issuer(uint8_t out_point[CERTIFICATE_POINT])
{
    static EVP_PKEY *key;
    if (key == NULL) {
        EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
        key = EVP_PKEY_new();
        CHECK(ec != NULL && key != NULL && EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec));
    }
    const EC_KEY *ec = EVP_PKEY_get0_EC_KEY(key);
    CHECK(EC_POINT_point2oct(EC_KEY_get0_group(ec), EC_KEY_get0_public_key(ec), POINT_CONVERSION_UNCOMPRESSED,
                             out_point, CERTIFICATE_POINT, NULL) == CERTIFICATE_POINT);
    return key;
}

static void check_name(const X509_NAME *name, const char *wanted)
{
    CHECK(X509_NAME_entry_count(name) == 1);
    const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, 0);
    CHECK(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) == NID_commonName);
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
    const size_t len = (size_t)ASN1_STRING_length(value);
    CHECK(len == strlen(wanted) && memcmp(ASN1_STRING_get0_data(value), wanted, len) == 0);
}

static void check_time(const ASN1_TIME *time, uint64_t wanted)
{
    ASN1_TIME *expected = ASN1_TIME_set(NULL, (time_t)wanted);
    CHECK(expected != NULL && ASN1_STRING_cmp((const ASN1_STRING *)time, (const ASN1_STRING *)expected) == 0);
    ASN1_TIME_free(expected);
}

/* What a certificate may be used for: the profile says it, and nothing else does. */
static void check_profile(X509 *certificate, enum certificate_profile profile)
{
    const bool is_ca = profile == CERTIFICATE_CA;
    CHECK(X509_check_ca(certificate) == (is_ca ? 1 : 0));
    CHECK(((X509_get_extension_flags(certificate) & EXFLAG_CA) != 0) == is_ca);
    CHECK((X509_get_extension_flags(certificate) & (EXFLAG_INVALID | EXFLAG_CRITICAL)) == 0);
    CHECK(X509_get_key_usage(certificate) ==
          (X509v3_KU_DIGITAL_SIGNATURE | (is_ca ? X509v3_KU_KEY_CERT_SIGN | X509v3_KU_CRL_SIGN : 0)));
    const uint32_t purposes = X509_get_extended_key_usage(certificate);
    if (profile == CERTIFICATE_SERVER) CHECK(purposes == XKU_SSL_SERVER);
    if (profile == CERTIFICATE_CLIENT) CHECK(purposes == XKU_SSL_CLIENT);
    if (is_ca) CHECK(X509_get_ext_by_NID(certificate, NID_ext_key_usage, -1) < 0 && X509_get_pathlen(certificate) == 0);
}

static void check_alt_names(X509 *certificate, const struct certificate_spec *spec)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    const size_t num = spec->num_dns_names + spec->num_ip_addresses;
    CHECK((names == NULL) == (num == 0));
    if (names == NULL) return;
    CHECK(sk_GENERAL_NAME_num(names) == num);
    for (size_t i = 0; i < num; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        const bool is_dns = i < spec->num_dns_names;
        const struct bytes wanted =
            is_dns ? (struct bytes){(const uint8_t *)spec->dns_names[i], strlen(spec->dns_names[i])}
                   : spec->ip_addresses[i - spec->num_dns_names];
        CHECK(name->type == (is_dns ? GEN_DNS : GEN_IPADD));
        const ASN1_STRING *value = is_dns ? name->d.dNSName : name->d.iPAddress;
        CHECK(bytes_equal(wanted, (struct bytes){ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)}));
    }
    GENERAL_NAMES_free(names);
}

static void check_certificate(const uint8_t *der, size_t len, const struct certificate_spec *spec, EVP_PKEY *key)
{
    const uint8_t *at = der;
    uint8_t *again = NULL;
    X509 *certificate = d2i_X509(NULL, &at, (long)len);
    CHECK(certificate != NULL && at == der + len);
    const int again_len = i2d_X509(certificate, &again);
    CHECK(again_len > 0 && (size_t)again_len == len && memcmp(again, der, len) == 0);
    OPENSSL_free(again);
    CHECK(X509_get_version(certificate) == X509_VERSION_3 && X509_verify(certificate, key) == 1);
    check_name(X509_get_subject_name(certificate), spec->subject);
    check_name(X509_get_issuer_name(certificate), spec->issuer);
    check_time(X509_get0_notBefore(certificate), spec->not_before);
    check_time(X509_get0_notAfter(certificate), spec->not_after);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    CHECK(ASN1_STRING_length(serial) == (int)CERTIFICATE_SERIAL &&
          memcmp(ASN1_STRING_get0_data(serial), spec->serial, CERTIFICATE_SERIAL) == 0);
    check_profile(certificate, spec->profile);
    check_alt_names(certificate, spec);
    X509_free(certificate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct names names;
    static uint8_t der[LIMIT_CERTIFICATE];
    char subject[CERTIFICATE_COMMON_NAME + 1], ca[CERTIFICATE_COMMON_NAME + 1];
    struct input input = {data, size};
    struct certificate_spec spec = {.subject = subject, .issuer = ca};
    size_t len;

    spec.profile = (enum certificate_profile)(take(&input) % CERTIFICATE_NUM_PROFILES);
    spec.not_before = take_number(&input, 5);
    spec.not_after = take_number(&input, 5);
    for (size_t i = 0; i < CERTIFICATE_SERIAL; i++) spec.serial[i] = take(&input);
    spec.serial[0] = (spec.serial[0] & 0x7f) | 1; /* positive, and its first octet not zero */
    take_text(subject, CERTIFICATE_COMMON_NAME, &input);
    take_text(ca, CERTIFICATE_COMMON_NAME, &input);
    take_names(&spec, &names, &input);
    EVP_PKEY *key = issuer(spec.issuer_point);
    memcpy(spec.subject_point, spec.issuer_point, CERTIFICATE_POINT);

    const enum err err = certificate_write(der, &len, &spec, EVP_PKEY_get0_EC_KEY(key));
    const bool is_late = spec.not_before > LAST_SECOND || spec.not_after > LAST_SECOND;
    if (is_late) CHECK(err != ERR_OK);
    if (err == ERR_OK)
        check_certificate(der, len, &spec, key);
    else
        CHECK(is_late || spec.num_dns_names + spec.num_ip_addresses > 1); /* too many long names */
    return 0;
}
