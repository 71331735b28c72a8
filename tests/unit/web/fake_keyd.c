#include "tests/unit/web/fake_keyd.h"

#include <openssl/digest.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/unit/keep.h"

int fake_keyd_open(struct fake_keyd *keyd, EVP_PKEY *key)
{
    int ends[2];
    memset(keyd, 0, sizeof *keyd);
    CHECK(channel_pair(ends) == ERR_OK);
    keyd->link = (struct link){.fd = ends[0], .role = LINK_SIGN_SERVER, .end = LINK_UPPER};
    keyd->arena = keep(codec_arena_new(LIMIT_DECODE_ARENA));
    keyd->key = key;
    CHECK(keyd->arena != NULL);
    return ends[1];
}

/* Writes what BoringSSL gave the signer, from the typed request: RFC 8446, 4.4.3, and RFC 8422, 5.4. */
static size_t rebuild_input(uint8_t *out, const struct msg *msg)
{
    static const char context[] = "TLS 1.3, server CertificateVerify";
    size_t len;
    if (msg->kind == MSG_SIGN_TLS13_SERVER) {
        struct bytes hash = msg->sign_tls13_server.transcript_hash;
        memset(out, ' ', 64);
        memcpy(out + 64, context, sizeof context);
        len = 64 + sizeof context;
        memcpy(out + len, hash.data, hash.len);
        return len + hash.len;
    }
    const struct sign_tls12_server *sign = &msg->sign_tls12_server;
    memcpy(out, sign->client_random, 32);
    memcpy(out + 32, sign->server_random, 32);
    len = 64;
    out[len++] = 3;
    out[len++] = (uint8_t)(sign->group >> 8);
    out[len++] = (uint8_t)sign->group;
    out[len++] = (uint8_t)sign->point.len;
    memcpy(out + len, sign->point.data, sign->point.len);
    return len + sign->point.len;
}

static void send_signature(struct fake_keyd *keyd, uint64_t id, const uint8_t *input, size_t input_len)
{
    uint8_t signature[LIMIT_SIGNATURE];
    size_t len = sizeof signature;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    CHECK(md != NULL && EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, keyd->key) &&
          EVP_DigestSign(md, signature, &len, input, input_len));
    EVP_MD_CTX_free(md);
    if (keyd->mood == KEYD_LONG_SIGNATURE) len = sizeof signature;
    struct msg msg = {.kind = MSG_SIGNATURE, .id = id, .signature = {signature, len}};
    CHECK(link_send(&keyd->link, &msg, NULL, 0) == ERR_OK);
}

static void answer(struct fake_keyd *keyd, const struct msg *request)
{
    uint8_t input[512];
    size_t len = rebuild_input(input, request);
    static const uint8_t garbage[] = {0xff, 0xff, 0xff, 0x07};
    struct msg refusal = {.kind = MSG_REFUSAL, .id = request->id, .refusal = REFUSAL_EXPIRED};
    switch (keyd->mood) {
    case KEYD_SIGNS:
    case KEYD_DOUBTS:
    case KEYD_LONG_SIGNATURE: send_signature(keyd, request->id, input, len); return;
    case KEYD_BAD_SIGNATURE: send_signature(keyd, request->id, input, len - 1); return;
    case KEYD_WRONG_ID: send_signature(keyd, request->id + 1, input, len); return;
    case KEYD_REFUSES: CHECK(link_send(&keyd->link, &refusal, NULL, 0) == ERR_OK); return;
    case KEYD_GARBAGE: CHECK(channel_send(keyd->link.fd, garbage, sizeof garbage, NULL, 0) == ERR_OK); return;
    case KEYD_WRONG_KIND: {
        uint8_t packet[64];
        size_t packet_len;
        struct msg ready = {.kind = MSG_READY, .id = request->id};
        CHECK(codec_encode(packet, &packet_len, sizeof packet, &ready) == ERR_OK);
        CHECK(channel_send(keyd->link.fd, packet, packet_len, NULL, 0) == ERR_OK);
        return;
    }
    case KEYD_CLOSES: fake_keyd_close(keyd); return;
    case KEYD_SILENT:
    case KEYD_ASLEEP: return;
    }
}

void fake_keyd_bind(struct fake_keyd *keyd, uint64_t handle)
{
    struct msg msg = {.kind = MSG_CLIENT_BOUND, .id = keyd->expected_id, .client_bound = {.handle = handle}};
    if (keyd->parent != 0) msg.client_bound.above[msg.client_bound.num_above++] = keyd->parent;
    CHECK(link_send(&keyd->link, &msg, NULL, 0) == ERR_OK);
}

static void expect(struct fake_keyd *keyd, const struct msg *msg)
{
    const struct msg refusal = {.kind = MSG_REFUSAL, .id = msg->id, .refusal = REFUSAL_TRANSCRIPT};
    keyd->num_expected++;
    keyd->expected_id = msg->id;
    keyd->expected_len = msg->expect_client.len;
    memcpy(keyd->expected, msg->expect_client.data, msg->expect_client.len);
    if (keyd->binds_to != 0) fake_keyd_bind(keyd, keyd->binds_to);
    if (keyd->mood == KEYD_DOUBTS) CHECK(link_send(&keyd->link, &refusal, NULL, 0) == ERR_OK);
}

void fake_keyd_step(struct fake_keyd *keyd)
{
    struct msg msg;
    struct packet_extra extra;
    while (keyd->link.fd >= 0 && keyd->mood != KEYD_ASLEEP) {
        enum err err = link_recv(&keyd->link, &msg, &extra, keyd->arena);
        if (err != ERR_OK) {
            CHECK(err == ERR_AGAIN || err == ERR_CLOSED); /* the signer's requests are always well-formed */
            return;
        }
        if (msg.kind == MSG_EXPECT_CLIENT) {
            expect(keyd, &msg);
            continue;
        }
        keyd->num_requests++;
        keyd->last_id = msg.id;
        keyd->last_kind = msg.kind;
        answer(keyd, &msg);
    }
}

void fake_keyd_answer(struct fake_keyd *keyd, uint64_t id)
{
    static const uint8_t nothing[1];
    send_signature(keyd, id, nothing, sizeof nothing);
}

void fake_keyd_close(struct fake_keyd *keyd)
{
    if (keyd->link.fd >= 0) close(keyd->link.fd);
    keyd->link.fd = -1;
    codec_arena_free(keyd->arena);
    keyd->arena = NULL;
}
