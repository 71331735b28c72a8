#include "broker/print.h"

#include <inttypes.h>
#include <time.h>

static void print_processes(FILE *out, const struct system_status *status)
{
    fprintf(out, "%-18s %8s %6s %-8s %-9s %9s %8s  %s\n", "PROCESS", "PID", "UID", "SECCOMP", "LANDLOCK", "RESTARTS",
            "MEMORY", "OTHER NAMESPACES");
    for (size_t i = 0; i < status->num_processes; i++) {
        const struct process_status *row = &status->processes[i];
        char landlock[16] = "-";
        if (row->pid == 0) {
            fprintf(out, "%-18s %8s %6s %-8s %-9s %9u\n", row->name, "down", "-", "-", "-", (unsigned)row->restarts);
            continue;
        }
        if (row->landlock_abi > 0) snprintf(landlock, sizeof landlock, "ABI %u", (unsigned)row->landlock_abi);
        fprintf(out, "%-18s %8u %6u %-8s %-9s %9u %5" PRIu64 " kB  %s%s\n", row->name, (unsigned)row->pid,
                (unsigned)row->uid, row->seccomp_mode == 2 ? "filter" : "NONE", landlock, (unsigned)row->restarts,
                row->resident_bytes / 1024, row->namespaces[0] ? row->namespaces : "-",
                row->no_new_privs ? "" : "  NEW PRIVILEGES POSSIBLE");
    }
}

static void print_date(FILE *out, uint64_t when)
{
    char text[32] = "?";
    struct tm date;
    time_t seconds = (time_t)when;
    if (gmtime_r(&seconds, &date)) strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &date);
    fputs(text, out);
}

static void print_certificates(FILE *out, const struct system_status *status)
{
    for (size_t i = 0; i < status->num_certificates; i++) {
        const struct certificate_info *row = &status->certificates[i];
        fprintf(out, "%-8s %s, until ", row->role, row->subject);
        print_date(out, row->not_after);
        for (size_t j = 0; j < row->num_names; j++) fprintf(out, "%s%s", j == 0 ? ", for " : " ", row->names[j]);
        fprintf(out, "\n         serial %s\n         SHA-256 %s\n", row->serial, row->fingerprint);
    }
}

static void print_handle(FILE *out, const struct handle_status *row)
{
    char expires[24] = "with it", pid[16] = "-", parent[24] = "-", rate[16] = "-", signatures[48];
    if (row->expires_in_s > 0) snprintf(expires, sizeof expires, "%" PRIu64 " s", row->expires_in_s);
    if (row->pinned_pid > 0) snprintf(pid, sizeof pid, "%u", (unsigned)row->pinned_pid);
    if (row->parent > 0) snprintf(parent, sizeof parent, "%" PRIu64, row->parent);
    if (row->rate > 0) snprintf(rate, sizeof rate, "%u/s", (unsigned)row->rate);
    if (row->max_signatures > 0) {
        snprintf(signatures, sizeof signatures, "%" PRIu64 "/%" PRIu64, row->signatures, row->max_signatures);
    } else {
        snprintf(signatures, sizeof signatures, "%" PRIu64, row->signatures);
    }
    fprintf(out, "%6" PRIu64 " %6s %-24s %-15s %10s %11s %9s %9" PRIu64 " %8s  %s%s%s\n", row->handle, parent,
            row->label, purpose_name(row->purpose), expires, signatures, rate, row->refusals, pid,
            row->server[0] ? row->server : "-", row->ca[0] ? " FOREIGN, CA pinned: SHA-256 " : "", row->ca);
}

void print_handles(FILE *out, const struct handle_status *handles, size_t num, enum print_page page)
{
    if (page == PRINT_FIRST_PAGE && num == 0) fprintf(out, "no handles are out\n");
    if (page == PRINT_FIRST_PAGE && num > 0)
        fprintf(out, "%6s %6s %-24s %-15s %10s %11s %9s %9s %8s  %s\n", "HANDLE", "FROM", "LABEL", "PURPOSE", "EXPIRES",
                "SIGNATURES", "RATE", "REFUSALS", "PID", "SERVER");
    for (size_t i = 0; i < num; i++) print_handle(out, &handles[i]);
}

static void print_keys_memory(FILE *out, bool is_secret)
{
    if (is_secret)
        fprintf(out, "keys are in secret memory (memfd_secret)\n");
    else
        fprintf(out, "WARNING: keys are in locked memory, which root can read: the kernel has no memfd_secret\n");
}

/* Of the host's listener; the others are always mutual. */
static void print_mode(FILE *out, enum tls_mode mode)
{
    switch (mode) {
    case TLS_MODE_OPTIONAL: fprintf(out, "clients may come without a certificate (TLS mode optional)\n"); return;
    case TLS_MODE_SERVER: fprintf(out, "clients are not asked for a certificate (TLS mode server)\n"); return;
    case TLS_MODE_OFF:
        fprintf(out,
                "WARNING: TLS IS OFF: nothing is encrypted, nobody is known; for experiments on this machine only\n");
        return;
    case TLS_MODE_MUTUAL:
    case TLS_MODE_NUM: return;
    }
}

void print_status(FILE *out, const struct system_status *status)
{
    fprintf(out, "%s, ready after %u ms\n", status->url, (unsigned)status->ready_ms);
    print_mode(out, status->mode);
    fprintf(out, "\n");
    print_processes(out, status);
    fprintf(out, "\n");
    print_handles(out, status->handles, status->num_handles, PRINT_FIRST_PAGE);
    if (status->total_handles > status->num_handles)
        fprintf(out, "and %zu more; broker handle list shows them\n",
                (size_t)status->total_handles - status->num_handles);
    fprintf(out, "\n");
    print_certificates(out, status);
    fprintf(out,
            "\nhandshakes %" PRIu64 ", failed %" PRIu64 "; requests %" PRIu64 ", refused %" PRIu64
            "; signatures %" PRIu64 ", refused %" PRIu64 "\n",
            status->handshakes, status->handshakes_failed, status->requests, status->requests_refused,
            status->signatures, status->refusals);
    if (status->verdicts > 0)
        fprintf(out, "%" PRIu64 " verdict%s on failed handshakes; broker explain shows them\n", status->verdicts,
                status->verdicts == 1 ? "" : "s");
    if (status->num_certificates > 0) print_keys_memory(out, status->secret_memory);
    fprintf(out, "audit log: %" PRIu64 " records", status->audit_records);
    if (status->audit_lost > 0) fprintf(out, ", %" PRIu64 " LOST", status->audit_lost);
    if (status->audit_pending > 0) {
        fprintf(out, "; IT CANNOT BE WRITTEN (%" PRIu64 " bytes wait), handles are %s", status->audit_pending,
                status->audit_held ? "refused" : "used nevertheless");
    }
    fprintf(out, "\neach client signature is bound to one handshake with this server\n");
}
