#include "web/sign_input.h"

#include <openssl/bytestring.h>
#include <openssl/ssl.h>
#include <string.h>

/* RFC 8446, 4.4.3: 64 spaces, the context string, a zero byte, the transcript hash. */
static enum err parse_tls13(struct sign_tls13 *out, CBS *input)
{
    static const char context[] = "TLS 1.3, server CertificateVerify"; /* its NUL is the zero byte */
    uint8_t prefix[64 + sizeof context];
    memset(prefix, ' ', 64);
    memcpy(prefix + 64, context, sizeof context);
    CBS head;
    if (!CBS_get_bytes(input, &head, sizeof prefix) || memcmp(CBS_data(&head), prefix, sizeof prefix) != 0 ||
        (CBS_len(input) != 32 && CBS_len(input) != 48))
        return ERR_INPUT;
    out->transcript_hash = (struct bytes){CBS_data(input), CBS_len(input)};
    return ERR_OK;
}

/* RFC 8422, 5.4: client random, server random, ServerECDHParams. */
static enum err parse_tls12(struct sign_tls12_server *out, CBS *input)
{
    enum { NAMED_CURVE = 3 };
    uint8_t curve_type;
    CBS point;
    if (!CBS_copy_bytes(input, out->client_random, sizeof out->client_random) ||
        !CBS_copy_bytes(input, out->server_random, sizeof out->server_random) || !CBS_get_u8(input, &curve_type) ||
        curve_type != NAMED_CURVE || !CBS_get_u16(input, &out->group) || !CBS_get_u8_length_prefixed(input, &point) ||
        CBS_len(&point) == 0 || CBS_len(&point) > LIMIT_ECDHE_POINT || CBS_len(input) != 0)
        return ERR_INPUT;
    out->point = (struct bytes){CBS_data(&point), CBS_len(&point)};
    return ERR_OK;
}

enum err sign_input_parse(struct msg *out, uint16_t tls_version, uint16_t scheme, struct bytes input)
{
    CBS rest;
    CBS_init(&rest, input.data, input.len);
    memset(out, 0, sizeof *out);
    switch (tls_version) {
    case TLS1_3_VERSION:
        out->kind = MSG_SIGN_TLS13_SERVER;
        out->sign_tls13_server.scheme = scheme;
        return parse_tls13(&out->sign_tls13_server, &rest);
    case TLS1_2_VERSION:
        out->kind = MSG_SIGN_TLS12_SERVER;
        out->sign_tls12_server.scheme = scheme;
        return parse_tls12(&out->sign_tls12_server, &rest);
    default: return ERR_INPUT;
    }
}

void sign_input_set_server(struct msg *request, uint32_t server)
{
    if (request->kind == MSG_SIGN_TLS12_SERVER)
        request->sign_tls12_server.server = server;
    else
        request->sign_tls13_server.server = server;
}
