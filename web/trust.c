#include "web/trust.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/certificate.h"
#include "base/limits.h"
#include "web/handed_file.h"

/* BoringSSL's clients, Chromium among them, take handshake messages of up to 16 KiB. */
enum { MAX_NAMES_BYTES = 15 * 1024 };

/* What has been loaded so far, and which certificate is at hand. */
struct trust {
    X509_STORE *store;
    STACK_OF(CRYPTO_BUFFER) * names;
    SHA256_CTX *digest;
    struct diag *diag;
    const char *source; /* "the broker's client CA", "client CA file" */
    size_t number;      /* from 1, within the source */
    size_t names_bytes;
};

static void auto_x509(X509 **certificate)
{
    X509_free(*certificate);
}

static void auto_bio(BIO **bio)
{
    BIO_free(*bio);
}

static void auto_octets(uint8_t **octets)
{
    OPENSSL_free(*octets);
}

static enum err complain(const struct trust *trust, enum err err, const char *why)
{
    return diag_set(trust->diag, err, "%s: certificate %zu: %s", trust->source, trust->number, why);
}

static enum err complain_crypto(const struct trust *trust, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return diag_set(trust->diag, ERR_INPUT, "%s: certificate %zu: %s (%s)", trust->source, trust->number, what,
                    reason != NULL ? reason : "no reason given");
}

static enum err check_is_ca(const struct trust *trust, X509 *certificate)
{
    if (X509_check_ca(certificate)) return ERR_OK;
    struct certificate_text text;
    if (certificate_describe(&text, certificate) != ERR_OK) return complain_crypto(trust, "cannot be read");
    return diag_set(trust->diag, ERR_INPUT,
                    "%s: certificate %zu ('%s') is not a CA certificate; give the CA that signed it", trust->source,
                    trust->number, text.subject);
}

/* A name that is there already is not said twice. */
static bool add_name(const struct trust *trust, const uint8_t *name, size_t len)
{
    for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(trust->names); i++) {
        const CRYPTO_BUFFER *other = sk_CRYPTO_BUFFER_value(trust->names, i);
        if (CRYPTO_BUFFER_len(other) == len && memcmp(CRYPTO_BUFFER_data(other), name, len) == 0) return true;
    }
    CRYPTO_BUFFER *added = CRYPTO_BUFFER_new(name, len, NULL);
    if (added != NULL && sk_CRYPTO_BUFFER_push(trust->names, added)) return true;
    CRYPTO_BUFFER_free(added);
    return false;
}

static enum err add(struct trust *trust, X509 *certificate)
{
    enum err err = check_is_ca(trust, certificate);
    if (err != ERR_OK) return err;
    AUTO(auto_octets) uint8_t *name = NULL;
    int name_len = i2d_X509_NAME(X509_get_subject_name(certificate), &name);
    if (name_len <= 0) return complain_crypto(trust, "its subject cannot be read");
    trust->names_bytes += (size_t)name_len + 2;
    if (trust->names_bytes > MAX_NAMES_BYTES)
        return complain(trust, ERR_INPUT, "the CAs' names are too long together for a CertificateRequest; give fewer");
    uint8_t digest[SHA256_DIGEST_LENGTH];
    if (!X509_digest(certificate, EVP_sha256(), digest, NULL)) return complain_crypto(trust, "cannot be hashed");
    SHA256_Update(trust->digest, digest, sizeof digest);
    if (!X509_STORE_add_cert(trust->store, certificate) || !add_name(trust, name, (size_t)name_len))
        return complain_crypto(trust, "cannot be added");
    return ERR_OK;
}

static enum err load_der(struct trust *trust, struct bytes der)
{
    const uint8_t *at = der.data;
    AUTO(auto_x509) X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    if (certificate == NULL || at != der.data + der.len) return complain_crypto(trust, "does not parse");
    return add(trust, certificate);
}

static enum err load_pem(struct trust *trust, const uint8_t *text, size_t len)
{
    AUTO(auto_bio) BIO *bio = BIO_new_mem_buf(text, (int)len);
    if (bio == NULL) return diag_set(trust->diag, ERR_MEMORY, "%s: no memory", trust->source);
    for (trust->number = 1;; trust->number++) {
        AUTO(auto_x509) X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (certificate == NULL) break;
        enum err err = add(trust, certificate);
        if (err != ERR_OK) return err;
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) return complain_crypto(trust, "does not parse");
    ERR_clear_error();
    if (trust->number > 1) return ERR_OK;
    return diag_set(trust->diag, ERR_INPUT, "%s: no certificate in it; want PEM, '-----BEGIN CERTIFICATE-----'",
                    trust->source);
}

static enum err load_file(struct trust *trust, int fd)
{
    const struct handed_file file = {
        .name = trust->source, .remedy = "give only the CAs that clients have", .fd = fd, .max = LIMIT_CLIENT_CA_FILE};
    AUTO_FREE uint8_t *text = NULL;
    size_t len;
    enum err err = handed_file_read(&text, &len, &file, trust->diag);
    return err == ERR_OK ? load_pem(trust, text, len) : err;
}

enum err trust_load(X509_STORE *store, STACK_OF(CRYPTO_BUFFER) * names, SHA256_CTX *digest, const struct bytes *cas,
                    size_t num_cas, int pem_fd, struct diag *diag)
{
    struct trust trust = {
        .store = store, .names = names, .digest = digest, .diag = diag, .source = "the broker's client CAs"};
    ERR_clear_error();
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    for (size_t i = 0; i < num_cas; i++) {
        trust.number = i + 1;
        enum err err = load_der(&trust, cas[i]);
        if (err != ERR_OK) return err;
    }
    if (pem_fd < 0) return ERR_OK;
    trust.source = "client CA file";
    return load_file(&trust, pem_fd);
}
