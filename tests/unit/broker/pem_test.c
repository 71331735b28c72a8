/* PEM's armour: written by hand, so compared byte by byte; checked without looking inside. */
#include "broker/pem.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END "-----END CERTIFICATE-----\n"

static char *print(const void *data, size_t len)
{
    char *text;
    size_t text_len;
    FILE *out = open_memstream(&text, &text_len);
    pem_print_certificate(out, (struct bytes){data, len});
    fclose(out);
    return text;
}

/* RFC 4648, 10. */
Test(pem, encodes_the_test_vectors)
{
    static const struct {
        const char *plain;
        const char *base64;
    } rows[] = {{"f", "Zg=="},        {"fo", "Zm8="},        {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char wanted[128];
        char *text = print(rows[i].plain, strlen(rows[i].plain));
        snprintf(wanted, sizeof wanted, BEGIN "%s\n" END, rows[i].base64);
        cr_assert_str_eq(text, wanted);
        free(text);
    }
}

Test(pem, breaks_lines_after_64_columns)
{
    uint8_t zeros[97] = {0};
    for (size_t len = 48; len <= 97; len++) {
        char *text = print(zeros, len);
        char *line = text + strlen(BEGIN);
        size_t left = (len + 2) / 3 * 4;
        for (; left > 0; line += strcspn(line, "\n") + 1) {
            size_t want = left < 64 ? left : 64;
            cr_assert_eq(strcspn(line, "\n"), want, "%zu bytes", len);
            left -= want;
        }
        cr_assert_str_eq(line, END);
        free(text);
    }
}

static enum err check(const char *text, struct diag *diag)
{
    return pem_check_certificates((struct bytes){(const uint8_t *)text, strlen(text)}, 2, diag);
}

/* SEQUENCE { OCTET STRING (4 octets) } */
#define WHOLE "MAYEBAECAwQ=\n"

Test(pem, accepts_whole_certificates)
{
    cr_assert_eq(check(BEGIN WHOLE END, NULL), ERR_OK);
    cr_assert_eq(check("subject=CN=x\r\n" BEGIN "MAYE\r\nBAEC\r\nAwQ=\r\n" END "more\n" BEGIN WHOLE END, NULL), ERR_OK);
}

Test(pem, accepts_what_it_printed)
{
    uint8_t der[300] = {0x30, 0x82, 0x01, 0x28};
    char *text = print(der, sizeof der);
    cr_assert_eq(check(text, NULL), ERR_OK);
    free(text);
    uint8_t medium[203] = {0x30, 0x81, 200};
    text = print(medium, sizeof medium);
    cr_assert_eq(check(text, NULL), ERR_OK);
    free(text);
}

Test(pem, says_what_is_wrong)
{
    static const struct {
        const char *text;
        const char *says;
    } bad[] = {
        {"", "no certificate in it; want PEM"},
        {"this is no certificate\n", "no certificate in it; want PEM"},
        {"-----BEGIN PRIVATE KEY-----\n" WHOLE, "no certificate in it; want PEM"},
        {BEGIN WHOLE, "certificate 1 has no line -----END CERTIFICATE-----"},
        {BEGIN "MAYE*AECAwQ=\n" END, "certificate 1 is not base64"},
        {BEGIN "MAYEBAECAwQ=A\n" END, "certificate 1 is not base64"},
        {BEGIN "MAYEBAECA===\n" END, "certificate 1 is not base64"},
        {BEGIN "MAYEBAECAwQ\n" END, "certificate 1 is cut off or not DER"},
        {BEGIN "MAYEBAECAw==\n" END, "certificate 1 is cut off or not DER"},
        {BEGIN "MQYEBAECAwQ=\n" END, "certificate 1 is cut off or not DER"},
        {BEGIN END, "certificate 1 is cut off or not DER"},
        {BEGIN WHOLE END BEGIN "AAAA\n" END, "certificate 2 is cut off or not DER"},
        {BEGIN WHOLE END BEGIN WHOLE END BEGIN WHOLE END, "more than 2 certificates"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct diag diag = {0};
        cr_assert_eq(check(bad[i].text, &diag), ERR_INPUT, "%zu", i);
        cr_assert_str_eq(diag.text, bad[i].says);
    }
}

static enum err read_into(struct bytes *out, size_t *num, uint8_t *room, size_t room_len, const char *text,
                          struct diag *diag)
{
    return pem_read_certificates(out, num, 2, room, room_len, (struct bytes){(const uint8_t *)text, strlen(text)},
                                 diag);
}

Test(pem, reads_what_it_printed)
{
    uint8_t first[LIMIT_CERTIFICATE] = {0x30, 0x82, 0x1f, 0xfc}, second[130] = {0x30, 0x81, 127, 9};
    static uint8_t room[LIMIT_CERTIFICATE + 130];
    struct bytes out[2];
    size_t num;
    char *one = print(first, sizeof first), *two = print(second, sizeof second);
    static char both[32768];
    snprintf(both, sizeof both, "%ssomething\n%s", one, two);
    cr_assert_eq(read_into(out, &num, room, sizeof room, both, NULL), ERR_OK);
    cr_assert_eq(num, 2);
    cr_assert(bytes_equal(out[0], (struct bytes){first, sizeof first}));
    cr_assert(bytes_equal(out[1], (struct bytes){second, sizeof second}));
    cr_assert_eq(out[1].data, room + sizeof first);

    struct diag diag = {0};
    cr_assert_eq(read_into(out, &num, room, sizeof room - 1, both, &diag), ERR_INPUT, "a byte too little");
    cr_assert_str_eq(diag.text, "the certificates have more than 8321 bytes; give fewer, or smaller ones");
    cr_assert_eq(read_into(out, &num, room, sizeof first, both, &diag), ERR_INPUT, "no room for the second");
    cr_assert_eq(read_into(out, &num, room, 0, both, &diag), ERR_INPUT, "no room at all");
    free(one);
    free(two);
}

Test(pem, reads_no_certificate_longer_than_the_protocols)
{
    static uint8_t longer[LIMIT_CERTIFICATE + 1] = {0x30, 0x82, 0x1f, 0xfd}, room[2 * LIMIT_CERTIFICATE];
    struct bytes out[2];
    struct diag diag = {0};
    size_t num;
    char *text = print(longer, sizeof longer);
    cr_assert_eq(read_into(out, &num, room, sizeof room, text, &diag), ERR_INPUT);
    cr_assert_str_eq(diag.text, "certificate 1 has more than 8192 bytes");
    free(text);
}

Test(pem, says_the_same_when_it_reads)
{
    uint8_t room[64];
    struct bytes out[2];
    struct diag diag = {0};
    size_t num;
    cr_assert_eq(read_into(out, &num, room, sizeof room, "", &diag), ERR_INPUT);
    cr_assert_str_eq(diag.text, "no certificate in it; want PEM");
    cr_assert_eq(read_into(out, &num, room, sizeof room, BEGIN WHOLE END BEGIN WHOLE END BEGIN WHOLE END, &diag),
                 ERR_INPUT);
    cr_assert_str_eq(diag.text, "more than 2 certificates");
    cr_assert_eq(read_into(out, &num, room, sizeof room, BEGIN "AAAA\n" END, &diag), ERR_INPUT);
    cr_assert_str_eq(diag.text, "certificate 1 is cut off or not DER");
}
