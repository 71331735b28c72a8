/* Which kinds may travel on which channel, in which direction, and how many descriptors each kind brings: the whole
 * of Keyward's wire policy as one const table. Both ends of a channel decode with it. */
#ifndef KEYWARD_PROTO_RULES_H
#define KEYWARD_PROTO_RULES_H

#include "proto/codec.h"

/* What a channel is for: one row each in proto/rules.c. */
enum link_role {
    LINK_BROKER_KEYD,
    LINK_BROKER_WEB,
    LINK_BROKER_SHIM,
    LINK_BROKER_SPAWNER,
    LINK_CONTROL,      /* the broker's control socket; the asker is a command-line program */
    LINK_SIGN_SERVER,  /* web asks keyd */
    LINK_SIGN_CLIENT,  /* browser-shim as a client asks keyd */
    LINK_SIGN_BROWSER, /* a browser's PKCS#11 module asks keyd */
    LINK_SIGN_GATEWAY, /* browser-shim's gateway asks keyd */
    LINK_NUM_ROLES
};

/* The two ends. For a channel to the broker the broker is the upper end; for a signing channel keyd is. */
enum link_end { LINK_UPPER, LINK_LOWER };

/* rules_accepted returns the kinds that the given end accepts. */
msg_kinds rules_accepted(enum link_role role, enum link_end end);

/* rules_max_packet returns the longest packet of that role: LIMIT_SIGN_PACKET from a browser, LIMIT_TRANSCRIPT_PACKET from
 * a web worker to keyd, LIMIT_CLIENT_PACKET from a client or a gateway to keyd, otherwise LIMIT_PACKET. */
size_t rules_max_packet(enum link_role role, enum link_end receiver);

/* rules_max_fds returns how many descriptors a packet of that role may bring at most, whatever its kind. */
size_t rules_max_fds(enum link_role role);

/* rules_fds_valid says whether num_fds descriptors may come with this message. */
bool rules_fds_valid(const struct msg *msg, size_t num_fds);

#endif
