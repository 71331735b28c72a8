/* Each field at, below and above the edges of what it may hold. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/keyward.pb-c.h"
#include "tests/unit/proto/edges.h"
#include "tests/unit/proto/sample.h"

#define ALL_KINDS (MSG_BIT(MSG_NUM_KINDS) - 1)

static struct codec_arena *arena;
static struct wire packet, body, inner, without, changed_body, changed;
static char text[LIMIT_METRICS + 1]; /* the longest field of all */

static void set_up(void)
{
    arena = codec_arena_new(4 * LIMIT_DECODE_ARENA);
    cr_assert_not_null(arena);
    memset(text, 'a', sizeof text);
}

static void tear_down(void)
{
    codec_arena_free(arena);
}

TestSuite(bounds, .init = set_up, .fini = tear_down);

/* Replaces the edge's field in message by one of the given value, length or number. */
static void put(struct wire *message, const struct edge *edge, uint64_t value)
{
    struct wire *element = calloc(1, sizeof *element);
    cr_assert_not_null(element);
    bool found = wire_find(element, message, edge->field);
    wire_without(&without, message, edge->field);
    switch (edge->what) {
    case EDGE_NUMBER: wire_add_number(&without, edge->field, value); break;
    case EDGE_LENGTH:
        /* An empty text is a default, which is left out; an element of a repeated field is not. */
        cr_assert_leq(value, sizeof text);
        if (value > 0) wire_add_bytes(&without, edge->field, text, (size_t)value);
        break;
    case EDGE_COUNT:
        cr_assert(found);
        for (uint64_t i = 0; i < value; i++) wire_add_bytes(&without, edge->field, element->data, element->len);
        break;
    }
    free(element);
    memcpy(message, &without, sizeof without);
    wire_sort(message);
}

static enum err decode_with(const struct edge *edge, uint64_t value)
{
    struct msg sample = sample_of(edge->kind), out;
    wire_of(&packet, &sample);
    unsigned number = wire_body(&body, &packet);
    if (edge->parent == 0) {
        put(&body, edge, value);
        wire_envelope(&changed, number, &body);
    } else {
        cr_assert(wire_find(&inner, &body, edge->parent));
        /* The sample's first certificate has no names; give it one to repeat. */
        if (!wire_find(&without, &inner, edge->field)) wire_add_bytes(&inner, edge->field, "name", 4);
        put(&inner, edge, value);
        wire_without(&changed_body, &body, edge->parent);
        wire_add_bytes(&changed_body, edge->parent, inner.data, inner.len);
        wire_sort(&changed_body);
        wire_envelope(&changed, number, &changed_body);
    }
    return codec_decode(arena, &out, changed.data, changed.len, ALL_KINDS);
}

static bool in_some_row(const struct edge *of, uint64_t value)
{
    for (size_t i = 0; i < NUM_EDGES; i++) {
        const struct edge *edge = &edges[i];
        bool same =
            edge->kind == of->kind && edge->parent == of->parent && edge->field == of->field && edge->what == of->what;
        if (same && value >= edge->min && value <= edge->max) return true;
    }
    return false;
}

static void expect_at(const struct edge *edge, uint64_t value)
{
    /* A single element of length 0 cannot be told from none here; repeated texts have a row of their own. */
    enum err want = in_some_row(edge, value) ? ERR_OK : ERR_MALFORMED;
    enum err got = decode_with(edge, value);
    cr_expect_eq(got, want, "%s field %u.%u at %llu: %s", msg_kind_name(edge->kind), edge->parent, edge->field,
                 (unsigned long long)value, err_name(got));
}

static bool is_repeated(const struct edge *edge)
{
    for (size_t i = 0; i < NUM_EDGES; i++) {
        if (edges[i].what == EDGE_COUNT && edges[i].kind == edge->kind && edges[i].parent == edge->parent &&
            edges[i].field == edge->field) {
            return true;
        }
    }
    return false;
}

Test(bounds, every_field_at_and_beyond_its_edges)
{
    for (size_t i = 0; i < NUM_EDGES; i++) {
        const struct edge *edge = &edges[i];
        expect_at(edge, edge->min);
        expect_at(edge, edge->max);
        bool none = edge->what == EDGE_LENGTH && edge->min == 1 && is_repeated(edge);
        if (edge->min > 0 && !none) expect_at(edge, edge->min - 1);
        if (edge->max < UINT64_MAX) expect_at(edge, edge->max + 1);
        /* 32 bits and one more must not come out as 0. */
        if (edge->what == EDGE_NUMBER && edge->max <= UINT32_MAX) expect_at(edge, (UINT64_C(1) << 32) + edge->min);
    }
}

Test(bounds, an_element_of_a_repeated_field_is_not_empty)
{
    for (size_t i = 0; i < NUM_EDGES; i++) {
        const struct edge *edge = &edges[i];
        if (edge->what != EDGE_LENGTH || edge->min == 0 || edge->parent != 0 || !is_repeated(edge)) continue;
        struct msg sample = sample_of(edge->kind), out;
        wire_of(&packet, &sample);
        unsigned number = wire_body(&body, &packet);
        wire_add_bytes(&body, edge->field, "", 0);
        wire_sort(&body);
        wire_envelope(&changed, number, &body);
        cr_expect_eq(codec_decode(arena, &out, changed.data, changed.len, ALL_KINDS), ERR_MALFORMED, "%s field %u",
                     msg_kind_name(edge->kind), edge->field);
    }
}

static bool has_edge(enum msg_kind kind, unsigned parent, unsigned field)
{
    for (size_t i = 0; i < NUM_EDGES; i++) {
        if (edges[i].kind == kind && edges[i].parent == parent && edges[i].field == field) return true;
    }
    return false;
}

Test(bounds, every_field_of_the_schema_has_its_edges)
{
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind);
        wire_of(&packet, &sample);
        unsigned number = wire_body(&body, &packet);
        const ProtobufCMessageDescriptor *message =
            protobuf_c_message_descriptor_get_field(&keyward__wire__envelope__descriptor, number)->descriptor;
        for (unsigned i = 0; i < message->n_fields; i++) {
            unsigned field = message->fields[i].id;
            cr_expect(has_edge(kind, 0, field), "%s.%s", message->short_name, message->fields[i].name);
            if (message->fields[i].type != PROTOBUF_C_TYPE_MESSAGE) continue;
            const ProtobufCMessageDescriptor *nested = message->fields[i].descriptor;
            for (unsigned j = 0; j < nested->n_fields; j++) {
                cr_expect(has_edge(kind, field, nested->fields[j].id), "%s.%s", nested->short_name,
                          nested->fields[j].name);
            }
        }
    }
}

/* Puts value into every text of the schema and expects it refused. */
static void expect_no_text_takes(const char *value, size_t len)
{
    unsigned texts = 0;
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind), out;
        wire_of(&packet, &sample);
        unsigned number = wire_body(&body, &packet);
        const ProtobufCMessageDescriptor *message =
            protobuf_c_message_descriptor_get_field(&keyward__wire__envelope__descriptor, number)->descriptor;
        for (unsigned i = 0; i < message->n_fields; i++) {
            if (message->fields[i].type == PROTOBUF_C_TYPE_STRING) {
                wire_without(&changed_body, &body, message->fields[i].id);
                wire_add_bytes(&changed_body, message->fields[i].id, value, len);
                wire_sort(&changed_body);
                wire_envelope(&changed, number, &changed_body);
                cr_expect_eq(codec_decode(arena, &out, changed.data, changed.len, ALL_KINDS), ERR_MALFORMED, "%s.%s",
                             message->short_name, message->fields[i].name);
                texts++;
            }
            if (message->fields[i].type != PROTOBUF_C_TYPE_MESSAGE) continue;
            const ProtobufCMessageDescriptor *nested = message->fields[i].descriptor;
            for (unsigned j = 0; j < nested->n_fields; j++) {
                if (nested->fields[j].type != PROTOBUF_C_TYPE_STRING) continue;
                cr_assert(wire_find(&inner, &body, message->fields[i].id));
                wire_without(&without, &inner, nested->fields[j].id);
                wire_add_bytes(&without, nested->fields[j].id, value, len);
                wire_sort(&without);
                wire_without(&changed_body, &body, message->fields[i].id);
                wire_add_bytes(&changed_body, message->fields[i].id, without.data, without.len);
                wire_sort(&changed_body);
                wire_envelope(&changed, number, &changed_body);
                cr_expect_eq(codec_decode(arena, &out, changed.data, changed.len, ALL_KINDS), ERR_MALFORMED, "%s.%s",
                             nested->short_name, nested->fields[j].name);
                texts++;
            }
        }
    }
    cr_expect_gt(texts, 20);
}

/* A chain that an operator brings has a limit for all of its certificates together. */
Test(bounds, a_brought_chain_fits_into_a_handshake)
{
    for (unsigned field = 6; field <= 7; field++) {
        for (size_t over = 0; over <= 1; over++) {
            struct msg sample = sample_of(MSG_KEYD_SETUP), out;
            wire_of(&packet, &sample);
            const unsigned number = wire_body(&body, &packet);
            wire_without(&without, &body, field);
            wire_add_bytes(&without, field, text, LIMIT_CERTIFICATE);
            wire_add_bytes(&without, field, text, LIMIT_CHAIN_BYTES - LIMIT_CERTIFICATE + over);
            wire_sort(&without);
            wire_envelope(&changed, number, &without);
            cr_expect_eq(codec_decode(arena, &out, changed.data, changed.len, ALL_KINDS), over ? ERR_MALFORMED : ERR_OK,
                         "field %u", field);
        }
    }
}

Test(bounds, headers_are_those_that_may_be_set)
{
    static const struct {
        const char *line;
        enum err err;
    } rows[] = {{"X-Date:now", ERR_OK}, {"Date:now", ERR_MALFORMED}, {"now", ERR_MALFORMED}, {"X: y", ERR_MALFORMED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct msg sample = sample_of(MSG_WEB_SETUP), out;
        wire_of(&packet, &sample);
        unsigned number = wire_body(&body, &packet);
        wire_without(&without, &body, 10);
        wire_add_bytes(&without, 10, rows[i].line, strlen(rows[i].line));
        wire_sort(&without);
        wire_envelope(&changed, number, &without);
        cr_expect_eq(codec_decode(arena, &out, changed.data, changed.len, ALL_KINDS), rows[i].err, "%s", rows[i].line);
    }
}

Test(bounds, texts_take_what_is_printable)
{
    struct msg sample = sample_of(MSG_FAILED), out;
    sample.failed.text = "\xc3\xbc ~";
    wire_of(&packet, &sample);
    cr_expect_eq(codec_decode(arena, &out, packet.data, packet.len, ALL_KINDS), ERR_OK);
}

Test(bounds, texts_take_no_control_characters)
{
    expect_no_text_takes("a\nb", 3);
    expect_no_text_takes("\x1b[2J", 4);
    expect_no_text_takes("a\x7f", 2);
    expect_no_text_takes("\xc2\x85", 2);
}

Test(bounds, texts_take_no_nul)
{
    expect_no_text_takes("a\0b", 3);
    expect_no_text_takes("a\0", 2);
}

Test(bounds, texts_are_utf_8)
{
    expect_no_text_takes("\xff", 1);
    expect_no_text_takes("a\xc3", 2);
    expect_no_text_takes("\xed\xa0\x80", 3);
}
