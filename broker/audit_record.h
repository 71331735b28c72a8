/* A record of the audit log and its one written form: a line of JSON, all of it printable ASCII, its members in one
 * order. docs/AUDIT.md is the prose. */
#ifndef KEYWARD_BROKER_AUDIT_RECORD_H
#define KEYWARD_BROKER_AUDIT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

#define AUDIT_HASH 32u /* SHA-256 */

enum audit_what {
    AUDIT_NONE = 0,
    AUDIT_START,       /* a broker begins to write; text: its version, policy */
    AUDIT_KEY,         /* keyd's key for heads from here on: fingerprint, public */
    AUDIT_STARTED,     /* process */
    AUDIT_ENDED,       /* process; text: how */
    AUDIT_GRANTED,     /* a channel to keyd for one of our processes */
    AUDIT_MINTED,      /* a handle for whoever asked on the control socket */
    AUDIT_RESTRICTED,  /* a handle made from parent, weaker */
    AUDIT_PINNED,      /* to pid */
    AUDIT_SIGNED,      /* one signature; this is never merged */
    AUDIT_REFUSED,     /* reason; count: how often */
    AUDIT_CUT,         /* keyd closed the channel: its holder broke the protocol */
    AUDIT_CLOSED,      /* its holder is gone */
    AUDIT_REVOKED,     /* by an operator, or because its process is gone: text */
    AUDIT_EXPIRED,     /* its time is over */
    AUDIT_CERTIFICATE, /* revoked; text: its serial */
    AUDIT_SERVER,      /* a worker's signatures (count) and refusals since the last such record */
    AUDIT_BLOCKED,     /* the log cannot be written; reason, policy */
    AUDIT_UNBLOCKED,   /* it can again */
    AUDIT_GAP,         /* records were lost here: lost */
    AUDIT_TORN,        /* the end of an unfinished line was taken away: count bytes */
    AUDIT_HEAD,        /* keyd's signature of head and hash */
    AUDIT_STOP,        /* the broker is about to end; text: why */
    AUDIT_END,         /* as AUDIT_HEAD, and nothing comes after */
    AUDIT_RELOAD, /* pid and uid: who wanted it; text: what was set otherwise; reason: why it failed, and nothing changed */
    AUDIT_NUM
};

/* Hashes, keys and signatures, written in hexadecimal. */
struct audit_bytes {
    uint8_t len;
    uint8_t data[LIMIT_AUDIT_KEY];
};

/* Zero state: nothing. What is zero or empty is left out of the line. */
struct audit_record {
    uint64_t number;
    uint64_t time_ms; /* since the epoch */
    enum audit_what what;
    uint64_t handle;
    uint64_t parent;
    char label[LIMIT_LABEL + 1];
    char purpose[LIMIT_LABEL + 1];
    char key[LIMIT_LABEL + 1]; /* which of keyd's */
    uint64_t pid;
    uint64_t uid_and_1; /* 0: not known */
    char server[LIMIT_NAME + 1];
    char reason[LIMIT_AUDIT_TEXT + 1];
    uint64_t count;
    uint64_t refusals;
    char process[LIMIT_LABEL + 1];
    char policy[LIMIT_LABEL + 1];
    char text[LIMIT_AUDIT_TEXT + 1];
    uint64_t lost;
    uint64_t head; /* the number of the record whose hash is signed */
    struct audit_bytes hash;
    struct audit_bytes fingerprint; /* SHA-256 of the public key */
    struct audit_bytes public_key;  /* DER SubjectPublicKeyInfo */
    struct audit_bytes signature;
    uint8_t prev[AUDIT_HASH]; /* of the line before; zeros in the first */
};

const char *audit_what_name(enum audit_what what);

/* audit_record_format writes the line and a NUL, and returns its length without that: at most LIMIT_AUDIT_LINE. Words have to
 * be such as audit_record_text makes. */
size_t audit_record_format(char out[LIMIT_AUDIT_LINE + 1], const struct audit_record *record);

/* audit_record_parse reads a line of exactly that form. False: it is none. */
bool audit_record_parse(struct audit_record *out, const char *line, size_t len);

/* audit_set_bytes copies at most LIMIT_AUDIT_KEY bytes. */
void audit_set_bytes(struct audit_bytes *out, struct bytes bytes);

/* audit_record_text copies words to a member of that size, cut and repaired to valid UTF-8 without control characters. */
void audit_record_text(char *out, size_t out_len, const char *text);

#endif
