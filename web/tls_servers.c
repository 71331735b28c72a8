#include "web/tls_servers.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/certificate.h"
#include "base/check.h"
#include "web/server_key.h"
#include "web/server_names.h"
#include "web/staple.h"
#include "web/timestamp.h"
#include "web/tls.h"
#include "web/tls_resume.h"

struct server {
    uint32_t number;
    struct server_key key;
    CRYPTO_BUFFER *chain[LIMIT_CHAIN];
    size_t num_chain; /* 0: not there */
    uint8_t fingerprint[SHA256_DIGEST_LENGTH];
    struct certificate_text text;        /* empty where a field of it cannot be put into words */
    char name[LIMIT_SERVER_SECTION + 1]; /* empty: the default one */
    uint8_t *ocsp;                       /* NULL: nothing is stapled */
    size_t ocsp_len;
    struct staple_time ocsp_time;
    bool wants_ocsp;
};

struct tls_servers {
    struct server rows[SERVER_NAMES_PLACES]; /* by place; the default one is at 0 */
    size_t num;                              /* places that are taken, or the default one's */
    struct server_names *names;
};

static void auto_x509(X509 **certificate)
{
    X509_free(*certificate);
}

static void auto_names(GENERAL_NAMES **names)
{
    GENERAL_NAMES_free(*names);
}

struct tls_servers *tls_servers_new(void)
{
    struct tls_servers *servers = calloc(1, sizeof *servers);
    if (servers == NULL) return NULL;
    servers->num = 1;
    servers->names = server_names_new();
    if (servers->names != NULL) return servers;
    free(servers);
    return NULL;
}

void tls_servers_free(struct tls_servers *servers)
{
    if (servers == NULL) return;
    for (size_t i = 0; i < servers->num; i++) {
        for (size_t j = 0; j < servers->rows[i].num_chain; j++) CRYPTO_BUFFER_free(servers->rows[i].chain[j]);
        free(servers->rows[i].ocsp);
    }
    server_names_free(servers->names);
    free(servers);
}

size_t tls_servers_num(const struct tls_servers *servers)
{
    return servers->num - 1;
}

static enum err complain(struct diag *diag, const char *name, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return server_key_complain(diag, ERR_CRYPTO, name, "%s: %s", what, reason != NULL ? reason : "no reason given");
}

/* ---- What there is ---------------------------------------------------------------------------------------------- */

static enum err add_name(struct server_names *names, unsigned place, const GENERAL_NAME *name)
{
    char text[LIMIT_NAME + 1];
    if (name->type != GEN_DNS && name->type != GEN_IPADD) return ERR_OK;
    const ASN1_STRING *value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    const uint8_t *data = ASN1_STRING_get0_data(value);
    const size_t len = (size_t)ASN1_STRING_length(value);
    if (name->type == GEN_IPADD) {
        if (len != 4 && len != 16) return ERR_OK;
        inet_ntop(len == 4 ? AF_INET : AF_INET6, data, text, sizeof text);
    } else {
        if (len > LIMIT_NAME || memchr(data, '\0', len) != NULL) return ERR_OK;
        memcpy(text, data, len);
        text[len] = '\0';
    }
    return server_names_add(names, place, text);
}

static enum err read_names(struct tls_servers *servers, unsigned place, X509 *leaf, const char *name, struct diag *diag)
{
    AUTO(auto_names) GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    enum err err = ERR_OK;
    for (size_t i = 0; i < sk_GENERAL_NAME_num(names) && err == ERR_OK; i++)
        err = add_name(servers->names, place, sk_GENERAL_NAME_value(names, i));
    ERR_clear_error();
    if (err == ERR_TOO_LARGE)
        return server_key_complain(diag, ERR_INPUT, name, "it has more than %u names; divide them among several",
                                   LIMIT_SERVER_NAMES);
    return err == ERR_OK ? ERR_OK : diag_set(diag, err, "no memory");
}

static enum err keep_chain(struct server *out, const struct tls_server *server, struct diag *diag)
{
    for (size_t i = 0; i < server->num_chain; i++) {
        const struct bytes der = server->chain[i];
        out->chain[i] = CRYPTO_BUFFER_new(der.data, der.len, tls_buffer_pool());
        if (out->chain[i] == NULL) return complain(diag, server->name, "the chain");
        out->num_chain++;
    }
    SHA256(server->chain[0].data, server->chain[0].len, out->fingerprint);
    out->number = server->number;
    return ERR_OK;
}

/* The broker knows the file, and puts its name in the place of the first words. */
static enum err complain_of_ocsp(struct diag *diag, enum err err, const char *name, const char *why)
{
    if (name == NULL) return diag_set(diag, err, "OCSP response: %s", why);
    return diag_set(diag, err, "OCSP response of [certificate \"%s\"]: %s", name, why);
}

static X509 *parse_issuer(const struct tls_server *server)
{
    const struct bytes second = server->num_chain > 1 ? server->chain[1] : (struct bytes){NULL, 0};
    const struct bytes der = server->issuer.len > 0 ? server->issuer : second;
    const uint8_t *at = der.data;
    return der.len > 0 ? d2i_X509(NULL, &at, (long)der.len) : NULL;
}

static enum err keep_ocsp(struct server *out, const struct tls_server *server, X509 *leaf, struct diag *diag)
{
    struct diag why = {{0}};
    if (server->name != NULL) snprintf(out->name, sizeof out->name, "%s", server->name);
    out->wants_ocsp = staple_is_wanted(leaf);
    if (server->ocsp.len == 0) return ERR_OK;
    AUTO(auto_x509) X509 *issuer = parse_issuer(server);
    if (issuer == NULL) {
        ERR_clear_error();
        return complain_of_ocsp(diag, ERR_INPUT, server->name,
                                "who signed the certificate is not known, so that it cannot be checked; put that CA's "
                                "certificate behind the certificate in its file");
    }
    enum err err = staple_check(&out->ocsp_time, server->ocsp, leaf, issuer, &why);
    if (err != ERR_OK) return complain_of_ocsp(diag, err, server->name, why.text);
    out->ocsp = malloc(server->ocsp.len);
    if (out->ocsp == NULL) return diag_set(diag, ERR_MEMORY, "no memory");
    memcpy(out->ocsp, server->ocsp.data, server->ocsp.len);
    out->ocsp_len = server->ocsp.len;
    return ERR_OK;
}

static bool has_number(const struct tls_servers *servers, uint32_t number)
{
    for (size_t i = 0; i < servers->num; i++)
        if (servers->rows[i].num_chain > 0 && servers->rows[i].number == number) return true;
    return false;
}

enum err tls_servers_add(struct tls_servers *servers, const struct tls_server *server, const struct tls_terms *terms,
                         struct diag *diag)
{
    const uint8_t *at = server->chain[0].data;
    const unsigned place = server->number == 0 ? 0 : (unsigned)servers->num;
    if (place == SERVER_NAMES_PLACES || has_number(servers, server->number))
        return diag_set(diag, ERR_MALFORMED, "server certificate %u is there already", (unsigned)server->number);
    ERR_clear_error();
    AUTO(auto_x509) X509 *leaf = d2i_X509(NULL, &at, (long)server->chain[0].len);
    if (leaf == NULL || at != server->chain[0].data + server->chain[0].len)
        return complain(diag, server->name, "does not parse");
    struct server *row = &servers->rows[place];
    if (place != 0) servers->num++;
    if (certificate_describe(&row->text, leaf) != ERR_OK) row->text = (struct certificate_text){0};
    enum err err = server_key_read(&row->key, leaf, server->name, terms, diag);
    if (err == ERR_OK) err = read_names(servers, place, leaf, server->name, diag);
    if (err == ERR_OK) err = keep_ocsp(row, server, leaf, diag);
    return err == ERR_OK ? keep_chain(row, server, diag) : err;
}

/* ---- Which one -------------------------------------------------------------------------------------------------- */

static void free_servers(void *parent, void *data, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
    (void)parent, (void)ad, (void)index, (void)argl, (void)argp;
    tls_servers_free(data);
}

static int servers_index(void)
{
    static int index = -1;
    if (index < 0) index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_servers);
    CHECK(index >= 0);
    return index;
}

static const struct tls_servers *servers_of(const SSL_CTX *context)
{
    return SSL_CTX_get_ex_data(context, servers_index());
}

/* The suite decides in TLS 1.2, and the schemes alone in TLS 1.3. */
static bool fits(const SSL *ssl, const struct tls_handshake *handshake, const struct server *server)
{
    const uint16_t *schemes;
    const size_t num = SSL_get0_peer_verify_algorithms(ssl, &schemes);
    if (SSL_version(ssl) != TLS1_3_VERSION && (handshake->tls12_keys & server_key_bit(&server->key)) == 0) return false;
    for (size_t i = 0; i < num; i++)
        if (server_key_does(&server->key, schemes[i])) return true;
    return false;
}

static unsigned first_that_fits(const SSL *ssl, const struct tls_handshake *handshake,
                                const struct tls_servers *servers, uint32_t places)
{
    for (unsigned place = 0; place < servers->num; place++)
        if ((places & UINT32_C(1) << place) != 0 && fits(ssl, handshake, &servers->rows[place])) return place;
    return SERVER_NAMES_PLACES;
}

static struct server_places places_for(const SSL *ssl, const struct tls_servers *servers)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    return name != NULL ? server_names_find(servers->names, name) : (struct server_places){0, 0};
}

/* Where no key fits, the handshake fails for want of one, rather than with a certificate for another name. */
static unsigned choose(const SSL *ssl, const struct tls_handshake *handshake, const struct tls_servers *servers)
{
    const struct server_places places = places_for(ssl, servers);
    const uint32_t all = places.exact | places.wildcard;
    unsigned place = first_that_fits(ssl, handshake, servers, places.exact);
    if (place == SERVER_NAMES_PLACES) place = first_that_fits(ssl, handshake, servers, places.wildcard);
    if (place < SERVER_NAMES_PLACES) return place;
    return all != 0 ? (unsigned)__builtin_ctz(places.exact != 0 ? places.exact : places.wildcard) : 0;
}

static bool present(SSL *ssl, struct tls_handshake *handshake, const struct tls_servers *servers, unsigned place)
{
    const struct server *server = &servers->rows[place];
    handshake->server = place;
    handshake->signer.server = server->number;
    return SSL_set_chain_and_key(ssl, server->chain, server->num_chain, NULL, signer_method()) &&
           SSL_set_signing_algorithm_prefs(ssl, server->key.schemes, server->key.num_schemes) &&
           tls_resume_bind(ssl, handshake) == ERR_OK;
}

/* BoringSSL shows it to clients that ask. The context has none, so that nothing has to be taken away. */
static bool staple(SSL *ssl, const struct server *server)
{
    if (server->ocsp == NULL || !staple_is_due(&server->ocsp_time, (uint64_t)time(NULL))) return true;
    return SSL_set_ocsp_response(ssl, server->ocsp, server->ocsp_len) != 0;
}

/* Called when the version and the client's name for the server are known, and before a ticket is looked at. */
static int on_certificate_wanted(SSL *ssl, void *unused)
{
    (void)unused;
    const struct tls_servers *servers = servers_of(SSL_get_SSL_CTX(ssl));
    struct tls_handshake *handshake = SSL_get_app_data(ssl);
    if (SSL_version(ssl) != TLS1_3_VERSION) tls_resume_forbid(ssl);
    const unsigned place = servers->num > 1 ? choose(ssl, handshake, servers) : 0;
    if (place != 0 && !present(ssl, handshake, servers, place)) return 0;
    return staple(ssl, &servers->rows[place]) ? 1 : 0;
}

/* RFC 6066, 3: a server that uses the name says so. */
static int on_name(SSL *ssl, int *out_alert, void *unused)
{
    (void)out_alert, (void)unused;
    const struct server_places places = places_for(ssl, servers_of(SSL_get_SSL_CTX(ssl)));
    return (places.exact | places.wildcard) != 0 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static bool offers(const SSL_CLIENT_HELLO *hello, uint16_t suite)
{
    for (size_t i = 0; i + 1 < hello->cipher_suites_len; i += 2)
        if ((hello->cipher_suites[i] << 8 | hello->cipher_suites[i + 1]) == suite) return true;
    return false;
}

/* For which keys the client has a suite of TLS 1.2 that the context has too; later BoringSSL does not tell. */
static enum ssl_select_cert_result_t on_client_hello(const SSL_CLIENT_HELLO *hello)
{
    struct tls_handshake *handshake = SSL_get_app_data(hello->ssl);
    const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(SSL_get_SSL_CTX(hello->ssl));
    handshake->tls12_keys = 0;
    for (size_t i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
        if (offers(hello, SSL_CIPHER_get_protocol_id(cipher)))
            handshake->tls12_keys |= server_key_bit_of_suite(SSL_CIPHER_get_auth_nid(cipher));
    }
    return ssl_select_cert_success;
}

enum err tls_servers_use(SSL_CTX *context, struct tls_servers *servers, struct diag *diag)
{
    const struct server *server = &servers->rows[0];
    CHECK(server->num_chain > 0);
    server_names_sort(servers->names);
    if (!SSL_CTX_set_ex_data(context, servers_index(), servers)) {
        tls_servers_free(servers);
        return complain(diag, NULL, "cannot be kept");
    }
    /* Current BoringSSL keeps this in a default SSL_CREDENTIAL of the context; the call is the same. */
    if (!SSL_CTX_set_chain_and_key(context, server->chain, server->num_chain, NULL, signer_method()) ||
        !SSL_CTX_set_signing_algorithm_prefs(context, server->key.schemes, server->key.num_schemes))
        return complain(diag, NULL, "the chain");
    SSL_CTX_set_cert_cb(context, on_certificate_wanted, NULL);
    if (servers->num == 1) return ERR_OK;
    SSL_CTX_set_select_certificate_cb(context, on_client_hello);
    SSL_CTX_set_tlsext_servername_callback(context, on_name);
    return ERR_OK;
}

const uint8_t *tls_servers_fingerprint(const SSL_CTX *context, const struct tls_handshake *handshake)
{
    return servers_of(context)->rows[handshake->server].fingerprint;
}

void tls_servers_describe(struct session_peer *out, const SSL *ssl, const struct tls_handshake *handshake)
{
    const struct tls_servers *servers = servers_of(SSL_get_SSL_CTX(ssl));
    out->server_names = servers->num > 1 ? servers->names : NULL;
    out->server = handshake->server;
    out->shown = &servers->rows[handshake->server].text;
}

static bool remark(char *out, size_t out_len, const struct server *server, uint64_t now_s)
{
    char from[TIMESTAMP_SIZE], until[TIMESTAMP_SIZE], which[LIMIT_SERVER_SECTION + 24] = "the default certificate";
    if (server->name[0] != '\0') snprintf(which, sizeof which, "certificate \"%s\"", server->name);
    if (server->ocsp == NULL && server->wants_ocsp) {
        snprintf(out, out_len, "%s demands that an OCSP response comes with it, and has none", which);
        return true;
    }
    if (server->ocsp == NULL || staple_is_due(&server->ocsp_time, now_s)) return false;
    timestamp_format(from, server->ocsp_time.from, 0);
    timestamp_format(until, server->ocsp_time.until, 0);
    snprintf(out, out_len, "the OCSP response of %s is good from %s until %s", which, from, until);
    return true;
}

bool tls_servers_remark(char *out, size_t out_len, size_t *at, const SSL_CTX *context, uint64_t now_s)
{
    const struct tls_servers *servers = servers_of(context);
    while (*at < servers->num)
        if (remark(out, out_len, &servers->rows[(*at)++], now_s)) return true;
    return false;
}

uint64_t tls_servers_next_update(const SSL_CTX *context)
{
    const struct tls_servers *servers = servers_of(context);
    uint64_t first = 0;
    for (size_t i = 0; i < servers->num; i++) {
        const struct server *server = &servers->rows[i];
        if (server->ocsp != NULL && (first == 0 || server->ocsp_time.until < first)) first = server->ocsp_time.until;
    }
    return first;
}
