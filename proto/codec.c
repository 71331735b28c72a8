#include "proto/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "proto/codec_internal.h"

/* ---- The arena -------------------------------------------------------------------------------------------------- */

enum { ARENA_ALIGNMENT = 8 };

struct codec_arena {
    size_t size;
    size_t used;
    bool exhausted;
    ProtobufCAllocator allocator; /* the same memory, as protobuf-c wants it */
    _Alignas(16) uint8_t memory[];
};

static void *arena_alloc(void *arena, size_t size)
{
    return codec_arena_take(arena, size);
}

static void arena_free(void *arena, void *pointer)
{
    /* All of it goes at once, when the next packet is decoded. */
    (void)arena;
    (void)pointer;
}

struct codec_arena *codec_arena_new(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct codec_arena)) return NULL;
    struct codec_arena *arena = malloc(sizeof *arena + size);
    if (arena == NULL) return NULL;
    arena->size = size;
    arena->used = 0;
    arena->exhausted = false;
    arena->allocator = (ProtobufCAllocator){.alloc = arena_alloc, .free = arena_free, .allocator_data = arena};
    return arena;
}

void codec_arena_free(struct codec_arena *arena)
{
    free(arena);
}

void *codec_arena_take(struct codec_arena *arena, size_t size)
{
    size_t left = arena->size - arena->used;
    size_t padding = -size % ARENA_ALIGNMENT;
    if (size > left || padding > left - size) {
        arena->exhausted = true;
        return NULL;
    }
    void *taken = arena->memory + arena->used;
    arena->used += size + padding;
    return taken;
}

/* ---- The kinds -------------------------------------------------------------------------------------------------- */

static bool check_empty(const struct msg *msg)
{
    (void)msg;
    return true;
}

static enum err decode_empty(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    (void)out;
    (void)wire;
    return ERR_OK;
}

static enum err encode_empty(const struct packer *packer, const struct msg *msg)
{
    (void)msg;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&keyward__wire__envelope__descriptor, packer->body_case);
    CHECK(field != NULL);
    /* Without fields a message is its base and nothing else. */
    ProtobufCMessage body;
    protobuf_c_message_init(field->descriptor, &body);
    return codec_pack(packer, &body);
}

struct kind {
    Keyward__Wire__Envelope__BodyCase body_case;
    bool (*check)(const struct msg *msg);
    enum err (*decode)(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire);
    enum err (*encode)(const struct packer *packer, const struct msg *msg);
};

#define KIND_ROW(kind, body) \
    [MSG_##kind] = {KEYWARD__WIRE__ENVELOPE__BODY_##kind, codec_check_##body, codec_decode_##body, codec_encode_##body},
#define KIND_EMPTY(kind) [MSG_##kind] = {KEYWARD__WIRE__ENVELOPE__BODY_##kind, check_empty, decode_empty, encode_empty},

static const struct kind kinds[MSG_NUM_KINDS] = {PROTO_KINDS(KIND_ROW, KIND_EMPTY)};

static enum msg_kind kind_of_case(Keyward__Wire__Envelope__BodyCase body_case)
{
#define CASE_ROW(kind, body) [KEYWARD__WIRE__ENVELOPE__BODY_##kind] = MSG_##kind,
#define CASE_EMPTY(kind) [KEYWARD__WIRE__ENVELOPE__BODY_##kind] = MSG_##kind,
    static const uint8_t of_case[] = {PROTO_KINDS(CASE_ROW, CASE_EMPTY)};
    size_t index = (size_t)body_case;
    return index < sizeof of_case ? (enum msg_kind)of_case[index] : MSG_NONE;
}

/* ---- Decoding --------------------------------------------------------------------------------------------------- */

/* Says whether a field unknown to the schema is in the message or below. The schema has no cycle, so its own depth
 * bounds this recursion. It has no oneof below the envelope, so every pointer here is what its field says. */
static bool has_unknown_field(const ProtobufCMessage *message)
{
    if (message->n_unknown_fields > 0) return true;
    const uint8_t *base = (const uint8_t *)message;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE) continue;
        const void *member = base + field->offset;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t num = *(const size_t *)(const void *)(base + field->quantifier_offset);
            ProtobufCMessage *const *messages = *(ProtobufCMessage *const *const *)member;
            for (size_t j = 0; j < num; j++) {
                if (has_unknown_field(messages[j])) return true;
            }
        } else {
            const ProtobufCMessage *below = *(const ProtobufCMessage *const *)member;
            if (below != NULL && has_unknown_field(below)) return true;
        }
    }
    return false;
}

/* Returns the envelope's body. All members of the oneof are pointers to messages, so any of them reads it. */
static ProtobufCMessage *envelope_body(const Keyward__Wire__Envelope *envelope)
{
    return (ProtobufCMessage *)envelope->sign_tls13_server;
}

/* One message has one form on the wire: it is packed again and has to come out as it came in. What does not had a field
 * twice or out of order, a default spelled out, a number longer than it has to be or too large for its type, a truth
 * value beyond 1, or a NUL inside a text. */
static enum err check_canonical(struct codec_arena *arena, const Keyward__Wire__Envelope *envelope,
                                const uint8_t *packet, size_t len)
{
    if (keyward__wire__envelope__get_packed_size(envelope) != len) return ERR_MALFORMED;
    uint8_t *again = codec_arena_take(arena, len);
    if (again == NULL) return ERR_TOO_LARGE;
    keyward__wire__envelope__pack(envelope, again);
    return memcmp(again, packet, len) == 0 ? ERR_OK : ERR_MALFORMED;
}

/* Reads one number of at most ten bytes (protobuf's encoding document, "Base 128 Varints"). Returns how many it took, 0
 * if that is none. */
static size_t read_varint(uint64_t *out, const uint8_t *data, size_t len)
{
    *out = 0;
    for (size_t i = 0; i < len && i < 10; i++) {
        *out |= (uint64_t)(data[i] & 0x7f) << (7 * i);
        if ((data[i] & 0x80) == 0) return i + 1;
    }
    return 0;
}

/* Reads the id and the kind off the front of a packet, which in its one form begins with them: what a channel does not
 * take is not looked into any further. */
static enum msg_kind peek(uint64_t *out_id, const uint8_t *packet, size_t len)
{
    enum { TAG_ID = 1 << 3, TYPE_BITS = 3, TYPE_BYTES = 2 };
    size_t at = 0;
    uint64_t tag;
    if (packet[0] == TAG_ID) {
        size_t taken = read_varint(out_id, packet + 1, len - 1);
        if (taken == 0) return MSG_NONE;
        at = 1 + taken;
    }
    if (read_varint(&tag, packet + at, len - at) == 0) return MSG_NONE;
    if ((tag & 7) != TYPE_BYTES || tag >> TYPE_BITS > UINT16_MAX) return MSG_NONE;
    return kind_of_case((Keyward__Wire__Envelope__BodyCase)(tag >> TYPE_BITS));
}

enum err codec_decode(struct codec_arena *arena, struct msg *out, const uint8_t *packet, size_t len, msg_kinds allowed)
{
    arena->used = 0;
    arena->exhausted = false;
    memset(out, 0, sizeof *out);
    if (len == 0) return ERR_MALFORMED;
    if (len > LIMIT_PACKET) return ERR_TOO_LARGE;
    enum msg_kind kind = peek(&out->id, packet, len);
    if (kind == MSG_NONE) return ERR_MALFORMED;
    if ((allowed & MSG_BIT(kind)) == 0) {
        out->kind = kind;
        return ERR_DENIED;
    }

    Keyward__Wire__Envelope *envelope = keyward__wire__envelope__unpack(&arena->allocator, len, packet);
    if (envelope == NULL) return arena->exhausted ? ERR_TOO_LARGE : ERR_MALFORMED;
    if (kind_of_case(envelope->body_case) != kind) return ERR_MALFORMED;
    const ProtobufCMessage *body = envelope_body(envelope);
    if (envelope->base.n_unknown_fields > 0 || has_unknown_field(body)) return ERR_MALFORMED;
    enum err err = check_canonical(arena, envelope, packet, len);
    if (err != ERR_OK) return err;

    out->kind = kind;
    out->id = envelope->id;
    err = kinds[kind].decode(arena, out, body);
    if (err != ERR_OK) return err;
    return kinds[kind].check(out) ? ERR_OK : ERR_MALFORMED;
}

/* ---- Encoding --------------------------------------------------------------------------------------------------- */

enum err codec_pack(const struct packer *packer, ProtobufCMessage *body)
{
    Keyward__Wire__Envelope envelope;
    keyward__wire__envelope__init(&envelope);
    envelope.id = packer->id;
    envelope.body_case = packer->body_case;
    envelope.sign_tls13_server = (Keyward__Wire__SignTls13Server *)body; /* whatever it is, as in envelope_body */
    if (keyward__wire__envelope__get_packed_size(&envelope) > packer->buf_len) return ERR_TOO_LARGE;
    *packer->out_len = keyward__wire__envelope__pack(&envelope, packer->buf);
    return ERR_OK;
}

enum err codec_encode(uint8_t *buf, size_t *out_len, size_t buf_len, const struct msg *msg)
{
    unsigned kind = (unsigned)msg->kind;
    CHECK(kind > MSG_NONE && kind < MSG_NUM_KINDS);
    CHECK(kinds[kind].check(msg));
    const struct packer packer = {
        .buf = buf, .buf_len = buf_len, .out_len = out_len, .id = msg->id, .body_case = kinds[kind].body_case};
    return kinds[kind].encode(&packer, msg);
}
