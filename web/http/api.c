#include "web/http/api.h"

#include <http_parser.h>
#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "web/http/site_internal.h"

/* A certificate's text is a client's: what is not UTF-8 is not shown. */
static json_t *text(const char *value)
{
    json_t *string = value != NULL ? json_string(value) : json_string("");
    return string != NULL ? string : json_string("?");
}

static json_t *moment(uint64_t seconds)
{
    char iso[DATE_ISO_LEN + 1];
    date_iso(iso, (seconds < DATE_MAX_S ? seconds : DATE_MAX_S) * 1000);
    return text(iso);
}

static json_t *describe_certificate(const struct certificate_text *certificate)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "subject", text(certificate->subject), "serial",
                     text(certificate->serial), "fingerprint", text(certificate->fingerprint), "issuer",
                     text(certificate->issuer), "not_after", moment(certificate->not_after));
}

/* null: nobody knows who it is. */
static json_t *describe_client(const struct session_peer *peer)
{
    if (!session_peer_is_known(peer)) return json_null();
    json_t *client = describe_certificate(&peer->certificate);
    json_t *handle = peer->handle != 0 ? json_integer((json_int_t)peer->handle) : json_null();
    if (json_object_set_new(client, "handle", handle) == 0) return client;
    json_decref(client);
    return NULL;
}

/* null: it has shown none. */
static json_t *describe_server(const struct session_peer *peer)
{
    if (peer->shown == NULL || peer->shown->fingerprint[0] == '\0') return json_null();
    return describe_certificate(peer->shown);
}

/* null: there is no TLS. */
static json_t *describe_tls(const struct session_peer *peer)
{
    if (!session_peer_is_private(peer)) return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:b}", "protocol", text(peer->protocol), "cipher", text(peer->cipher),
                     "group", text(peer->group), "alpn", text(peer->alpn), "resumed", (int)peer->resumed);
}

/* null: the client is nobody in particular, whom other people's connections do not concern. */
static json_t *describe_worker(const struct exchange *exchange)
{
    const struct http_site *site = exchange->site;
    if (!session_peer_is_known(exchange->peer) || site->read_counts == NULL) return json_null();
    const struct http_connection_counts counts = site->read_counts(site->counts_context);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "number", (json_int_t)site->config.worker, "connections",
                     (json_int_t)counts.open, "handshakes", (json_int_t)counts.handshakes, "handshakes_failed",
                     (json_int_t)counts.handshakes_failed, "requests", (json_int_t)site->counters.requests,
                     "requests_refused", (json_int_t)site->counters.requests_refused);
}

/* null: this client cannot upload anything. */
static json_t *describe_uploads(const struct exchange *exchange)
{
    const struct http_site *site = exchange->site;
    if (!session_peer_is_known(exchange->peer) || site->committer == NULL) return json_null();
    const uint64_t most = site->config.max_upload_bytes;
    return json_pack("{s:I}", "max_bytes", (json_int_t)(most < INT64_MAX ? most : INT64_MAX));
}

struct fault api_answer(struct exchange *exchange)
{
    char timestamp[DATE_ISO_LEN + 1];
    date_iso(timestamp, clock_wall_ms());
    json_t *root = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "message", "Hello from Keyward", "timestamp",
                             timestamp, "client", describe_client(exchange->peer), "server",
                             describe_server(exchange->peer), "tls", describe_tls(exchange->peer), "worker",
                             describe_worker(exchange), "uploads", describe_uploads(exchange));
    char *body = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
    json_decref(root);
    if (body == NULL) return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory"};
    exchange->response.owned = body;
    response_set_text(&exchange->response, HTTP_STATUS_OK, "application/json",
                      (struct bytes){(const uint8_t *)body, strlen(body)});
    response_add(&exchange->response, "Cache-Control", "no-store");
    return (struct fault){0, NULL};
}
