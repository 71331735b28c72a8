#include "broker/metrics.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char names[LIMIT_STATUS_PROCESSES][LIMIT_LABEL + 1];
static struct process_status processes[LIMIT_STATUS_PROCESSES];
static struct certificate_info certificates[LIMIT_CERTIFICATES];
static uint64_t refusals[REFUSAL_NUM];
static char *text;
static size_t len;

static void write_of(const struct system_status *status, const struct web_status *web)
{
    const struct metrics_source source = {
        .version = "1.2 \"3\"\\", .status = status, .web = web, .handle_refusals = refusals, .events_lost = 71};
    FILE *out = open_memstream(&text, &len);
    metrics_write(out, &source);
    fclose(out);
}

static void has(const char *line)
{
    char whole[256];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    cr_expect_not_null(strstr(text, whole), "no line '%s' in:\n%s", line, text);
}

Test(metrics, tell_every_number)
{
    static const char *const lines[] = {
        "keyward_build_info{version=\"1.2 \\\"3\\\"\\\\\"} 1",
        "keyward_tls_handshakes_total 1",
        "keyward_tls_handshake_failures_total{reason=\"no_certificate\"} 11",
        "keyward_tls_handshake_failures_total{reason=\"certificate\"} 12",
        "keyward_tls_handshake_failures_total{reason=\"signature\"} 13",
        "keyward_tls_handshake_failures_total{reason=\"alert\"} 14",
        "keyward_tls_handshake_failures_total{reason=\"protocol\"} 15",
        "keyward_tls_handshake_failures_total{reason=\"aborted\"} 16",
        "keyward_connections 5",
        "keyward_connections_refused_total{limit=\"connections\"} 25",
        "keyward_connections_refused_total{limit=\"address_connections\"} 26",
        "keyward_connections_refused_total{limit=\"address_handshakes\"} 27",
        "keyward_http_requests_total 3",
        "keyward_http_requests_refused_total 4",
        "keyward_http_responses_total{class=\"2xx\"} 21",
        "keyward_http_responses_total{class=\"5xx\"} 24",
        "keyward_echo_lines_total 6",
        "keyward_signatures_total 31",
        "keyward_signature_refusals_total 32",
        "keyward_handle_refusals_total{reason=\"the handle has expired\"} 33",
        "keyward_handles 34",
        "keyward_keyd_events_lost_total 71",
        "keyward_audit_records_total 35",
        "keyward_audit_lost_records_total 36",
        "keyward_audit_pending_bytes 37",
        "keyward_audit_held 1",
        "keyward_process_up{process=\"keyd\"} 1",
        "keyward_process_up{process=\"web[0]\"} 0",
        "keyward_process_restarts_total{process=\"web[0]\"} 42",
        "keyward_process_resident_memory_bytes{process=\"keyd\"} 41",
        "keyward_certificate_expiry_timestamp_seconds{role=\"ca\"} 51",
        "keyward_secret_memory 1",
        "keyward_crl_next_update_timestamp_seconds 55",
        "keyward_ocsp_next_update_timestamp_seconds 56",
    };
    const struct web_status web = {1,  2,  3,  4, 5, 6, {11, 12, 13, 14, 15, 16}, {21, 22, 23, 24}, {25, 26, 27},
                                   28, 29, 55, 56};
    processes[0] = (struct process_status){.name = "keyd", .pid = 9, .resident_bytes = 41};
    processes[1] = (struct process_status){.name = "web[0]", .restarts = 42};
    certificates[0] = (struct certificate_info){.role = "ca", .not_after = 51};
    refusals[REFUSAL_EXPIRED] = 33;
    const struct system_status status = {
        .processes = processes,
        .num_processes = 2,
        .certificates = certificates,
        .num_certificates = 1,
        .signatures = 31,
        .refusals = 32,
        .total_handles = 34,
        .audit_records = 35,
        .audit_lost = 36,
        .audit_pending = 37,
        .audit_held = true,
        .secret_memory = true,
    };
    write_of(&status, &web);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) has(lines[i]);
    cr_assert_eq(text[len - 1], '\n');
    free(text);
}

Test(metrics, of_the_fullest_system_have_room_in_a_message)
{
    const struct web_status web = {.failures = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
                                   .crl_next_update = UINT64_MAX,
                                   .ocsp_next_update = UINT64_MAX};
    for (size_t i = 0; i < LIMIT_STATUS_PROCESSES; i++) {
        memset(names[i], 'n', sizeof "browser-launcher" - 1); /* the longest there is */
        processes[i] =
            (struct process_status){.name = names[i], .restarts = UINT32_MAX, .resident_bytes = UINT64_MAX, .pid = 1};
    }
    for (size_t i = 0; i < LIMIT_CERTIFICATES; i++)
        certificates[i] = (struct certificate_info){.role = "server", .not_after = UINT64_MAX};
    for (size_t i = 0; i < REFUSAL_NUM; i++) refusals[i] = UINT64_MAX;
    const struct system_status status = {.processes = processes,
                                         .num_processes = LIMIT_STATUS_PROCESSES,
                                         .certificates = certificates,
                                         .num_certificates = LIMIT_CERTIFICATES};
    write_of(&status, &web);
    cr_assert_leq(len, LIMIT_METRICS, "%zu", len);
    free(text);
}
