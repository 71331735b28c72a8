#include "browser-shim/module/der.h"

#include <string.h>

enum der_tag {
    DER_INTEGER = 0x02,
    DER_OID = 0x06,
    DER_BIT_STRING = 0x03,
    DER_SEQUENCE = 0x30,
    DER_VERSION = 0xa0, /* [0] EXPLICIT in TBSCertificate */
};

/* A reader that fails stays failed: steps chain, and the result is looked at once. */
struct der_reader {
    struct bytes rest;
    bool failed;
};

static void skip(struct bytes *span, size_t len)
{
    span->data += len;
    span->len -= len;
}

/* Reads a length (X.690, 8.1.3 and 10.1: definite, in the fewest octets). Three octets hold any certificate. */
static bool read_length(size_t *out, struct bytes *in)
{
    if (in->len < 1) return false;
    uint8_t first = in->data[0];
    skip(in, 1);
    *out = first;
    if (first < 0x80) return true;
    size_t octets = first & 0x7f;
    if (octets < 1 || octets > 3 || in->len < octets || in->data[0] == 0) return false;
    *out = 0;
    for (size_t i = 0; i < octets; i++) *out = (*out << 8) | in->data[i];
    skip(in, octets);
    return *out >= 0x80;
}

/* Takes one element with that tag off in. */
static bool take_element(struct bytes *in, struct bytes *out_whole, struct bytes *out_contents, enum der_tag tag)
{
    struct bytes rest = *in;
    size_t len = 0;
    if (rest.len < 1 || rest.data[0] != tag) return false;
    skip(&rest, 1);
    if (!read_length(&len, &rest) || len > rest.len) return false;
    *out_contents = (struct bytes){rest.data, len};
    skip(&rest, len);
    *out_whole = (struct bytes){in->data, in->len - rest.len};
    *in = rest;
    return true;
}

/* Reads the next element, which must have that tag. Either output may be NULL. */
static void read_element(struct der_reader *reader, struct bytes *out_whole, struct bytes *out_contents,
                         enum der_tag tag)
{
    struct bytes whole = {0};
    struct bytes contents = {0};
    if (!take_element(&reader->rest, &whole, &contents, tag)) {
        reader->failed = true;
        reader->rest = (struct bytes){0};
    }
    if (out_whole != NULL) *out_whole = whole;
    if (out_contents != NULL) *out_contents = contents;
}

static bool next_is(const struct der_reader *reader, enum der_tag tag)
{
    return reader->rest.len > 0 && reader->rest.data[0] == tag;
}

/* Goes into the next element, which must be a SEQUENCE; the outer reader moves past it. */
static struct der_reader enter_sequence(struct der_reader *outer)
{
    struct bytes contents = {0};
    read_element(outer, NULL, &contents, DER_SEQUENCE);
    return (struct der_reader){.rest = contents, .failed = outer->failed};
}

static bool is_done(const struct der_reader *reader)
{
    return !reader->failed && reader->rest.len == 0;
}

/* Contents of AlgorithmIdentifier: id-ecPublicKey with secp256r1 and secp384r1 (RFC 5480, 2.1.1), and rsaEncryption with
 * NULL (RFC 8017, A.1). */
static const uint8_t ec_oid[] = {0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
static const uint8_t p256_oid[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t p384_oid[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
static const uint8_t rsa_algorithm[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};

#define SPAN(array) ((struct bytes){(array), sizeof(array)})

/* Takes the zero off that keeps a number positive. False: it is not a positive INTEGER in the fewest octets (X.690,
 * 8.3.2). */
static bool take_positive(struct bytes *out, struct bytes number)
{
    if (number.len < 1 || (number.data[0] & 0x80) != 0) return false;
    if (number.data[0] == 0) {
        if (number.len < 2 || (number.data[1] & 0x80) == 0) return false;
        skip(&number, 1);
    }
    *out = number;
    return true;
}

/* RSAPublicKey, in a BIT STRING without unused bits. */
static bool read_rsa_key(struct der_certificate *out, struct bytes bits)
{
    struct bytes modulus = {0};
    struct bytes exponent = {0};
    if (bits.len < 1 || bits.data[0] != 0) return false;
    skip(&bits, 1);
    struct der_reader whole = {.rest = bits};
    struct der_reader key = enter_sequence(&whole);
    read_element(&key, NULL, &modulus, DER_INTEGER);
    read_element(&key, NULL, &exponent, DER_INTEGER);
    return is_done(&key) && is_done(&whole) && take_positive(&out->modulus, modulus) &&
           take_positive(&out->exponent, exponent);
}

static void read_key(struct der_certificate *out, struct bytes algorithm, struct bytes bits)
{
    const struct bytes ec = SPAN(ec_oid);
    out->key = DER_KEY_OTHER;
    if (bytes_equal(algorithm, SPAN(rsa_algorithm))) {
        if (read_rsa_key(out, bits)) out->key = DER_KEY_RSA;
    } else if (algorithm.len > ec.len && bytes_equal((struct bytes){algorithm.data, ec.len}, ec)) {
        skip(&algorithm, ec.len);
        out->curve = algorithm;
        if (bytes_equal(algorithm, SPAN(p256_oid))) out->key = DER_KEY_P256;
        if (bytes_equal(algorithm, SPAN(p384_oid))) out->key = DER_KEY_P384;
    }
}

enum err der_read_certificate(struct der_certificate *out, struct bytes der)
{
    *out = (struct der_certificate){0};
    struct der_reader file = {.rest = der};
    struct der_reader certificate = enter_sequence(&file);
    struct der_reader tbs = enter_sequence(&certificate);
    if (next_is(&tbs, DER_VERSION)) read_element(&tbs, NULL, NULL, DER_VERSION);
    read_element(&tbs, &out->serial, NULL, DER_INTEGER);
    read_element(&tbs, NULL, NULL, DER_SEQUENCE); /* signature */
    read_element(&tbs, &out->issuer, NULL, DER_SEQUENCE);
    read_element(&tbs, NULL, NULL, DER_SEQUENCE); /* validity */
    read_element(&tbs, &out->subject, NULL, DER_SEQUENCE);
    struct der_reader key = enter_sequence(&tbs);
    struct bytes algorithm = {0};
    struct bytes bits = {0};
    read_element(&key, NULL, &algorithm, DER_SEQUENCE);
    read_element(&key, NULL, &bits, DER_BIT_STRING);
    read_element(&certificate, NULL, NULL, DER_SEQUENCE); /* signatureAlgorithm */
    read_element(&certificate, NULL, NULL, DER_BIT_STRING);
    if (tbs.failed || !is_done(&key) || !is_done(&certificate) || !is_done(&file)) return ERR_MALFORMED;
    read_key(out, algorithm, bits);
    return ERR_OK;
}

/* Writes a positive number, filled up with zeros on the left. */
static bool write_number(uint8_t *out, size_t out_len, struct bytes number)
{
    if (!take_positive(&number, number) || number.len > out_len) return false;
    memset(out, 0, out_len - number.len);
    memcpy(out + out_len - number.len, number.data, number.len);
    return true;
}

enum err der_read_signature(uint8_t *out, size_t out_len, struct bytes der)
{
    struct der_reader file = {.rest = der};
    struct der_reader pair = enter_sequence(&file);
    struct bytes r = {0};
    struct bytes s = {0};
    read_element(&pair, NULL, &r, DER_INTEGER);
    read_element(&pair, NULL, &s, DER_INTEGER);
    if (!is_done(&pair) || !is_done(&file)) return ERR_MALFORMED;
    const size_t half = out_len / 2;
    return write_number(out, half, r) && write_number(out + half, half, s) ? ERR_OK : ERR_MALFORMED;
}
