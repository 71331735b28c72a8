/* Handshakes that did not end well: a log line, and the verdict for `broker explain`. */
#ifndef KEYWARD_WEB_HANDSHAKE_LOG_H
#define KEYWARD_WEB_HANDSHAKE_LOG_H

#include "base/log_rate.h"
#include "web/tls_refusal.h"
#include "web/verdicts.h"

/* Zero state: nothing logged yet. */
struct handshake_log {
    struct log_rate refused, aborted;
    struct verdicts *verdicts; /* which remember them for broker explain; stay the caller's. NULL: nobody does */
};

/* handshake_log_write writes one line: who (address; and the certificate, if one was shown), why, what to do; unless the outcome is TLS_OUTCOME_UNUSED or there have been too many; browsers
 * abort handshakes as a matter of course, so fewer of those are let through. All are remembered in verdicts. */
void handshake_log_write(struct handshake_log *log, const struct session_peer *peer, const struct tls_refusal *refusal);

#endif
