/* One message of every kind, with something in every field, and the means to take a packet apart. */
#ifndef KEYWARD_TESTS_UNIT_PROTO_SAMPLE_H
#define KEYWARD_TESTS_UNIT_PROTO_SAMPLE_H

#include "proto/codec.h"

enum { SAMPLE_ID = 77 };

/* sample_of returns a valid message, or one of kind MSG_NONE if there is no sample of that kind. */
struct msg sample_of(enum msg_kind kind);

/* sample_expect_same fails the running test where a field differs. */
void sample_expect_same(const struct msg *got, const struct msg *want);

/* A packet that a test puts together. */
struct wire {
    uint8_t data[2 * LIMIT_PACKET];
    size_t len;
};

/* wire_of encodes a message. */
void wire_of(struct wire *out, const struct msg *msg);

void wire_add_number(struct wire *wire, unsigned field, uint64_t value);
void wire_add_bytes(struct wire *wire, unsigned field, const void *data, size_t len);

/* wire_body splits a packet: its body's field number and the body itself. */
unsigned wire_body(struct wire *out, const struct wire *packet);

/* wire_envelope puts a body back. */
void wire_envelope(struct wire *out, unsigned field, const struct wire *body);

/* wire_find writes the payload of the first field of that number to out. */
bool wire_find(struct wire *out, const struct wire *message, unsigned field);

/* wire_without copies message but for the fields of that number. */
void wire_without(struct wire *out, const struct wire *message, unsigned field);

/* wire_sort puts a message's fields in order of their numbers. */
void wire_sort(struct wire *message);

#endif
