/* Messages of the control socket.
 * Include proto/message.h, which says what holds of all of them. */
#ifndef KEYWARD_PROTO_MESSAGE_CONTROL_H
#define KEYWARD_PROTO_MESSAGE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "proto/message_keyd.h"
#include "proto/message_web.h"

struct process_status {
    const char *name; /* 1 to LIMIT_LABEL bytes */
    uint32_t pid;     /* 0: none at the moment */
    uint32_t uid;
    uint32_t seccomp_mode;
    bool no_new_privs;
    uint32_t landlock_abi;
    const char *namespaces; /* at most LIMIT_NAME bytes */
    uint32_t restarts;
    uint64_t resident_bytes;
};

struct handle_status {
    uint64_t handle;   /* never 0 */
    const char *label; /* at most LIMIT_LABEL bytes */
    enum purpose purpose;
    uint64_t expires_in_s;
    uint64_t signatures;
    uint64_t refusals;
    uint64_t max_signatures;
    uint32_t pinned_pid;
    uint32_t rate;
    uint64_t parent;
    const char *server; /* at most LIMIT_NAME bytes */
    const char *ca;     /* at most LIMIT_LABEL bytes */
};

struct system_status {
    const char *url;
    uint32_t ready_ms;
    bool secret_memory;
    struct process_status *processes; /* at most LIMIT_STATUS_PROCESSES */
    size_t num_processes;
    struct handle_status *handles; /* at most LIMIT_STATUS_HANDLES */
    size_t num_handles;
    struct certificate_info *certificates;
    size_t num_certificates;
    uint64_t handshakes;
    uint64_t handshakes_failed;
    uint64_t requests;
    uint64_t requests_refused;
    uint64_t signatures;
    uint64_t refusals;
    uint32_t total_handles; /* at most LIMIT_GRANTS */
    uint64_t audit_records;
    uint64_t audit_pending; /* bytes */
    uint64_t audit_lost;    /* records */
    bool audit_held;
    enum tls_mode mode; /* of the host's listener */
    uint64_t verdicts;  /* that there are to explain */
};

struct handle_mint {
    const char *label;   /* 1 to LIMIT_LABEL bytes */
    uint32_t lifetime_s; /* 1 to LIMIT_HANDLE_LIFETIME_S */
    uint64_t max_signatures;
    const char *server; /* at most LIMIT_NAME bytes */
    uint32_t rate;
    bool pinned;
    struct bytes ca; /* DER, at most LIMIT_CERTIFICATE bytes */
    bool digests;    /* for SIGN_BROWSER_DIGEST and not SIGN_TLS13_CLIENT */
};

struct handle_restrict {
    uint64_t parent;
    const char *label;   /* at most LIMIT_LABEL bytes */
    uint32_t lifetime_s; /* at most LIMIT_HANDLE_LIFETIME_S */
    uint64_t max_signatures;
    uint32_t rate;
    const char *server; /* at most LIMIT_NAME bytes */
    bool pinned;
};

struct handle_list {
    struct handle_status *handles; /* at most LIMIT_HANDLE_PAGE */
    size_t num_handles;
    uint32_t total; /* at most LIMIT_GRANTS */
};

struct handle_minted {
    uint64_t handle;     /* never 0 */
    struct bytes client; /* DER */
    struct bytes ca;     /* DER */
};

struct audit_state {
    uint64_t records;
    uint8_t hash[32];
    const char *fingerprint; /* at most LIMIT_LABEL bytes */
    uint64_t pending;
    uint64_t lost;
    bool held;
};

#endif
