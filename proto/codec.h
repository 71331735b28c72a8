/* Packets to messages and back. The only place that sees protobuf-c's types.
 *
 * Decoding is done in an arena of fixed size, refuses unknown fields and kinds that are not in the allowed set, and
 * checks every field against the bounds in proto/message.h. There is no allocation and nothing to free. */
#ifndef KEYWARD_PROTO_CODEC_H
#define KEYWARD_PROTO_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/message.h"

/* A set of kinds. */
__extension__ typedef unsigned __int128 msg_kinds;
#define MSG_BIT(kind) ((msg_kinds)1 << (kind))
_Static_assert(MSG_NUM_KINDS <= 128, "msg_kinds has a bit for every kind");

/* Where a decoded message's spans, strings and arrays live, until the next decoding into the same arena. */
struct codec_arena;

/* codec_arena_new allocates an arena of size bytes; LIMIT_DECODE_ARENA holds any packet, LIMIT_SIGN_ARENA what
 * keyd is asked, 8 KiB what it answers but a HANDLE_DESCRIPTION.
 * NULL: no memory. */
struct codec_arena *codec_arena_new(size_t size);
void codec_arena_free(struct codec_arena *arena);

/* codec_decode reads one packet. out's spans point into the arena, never into packet. A message has one form on the wire,
 * the one that codec_encode writes: fields in order and once, no default spelled out, no number longer than it has to be.
 * ERR_DENIED: a kind that is not in allowed, which is not looked into; out->kind and out->id are set. ERR_MALFORMED: not
 * an envelope, an unknown field, another form, a value out of bounds. ERR_TOO_LARGE: does not fit the arena. */
MUST_CHECK enum err codec_decode(struct codec_arena *arena, struct msg *out, const uint8_t *packet, size_t len,
                                 msg_kinds allowed);

/* codec_encode writes msg to buf. ERR_TOO_LARGE: buf_len is too small. A msg out of the bounds in proto/message.h is
 * our own bug and fails a CHECK. */
MUST_CHECK enum err codec_encode(uint8_t *buf, size_t *out_len, size_t buf_len, const struct msg *msg);

#endif
