#include "web/http/api.h"

#include <http_parser.h>
#include <jansson.h>
#include <string.h>

#include "base/clock.h"

/* A certificate's text is a client's: what is not UTF-8 is not shown. */
static json_t *text(const char *value)
{
    json_t *string = value != NULL ? json_string(value) : json_string("");
    return string != NULL ? string : json_string("?");
}

/* null: nobody knows who it is. */
static json_t *describe_client(const struct session_peer *peer)
{
    const struct certificate_text *certificate = &peer->certificate;
    if (!session_peer_is_known(peer)) return json_null();
    char not_after[DATE_ISO_LEN + 1];
    uint64_t seconds = certificate->not_after < DATE_MAX_S ? certificate->not_after : DATE_MAX_S;
    date_iso(not_after, seconds * 1000);
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "subject", text(certificate->subject), "serial",
                     text(certificate->serial), "fingerprint", text(certificate->fingerprint), "issuer",
                     text(certificate->issuer), "not_after", text(not_after));
}

/* null: there is no TLS. */
static json_t *describe_tls(const struct session_peer *peer)
{
    if (!session_peer_is_private(peer)) return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:b}", "protocol", text(peer->protocol), "cipher", text(peer->cipher),
                     "group", text(peer->group), "alpn", text(peer->alpn), "resumed", (int)peer->resumed);
}

struct fault api_answer(struct exchange *exchange)
{
    char timestamp[DATE_ISO_LEN + 1];
    date_iso(timestamp, clock_wall_ms());
    json_t *root = json_pack("{s:s, s:s, s:o, s:o}", "message", "Hello from Keyward", "timestamp", timestamp, "client",
                             describe_client(exchange->peer), "tls", describe_tls(exchange->peer));
    char *body = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
    json_decref(root);
    if (body == NULL) return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory"};
    exchange->response.owned = body;
    response_set_text(&exchange->response, HTTP_STATUS_OK, "application/json",
                      (struct bytes){(const uint8_t *)body, strlen(body)});
    response_add(&exchange->response, "Cache-Control", "no-store");
    return (struct fault){0, NULL};
}
