/* Whether an audit log is as it was written. It is read once, from front to back, in bounded memory; the first fault is
 * named and ends it. */
#ifndef KEYWARD_BROKER_AUDIT_VERIFY_H
#define KEYWARD_BROKER_AUDIT_VERIFY_H

#include "broker/audit_record.h"

/* A record that somebody vouches for: its number and its line's hash, as it stood in the journal. */
struct audit_pin {
    uint64_t number;
    uint8_t hash[AUDIT_HASH];
};

/* What is known from elsewhere. Zero state: nothing, so that the keys are taken that the file itself names. */
struct audit_trust {
    uint8_t keys[LIMIT_AUDIT_KEYS]
                [AUDIT_HASH]; /* fingerprints. If there are any, or pins, a head counts only if it is by
                                                 * one of them, or by a key that a covered record names */
    size_t num_keys;
    struct audit_pin pins[LIMIT_AUDIT_KEYS];
    size_t num_pins;
    uint64_t crashes[LIMIT_AUDIT_KEYS]; /* starts of which an operator knows that the broker before them was killed */
    size_t num_crashes;
    bool
        live; /* a running broker was asked, before the file was opened; it has written as far as running, with live_key */
    struct audit_pin running;
    uint8_t live_key[AUDIT_HASH];
};

enum audit_verdict {
    AUDIT_INTACT, /* every record is as written; the last one closes the log, or the running broker vouches for it */
    AUDIT_OPEN, /* the same, but records at the end, or of a broker before, are covered by no signed head that counts */
    AUDIT_DAMAGED, /* text says at which record, and what */
};

struct audit_report {
    enum audit_verdict verdict;
    uint64_t records;
    uint64_t covered;      /* up to this record a signature vouches, or a pin */
    bool confirmed;        /* the running broker says that it has written these records */
    uint64_t lost;         /* records that the log itself says are lost */
    uint64_t crashes;      /* starts behind a log that was not closed, which the caller knows of */
    uint64_t fault_line;   /* where it is damaged; lines count from 1 */
    uint64_t fault_record; /* the number that the record has, or should have */
    char text[512];        /* for people; empty if AUDIT_INTACT and nothing is to be said */
};

struct audit_verify;

/* Called with each record that is in its place. */
typedef void (*audit_verify_sink)(void *context, const struct audit_record *record);

/* NULL: no memory. trust outlives it. */
struct audit_verify *audit_verify_new(const struct audit_trust *trust, audit_verify_sink sink, void *context);
void audit_verify_free(struct audit_verify *verify);

/* audit_verify_feed takes the next bytes of the file. False: there is a fault, and no more is needed. */
bool audit_verify_feed(struct audit_verify *verify, const char *data, size_t len);

/* audit_verify_finish says what to think of it, at the file's end or after a fault. */
void audit_verify_finish(struct audit_verify *verify, struct audit_report *out);

#endif
