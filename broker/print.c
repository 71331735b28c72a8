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
        fprintf(out, "\n         SHA-256 %s\n", row->fingerprint);
    }
}

void print_handles(FILE *out, const struct system_status *status)
{
    if (status->num_handles == 0) {
        fprintf(out, "no handles are out\n");
        return;
    }
    fprintf(out, "%6s %-24s %-15s %10s %11s %9s %8s\n", "HANDLE", "LABEL", "PURPOSE", "EXPIRES", "SIGNATURES",
            "REFUSALS", "PID");
    for (size_t i = 0; i < status->num_handles; i++) {
        const struct handle_status *row = &status->handles[i];
        char expires[24] = "with it", pid[16] = "-", signatures[48];
        if (row->expires_in_s > 0) snprintf(expires, sizeof expires, "%" PRIu64 " s", row->expires_in_s);
        if (row->pinned_pid > 0) snprintf(pid, sizeof pid, "%u", (unsigned)row->pinned_pid);
        if (row->max_signatures > 0) {
            snprintf(signatures, sizeof signatures, "%" PRIu64 "/%" PRIu64, row->signatures, row->max_signatures);
        } else {
            snprintf(signatures, sizeof signatures, "%" PRIu64, row->signatures);
        }
        fprintf(out, "%6" PRIu64 " %-24s %-15s %10s %11s %9" PRIu64 " %8s\n", row->handle, row->label,
                purpose_name(row->purpose), expires, signatures, row->refusals, pid);
    }
}

static void print_keys_memory(FILE *out, bool is_secret)
{
    if (is_secret)
        fprintf(out, "keys are in secret memory (memfd_secret)\n");
    else
        fprintf(out, "WARNING: keys are in locked memory, which root can read: the kernel has no memfd_secret\n");
}

void print_status(FILE *out, const struct system_status *status)
{
    fprintf(out, "%s, ready after %u ms\n\n", status->url, (unsigned)status->ready_ms);
    print_processes(out, status);
    fprintf(out, "\n");
    print_handles(out, status);
    fprintf(out, "\n");
    print_certificates(out, status);
    fprintf(out,
            "\nhandshakes %" PRIu64 ", failed %" PRIu64 "; requests %" PRIu64 ", refused %" PRIu64
            "; signatures %" PRIu64 ", refused %" PRIu64 "\n",
            status->handshakes, status->handshakes_failed, status->requests, status->requests_refused,
            status->signatures, status->refusals);
    if (status->num_certificates > 0) print_keys_memory(out, status->secret_memory);
    fprintf(out, "each client signature is bound to one handshake with this server\n");
}
