/* The codec: every kind there and back, and what it must not take. */
#include "proto/codec.h"

#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "proto/keyward.pb-c.h"
#include "tests/unit/proto/sample.h"

#define ALL_KINDS (MSG_BIT(MSG_NUM_KINDS) - 1)

static struct codec_arena *arena;
static struct msg out;
static struct wire packet, body, other, changed;

static void set_up(void)
{
    arena = codec_arena_new(LIMIT_DECODE_ARENA);
    cr_assert_not_null(arena);
}

static void tear_down(void)
{
    codec_arena_free(arena);
}

TestSuite(codec, .init = set_up, .fini = tear_down);

static enum err decode(const struct wire *wire)
{
    /* Exactly as long as it is, so that a sanitizer sees a read past the end. */
    uint8_t *exact = malloc(wire->len + 1);
    cr_assert_not_null(exact);
    memcpy(exact, wire->data, wire->len);
    enum err err = codec_decode(arena, &out, exact, wire->len, ALL_KINDS);
    /* Nothing that came out may point there. */
    memset(exact, 0xee, wire->len);
    free(exact);
    return err;
}

Test(codec, every_kind_round_trips)
{
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind);
        cr_assert_neq(sample.kind, MSG_NONE, "kind %s has no sample", msg_kind_name(kind));
        wire_of(&packet, &sample);
        cr_assert_eq(decode(&packet), ERR_OK, "%s", msg_kind_name(kind));
        sample_expect_same(&out, &sample);
        wire_of(&other, &out);
        cr_expect_eq(packet.len, other.len);
        cr_expect_arr_eq(packet.data, other.data, packet.len, "%s", msg_kind_name(kind));
    }
}

/* A sample that leaves a field at its default would not notice that the codec forgets it. */
Test(codec, samples_fill_every_field)
{
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind);
        wire_of(&packet, &sample);
        unsigned number = wire_body(&body, &packet);
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(&keyward__wire__envelope__descriptor, number);
        cr_assert_not_null(field);
        const ProtobufCMessageDescriptor *message = field->descriptor;
        for (unsigned i = 0; i < message->n_fields; i++) {
            cr_expect(wire_find(&other, &body, message->fields[i].id), "%s.%s", message->short_name,
                      message->fields[i].name);
        }
    }
}

Test(codec, every_case_of_the_schema_is_a_kind)
{
    /* All of the envelope's fields but the id, and MSG_NONE is no kind of its own. */
    cr_expect_eq(keyward__wire__envelope__descriptor.n_fields - 1, MSG_NUM_KINDS - 1);
}

Test(codec, truncated_packets_are_malformed)
{
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind);
        wire_of(&packet, &sample);
        size_t whole = packet.len;
        for (packet.len = 0; packet.len < whole; packet.len++) {
            cr_expect_eq(decode(&packet), ERR_MALFORMED, "%s cut at %zu", msg_kind_name(kind), packet.len);
        }
    }
}

Test(codec, trailing_bytes_are_malformed)
{
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind);
        wire_of(&packet, &sample);
        packet.data[packet.len++] = 0;
        cr_expect_eq(decode(&packet), ERR_MALFORMED, "%s", msg_kind_name(kind));
    }
}

Test(codec, no_body_is_malformed)
{
    packet.len = 0;
    wire_add_number(&packet, 1, SAMPLE_ID);
    cr_expect_eq(decode(&packet), ERR_MALFORMED);
}

Test(codec, too_long_a_packet_is_refused_unread)
{
    memset(packet.data, 0xff, sizeof packet.data);
    packet.len = LIMIT_PACKET + 1;
    cr_expect_eq(decode(&packet), ERR_TOO_LARGE);
    packet.len = LIMIT_PACKET;
    cr_expect_eq(decode(&packet), ERR_MALFORMED);
}

enum { UNKNOWN_FIELD = 1000 };

Test(codec, unknown_field_in_the_envelope_is_malformed)
{
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind);
        wire_of(&packet, &sample);
        wire_add_number(&packet, UNKNOWN_FIELD, 1);
        cr_expect_eq(decode(&packet), ERR_MALFORMED, "%s", msg_kind_name(kind));
    }
}

Test(codec, unknown_field_in_the_body_is_malformed)
{
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind);
        wire_of(&packet, &sample);
        unsigned number = wire_body(&body, &packet);
        wire_add_bytes(&body, UNKNOWN_FIELD, "x", 1);
        wire_envelope(&changed, number, &body);
        cr_expect_eq(decode(&changed), ERR_MALFORMED, "%s", msg_kind_name(kind));
    }
}

/* Runs change on every message that is inside a body, and expects the packet to be refused. */
static void expect_nested_malformed(void (*change)(struct wire *nested))
{
    unsigned changed_messages = 0;
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind);
        wire_of(&packet, &sample);
        unsigned number = wire_body(&body, &packet);
        const ProtobufCMessageDescriptor *message =
            protobuf_c_message_descriptor_get_field(&keyward__wire__envelope__descriptor, number)->descriptor;
        for (unsigned i = 0; i < message->n_fields; i++) {
            if (message->fields[i].type != PROTOBUF_C_TYPE_MESSAGE) continue;
            struct wire nested;
            cr_assert(wire_find(&nested, &body, message->fields[i].id));
            change(&nested);
            wire_without(&other, &body, message->fields[i].id);
            wire_add_bytes(&other, message->fields[i].id, nested.data, nested.len);
            wire_sort(&other);
            wire_envelope(&changed, number, &other);
            cr_expect_eq(decode(&changed), ERR_MALFORMED, "%s.%s", message->short_name, message->fields[i].name);
            changed_messages++;
        }
    }
    cr_expect_eq(changed_messages, 12);
}

static void add_unknown(struct wire *nested)
{
    wire_add_number(nested, UNKNOWN_FIELD, 1);
}

static void repeat_all(struct wire *nested)
{
    memcpy(nested->data + nested->len, nested->data, nested->len);
    nested->len *= 2;
}

Test(codec, unknown_field_in_a_nested_message_is_malformed)
{
    expect_nested_malformed(add_unknown);
}

Test(codec, repeated_fields_of_a_nested_message_are_malformed)
{
    expect_nested_malformed(repeat_all);
}

/* protobuf-c merges two bodies of one kind and forgets the first one's unknown fields. */
Test(codec, two_bodies_are_malformed)
{
    for (unsigned first = MSG_NONE + 1; first < MSG_NUM_KINDS; first++) {
        struct msg one = sample_of(first), two = sample_of(MSG_SIGNATURE);
        wire_of(&packet, &one);
        unsigned number = wire_body(&body, &packet);
        wire_add_bytes(&packet, number, body.data, body.len);
        cr_expect_eq(decode(&packet), ERR_MALFORMED, "%s twice", msg_kind_name(first));

        wire_of(&packet, &one);
        wire_of(&other, &two);
        number = wire_body(&body, &other);
        wire_add_bytes(&packet, number, body.data, body.len);
        cr_expect_eq(decode(&packet), ERR_MALFORMED, "%s, then another", msg_kind_name(first));
    }
}

Test(codec, hidden_unknown_field_of_a_merged_body_is_malformed)
{
    struct msg sample = sample_of(MSG_SIGNATURE);
    wire_of(&packet, &sample);
    unsigned number = wire_body(&body, &packet);
    struct wire first = {.len = 0};
    wire_add_number(&first, UNKNOWN_FIELD, 1);
    packet.len = 0;
    wire_add_number(&packet, 1, SAMPLE_ID);
    wire_add_bytes(&packet, number, first.data, first.len);
    wire_add_bytes(&packet, number, body.data, body.len);
    cr_expect_eq(decode(&packet), ERR_MALFORMED);
}

Test(codec, a_field_twice_is_malformed)
{
    struct msg sample = sample_of(MSG_KEYD_GRANT);
    wire_of(&packet, &sample);
    unsigned number = wire_body(&body, &packet);
    wire_add_number(&body, 1, 99);
    wire_envelope(&changed, number, &body);
    cr_expect_eq(decode(&changed), ERR_MALFORMED);
}

Test(codec, wrong_wire_types_are_malformed)
{
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind);
        wire_of(&packet, &sample);
        unsigned number = wire_body(&body, &packet);
        const ProtobufCMessageDescriptor *message =
            protobuf_c_message_descriptor_get_field(&keyward__wire__envelope__descriptor, number)->descriptor;
        for (unsigned i = 0; i < message->n_fields; i++) {
            const ProtobufCFieldDescriptor *field = &message->fields[i];
            bool is_number = field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_UINT64 ||
                             field->type == PROTOBUF_C_TYPE_BOOL;
            wire_without(&other, &body, field->id);
            if (is_number)
                wire_add_bytes(&other, field->id, "\x01", 1);
            else
                wire_add_number(&other, field->id, 1);
            wire_envelope(&changed, number, &other);
            cr_expect_eq(decode(&changed), ERR_MALFORMED, "%s.%s", message->short_name, field->name);
        }
        packet.len = 0;
        wire_add_number(&packet, number, 1);
        cr_expect_eq(decode(&packet), ERR_MALFORMED, "%s as a number", msg_kind_name(kind));
    }
}

Test(codec, numbers_have_one_form)
{
    /* An id of 1 in two bytes, and a default that is spelled out. */
    static const uint8_t long_form[] = {0x08, 0x81, 0x00, 0xe2, 0x03, 0x00};
    static const uint8_t spelled_out[] = {0x08, 0x00, 0xe2, 0x03, 0x00};
    static const uint8_t short_form[] = {0x08, 0x01, 0xe2, 0x03, 0x00};
    cr_expect_eq(codec_decode(arena, &out, short_form, sizeof short_form, ALL_KINDS), ERR_OK);
    cr_expect_eq(out.kind, MSG_READY);
    cr_expect_eq(codec_decode(arena, &out, long_form, sizeof long_form, ALL_KINDS), ERR_MALFORMED);
    cr_expect_eq(codec_decode(arena, &out, spelled_out, sizeof spelled_out, ALL_KINDS), ERR_MALFORMED);
}

Test(codec, fields_have_one_order)
{
    static const uint8_t in_order[] = {0x08, 0x01, 0x92, 0x05, 0x04, 0x08, 0x02, 0x10, 0x09};
    static const uint8_t out_of_order[] = {0x08, 0x01, 0x92, 0x05, 0x04, 0x10, 0x09, 0x08, 0x02};
    static const uint8_t id_last[] = {0x92, 0x05, 0x04, 0x08, 0x02, 0x10, 0x09, 0x08, 0x01};
    cr_expect_eq(codec_decode(arena, &out, in_order, sizeof in_order, ALL_KINDS), ERR_OK);
    cr_expect_eq(out.exited.status, 9);
    cr_expect_eq(codec_decode(arena, &out, out_of_order, sizeof out_of_order, ALL_KINDS), ERR_MALFORMED);
    cr_expect_eq(codec_decode(arena, &out, id_last, sizeof id_last, ALL_KINDS), ERR_MALFORMED);
}

Test(codec, kinds_that_are_not_allowed_are_denied)
{
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind);
        wire_of(&packet, &sample);
        cr_expect_eq(codec_decode(arena, &out, packet.data, packet.len, ALL_KINDS & ~MSG_BIT(kind)), ERR_DENIED);
        cr_expect_eq(out.kind, kind);
        cr_expect_eq(out.id, (uint64_t)SAMPLE_ID);
        cr_expect_eq(codec_decode(arena, &out, packet.data, packet.len, MSG_BIT(kind)), ERR_OK);
    }
}

/* A peer cannot have protobuf-c work on a kind that its channel does not take, whatever is in it. */
Test(codec, does_not_look_into_a_kind_that_is_not_allowed)
{
    static const uint8_t unknown[] = {0x08, 0x05, 0xda, 0x01, 0x03, 0xff, 0xff, 0xff}; /* id 5, field 27 */
    static const uint8_t kill[] = {0x08, 0x05, 0x9a, 0x05, 0x03, 0xff, 0xff, 0xff};    /* id 5, field 83 */
    struct codec_arena *none = codec_arena_new(0);
    cr_expect_eq(codec_decode(none, &out, unknown, sizeof unknown, 0), ERR_MALFORMED);
    cr_expect_eq(codec_decode(none, &out, kill, sizeof kill, ALL_KINDS & ~MSG_BIT(MSG_KILL)), ERR_DENIED);
    cr_expect_eq(out.kind, MSG_KILL);
    cr_expect_eq(out.id, 5);
    cr_expect_eq(codec_decode(none, &out, kill, sizeof kill, MSG_BIT(MSG_KILL)), ERR_TOO_LARGE, "that needs memory");
    codec_arena_free(none);
}

Test(codec, an_arena_that_is_too_small_says_so)
{
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind);
        wire_of(&packet, &sample);
        enum err err = ERR_TOO_LARGE;
        size_t size = 0;
        for (; err == ERR_TOO_LARGE && size < 8192; size += 8) {
            struct codec_arena *small = codec_arena_new(size);
            err = codec_decode(small, &out, packet.data, packet.len, ALL_KINDS);
            codec_arena_free(small);
        }
        cr_expect_eq(err, ERR_OK, "%s with %zu bytes", msg_kind_name(kind), size);
        cr_expect_gt(size, 8);
    }
}

Test(codec, a_signing_packet_fits_its_arena)
{
    struct codec_arena *small = codec_arena_new(LIMIT_SIGN_ARENA);
    /* The worst that a signing channel's lower end can send: as many fields as fit. */
    memset(&packet, 0, sizeof packet);
    while (packet.len + 2 <= LIMIT_CLIENT_PACKET) {
        packet.data[packet.len++] = 0x72; /* pin_handle, empty */
        packet.data[packet.len++] = 0x00;
    }
    enum err err = codec_decode(small, &out, packet.data, packet.len, ALL_KINDS);
    cr_expect(err == ERR_MALFORMED || err == ERR_TOO_LARGE);
    enum msg_kind asked[] = {MSG_SIGN_TLS13_SERVER,   MSG_SIGN_TLS12_SERVER, MSG_SIGN_TLS13_CLIENT,
                             MSG_SIGN_BROWSER_DIGEST, MSG_PIN_HANDLE,        MSG_DESCRIBE_HANDLE,
                             MSG_EXPECT_CLIENT};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct msg sample = sample_of(asked[i]);
        wire_of(&packet, &sample);
        cr_expect_lt(packet.len, LIMIT_SIGN_PACKET);
        cr_expect_eq(codec_decode(small, &out, packet.data, packet.len, ALL_KINDS), ERR_OK);
    }
    /* The fullest handshake is the longest packet that keyd takes. */
    static uint8_t messages[LIMIT_CLIENT_TRANSCRIPT];
    const struct msg fullest[] = {
        {.kind = MSG_EXPECT_CLIENT, .id = UINT64_MAX, .expect_client = {messages, LIMIT_TRANSCRIPT}},
        {.kind = MSG_SIGN_TLS13_CLIENT,
         .id = UINT64_MAX,
         .sign_tls13_client = {UINT16_MAX, {messages, sizeof messages}}},
    };
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(
            codec_encode(packet.data, &packet.len, i == 0 ? LIMIT_TRANSCRIPT_PACKET : LIMIT_CLIENT_PACKET, &fullest[i]),
            ERR_OK);
        cr_expect_eq(codec_decode(small, &out, packet.data, packet.len, ALL_KINDS), ERR_OK);
        sample_expect_same(&out, &fullest[i]);
    }
    codec_arena_free(small);
}

Test(codec, the_fullest_keyd_status_fits)
{
    static struct grant_status grants[LIMIT_SERVER_GRANTS];
    for (size_t i = 0; i < LIMIT_SERVER_GRANTS; i++)
        grants[i] = (struct grant_status){UINT64_MAX, UINT64_MAX, UINT64_MAX};
    struct msg msg = {
        .kind = MSG_KEYD_STATUS,
        .id = UINT64_MAX,
        .keyd_status = {UINT64_MAX, UINT64_MAX, UINT64_MAX, grants, LIMIT_SERVER_GRANTS, LIMIT_GRANTS, UINT64_MAX}};
    cr_assert_eq(codec_encode(packet.data, &packet.len, LIMIT_PACKET, &msg), ERR_OK);
    cr_assert_eq(decode(&packet), ERR_OK);
    sample_expect_same(&out, &msg);
}

static char label[LIMIT_LABEL + 1], name[LIMIT_NAME + 1];

static struct handle_status fullest_handle(void)
{
    memset(label, 'l', LIMIT_LABEL);
    memset(name, 'n', LIMIT_NAME);
    return (struct handle_status){UINT64_MAX, label,      PURPOSE_BROWSER_DIGEST,
                                  UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                  UINT64_MAX, INT32_MAX,  UINT32_MAX,
                                  UINT64_MAX, name,       label};
}

Test(codec, the_fullest_page_of_handles_fits)
{
    static struct handle_status handles[LIMIT_HANDLE_PAGE];
    for (size_t i = 0; i < LIMIT_HANDLE_PAGE; i++) handles[i] = fullest_handle();
    struct msg msg = {
        .kind = MSG_HANDLE_LIST, .id = UINT64_MAX, .handle_list = {handles, LIMIT_HANDLE_PAGE, LIMIT_GRANTS}};
    cr_assert_eq(codec_encode(packet.data, &packet.len, LIMIT_PACKET, &msg), ERR_OK);
    cr_assert_eq(decode(&packet), ERR_OK);
    sample_expect_same(&out, &msg);
}

/* Beside the certificates, of which there are few: as many processes and handles as there may be. */
Test(codec, a_full_system_status_fits)
{
    static struct handle_status handles[LIMIT_STATUS_HANDLES];
    static struct process_status processes[LIMIT_STATUS_PROCESSES];
    for (size_t i = 0; i < LIMIT_STATUS_HANDLES; i++) handles[i] = fullest_handle();
    for (size_t i = 0; i < LIMIT_STATUS_PROCESSES; i++)
        processes[i] = (struct process_status){label,      INT32_MAX, UINT32_MAX, UINT32_MAX, true,
                                               UINT32_MAX, name,      UINT32_MAX, UINT64_MAX};
    struct msg msg = {.kind = MSG_SYSTEM_STATUS,
                      .system_status = {.url = name,
                                        .processes = processes,
                                        .num_processes = LIMIT_STATUS_PROCESSES,
                                        .handles = handles,
                                        .num_handles = LIMIT_STATUS_HANDLES,
                                        .total_handles = LIMIT_GRANTS}};
    cr_assert_eq(codec_encode(packet.data, &packet.len, LIMIT_PACKET - 6144, &msg), ERR_OK);
    cr_assert_eq(decode(&packet), ERR_OK);
    sample_expect_same(&out, &msg);
}

Test(codec, encoding_into_too_little_room_says_so)
{
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind);
        wire_of(&packet, &sample);
        memset(other.data, 0xaa, packet.len + 1);
        cr_expect_eq(codec_encode(other.data, &other.len, packet.len - 1, &sample), ERR_TOO_LARGE);
        cr_expect_eq(other.data[0], 0xaa, "written to although it does not fit");
        cr_expect_eq(codec_encode(other.data, &other.len, packet.len, &sample), ERR_OK);
        cr_expect_eq(other.data[packet.len], 0xaa);
    }
}

Test(codec, absent_texts_are_empty)
{
    struct msg msg = {.kind = MSG_SHIM_SETUP,
                      .shim_setup = {.browser = "chromium", .url = "https://a", .port = 1, .web_port = 1}};
    wire_of(&packet, &msg);
    cr_assert_eq(decode(&packet), ERR_OK);
    cr_expect_str_eq(out.shim_setup.display, "");
}

Test(codec, a_failure_is_told_even_with_a_broken_text)
{
    struct msg msg = {.kind = MSG_FAILED, .failed = {"file \xff\nx", ERR_INPUT}};
    wire_of(&packet, &msg);
    cr_assert_eq(decode(&packet), ERR_OK);
    cr_expect_str_eq(out.failed.text, "file ?"
                                      "?x");
}

Test(codec, encoding_what_is_out_of_bounds_is_a_bug, .signal = SIGILL)
{
    struct msg msg = {.kind = MSG_SIGNATURE, .signature = {NULL, 0}};
    enum err err = codec_encode(packet.data, &packet.len, sizeof packet.data, &msg);
    cr_log_error("came back with %d", (int)err);
}

Test(codec, encoding_no_kind_is_a_bug, .signal = SIGILL)
{
    struct msg msg = {.kind = MSG_NONE};
    enum err err = codec_encode(packet.data, &packet.len, sizeof packet.data, &msg);
    cr_log_error("came back with %d", (int)err);
}
