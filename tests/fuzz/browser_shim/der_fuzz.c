/* Any bytes as a certificate and as a signature. What is found lies inside, and a signature that is taken has exactly one
 * form. */
#include <stdlib.h>
#include <string.h>

#include "browser-shim/module/der.h"

static void check_inside(struct bytes span, struct bytes whole)
{
    if (span.len < 2 || span.data < whole.data || span.data + span.len > whole.data + whole.len) abort();
}

static void check_number(struct bytes number, struct bytes whole)
{
    if (number.len < 1 || number.data[0] == 0) abort();
    if (number.data < whole.data || number.data + number.len > whole.data + whole.len) abort();
}

/* Writes the INTEGER and returns its length. */
static size_t write_number(uint8_t *out, const uint8_t *number, size_t len)
{
    size_t skip = 0;
    while (skip + 1 < len && number[skip] == 0) skip++;
    size_t pad = number[skip] >> 7;
    out[0] = 0x02;
    out[1] = (uint8_t)(pad + len - skip);
    out[2] = 0;
    memcpy(out + 2 + pad, number + skip, len - skip);
    return 2 + pad + len - skip;
}

static void check_signature(const uint8_t *rs, size_t rs_len, struct bytes der)
{
    uint8_t again[104] = {0x30};
    size_t len = 2 + write_number(again + 2, rs, rs_len / 2);
    len += write_number(again + len, rs + rs_len / 2, rs_len / 2);
    again[1] = (uint8_t)(len - 2);
    if (!bytes_equal(der, (struct bytes){again, len})) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes der = {data, size};
    struct der_certificate certificate;
    uint8_t rs[96];
    if (der_read_certificate(&certificate, der) == ERR_OK) {
        check_inside(certificate.serial, der);
        check_inside(certificate.issuer, der);
        check_inside(certificate.subject, der);
        if (certificate.key == DER_KEY_RSA) {
            check_number(certificate.modulus, der);
            check_number(certificate.exponent, der);
        }
    }
    if (der_read_signature(rs, 64, der) == ERR_OK) check_signature(rs, 64, der);
    if (der_read_signature(rs, 96, der) == ERR_OK) check_signature(rs, 96, der);
    return 0;
}
