#include "browser-shim/module/sha1.h"

#include <string.h>

#define SHA1_BLOCK 64

static uint32_t rotate_left(uint32_t word, unsigned bits)
{
    return (word << bits) | (word >> (32 - bits));
}

static uint32_t load_be32(const uint8_t *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/* f and K of FIPS 180-4, 4.1.1 and 4.2.1. */
static uint32_t round_term(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
    if (t < 20) return ((b & c) ^ (~b & d)) + 0x5a827999;
    if (t < 40) return (b ^ c ^ d) + 0x6ed9eba1;
    if (t < 60) return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdc;
    return (b ^ c ^ d) + 0xca62c1d6;
}

static void hash_block(uint32_t state[5], const uint8_t block[SHA1_BLOCK])
{
    uint32_t w[80];
    for (unsigned t = 0; t < 16; t++) w[t] = load_be32(block + (size_t)t * 4);
    for (unsigned t = 16; t < 80; t++) w[t] = rotate_left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (unsigned t = 0; t < 80; t++) {
        uint32_t next = rotate_left(a, 5) + round_term(t, b, c, d) + e + w[t];
        e = d;
        d = c;
        c = rotate_left(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void sha1_digest(uint8_t out[SHA1_DIGEST], struct bytes message)
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    size_t done = 0;
    for (; message.len - done >= SHA1_BLOCK; done += SHA1_BLOCK) hash_block(state, message.data + done);

    /* The padding (5.1.1): a one bit, zeros, and the length in bits as the last eight octets. */
    uint8_t tail[2 * SHA1_BLOCK] = {0};
    size_t rest = message.len - done;
    if (rest > 0) memcpy(tail, message.data + done, rest);
    tail[rest] = 0x80;
    size_t tail_len = rest + 1 + 8 <= SHA1_BLOCK ? SHA1_BLOCK : 2 * SHA1_BLOCK;
    uint64_t bits = (uint64_t)message.len * 8;
    for (unsigned i = 0; i < 8; i++) tail[tail_len - 1 - i] = (uint8_t)(bits >> (8 * i));
    for (size_t i = 0; i < tail_len; i += SHA1_BLOCK) hash_block(state, tail + i);

    for (unsigned i = 0; i < SHA1_DIGEST; i++) out[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}
