/* Any bytes as a certificate and as a signature. What is found lies inside, and a signature that is taken has exactly one
 * form. */
#include <stdlib.h>
#include <string.h>

#include "browser-shim/module/der.h"

static void check_inside(struct bytes span, struct bytes whole)
{
    if (span.len < 2 || span.data < whole.data || span.data + span.len > whole.data + whole.len) abort();
}

/* Writes the INTEGER and returns its length. */
static size_t write_number(uint8_t *out, const uint8_t number[32])
{
    size_t skip = 0;
    while (skip < 31 && number[skip] == 0) skip++;
    size_t pad = number[skip] >> 7;
    out[0] = 0x02;
    out[1] = (uint8_t)(pad + 32 - skip);
    out[2] = 0;
    memcpy(out + 2 + pad, number + skip, 32 - skip);
    return 2 + pad + 32 - skip;
}

static void check_signature(const uint8_t rs[DER_P256_SIGNATURE], struct bytes der)
{
    uint8_t again[72] = {0x30};
    size_t len = 2 + write_number(again + 2, rs);
    len += write_number(again + len, rs + 32);
    again[1] = (uint8_t)(len - 2);
    if (!bytes_equal(der, (struct bytes){again, len})) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes der = {data, size};
    struct der_certificate certificate;
    uint8_t rs[DER_P256_SIGNATURE];
    if (der_read_certificate(&certificate, der) == ERR_OK) {
        check_inside(certificate.serial, der);
        check_inside(certificate.issuer, der);
        check_inside(certificate.subject, der);
    }
    if (der_read_signature(rs, der) == ERR_OK) check_signature(rs, der);
    return 0;
}
