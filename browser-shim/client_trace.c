#include "browser-shim/client_trace.h"

#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/certificate.h"
#include "browser-shim/client_json.h"
#include "browser-shim/client_trace_name.h"

enum { SERVER_KEY_EXCHANGE = 12, CERTIFICATE_VERIFY = 15 };

__attribute__((format(printf, 2, 3))) static void print(struct client_trace *trace, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (len < 0 || trace->err != ERR_OK) return;
    if ((size_t)len >= sizeof text) {
        len = sizeof text - 1;
        text[len - 1] = '\n';
    }
    trace->err = client_output_write(trace->output, (const uint8_t *)text, (size_t)len, &trace->diag);
}

static enum err result(const struct client_trace *trace, struct diag *diag)
{
    return trace->err == ERR_OK ? ERR_OK : diag_set(diag, trace->err, "%s", trace->diag.text);
}

enum err client_trace_start(struct client_trace *trace, const struct client_address *server, struct diag *diag)
{
    client_json_start();
    if (!trace->json) {
        print(trace, "TLS handshake with %s, port %s\n", server->host, server->port);
        print(trace, "%9s  %-6s  %6s  %s\n", "ms", "from", "bytes", "message");
    }
    return result(trace, diag);
}

/* ---- Messages ---------------------------------------------------------------------------------------------------- */

/* What the line adds about a signature. */
static const char *signer_text(const struct client_trace *trace, const struct client_trace_line *line, bool keyd)
{
    if (!keyd) return "";
    if (!line->from_client) return "  signed by keyd, for this system's server";
    return trace->handle != 0 ? "  signed by keyd, with handle " : "  signed by keyd";
}

static void print_line(struct client_trace *trace, const struct client_trace_line *line, bool keyd)
{
    static const char *const contents[] = {"change_cipher_spec", "alert", "handshake"};
    const double ms = (double)line->after_us / 1000;
    const char *from = line->from_client ? "client" : "server";
    char handle[24] = "";
    const bool with_handle = keyd && line->from_client && trace->handle != 0;
    if (with_handle) snprintf(handle, sizeof handle, "%" PRIu64, trace->handle);
    if (!trace->json) {
        print(trace, "%9.3f  %-6s  %6zu  %s%s%s%s\n", ms, from, line->len,
              line->content_type == CLIENT_TLS_ALERT ? "alert " : "", line->name, signer_text(trace, line, keyd),
              handle);
        return;
    }
    print(trace,
          "{\"event\": \"message\", \"ms\": %.3f, \"from\": \"%s\", \"content\": \"%s\", \"type\": \"%s\", \"bytes\": "
          "%zu, \"signed_by_keyd\": %s, \"handle\": %s}\n",
          ms, from, contents[line->content_type - CLIENT_TLS_CHANGE_CIPHER_SPEC], line->name, line->len,
          keyd ? "true" : "false", with_handle ? handle : "null");
}

/* Prints the server's signature, if it is still to be printed. */
static void print_signature(struct client_trace *trace, bool good)
{
    if (!trace->has_signature) return;
    trace->has_signature = false;
    trace->own_server_seen = good && trace->own_server;
    print_line(trace, &trace->signature, trace->own_server_seen);
}

void client_trace_message(struct client_trace *trace, const struct client_tls_message *message, uint64_t now_us)
{
    struct client_trace_line line = {
        .after_us = now_us - trace->start_us,
        .len = message->data.len,
        .from_client = message->from_client,
        .content_type = message->content_type,
    };
    client_trace_name(line.name, sizeof line.name, message);
    const bool handshake = message->content_type == CLIENT_TLS_HANDSHAKE;
    const uint8_t type = handshake ? message->data.data[0] : 0;
    print_signature(trace, handshake && !message->from_client);
    if (!message->from_client && (type == CERTIFICATE_VERIFY || type == SERVER_KEY_EXCHANGE)) {
        trace->signature = line;
        trace->has_signature = true;
        return;
    }
    print_line(trace, &line, message->from_client && type == CERTIFICATE_VERIFY);
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

/* "Nov 27 13:00:00 2026 GMT" */
static void format_time(char *out, size_t out_len, const ASN1_TIME *time)
{
    AUTO(free_bio) BIO *bio = BIO_new(BIO_s_mem());
    const uint8_t *text = NULL;
    size_t len = 0;
    if (bio == NULL || !ASN1_TIME_print(bio, time) || !BIO_mem_contents(bio, &text, &len)) len = 0;
    snprintf(out, out_len, "%.*s", (int)len, len > 0 ? (const char *)text : "");
}

static void print_certificate(struct client_trace *trace, const char *who, const X509 *certificate)
{
    struct certificate_text text;
    char until[32];
    if (certificate_describe(&text, certificate) != ERR_OK) {
        print(trace, "%s a certificate that cannot be read\n", who);
        return;
    }
    format_time(until, sizeof until, X509_get0_notAfter(certificate));
    print(trace, "%s %s, issued by %s, until %s, SHA-256 %s\n", who, text.subject, text.issuer, until,
          text.fingerprint);
}

static void print_client(struct client_trace *trace, const struct client_tls_outcome *outcome, bool whole)
{
    if (outcome->client != NULL) {
        print_certificate(trace, "client  ", outcome->client);
    } else if (!outcome->asked) {
        print(trace, "client   was not asked for a certificate\n");
    } else if (outcome->version != NULL && strcmp(outcome->version, "TLSv1.2") == 0) {
        print(trace, "client   was asked for a certificate and sent none: the handle signs TLS 1.3 alone\n");
    } else {
        print(trace, "client   was asked for a certificate\n");
    }
    print(trace, "outcome  %s\n", whole ? "complete" : "failed");
}

static void end_for_people(struct client_trace *trace, const struct client_tls_outcome *outcome, bool whole)
{
    print(trace, "\n");
    if (outcome->version != NULL) {
        print(trace, "agreed   %s%s%s%s%s%s%s\n", outcome->version, outcome->suite != NULL ? ", " : "",
              outcome->suite != NULL ? outcome->suite : "", outcome->group != NULL ? ", group " : "",
              outcome->group != NULL ? outcome->group : "", outcome->alpn[0] != '\0' ? ", ALPN " : "", outcome->alpn);
    }
    if (outcome->server != NULL) {
        print_certificate(trace, "server  ", outcome->server);
        if (outcome->scheme != NULL) print(trace, "         signed under %s\n", outcome->scheme);
    }
    print_client(trace, outcome, whole);
}

static void end_in_json(struct client_trace *trace, const struct client_tls_outcome *outcome, const char *error,
                        double ms)
{
    json_t *end = json_pack(
        "{s:s, s:b, s:s?, s:f, s:s?, s:s?, s:s?, s:s?, s:o?, s:s?, s:b, s:b, s:o?}", "event", "outcome", "ok",
        error == NULL, "error", error, "ms", ms, "version", outcome->version, "suite", outcome->suite, "group",
        outcome->group, "alpn", outcome->alpn[0] != '\0' ? outcome->alpn : NULL, "server",
        client_json_certificate(outcome->server), "server_scheme", outcome->scheme, "server_own",
        trace->own_server_seen, "client_asked", outcome->asked, "client", client_json_certificate(outcome->client));
    if (trace->err == ERR_OK) {
        trace->err = client_json_write(trace->output, end, &trace->diag);
    } else {
        json_decref(end);
    }
}

enum err client_trace_end(struct client_trace *trace, const struct client_tls_outcome *outcome, const char *error,
                          uint64_t now_us, struct diag *diag)
{
    print_signature(trace, false);
    if (trace->json) {
        end_in_json(trace, outcome, error, (double)(now_us - trace->start_us) / 1000);
    } else {
        end_for_people(trace, outcome, error == NULL);
    }
    return result(trace, diag);
}
