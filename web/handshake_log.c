#include "web/handshake_log.h"

#include "base/clock.h"
#include "base/log.h"

enum { REFUSED_LINES_PER_S = 50, ABORTED_LINES_PER_S = 2 };

void handshake_log_write(struct handshake_log *log, enum tls_outcome outcome, const char *peer, const char *reason)
{
    bool refused = outcome == TLS_OUTCOME_REFUSED;
    uint64_t withheld;
    if (outcome == TLS_OUTCOME_UNUSED ||
        !log_rate_admit(refused ? &log->refused : &log->aborted, &withheld, clock_monotonic_ms(),
                        refused ? REFUSED_LINES_PER_S : ABORTED_LINES_PER_S))
        return;
    const char *event = refused ? "handshake refused" : "handshake aborted";
    if (withheld > 0)
        log_line("%s peer=%s reason=%s withheld=%llu", event, log_quote(peer), log_quote(reason),
                 (unsigned long long)withheld);
    else
        log_line("%s peer=%s reason=%s", event, log_quote(peer), log_quote(reason));
}
