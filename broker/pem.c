#include "broker/pem.h"

#include <string.h>

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_group(char out[4], const uint8_t *data, size_t len)
{
    uint32_t bits = (uint32_t)data[0] << 16;
    if (len > 1) bits |= (uint32_t)data[1] << 8;
    if (len > 2) bits |= data[2];
    out[0] = alphabet[bits >> 18];
    out[1] = alphabet[bits >> 12 & 63];
    out[2] = len > 1 ? alphabet[bits >> 6 & 63] : '=';
    out[3] = len > 2 ? alphabet[bits & 63] : '=';
}

void pem_print_certificate(FILE *out, struct bytes der)
{
    fputs(BEGIN "\n", out);
    for (size_t at = 0; at < der.len; at += 3) {
        char group[4];
        size_t left = der.len - at;
        encode_group(group, der.data + at, left < 3 ? left : 3);
        fwrite(group, 1, sizeof group, out);
        if ((at / 3 + 1) % 16 == 0 && left > 3) fputc('\n', out);
    }
    fputs("\n" END "\n", out);
}

/* Base64 as it comes, one character after the other. Only the first bytes are kept: enough for a DER header. */
struct decoder {
    uint32_t bits;
    unsigned num_bits;
    unsigned padding;
    size_t characters;
    size_t len;
    uint8_t head[6];
};

static enum err decode_char(struct decoder *decoder, char c)
{
    if (c == '\n' || c == '\r' || c == ' ' || c == '\t') return ERR_OK;
    decoder->characters++;
    if (c == '=') return ++decoder->padding <= 2 ? ERR_OK : ERR_INPUT;
    const char *place = c == '\0' ? NULL : strchr(alphabet, c);
    if (!place || decoder->padding > 0) return ERR_INPUT;
    decoder->bits = decoder->bits << 6 | (uint32_t)(place - alphabet);
    decoder->num_bits += 6;
    if (decoder->num_bits < 8) return ERR_OK;
    decoder->num_bits -= 8;
    if (decoder->len < sizeof decoder->head) {
        decoder->head[decoder->len] = (uint8_t)(decoder->bits >> decoder->num_bits);
    }
    decoder->len++;
    return ERR_OK;
}

/* A DER SEQUENCE that fills the length exactly (X.690, 8.1.3), in the long forms of two and three octets or the short. */
static bool is_whole_sequence(const struct decoder *decoder)
{
    const uint8_t *head = decoder->head;
    if (decoder->len < sizeof decoder->head || head[0] != 0x30) return false;
    if (head[1] < 0x80) return decoder->len == 2u + head[1];
    if (head[1] == 0x81) return decoder->len == 3u + head[2];
    if (head[1] == 0x82) return decoder->len == 4u + ((size_t)head[2] << 8 | head[3]);
    return false;
}

static const uint8_t *find(const uint8_t *from, const uint8_t *end, const char *what)
{
    return memmem(from, (size_t)(end - from), what, strlen(what));
}

enum err pem_check_certificates(struct bytes text, size_t max, struct diag *diag)
{
    size_t num = 0;
    const uint8_t *end = text.data + text.len;
    const uint8_t *at = text.len == 0 ? NULL : find(text.data, end, BEGIN);
    for (; at; at = find(at, end, BEGIN)) {
        struct decoder decoder = {0};
        num++;
        if (num > max) return diag_set(diag, ERR_INPUT, "more than %zu certificates", max);
        at += strlen(BEGIN);
        const uint8_t *stop = find(at, end, END);
        if (!stop) return diag_set(diag, ERR_INPUT, "certificate %zu has no line " END, num);
        for (; at < stop; at++) {
            if (decode_char(&decoder, (char)*at) != ERR_OK) {
                return diag_set(diag, ERR_INPUT, "certificate %zu is not base64", num);
            }
        }
        if (decoder.characters % 4 != 0 || !is_whole_sequence(&decoder)) {
            return diag_set(diag, ERR_INPUT, "certificate %zu is cut off or not DER", num);
        }
        at = stop;
    }
    return num > 0 ? ERR_OK : diag_set(diag, ERR_INPUT, "no certificate in it; want PEM");
}
