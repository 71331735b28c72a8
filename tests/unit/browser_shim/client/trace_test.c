/* What a trace prints of each message. */
#include "browser-shim/client_trace.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "browser-shim/client_trace_name.h"

static struct client_output output;
static struct client_trace trace;
static struct diag diag;
static char text[16384];

static void set_up(void)
{
    output = (struct client_output){.fd = memfd_create("trace", 0), .dir = -1};
    cr_assert_geq(output.fd, 0);
    trace = (struct client_trace){.output = &output, .own_server = true, .handle = 12, .start_us = 1000};
}

static void tear_down(void)
{
    client_output_cleanup(&output);
}

TestSuite(client_trace, .init = set_up, .fini = tear_down);

static const char *printed(void)
{
    ssize_t len = pread(output.fd, text, sizeof text - 1, 0);
    cr_assert_geq(len, 0);
    text[len] = '\0';
    return text;
}

#define EXPECT_PRINTED(part) cr_expect(strstr(printed(), part) != NULL, "it prints: %s", text)
#define EXPECT_NOT_PRINTED(part) cr_expect(strstr(printed(), part) == NULL, "it prints: %s", text)

static void say(bool from_client, uint8_t content_type, uint8_t first, uint64_t now_us)
{
    const uint8_t data[80] = {first, 40};
    const size_t len = content_type == CLIENT_TLS_HANDSHAKE ? sizeof data : 2;
    const struct client_tls_message message = {from_client, content_type, {data, len}};
    client_trace_message(&trace, &message, now_us);
}

#define CLIENT_SAYS(type, now) say(true, CLIENT_TLS_HANDSHAKE, type, now)
#define SERVER_SAYS(type, now) say(false, CLIENT_TLS_HANDSHAKE, type, now)

enum { CLIENT_HELLO = 1, SERVER_KEY_EXCHANGE = 12, CERTIFICATE_VERIFY = 15, FINISHED = 20 };

static const char *name_of(uint8_t content_type, const uint8_t *data, size_t len)
{
    static char name[40];
    const struct client_tls_message message = {false, content_type, {data, len}};
    client_trace_name(name, sizeof name, &message);
    return name;
}

Test(client_trace, names_handshake_messages)
{
    static const struct {
        uint8_t type;
        const char *name;
    } rows[] = {{0, "HelloRequest"},
                {1, "ClientHello"},
                {2, "ServerHello"},
                {4, "NewSessionTicket"},
                {5, "EndOfEarlyData"},
                {8, "EncryptedExtensions"},
                {11, "Certificate"},
                {12, "ServerKeyExchange"},
                {13, "CertificateRequest"},
                {14, "ServerHelloDone"},
                {15, "CertificateVerify"},
                {16, "ClientKeyExchange"},
                {20, "Finished"},
                {22, "CertificateStatus"},
                {24, "KeyUpdate"},
                {25, "CompressedCertificate"},
                {3, "type 3"},
                {254, "type 254"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_expect_str_eq(name_of(CLIENT_TLS_HANDSHAKE, (const uint8_t[]){rows[i].type, 0, 0, 0}, 4), rows[i].name);
    }
}

Test(client_trace, tells_a_hello_retry_request_by_its_random)
{
    /* RFC 8446, 4.1.3 */
    static const uint8_t retry[] = "\x02\x00\x00\x24\x03\x03"
                                   "\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91"
                                   "\xC2\xA2\x11\x16\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2\xC8\xA8\x33\x9C";
    cr_expect_str_eq(name_of(CLIENT_TLS_HANDSHAKE, retry, sizeof retry - 1), "HelloRetryRequest");
    cr_expect_str_eq(name_of(CLIENT_TLS_HANDSHAKE, retry, sizeof retry - 2), "ServerHello");
    uint8_t other[sizeof retry];
    memcpy(other, retry, sizeof retry);
    other[37] ^= 1;
    cr_expect_str_eq(name_of(CLIENT_TLS_HANDSHAKE, other, sizeof other - 1), "ServerHello");
}

Test(client_trace, names_alerts)
{
    /* RFC 8446, 6 */
    static const struct {
        uint8_t type;
        const char *name;
    } rows[] = {{0, "close_notify"},
                {10, "unexpected_message"},
                {20, "bad_record_mac"},
                {22, "record_overflow"},
                {40, "handshake_failure"},
                {42, "bad_certificate"},
                {43, "unsupported_certificate"},
                {44, "certificate_revoked"},
                {45, "certificate_expired"},
                {46, "certificate_unknown"},
                {47, "illegal_parameter"},
                {48, "unknown_ca"},
                {49, "access_denied"},
                {50, "decode_error"},
                {51, "decrypt_error"},
                {70, "protocol_version"},
                {71, "insufficient_security"},
                {80, "internal_error"},
                {86, "inappropriate_fallback"},
                {90, "user_canceled"},
                {109, "missing_extension"},
                {110, "unsupported_extension"},
                {112, "unrecognized_name"},
                {116, "certificate_required"},
                {120, "no_application_protocol"},
                {99, "type 99"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_expect_str_eq(name_of(CLIENT_TLS_ALERT, (const uint8_t[]){2, rows[i].type}, 2), rows[i].name);
    }
    cr_expect_str_eq(name_of(CLIENT_TLS_ALERT, (const uint8_t[]){2}, 1), "type 2");
    cr_expect_str_eq(name_of(CLIENT_TLS_CHANGE_CIPHER_SPEC, (const uint8_t[]){1}, 1), "change_cipher_spec");
}

Test(client_trace, prints_for_people)
{
    CLIENT_SAYS(CLIENT_HELLO, 1250);
    say(false, CLIENT_TLS_ALERT, 2, 2000);
    cr_expect_str_eq(printed(), "    0.250  client      80  ClientHello\n"
                                "    1.000  server       2  alert handshake_failure\n");
}

Test(client_trace, says_whose_signatures_are_keyds)
{
    SERVER_SAYS(CERTIFICATE_VERIFY, 2000);
    SERVER_SAYS(FINISHED, 3000);
    CLIENT_SAYS(CERTIFICATE_VERIFY, 4000);
    cr_expect_str_eq(printed(),
                     "    1.000  server      80  CertificateVerify  signed by keyd, for this system's server\n"
                     "    2.000  server      80  Finished\n"
                     "    3.000  client      80  CertificateVerify  signed by keyd, with handle 12\n");
}

Test(client_trace, says_so_in_tls_1_2_too)
{
    SERVER_SAYS(SERVER_KEY_EXCHANGE, 2000);
    SERVER_SAYS(14, 3000);
    EXPECT_PRINTED("ServerKeyExchange  signed by keyd, for this system's server\n");
}

Test(client_trace, a_foreign_servers_signature_is_not_keyds)
{
    trace.own_server = false;
    SERVER_SAYS(CERTIFICATE_VERIFY, 2000);
    SERVER_SAYS(FINISHED, 3000);
    EXPECT_PRINTED("CertificateVerify\n");
    EXPECT_NOT_PRINTED("keyd");
}

/* Nobody has taken it for good: the client answers with an alert, or there is nothing more. */
Test(client_trace, a_signature_that_was_not_verified_is_nobodys)
{
    SERVER_SAYS(CERTIFICATE_VERIFY, 2000);
    say(true, CLIENT_TLS_ALERT, 2, 3000);
    EXPECT_PRINTED("CertificateVerify\n    2.000  client       2  alert");
    SERVER_SAYS(CERTIFICATE_VERIFY, 4000);
    EXPECT_NOT_PRINTED("3.000");
    const struct client_tls_outcome outcome = {.version = "TLSv1.3"};
    cr_assert_eq(client_trace_end(&trace, &outcome, "why", 5000, &diag), ERR_OK);
    EXPECT_PRINTED("3.000  server      80  CertificateVerify\n");
    EXPECT_NOT_PRINTED("keyd");
}

Test(client_trace, says_what_was_agreed)
{
    const struct client_tls_outcome outcome = {
        .version = "TLSv1.3", .suite = "TLS_AES_128_GCM_SHA256", .group = "X25519", .alpn = "h2"};
    cr_assert_eq(client_trace_end(&trace, &outcome, NULL, 5000, &diag), ERR_OK);
    EXPECT_PRINTED("agreed   TLSv1.3, TLS_AES_128_GCM_SHA256, group X25519, ALPN h2\n");
    EXPECT_PRINTED("client   was not asked for a certificate\noutcome  complete\n");
}

Test(client_trace, says_why_no_certificate_was_sent)
{
    const struct client_tls_outcome outcome = {.version = "TLSv1.2", .asked = true};
    cr_assert_eq(client_trace_end(&trace, &outcome, "why", 5000, &diag), ERR_OK);
    EXPECT_PRINTED("was asked for a certificate and sent none: the handle signs TLS 1.3 alone\noutcome  failed\n");
}

Test(client_trace, prints_json)
{
    trace.json = true;
    const struct client_address server = {.host = "localhost", .port = "9000"};
    cr_assert_eq(client_trace_start(&trace, &server, &diag), ERR_OK);
    CLIENT_SAYS(CERTIFICATE_VERIFY, 1250);
    say(false, CLIENT_TLS_ALERT, 2, 2000);
    const struct client_tls_outcome outcome = {.version = "TLSv1.3", .asked = true};
    cr_assert_eq(client_trace_end(&trace, &outcome, "it said \"no\"", 5000, &diag), ERR_OK);

    json_t *lines[3];
    char *rest = NULL;
    (void)printed();
    char *line = strtok_r(text, "\n", &rest);
    for (size_t i = 0; i < 3; i++, line = strtok_r(NULL, "\n", &rest)) {
        cr_assert_not_null(line);
        lines[i] = json_loads(line, 0, NULL);
        cr_assert_not_null(lines[i], "%s", line);
    }
    cr_expect_null(line);
    cr_expect_str_eq(json_string_value(json_object_get(lines[0], "type")), "CertificateVerify");
    cr_expect(json_is_true(json_object_get(lines[0], "signed_by_keyd")));
    cr_expect_eq(json_integer_value(json_object_get(lines[0], "handle")), 12);
    cr_expect_eq(json_integer_value(json_object_get(lines[0], "bytes")), 80);
    cr_expect_str_eq(json_string_value(json_object_get(lines[1], "content")), "alert");
    cr_expect_str_eq(json_string_value(json_object_get(lines[1], "from")), "server");
    cr_expect(json_is_null(json_object_get(lines[1], "handle")));
    cr_expect(json_is_false(json_object_get(lines[2], "ok")));
    cr_expect_str_eq(json_string_value(json_object_get(lines[2], "error")), "it said \"no\"");
    cr_expect(json_is_null(json_object_get(lines[2], "server")));
    cr_expect(json_is_true(json_object_get(lines[2], "client_asked")));
    for (size_t i = 0; i < 3; i++) json_decref(lines[i]);
}

Test(client_trace, an_output_that_takes_nothing_is_an_error)
{
    int good = output.fd;
    output.fd = -1;
    CLIENT_SAYS(CLIENT_HELLO, 1250);
    output.fd = good;
    const struct client_tls_outcome outcome = {.version = "TLSv1.3"};
    cr_expect_eq(client_trace_end(&trace, &outcome, NULL, 5000, &diag), ERR_SYSTEM);
    cr_expect(strstr(diag.text, "cannot write") != NULL, "%s", diag.text);
}
