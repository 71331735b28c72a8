#include <jansson.h>
#include <string.h>

#include "broker/print.h"

static json_t *names_of(const char *const *names, size_t num)
{
    json_t *array = json_array();
    for (size_t i = 0; i < num; i++) {
        if (json_array_append_new(array, json_string(names[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* "user,net" as an array of two. */
static json_t *split(const char *list)
{
    json_t *array = json_array();
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        if (json_array_append_new(array, json_stringn(list, len)) != 0) {
            json_decref(array);
            return NULL;
        }
        list += len + (list[len] == ',');
    }
    return array;
}

static json_t *process_of(const struct process_status *row)
{
    return json_pack("{s:s, s:i, s:i, s:i, s:b, s:i, s:o, s:i, s:I}", "name", row->name, "pid", (int)row->pid, "uid",
                     (int)row->uid, "seccomp_mode", (int)row->seccomp_mode, "no_new_privs", (int)row->no_new_privs,
                     "landlock_abi", (int)row->landlock_abi, "namespaces", split(row->namespaces), "restarts",
                     (int)row->restarts, "resident_bytes", (json_int_t)row->resident_bytes);
}

static json_t *handle_of(const struct handle_status *row)
{
    return json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:i, s:I, s:I, s:s, s:s}", "handle", (json_int_t)row->handle,
                     "label", row->label, "purpose", purpose_name(row->purpose), "expires_in_s",
                     (json_int_t)row->expires_in_s, "signatures", (json_int_t)row->signatures, "refusals",
                     (json_int_t)row->refusals, "max_signatures", (json_int_t)row->max_signatures, "pinned_pid",
                     (int)row->pinned_pid, "rate", (json_int_t)row->rate, "parent", (json_int_t)row->parent, "server",
                     row->server, "ca", row->ca);
}

static json_t *certificate_of(const struct certificate_info *row)
{
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:I, s:I}", "role", row->role, "subject", row->subject, "names",
                     names_of(row->names, row->num_names), "serial", row->serial, "fingerprint", row->fingerprint,
                     "not_before", (json_int_t)row->not_before, "not_after", (json_int_t)row->not_after);
}

static json_t *processes_of(const struct system_status *status)
{
    json_t *array = json_array();
    for (size_t i = 0; i < status->num_processes; i++) {
        if (json_array_append_new(array, process_of(&status->processes[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *handles_of(const struct system_status *status)
{
    json_t *array = json_array();
    for (size_t i = 0; i < status->num_handles; i++) {
        if (json_array_append_new(array, handle_of(&status->handles[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *certificates_of(const struct system_status *status)
{
    json_t *array = json_array();
    for (size_t i = 0; i < status->num_certificates; i++) {
        if (json_array_append_new(array, certificate_of(&status->certificates[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* Takes the reference. */
static enum err write_json(FILE *out, json_t *value)
{
    if (!value) return ERR_MEMORY;
    int result = json_dumpf(value, out, JSON_INDENT(2));
    json_decref(value);
    if (result != 0) return ERR_SYSTEM;
    fputc('\n', out);
    return ERR_OK;
}

enum err print_handles_json(FILE *out, const struct handle_status *handles, size_t num, enum print_page page)
{
    if (page == PRINT_FIRST_PAGE) fputc('[', out);
    for (size_t i = 0; i < num; i++) {
        json_t *value = handle_of(&handles[i]);
        if (!value) return ERR_MEMORY;
        fputs(page == PRINT_FIRST_PAGE && i == 0 ? "\n" : ",\n", out);
        int result = json_dumpf(value, out, JSON_INDENT(2));
        json_decref(value);
        if (result != 0) return ERR_SYSTEM;
    }
    return ERR_OK;
}

void print_handles_json_end(FILE *out)
{
    fputs("\n]\n", out);
}

enum err print_status_json(FILE *out, const struct system_status *status)
{
    json_t *value = json_pack(
        "{s:s, s:i, s:b, s:b, s:o, s:o, s:i, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s, s:I}", "url",
        status->url, "ready_ms", (int)status->ready_ms, "browser_digest_unbound", 0 /* never, by any configuration */,
        "secret_memory", (int)status->secret_memory, "processes", processes_of(status), "handles", handles_of(status),
        "total_handles", (int)status->total_handles, "certificates", certificates_of(status), "handshakes",
        (json_int_t)status->handshakes, "handshakes_failed", (json_int_t)status->handshakes_failed, "requests",
        (json_int_t)status->requests, "requests_refused", (json_int_t)status->requests_refused, "signatures",
        (json_int_t)status->signatures, "refusals", (json_int_t)status->refusals, "audit_records",
        (json_int_t)status->audit_records, "audit_pending", (json_int_t)status->audit_pending, "audit_lost",
        (json_int_t)status->audit_lost, "audit_held", (int)status->audit_held, "tls_mode", tls_mode_name(status->mode),
        "verdicts", (json_int_t)status->verdicts);
    return write_json(out, value);
}
