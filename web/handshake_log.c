#include "web/handshake_log.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

enum { REFUSED_LINES_PER_S = 50, ABORTED_LINES_PER_S = 2 };

static void remember(struct verdicts *verdicts, const struct session_peer *peer, const struct tls_refusal *refusal)
{
    const struct verdict_note note = {
        .address = peer->address,
        .certificate = &peer->certificate,
        .kind = refusal->kind,
        .reason = refusal->reason,
        .remedy = refusal->remedy,
    };
    verdicts_add(verdicts, &note, clock_wall_ms());
}

void handshake_log_write(struct handshake_log *log, const struct session_peer *peer, const struct tls_refusal *refusal)
{
    bool refused = refusal->outcome == TLS_OUTCOME_REFUSED;
    uint64_t withheld;
    if (refusal->outcome == TLS_OUTCOME_UNUSED) return;
    remember(log->verdicts, peer, refusal);
    if (!log_rate_admit(refused ? &log->refused : &log->aborted, &withheld, clock_monotonic_ms(),
                        refused ? REFUSED_LINES_PER_S : ABORTED_LINES_PER_S))
        return;
    const char *event = refused ? "handshake refused" : "handshake aborted";
    char shown[1200] = "", more[40] = "";
    const struct certificate_text *certificate = &peer->certificate;
    if (certificate->fingerprint[0] != '\0')
        snprintf(shown, sizeof shown, " subject=%s serial=%s", log_quote(certificate->subject), certificate->serial);
    if (withheld > 0) snprintf(more, sizeof more, " withheld=%llu", (unsigned long long)withheld);
    log_line("%s peer=%s reason=%s%s remedy=%s%s", event, log_quote(peer->address), log_quote(refusal->reason), shown,
             log_quote(refusal->remedy), more);
}
