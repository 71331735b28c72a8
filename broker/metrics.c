#include "broker/metrics.h"

#include <inttypes.h>

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP keyward_%s %s\n# TYPE keyward_%s %s\n", name, help, name, type);
}

static void single(FILE *out, const char *name, const char *type, const char *help, uint64_t value)
{
    head(out, name, type, help);
    fprintf(out, "keyward_%s %" PRIu64 "\n", name, value);
}

static void labelled(FILE *out, const char *name, const char *label, const char *text, uint64_t value)
{
    fprintf(out, "keyward_%s{%s=\"", name, label);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') fputc('\\', out);
        fputc(*text == '\n' ? ' ' : *text, out);
    }
    fprintf(out, "\"} %" PRIu64 "\n", value);
}

static void write_web(FILE *out, const struct web_status *web)
{
    static const char *const failures[HANDSHAKE_FAILURES] = {
        [HANDSHAKE_NO_CERTIFICATE] = "no_certificate",
        [HANDSHAKE_CERTIFICATE] = "certificate",
        [HANDSHAKE_SIGNATURE] = "signature",
        [HANDSHAKE_ALERT] = "alert",
        [HANDSHAKE_PROTOCOL] = "protocol",
        [HANDSHAKE_ABORTED] = "aborted",
    };
    static const char *const limits[CONNECTION_LIMITS] = {
        [CONNECTION_LIMIT_ALL] = "connections",
        [CONNECTION_LIMIT_ADDRESS] = "address_connections",
        [CONNECTION_LIMIT_RATE] = "address_handshakes",
    };
    static const char *const classes[RESPONSE_CLASSES] = {"2xx", "3xx", "4xx", "5xx"};
    single(out, "tls_handshakes_total", "counter", "TLS handshakes that were completed.", web->handshakes);
    head(out, "tls_handshake_failures_total", "counter", "TLS handshakes that ended without a connection.");
    for (unsigned i = 0; i < HANDSHAKE_FAILURES; i++)
        labelled(out, "tls_handshake_failures_total", "reason", failures[i], web->failures[i]);
    single(out, "connections", "gauge", "Connections that are open.", web->connections);
    head(out, "connections_refused_total", "counter", "Connections that were refused as they came, by which limit.");
    for (unsigned i = 0; i < CONNECTION_LIMITS; i++)
        labelled(out, "connections_refused_total", "limit", limits[i], web->limited[i]);
    single(out, "http_requests_total", "counter", "HTTP requests, those that were refused included.", web->requests);
    single(out, "http_requests_refused_total", "counter", "HTTP requests that broke a rule or a limit.",
           web->requests_refused);
    single(out, "access_log_lines_lost_total", "counter", "Lines of the access log that its file did not take.",
           web->access_lost);
    head(out, "http_responses_total", "counter", "HTTP responses by the class of their status.");
    for (unsigned i = 0; i < RESPONSE_CLASSES; i++)
        labelled(out, "http_responses_total", "class", classes[i], web->responses[i]);
    if (web->crl_next_update != 0)
        single(out, "crl_next_update_timestamp_seconds", "gauge",
               "When the first of the revocation lists runs out, since the epoch.", web->crl_next_update);
    if (web->ocsp_next_update != 0)
        single(out, "ocsp_next_update_timestamp_seconds", "gauge",
               "When the first of the OCSP responses that are stapled runs out, since the epoch.",
               web->ocsp_next_update);
    single(out, "echo_lines_total", "counter", "Lines of the echo service.", web->echo_lines);
}

static void write_keyd(FILE *out, const struct metrics_source *source)
{
    const struct system_status *status = source->status;
    single(out, "signatures_total", "counter", "Signatures that keyd made.", status->signatures);
    single(out, "signature_refusals_total", "counter", "Requests for a signature that keyd refused.", status->refusals);
    head(out, "handle_refusals_total", "counter", "Of those, what holders of handles were refused, and why.");
    for (unsigned i = REFUSAL_NONE + 1; i < REFUSAL_NUM; i++)
        labelled(out, "handle_refusals_total", "reason", refusal_text((enum refusal)i), source->handle_refusals[i]);
    single(out, "handles", "gauge", "Handles that are given out.", status->total_handles);
    single(out, "keyd_events_lost_total", "counter", "Reports that keyd had no room for.", source->events_lost);
}

static void write_audit(FILE *out, const struct system_status *status)
{
    single(out, "audit_records_total", "counter", "Records in the audit log.", status->audit_records);
    single(out, "audit_lost_records_total", "counter", "Records that are not in it.", status->audit_lost);
    single(out, "audit_pending_bytes", "gauge", "Bytes that wait because it cannot be written.", status->audit_pending);
    single(out, "audit_held", "gauge", "1: handles are refused meanwhile.", status->audit_held);
}

static void write_processes(FILE *out, const struct system_status *status)
{
    head(out, "process_up", "gauge", "1: the process is there.");
    for (size_t i = 0; i < status->num_processes; i++)
        labelled(out, "process_up", "process", status->processes[i].name, status->processes[i].pid != 0);
    head(out, "process_restarts_total", "counter", "How often the process was started anew.");
    for (size_t i = 0; i < status->num_processes; i++)
        labelled(out, "process_restarts_total", "process", status->processes[i].name, status->processes[i].restarts);
    head(out, "process_resident_memory_bytes", "gauge", "Resident memory.");
    for (size_t i = 0; i < status->num_processes; i++)
        labelled(out, "process_resident_memory_bytes", "process", status->processes[i].name,
                 status->processes[i].resident_bytes);
}

static void write_certificates(FILE *out, const struct system_status *status)
{
    head(out, "certificate_expiry_timestamp_seconds", "gauge", "When the certificate expires, since the epoch.");
    for (size_t i = 0; i < status->num_certificates; i++)
        labelled(out, "certificate_expiry_timestamp_seconds", "role", status->certificates[i].role,
                 status->certificates[i].not_after);
    single(out, "secret_memory", "gauge", "1: keys are in memory that not even root can read (memfd_secret).",
           status->secret_memory);
}

void metrics_write(FILE *out, const struct metrics_source *source)
{
    head(out, "build_info", "gauge", "Always 1.");
    labelled(out, "build_info", "version", source->version, 1);
    write_web(out, source->web);
    write_keyd(out, source);
    write_audit(out, source->status);
    write_processes(out, source->status);
    write_certificates(out, source->status);
}
