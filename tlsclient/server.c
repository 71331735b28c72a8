#include "tlsclient/server.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

static bool is_address(const char *host)
{
    uint8_t address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static bool trust_ca(SSL_CTX *ctx, struct bytes der)
{
    const uint8_t *at = der.data;
    X509 *ca = d2i_X509(NULL, &at, (long)der.len);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    bool trusted = ca != NULL && at == der.data + der.len && X509_STORE_add_cert(store, ca);
    /* That one and no other; the one that somebody trusts can be an intermediate. */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    X509_free(ca);
    return trusted;
}

static bool show_chain(SSL_CTX *ctx, const struct tlsclient_config *config)
{
    if (config->num_chain == 0 || config->num_chain > TLSCLIENT_CHAIN ||
        !SSL_CTX_use_certificate_ASN1(ctx, config->chain[0].len, config->chain[0].data))
        return false;
    if (config->num_chain == 1) return true;
    const uint8_t *at = config->chain[1].data;
    X509 *issuer = d2i_X509(NULL, &at, (long)config->chain[1].len);
    bool added = issuer != NULL && SSL_CTX_add1_chain_cert(ctx, issuer);
    X509_free(issuer);
    return added;
}

static bool prepare(SSL_CTX *ctx, const struct tlsclient_config *config)
{
    /* What keyd verifies of a server (RFC 8446, 4.2.3). */
    static const uint16_t schemes[] = {SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_ECDSA_SECP384R1_SHA384,
                                       SSL_SIGN_RSA_PSS_RSAE_SHA256,    SSL_SIGN_RSA_PSS_RSAE_SHA384,
                                       SSL_SIGN_RSA_PSS_RSAE_SHA512,    SSL_SIGN_ED25519};
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    /* What is written next may have moved meanwhile, and grown. */
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) && SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) &&
           trust_ca(ctx, config->ca) && show_chain(ctx, config) &&
           SSL_CTX_set_verify_algorithm_prefs(ctx, schemes, sizeof schemes / sizeof *schemes) &&
           /* SSL_CTX_set_alpn_protos returns 0 on success. */
           SSL_CTX_set_alpn_protos(ctx, config->protocols, config->protocols_len) == 0;
}

static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());
    return text != NULL ? text : "unknown reason";
}

enum err tlsclient_server_new(struct tlsclient_server **out, const struct tlsclient_config *config, struct diag *diag)
{
    *out = NULL;
    if (strlen(config->host) > LIMIT_NAME) return diag_set(diag, ERR_TOO_LARGE, "the server's name is too long");
    struct tlsclient_server *server = calloc(1, sizeof *server);
    if (server == NULL) return diag_set(diag, ERR_MEMORY, "no memory");
    ERR_clear_error();
    server->ctx = SSL_CTX_new(TLS_method());
    server->foreign = config->foreign;
    server->is_ip = is_address(config->host);
    memcpy(server->host, config->host, strlen(config->host) + 1);
    if (server->ctx == NULL || !prepare(server->ctx, config)) {
        tlsclient_server_free(server);
        return diag_set(diag, ERR_CRYPTO, "cannot prepare TLS: %s", reason());
    }
    *out = server;
    return ERR_OK;
}

void tlsclient_server_free(struct tlsclient_server *server)
{
    if (server == NULL) return;
    SSL_CTX_free(server->ctx);
    free(server);
}
