#include <criterion/criterion.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/proto/sample.h"

void wire_of(struct wire *out, const struct msg *msg)
{
    cr_assert_eq(codec_encode(out->data, &out->len, sizeof out->data, msg), ERR_OK);
}

static void add_varint(struct wire *wire, uint64_t value)
{
    cr_assert_lt(wire->len + 10, sizeof wire->data);
    while (value >= 0x80) {
        wire->data[wire->len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    wire->data[wire->len++] = (uint8_t)value;
}

void wire_add_number(struct wire *wire, unsigned field, uint64_t value)
{
    if (value == 0) return; /* proto3 leaves a default out */
    add_varint(wire, field << 3);
    add_varint(wire, value);
}

void wire_add_bytes(struct wire *wire, unsigned field, const void *data, size_t len)
{
    add_varint(wire, field << 3 | 2);
    add_varint(wire, len);
    cr_assert_leq(wire->len + len, sizeof wire->data);
    if (len > 0) memcpy(wire->data + wire->len, data, len);
    wire->len += len;
}

/* One field of a message: where it begins and ends, where its payload begins. */
struct piece {
    unsigned field;
    unsigned type;
    size_t start, payload, end;
};

static uint64_t read_varint(const struct wire *wire, size_t *at)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        cr_assert_lt(*at, wire->len);
        uint8_t byte = wire->data[(*at)++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) break;
    }
    return value;
}

static bool next_piece(struct piece *out, const struct wire *wire, size_t at)
{
    if (at >= wire->len) return false;
    out->start = at;
    uint64_t tag = read_varint(wire, &at);
    out->field = (unsigned)(tag >> 3);
    out->type = (unsigned)(tag & 7);
    out->payload = at;
    uint64_t value = read_varint(wire, &at);
    if (out->type == 2) {
        out->payload = at;
        at += (size_t)value;
    }
    out->end = at;
    cr_assert_leq(at, wire->len);
    return true;
}

unsigned wire_body(struct wire *out, const struct wire *packet)
{
    struct piece piece = {0};
    for (size_t at = 0; next_piece(&piece, packet, at); at = piece.end) {
        if (piece.field == 1) continue; /* the id */
        out->len = piece.end - piece.payload;
        memcpy(out->data, packet->data + piece.payload, out->len);
        return piece.field;
    }
    cr_assert_fail("a packet without a body");
    return 0;
}

void wire_envelope(struct wire *out, unsigned field, const struct wire *body)
{
    out->len = 0;
    wire_add_number(out, 1, SAMPLE_ID);
    wire_add_bytes(out, field, body->data, body->len);
}

bool wire_find(struct wire *out, const struct wire *message, unsigned field)
{
    struct piece piece = {0};
    for (size_t at = 0; next_piece(&piece, message, at); at = piece.end) {
        if (piece.field != field) continue;
        out->len = piece.end - piece.payload;
        memcpy(out->data, message->data + piece.payload, out->len);
        return true;
    }
    return false;
}

void wire_without(struct wire *out, const struct wire *message, unsigned field)
{
    out->len = 0;
    struct piece piece = {0};
    for (size_t at = 0; next_piece(&piece, message, at); at = piece.end) {
        if (piece.field == field) continue;
        memcpy(out->data + out->len, message->data + piece.start, piece.end - piece.start);
        out->len += piece.end - piece.start;
    }
}

void wire_sort(struct wire *message)
{
    struct wire *sorted = malloc(sizeof *sorted);
    cr_assert_not_null(sorted);
    sorted->len = 0;
    struct piece piece = {0};
    for (unsigned last = 0, lowest = 0; lowest != UINT_MAX; last = lowest) {
        lowest = UINT_MAX;
        for (size_t at = 0; next_piece(&piece, message, at); at = piece.end) {
            if (piece.field > last && piece.field < lowest) lowest = piece.field;
        }
        for (size_t at = 0; next_piece(&piece, message, at); at = piece.end) {
            if (piece.field != lowest) continue;
            memcpy(sorted->data + sorted->len, message->data + piece.start, piece.end - piece.start);
            sorted->len += piece.end - piece.start;
        }
    }
    memcpy(message, sorted, sizeof *sorted);
    free(sorted);
}
