/* An audit log in memory, signed by a real key of keyd's, and the means to tamper with it line by line. */
#ifndef KEYWARD_TESTS_UNIT_BROKER_AUDIT_RIG_H
#define KEYWARD_TESTS_UNIT_BROKER_AUDIT_RIG_H

#include "broker/audit_log.h"
#include "broker/audit_verify.h"
#include "keyd/audit_key.h"

enum { AUDIT_RIG_LINES = 64 };

struct audit_rig {
    struct audit_log *log;
    struct audit_key *key;
    int fd;
    /* After audit_rig_load: */
    char *lines[AUDIT_RIG_LINES]; /* without their newlines */
    size_t num;
};

void audit_rig_begin(struct audit_rig *rig);
void audit_rig_add(struct audit_rig *rig, enum audit_what what);

/* audit_rig_new_key is a keyd that was started anew. */
void audit_rig_new_key(struct audit_rig *rig);

/* audit_rig_sign adds AUDIT_HEAD or AUDIT_END over the last record. */
void audit_rig_sign(struct audit_rig *rig, enum audit_what what);

/* audit_rig_usual is a start, a key, five uses of a handle with a head among them, and a proper end. */
void audit_rig_usual(struct audit_rig *rig);

/* audit_rig_load reads what was written as lines. */
void audit_rig_load(struct audit_rig *rig);

/* audit_rig_hash is the hash of a loaded line, by its number from 0. */
void audit_rig_hash(uint8_t out[AUDIT_HASH], const struct audit_rig *rig, size_t line);

/* audit_rig_rechain recomputes the links of the lines from that one on, as somebody who rewrites the log would. */
void audit_rig_rechain(struct audit_rig *rig, size_t from);

/* audit_rig_verify verifies the loaded lines, or any text. trust may be NULL. */
struct audit_report audit_rig_verify(const struct audit_rig *rig, const struct audit_trust *trust);
struct audit_report audit_rig_verify_text(const char *text, size_t len, const struct audit_trust *trust);

#endif
