/* A status in words and in JSON. */
#include "broker/print.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct process_status processes[] = {
    {.name = "keyd",
     .pid = 12,
     .uid = 61101,
     .seccomp_mode = 2,
     .no_new_privs = true,
     .landlock_abi = 7,
     .namespaces = "user,net",
     .restarts = 1,
     .resident_bytes = 2048 * 1024},
    {.name = "web[0]", .namespaces = "", .restarts = 3},
    {.name = "strange", .pid = 13, .uid = 7, .seccomp_mode = 0, .no_new_privs = false, .namespaces = ""},
};
static struct handle_status handles[] = {
    {.handle = 4,
     .label = "a \"quoted\" label",
     .purpose = PURPOSE_TLS_CLIENT,
     .expires_in_s = 9,
     .signatures = 1,
     .max_signatures = 5,
     .rate = 17,
     .parent = 2,
     .server = "kiosk.example",
     .ca = "c0ffee"},
    {.handle = 3,
     .label = "browser",
     .purpose = PURPOSE_BROWSER_DIGEST,
     .signatures = 2,
     .refusals = 6,
     .pinned_pid = 99,
     .server = "",
     .ca = ""},
};
static struct certificate_info certificates[] = {
    {.role = "server",
     .subject = "CN=localhost",
     .names = {"localhost", "127.0.0.1"},
     .num_names = 2,
     .serial = "0a",
     .fingerprint = "ff00",
     .not_before = 1,
     .not_after = 1700000000},
};
static const struct system_status status = {
    .url = "https://localhost:9000",
    .ready_ms = 8,
    .secret_memory = true,
    .processes = processes,
    .num_processes = 3,
    .handles = handles,
    .num_handles = 2,
    .total_handles = 12,
    .certificates = certificates,
    .num_certificates = 1,
    .handshakes = 10,
    .handshakes_failed = 11,
    .requests = 12,
    .requests_refused = 13,
    .signatures = 14,
    .refusals = 15,
    .audit_records = 16,
    .audit_pending = 17,
    .audit_lost = 18,
    .audit_held = true,
    .mode = TLS_MODE_SERVER,
};

static char *text;
static size_t text_len;

static FILE *open_text(void)
{
    free(text);
    return open_memstream(&text, &text_len);
}

static json_t *parse(FILE *out)
{
    json_error_t error;
    fclose(out);
    json_t *value = json_loads(text, 0, &error);
    cr_assert_not_null(value, "%s in %s", error.text, text);
    return value;
}

static json_int_t number(const json_t *object, const char *key)
{
    cr_assert(json_is_integer(json_object_get(object, key)), "%s", key);
    return json_integer_value(json_object_get(object, key));
}

Test(print, writes_json_with_every_field)
{
    FILE *out = open_text();
    cr_assert_eq(print_status_json(out, &status), ERR_OK);
    json_t *value = parse(out);
    cr_assert_str_eq(json_string_value(json_object_get(value, "url")), "https://localhost:9000");
    cr_assert(json_is_false(json_object_get(value, "browser_digest_unbound")));
    cr_assert(json_is_true(json_object_get(value, "secret_memory")));
    static const char *const counters[] = {"handshakes",       "handshakes_failed", "requests",
                                           "requests_refused", "signatures",        "refusals",
                                           "audit_records",    "audit_pending",     "audit_lost"};
    for (size_t i = 0; i < 9; i++) cr_assert_eq(number(value, counters[i]), (json_int_t)(10 + i));
    cr_assert_eq(number(value, "ready_ms"), 8);
    cr_assert(json_is_true(json_object_get(value, "audit_held")));
    cr_assert_str_eq(json_string_value(json_object_get(value, "tls_mode")), "server");
    cr_assert_eq(number(value, "total_handles"), 12);
    json_t *keyd = json_array_get(json_object_get(value, "processes"), 0);
    cr_assert_eq(number(keyd, "pid"), 12);
    cr_assert_eq(number(keyd, "uid"), 61101);
    cr_assert_eq(number(keyd, "seccomp_mode"), 2);
    cr_assert_eq(number(keyd, "landlock_abi"), 7);
    cr_assert_eq(number(keyd, "restarts"), 1);
    cr_assert_eq(number(keyd, "resident_bytes"), 2048 * 1024);
    cr_assert(json_is_true(json_object_get(keyd, "no_new_privs")));
    json_t *namespaces = json_object_get(keyd, "namespaces");
    cr_assert_eq(json_array_size(namespaces), 2);
    cr_assert_str_eq(json_string_value(json_array_get(namespaces, 1)), "net");
    json_t *certificate = json_array_get(json_object_get(value, "certificates"), 0);
    cr_assert_eq(number(certificate, "not_after"), 1700000000);
    cr_assert_eq(json_array_size(json_object_get(certificate, "names")), 2);
    json_decref(value);
}

Test(print, writes_handles_in_json)
{
    FILE *out = open_text();
    cr_assert_eq(print_handles_json(out, handles, 1, PRINT_FIRST_PAGE), ERR_OK);
    cr_assert_eq(print_handles_json(out, handles + 1, 1, PRINT_NEXT_PAGE), ERR_OK);
    cr_assert_eq(print_handles_json(out, handles, 0, PRINT_NEXT_PAGE), ERR_OK);
    print_handles_json_end(out);
    json_t *value = parse(out);
    cr_assert_eq(json_array_size(value), 2, "%s", text);
    json_t *first = json_array_get(value, 0), *second = json_array_get(value, 1);
    cr_assert_str_eq(json_string_value(json_object_get(first, "label")), "a \"quoted\" label");
    cr_assert_str_eq(json_string_value(json_object_get(first, "purpose")), "tls-client");
    cr_assert_eq(number(first, "expires_in_s"), 9);
    cr_assert_eq(number(first, "max_signatures"), 5);
    cr_assert_eq(number(first, "rate"), 17);
    cr_assert_eq(number(first, "parent"), 2);
    cr_assert_str_eq(json_string_value(json_object_get(first, "server")), "kiosk.example");
    cr_assert_str_eq(json_string_value(json_object_get(first, "ca")), "c0ffee");
    cr_assert_str_eq(json_string_value(json_object_get(second, "ca")), "");
    cr_assert_eq(number(second, "rate"), 0);
    cr_assert_eq(number(second, "parent"), 0);
    cr_assert_eq(number(second, "handle"), 3);
    cr_assert_eq(number(second, "pinned_pid"), 99);
    cr_assert_eq(number(second, "refusals"), 6);
    json_decref(value);
}

Test(print, shows_people_what_is_wrong)
{
    FILE *out = open_text();
    print_status(out, &status);
    fclose(out);
    cr_assert_not_null(strstr(text, "https://localhost:9000, ready after 8 ms"));
    cr_assert_not_null(strstr(text, "down"), "%s", text);
    cr_assert_not_null(strstr(text, "NONE"), "no filter is shown: %s", text);
    cr_assert_not_null(strstr(text, "NEW PRIVILEGES POSSIBLE"));
    cr_assert_not_null(strstr(text, "1/5"), "signatures of a maximum");
    cr_assert_not_null(strstr(text, "17/s"), "a rate: %s", text);
    cr_assert_not_null(strstr(text, "kiosk.example"));
    const char *pinned = strstr(text, "kiosk.example FOREIGN, CA pinned: SHA-256 c0ffee\n");
    cr_assert_not_null(pinned, "%s", text);
    cr_assert_null(strstr(pinned + 30, "CA pinned:"), "the own server's");
    cr_assert_not_null(strstr(text, "and 10 more; broker handle list"));
    cr_assert_not_null(strstr(text, "until 2023-11-14 22:13:20 UTC, for localhost 127.0.0.1"));
    cr_assert_not_null(strstr(text, "each client signature is bound to one handshake"));
    cr_assert_not_null(strstr(text, "audit log: 16 records, 18 LOST; IT CANNOT BE WRITTEN (17 bytes wait), handles are "
                                    "refused\n"));
}

Test(print, says_how_the_audit_log_is)
{
    struct system_status changed = status;
    changed.audit_held = false;
    FILE *out = open_text();
    print_status(out, &changed);
    fclose(out);
    cr_assert_not_null(strstr(text, "(17 bytes wait), handles are used nevertheless\n"), "%s", text);
    changed.audit_pending = changed.audit_lost = 0;
    out = open_text();
    print_status(out, &changed);
    fclose(out);
    cr_assert_not_null(strstr(text, "\naudit log: 16 records\n"), "%s", text);
}

static const char *print_mode_of(enum tls_mode mode)
{
    struct system_status changed = status;
    changed.mode = mode;
    FILE *out = open_text();
    print_status(out, &changed);
    fclose(out);
    return text;
}

Test(print, warns_where_clients_are_not_known)
{
    cr_assert_null(strstr(print_mode_of(TLS_MODE_MUTUAL), "TLS"), "%s", text);
    cr_assert_not_null(strstr(print_mode_of(TLS_MODE_OPTIONAL), "\nclients may come without a certificate"), "%s",
                       text);
    cr_assert_not_null(strstr(print_mode_of(TLS_MODE_SERVER), "\nclients are not asked for a certificate"), "%s", text);
    cr_assert_not_null(strstr(print_mode_of(TLS_MODE_OFF), "\nWARNING: TLS IS OFF: "), "%s", text);
}

static const char *print_with(bool secret_memory, size_t num_certificates)
{
    struct system_status changed = status;
    changed.secret_memory = secret_memory;
    changed.num_certificates = num_certificates;
    FILE *out = open_text();
    print_status(out, &changed);
    fclose(out);
    return text;
}

Test(print, warns_of_memory_that_root_can_read)
{
    cr_assert_not_null(strstr(print_with(false, 1), "\nWARNING: keys are in locked memory"), "%s", text);
    cr_assert_null(strstr(print_with(true, 1), "WARNING"), "%s", text);
    cr_assert_not_null(strstr(text, "\nkeys are in secret memory"));
    cr_assert_null(strstr(print_with(false, 0), "WARNING"), "no keyd, no keys: %s", text);
}

Test(print, says_when_there_is_no_handle)
{
    FILE *out = open_text();
    print_handles(out, NULL, 0, PRINT_FIRST_PAGE);
    fclose(out);
    cr_assert_str_eq(text, "no handles are out\n");
    out = open_text();
    cr_assert_eq(print_handles_json(out, NULL, 0, PRINT_FIRST_PAGE), ERR_OK);
    print_handles_json_end(out);
    json_t *value = parse(out);
    cr_assert_eq(json_array_size(value), 0);
    json_decref(value);
}

Test(print, heads_the_first_page_alone)
{
    FILE *out = open_text();
    print_handles(out, handles, 1, PRINT_FIRST_PAGE);
    print_handles(out, handles + 1, 1, PRINT_NEXT_PAGE);
    print_handles(out, NULL, 0, PRINT_NEXT_PAGE);
    fclose(out);
    unsigned lines = 0;
    for (const char *c = text; *c; c++) lines += *c == '\n';
    cr_assert_eq(lines, 3, "%s", text);
}
