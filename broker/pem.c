#include "broker/pem.h"

#include <stdbool.h>
#include <string.h>

#include "base/limits.h"

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

/* Base64 as it comes, one character after the other. What does not fit is counted and not kept. */
struct decoder {
    uint8_t *out;
    size_t room;
    size_t len;
    uint32_t bits;
    unsigned num_bits;
    unsigned padding;
    size_t characters;
};

/* Tag and length, in any of the forms that are taken. */
enum { DER_HEAD = 4 };

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
    if (decoder->len < decoder->room) decoder->out[decoder->len] = (uint8_t)(decoder->bits >> decoder->num_bits);
    decoder->len++;
    return ERR_OK;
}

/* A DER SEQUENCE that fills the length exactly (X.690, 8.1.3), in the long forms of two and three octets or the short. */
static bool is_whole_sequence(const struct decoder *decoder)
{
    const uint8_t *head = decoder->out;
    if (decoder->len <= DER_HEAD || decoder->room < DER_HEAD || head[0] != 0x30) return false;
    if (head[1] < 0x80) return decoder->len == 2u + head[1];
    if (head[1] == 0x81) return decoder->len == 3u + head[2];
    if (head[1] == 0x82) return decoder->len == 4u + ((size_t)head[2] << 8 | head[3]);
    return false;
}

static const uint8_t *find(const uint8_t *from, const uint8_t *end, const char *what)
{
    return memmem(from, (size_t)(end - from), what, strlen(what));
}

/* Where text is, and how many certificates have come by. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    size_t num;
};

/* Decodes the next certificate. ERR_NOT_FOUND: there is none. */
static enum err decode_next(struct cursor *cursor, struct decoder *decoder, size_t max, struct diag *diag)
{
    cursor->at = cursor->at ? find(cursor->at, cursor->end, BEGIN) : NULL;
    if (!cursor->at) return ERR_NOT_FOUND;
    size_t num = ++cursor->num;
    if (num > max) return diag_set(diag, ERR_INPUT, "more than %zu certificates", max);
    cursor->at += strlen(BEGIN);
    const uint8_t *stop = find(cursor->at, cursor->end, END);
    if (!stop) return diag_set(diag, ERR_INPUT, "certificate %zu has no line " END, num);
    for (; cursor->at < stop; cursor->at++) {
        if (decode_char(decoder, (char)*cursor->at) != ERR_OK) {
            return diag_set(diag, ERR_INPUT, "certificate %zu is not base64", num);
        }
    }
    if (decoder->characters % 4 != 0 || !is_whole_sequence(decoder)) {
        return diag_set(diag, ERR_INPUT, "certificate %zu is cut off or not DER", num);
    }
    return ERR_OK;
}

static enum err note_end(const struct cursor *cursor, struct diag *diag)
{
    return cursor->num > 0 ? ERR_OK : diag_set(diag, ERR_INPUT, "no certificate in it; want PEM");
}

static struct cursor cursor_of(struct bytes text)
{
    return (struct cursor){.at = text.len > 0 ? text.data : NULL, .end = text.data + text.len};
}

enum err pem_check_certificates(struct bytes text, size_t max, struct diag *diag)
{
    struct cursor cursor = cursor_of(text);
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        uint8_t head[DER_HEAD];
        struct decoder decoder = {.out = head, .room = sizeof head};
        err = decode_next(&cursor, &decoder, max, diag);
    }
    return err == ERR_NOT_FOUND ? note_end(&cursor, diag) : err;
}

enum err pem_read_certificates(struct bytes *out, size_t *out_num, size_t max, uint8_t *room, size_t room_len,
                               struct bytes text, struct diag *diag)
{
    struct cursor cursor = cursor_of(text);
    size_t used = 0;
    *out_num = 0;
    for (;;) {
        /* Never without room for a head, which tells of a certificate that does not fit. */
        uint8_t head[DER_HEAD];
        bool is_full = room_len - used < sizeof head;
        struct decoder decoder = {.out = is_full ? head : room + used, .room = is_full ? sizeof head : room_len - used};
        enum err err = decode_next(&cursor, &decoder, max, diag);
        if (err == ERR_NOT_FOUND) return note_end(&cursor, diag);
        if (err != ERR_OK) return err;
        if (decoder.len > room_len - used) {
            return diag_set(diag, ERR_INPUT, "the certificates have more than %zu bytes; give fewer, or smaller ones",
                            room_len);
        }
        if (decoder.len > LIMIT_CERTIFICATE) {
            return diag_set(diag, ERR_INPUT, "certificate %zu has more than %u bytes", cursor.num, LIMIT_CERTIFICATE);
        }
        out[(*out_num)++] = (struct bytes){room + used, decoder.len};
        used += decoder.len;
    }
}
