#include "base/sha256.h"

#include <string.h>

#define BLOCK sizeof(((struct sha256 *)0)->block)

/* FIPS 180-4, 4.2.2. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate_right(uint32_t word, unsigned bits)
{
    return (word >> bits) | (word << (32 - bits));
}

static uint32_t load_be32(const uint8_t *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/* The message schedule (6.2.2, step 1). */
static void schedule(uint32_t w[64], const uint8_t *block)
{
    for (unsigned t = 0; t < 16; t++) w[t] = load_be32(block + (size_t)t * 4);
    for (unsigned t = 16; t < 64; t++) {
        const uint32_t s0 = rotate_right(w[t - 15], 7) ^ rotate_right(w[t - 15], 18) ^ (w[t - 15] >> 3);
        const uint32_t s1 = rotate_right(w[t - 2], 17) ^ rotate_right(w[t - 2], 19) ^ (w[t - 2] >> 10);
        w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
}

static void hash_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64], v[8]; /* v: the working variables a to h */
    schedule(w, block);
    memcpy(v, state, sizeof(v));
    for (unsigned t = 0; t < 64; t++) {
        const uint32_t sum1 = rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^ rotate_right(v[4], 25);
        const uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        const uint32_t t1 = v[7] + sum1 + choice + constants[t] + w[t];
        const uint32_t sum0 = rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^ rotate_right(v[0], 22);
        const uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(v + 1, v, 7 * sizeof(v[0]));
        v[4] += t1;
        v[0] = t1 + sum0 + majority;
    }
    for (unsigned i = 0; i < 8; i++) state[i] += v[i];
}

void sha256_init(struct sha256 *hash)
{
    *hash = (struct sha256){
        .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *hash, struct bytes data)
{
    size_t held = hash->len % BLOCK;
    hash->len += data.len;
    while (data.len > 0) {
        const size_t take = data.len < BLOCK - held ? data.len : BLOCK - held;
        memcpy(hash->block + held, data.data, take);
        data = (struct bytes){data.data + take, data.len - take};
        held += take;
        if (held < BLOCK) return;
        hash_block(hash->state, hash->block);
        held = 0;
    }
}

/* The padding (5.1.1): a one bit, zeros, and the length in bits as the last eight octets. */
void sha256_finish(uint8_t out[SHA256_BYTES], struct sha256 *hash)
{
    static const uint8_t padding[BLOCK] = {0x80};
    const uint64_t bits = hash->len * 8;
    const size_t held = hash->len % BLOCK;
    uint8_t len[8];
    for (unsigned i = 0; i < 8; i++) len[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(hash, (struct bytes){padding, (held < BLOCK - 8 ? BLOCK : 2 * BLOCK) - 8 - held});
    sha256_add(hash, (struct bytes){len, sizeof(len)});
    for (unsigned i = 0; i < SHA256_BYTES; i++) out[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_of(uint8_t out[SHA256_BYTES], struct bytes message)
{
    struct sha256 hash;
    sha256_init(&hash);
    sha256_add(&hash, message);
    sha256_finish(out, &hash);
}
