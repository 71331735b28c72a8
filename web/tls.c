#include "web/tls.h"

#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/check.h"
#include "web/tls_resume.h"
#include "web/tls_socket.h"

#if defined(SSL_GROUP_X25519_MLKEM768)
#define GROUPS TLS_GROUPS_ALL
#else
#define GROUPS (TLS_GROUPS_ALL & ~TLS_GROUP_X25519_MLKEM768)
#endif

static void auto_context(SSL_CTX **context)
{
    SSL_CTX_free(*context);
}

/* One client has one certificate in memory, however many connections it opens. */
CRYPTO_BUFFER_POOL *tls_buffer_pool(void)
{
    static CRYPTO_BUFFER_POOL *pool;
    if (pool == NULL) pool = CRYPTO_BUFFER_POOL_new();
    return pool;
}

static enum err complain(struct diag *diag, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return diag_set(diag, ERR_CRYPTO, "%s: %s", what, reason != NULL ? reason : "no reason given");
}

static void free_clients(void *parent, void *data, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
    (void)parent, (void)ad, (void)index, (void)argl, (void)argp;
    clients_free(data);
}

static int clients_index(void)
{
    static int index = -1;
    if (index < 0) index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_clients);
    CHECK(index >= 0);
    return index;
}

struct clients *tls_clients(const SSL_CTX *context)
{
    return SSL_CTX_get_ex_data(context, clients_index());
}

void tls_keep_leaf(struct tls_handshake *handshake, const STACK_OF(CRYPTO_BUFFER) * chain)
{
    if (handshake->leaf == NULL) return;
    CRYPTO_BUFFER_free(*handshake->leaf);
    *handshake->leaf = sk_CRYPTO_BUFFER_value(chain, 0);
    CRYPTO_BUFFER_up_ref(*handshake->leaf);
}

static enum ssl_verify_result_t verify_client(SSL *ssl, uint8_t *out_alert)
{
    struct tls_handshake *handshake = SSL_get_app_data(ssl);
    struct clients *clients = tls_clients(SSL_get_SSL_CTX(ssl));
    const int error = clients_verify(handshake->certificate, handshake->lineage, handshake->refused, clients,
                                     SSL_get0_peer_certificates(ssl), handshake->revoked, (uint64_t)time(NULL));
    if (error != X509_V_OK) {
        handshake->refused_error = error;
        *out_alert = (uint8_t)SSL_alert_from_verify_result(error);
        return ssl_verify_invalid;
    }
    tls_keep_leaf(handshake, SSL_get0_peer_certificates(ssl));
    handshake->own_client = clients_is_own(clients, handshake->certificate);
    if (handshake->own_client) tls_resume_forbid(ssl); /* so that revoking its handle is the end of it */
    tls_resume_limit(ssl);
    return ssl_verify_ok;
}

/* BoringSSL's defaults would also take SHA-1, which a TLS 1.2 client may still sign with, and which has collisions. */
static const uint16_t client_schemes[] = {
    SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_RSA_PSS_RSAE_SHA256, SSL_SIGN_RSA_PKCS1_SHA256,
    SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA384, SSL_SIGN_RSA_PKCS1_SHA384,
    SSL_SIGN_RSA_PSS_RSAE_SHA512,    SSL_SIGN_RSA_PKCS1_SHA512,
};

static STACK_OF(CRYPTO_BUFFER) * copy_names(const STACK_OF(CRYPTO_BUFFER) * names)
{
    STACK_OF(CRYPTO_BUFFER) *copy = sk_CRYPTO_BUFFER_new_null();
    for (size_t i = 0; copy != NULL && i < sk_CRYPTO_BUFFER_num(names); i++) {
        CRYPTO_BUFFER *name = sk_CRYPTO_BUFFER_value(names, i);
        if (!sk_CRYPTO_BUFFER_push(copy, name)) {
            sk_CRYPTO_BUFFER_pop_free(copy, CRYPTO_BUFFER_free);
            return NULL;
        }
        CRYPTO_BUFFER_up_ref(name);
    }
    return copy;
}

enum err tls_context_trust(SSL_CTX *context, struct clients *clients)
{
    struct clients *before = SSL_CTX_get_ex_data(context, clients_index());
    STACK_OF(CRYPTO_BUFFER) *names = copy_names(clients_names(clients));
    if (names == NULL || !SSL_CTX_set_ex_data(context, clients_index(), clients)) {
        sk_CRYPTO_BUFFER_pop_free(names, CRYPTO_BUFFER_free);
        clients_free(clients);
        return ERR_MEMORY;
    }
    SSL_CTX_set0_client_CAs(context, names);
    clients_free(before);
    return ERR_OK;
}

static enum err require_client_certificate(SSL_CTX *context, const struct clients_terms *terms, struct diag *diag)
{
    struct clients *clients;
    enum err err = clients_new(&clients, terms, diag);
    if (err != ERR_OK) return err;
    if (tls_context_trust(context, clients) != ERR_OK) return diag_set(diag, ERR_MEMORY, "no memory");
    SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify_client);
    SSL_CTX_set_max_cert_list(context, LIMIT_CLIENT_CHAIN * LIMIT_CERTIFICATE);
    return ERR_OK;
}

/* BoringSSL calls this for each message that is read or added to a flight. The server's Finished is added before the
 * flight that it is in is written, so what keyd is told here it is told before the client can know of it. TLS 1.2's
 * messages are of no use: there a client signs more than can be foretold, and a browser's handle is for 1.3 alone. */
static void on_message(int is_write, int version, int content_type, const void *data, size_t len, SSL *ssl,
                       void *unused)
{
    (void)version;
    (void)unused;
    struct tls_handshake *handshake = SSL_get_app_data(ssl);
    if (!is_write && content_type == SSL3_RT_HEADER && handshake != NULL && len > 0)
        handshake->read_alert = ((const uint8_t *)data)[0] == SSL3_RT_ALERT;
    if (content_type != SSL3_RT_HANDSHAKE || handshake == NULL || len == 0) return;
    struct handshake_messages *messages = &handshake->messages;
    if (is_write && SSL_version(ssl) != TLS1_3_VERSION) handshake_messages_end(messages);
    handshake_messages_add(messages, (struct bytes){data, len});
    if (is_write && ((const uint8_t *)data)[0] == SSL3_MT_CERTIFICATE_REQUEST) handshake->asked = true;
    if (!is_write || ((const uint8_t *)data)[0] != SSL3_MT_FINISHED) return;
    const bool expected = handshake->asked && (handshake->expected == NULL || *handshake->expected);
    if (expected && !messages->ended) signer_expect(&handshake->signer, (struct bytes){messages->data, messages->len});
    handshake_messages_end(messages);
}

static bool alpn_offers(const char *protocol, const uint8_t *in, unsigned in_len)
{
    size_t want = strlen(protocol);
    for (unsigned i = 0; i < in_len; i += 1u + in[i]) /* BoringSSL has checked the list's form */
        if (in[i] == want && memcmp(in + i + 1, protocol, want) == 0) return true;
    return false;
}

/* Called only for clients that offer something. A client that means another protocol is turned away rather than served
 * a protocol it did not ask for (RFC 7301, 3.2): echo has no name in ALPN, so whoever offers one is lost there. */
static int select_alpn(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in, unsigned in_len,
                       void *unused)
{
    (void)unused;
    static const char *const protocols[] = {"h2", "http/1.1"};
    const struct tls_handshake *handshake = SSL_get_app_data(ssl);
    for (size_t i = 0; handshake->service == SERVICE_HTTPS && i < sizeof protocols / sizeof *protocols; i++) {
        if (!alpn_offers(protocols[i], in, in_len)) continue;
        *out = (const uint8_t *)protocols[i];
        *out_len = (uint8_t)strlen(protocols[i]);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static enum err set_groups(SSL_CTX *context, const struct tls_terms *terms, struct diag *diag)
{
    char list[TLS_CHOICE_LIST];
    const uint32_t groups = terms->groups != 0 ? terms->groups : GROUPS;
    tls_choice_list(list, TLS_CHOICE_GROUPS, groups & ~GROUPS, " ");
    if (list[0] != '\0')
        return diag_set(diag, ERR_INPUT,
                        "[tls] groups: this BoringSSL has no %s; take it out, or build with a newer one", list);
    tls_choice_list(list, TLS_CHOICE_GROUPS, groups, ":");
    return SSL_CTX_set1_curves_list(context, list) ? ERR_OK : complain(diag, "TLS groups");
}

/* Of those of TLS 1.2. Those of TLS 1.3 are fixed, and all fit. */
static enum err set_suites(SSL_CTX *context, const struct tls_terms *terms, struct diag *diag)
{
    char list[TLS_CHOICE_LIST];
    tls_choice_list(list, TLS_CHOICE_SUITES, terms->suites != 0 ? terms->suites : TLS_SUITES_ALL, ":");
    return SSL_CTX_set_strict_cipher_list(context, list) ? ERR_OK : complain(diag, "TLS suites");
}

static enum err set_protocol(SSL_CTX *context, const struct tls_terms *terms, struct diag *diag)
{
    enum err err = set_groups(context, terms, diag);
    if (err == ERR_OK) err = set_suites(context, terms, diag);
    if (err != ERR_OK) return err;
    if (!SSL_CTX_set_min_proto_version(context, terms->tls12 ? TLS1_2_VERSION : TLS1_3_VERSION) ||
        !SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) ||
        !SSL_CTX_set_verify_algorithm_prefs(context, client_schemes, sizeof client_schemes / sizeof *client_schemes))
        return complain(diag, "TLS parameters");
    /* Resumption is by tickets alone, for which a worker keeps nothing (tls_resume.h). */
    tls_resume_context(context);
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_alpn_select_cb(context, select_alpn, NULL);
    SSL_CTX_set0_buffer_pool(context, tls_buffer_pool());
    SSL_CTX_set_msg_callback(context, on_message);
    return ERR_OK;
}

static enum err use_servers(SSL_CTX *context, const struct web_identity *identity, const struct tls_terms *terms,
                            struct tls_servers *servers, struct diag *diag)
{
    const struct tls_server own = {
        .chain = identity->chain, .num_chain = identity->num_chain, .ocsp = identity->ocsp, .issuer = identity->issuer};
    if (servers == NULL) servers = tls_servers_new();
    if (servers == NULL) return diag_set(diag, ERR_MEMORY, "no memory");
    enum err err = tls_servers_add(servers, &own, terms, diag);
    if (err == ERR_OK) return tls_servers_use(context, servers, diag);
    tls_servers_free(servers);
    return err;
}

enum err tls_context_new(SSL_CTX **out, const struct web_identity *identity, const struct tls_terms *terms,
                         struct tls_servers *servers, const struct clients_terms *clients, struct diag *diag)
{
    *out = NULL;
    /* Certificates stay bytes to BoringSSL: those of clients are parsed by us, and only where they have to be verified. */
    AUTO(auto_context) SSL_CTX *context = SSL_CTX_new(TLS_with_buffers_method());
    enum err err = context != NULL ? set_protocol(context, terms, diag) : complain(diag, "TLS context");
    if (err != ERR_OK) {
        tls_servers_free(servers);
        return err;
    }
    err = use_servers(context, identity, terms, servers, diag);
    if (err == ERR_OK) err = require_client_certificate(context, clients, diag);
    if (err != ERR_OK) return err;
    *out = context;
    context = NULL;
    return ERR_OK;
}

SSL *tls_new(SSL_CTX *context, struct tls_handshake *handshake, struct signer *signer, int fd)
{
    SSL *ssl = SSL_new(context);
    BIO *socket = ssl != NULL ? tls_socket_new(fd) : NULL;
    if (socket == NULL) {
        ERR_clear_error();
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_bio(ssl, socket, socket);
    if (handshake->mode == TLS_MODE_OPTIONAL) SSL_set_custom_verify(ssl, SSL_VERIFY_PEER, verify_client);
    if (handshake->mode == TLS_MODE_SERVER) SSL_set_custom_verify(ssl, SSL_VERIFY_NONE, verify_client);
    SSL_set_app_data(ssl, handshake);
    if (tls_resume_begin(ssl, handshake) != ERR_OK) {
        ERR_clear_error();
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_accept_state(ssl);
    SSL_set_shed_handshake_config(ssl, 1); /* an idle connection carries no configuration */
    handshake->refused[0] = '\0';
    signer_attach(signer, &handshake->signer, ssl);
    return ssl;
}

void tls_handshake_end(SSL *ssl, struct tls_handshake *handshake)
{
    signer_detach(&handshake->signer);
    handshake_messages_end(&handshake->messages);
    SSL_set_app_data(ssl, NULL);
}

void tls_describe(struct session_peer *out, const SSL *ssl)
{
    const uint8_t *alpn;
    unsigned alpn_len;
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
    const char *group = SSL_get_curve_name(SSL_get_curve_id(ssl));
    out->protocol = SSL_get_version(ssl);
    out->cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));
    out->group = group != NULL ? group : "";
    /* The selection is one of two; a name of our own needs no NUL from BoringSSL. */
    out->resumed = SSL_session_reused(ssl);
    out->alpn = alpn_len == 2 ? "h2" : alpn_len > 0 ? "http/1.1" : "";
}
