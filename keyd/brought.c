#include "keyd/brought.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/auto.h"
#include "base/certificate.h"
#include "keyd/key_load.h"
#include "keyd/key_sign.h"
#include "proto/field.h"

struct brought {
    EVP_PKEY *key; /* NULL once it is taken */
    X509 *leaf;
    size_t num;
    struct bytes chain[LIMIT_CHAIN]; /* in der */
    uint8_t der[LIMIT_CHAIN_BYTES];
    struct certificate_info info; /* points to the texts below */
    struct certificate_text text;
    char role[LIMIT_SERVER_SECTION + sizeof("server/")];
    char names[LIMIT_NAMES][LIMIT_NAME + 1];
};

/* How the broker's options are called, and what is different for the two roles. */
struct words {
    char certificate[LIMIT_SERVER_SECTION + sizeof("[certificate \"\"] certificate")];
    char key[LIMIT_SERVER_SECTION + sizeof("[certificate \"\"] key")];
    int purpose;
    const char *purpose_name;
};

static struct words words_of(enum key_role role, const char *name)
{
    const char *role_name = role == KEY_SERVER ? "server" : "client";
    struct words words = {.purpose = role == KEY_SERVER ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT,
                          .purpose_name = role_name};
    if (name != NULL) {
        snprintf(words.certificate, sizeof(words.certificate), "[certificate \"%s\"] certificate", name);
        snprintf(words.key, sizeof(words.key), "[certificate \"%s\"] key", name);
    } else {
        snprintf(words.certificate, sizeof(words.certificate), "--%s-certificate", role_name);
        snprintf(words.key, sizeof(words.key), "--%s-key", role_name);
    }
    return words;
}

/* The chain while it is being looked at. */
struct parsed {
    X509 *certificates[LIMIT_CHAIN];
};

static void parsed_cleanup(struct parsed *parsed)
{
    for (size_t i = 0; i < LIMIT_CHAIN; i++) X509_free(parsed->certificates[i]);
    ERR_clear_error();
}

static void key_cleanup(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static enum err copy_chain(struct brought *brought, struct parsed *parsed, const struct brought_files *files,
                           const struct words *words, struct diag *diag)
{
    size_t used = 0;
    for (size_t i = 0; i < files->num; i++) {
        const struct bytes der = files->chain[i];
        const uint8_t *at = der.data;
        if (der.len > sizeof(brought->der) - used)
            return diag_set(diag, ERR_INPUT, "%s: more than %u bytes of certificates", words->certificate,
                            LIMIT_CHAIN_BYTES);
        memcpy(brought->der + used, der.data, der.len);
        brought->chain[brought->num++] = (struct bytes){brought->der + used, der.len};
        used += der.len;
        parsed->certificates[i] = d2i_X509(NULL, &at, (long)der.len);
        if (parsed->certificates[i] == NULL && ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE)
            return diag_set(diag, ERR_MEMORY, "%s: no secret memory left to read it", words->certificate);
        if (parsed->certificates[i] == NULL || at != der.data + der.len)
            return diag_set(diag, ERR_INPUT, "%s: certificate %zu does not parse", words->certificate, i + 1);
    }
    brought->leaf = parsed->certificates[0];
    X509_up_ref(brought->leaf);
    return ERR_OK;
}

static bool is_signed_by(X509 *certificate, X509 *issuer)
{
    AUTO(key_cleanup) EVP_PKEY *key = X509_get_pubkey(issuer);
    return key != NULL && X509_check_issued(issuer, certificate) == X509_V_OK && X509_verify(certificate, key) == 1;
}

/* Who verifies the leaf trusts the last certificate, so it has to be there, and each other one has to lead to it. */
static enum err check_links(const struct parsed *parsed, size_t num, const struct words *words, struct diag *diag)
{
    for (size_t i = 0; i + 1 < num; i++) {
        if (!is_signed_by(parsed->certificates[i], parsed->certificates[i + 1]))
            return diag_set(diag, ERR_INPUT,
                            "%s: certificate %zu did not sign certificate %zu; put the leaf first, then its issuer, "
                            "then that one's",
                            words->certificate, i + 2, i + 1);
        if (!X509_check_ca(parsed->certificates[i + 1]))
            return diag_set(diag, ERR_INPUT, "%s: certificate %zu is not a CA's", words->certificate, i + 2);
    }
    X509 *last = parsed->certificates[num - 1];
    if (num > 1 || (is_signed_by(last, last) && X509_check_ca(last))) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "%s: holds the leaf alone; put the certificate of the CA that signed it behind it",
                    words->certificate);
}

static enum err check_leaf(const struct brought *brought, const struct words *words, uint64_t now_s, struct diag *diag)
{
    const char *option = words->certificate;
    if (X509_check_purpose(brought->leaf, words->purpose, 0) != 1)
        return diag_set(diag, ERR_INPUT, "%s: the leaf is not for TLS %s authentication (extended key usage)", option,
                        words->purpose_name);
    if ((X509_get_key_usage(brought->leaf) & KU_DIGITAL_SIGNATURE) == 0)
        return diag_set(diag, ERR_INPUT, "%s: the leaf's key may not sign (key usage); want digitalSignature", option);
    if (brought->info.not_after < now_s)
        return diag_set(diag, ERR_INPUT, "%s: the leaf has expired; renew it, or set the clock", option);
    if (words->purpose == X509_PURPOSE_SSL_SERVER && brought->info.num_names == 0)
        return diag_set(diag, ERR_INPUT,
                        "%s: the leaf has no DNS name and no IP address as subject alternative name, which clients "
                        "look for",
                        option);
    return ERR_OK;
}

/* Signs under each scheme and has the leaf's own key verify it. */
static bool signs_for(const EVP_PKEY *key, const EVP_PKEY *public_key)
{
    static const uint8_t content[] = "Keyward tries whether a key does what it is for";
    uint16_t schemes[SCHEMES_OF_A_KEY];
    uint8_t signature[SCHEME_SIGNATURE];
    const size_t num = key_schemes(schemes, key);
    for (size_t i = 0; i < num; i++) {
        struct digest digest;
        size_t len;
        if (!scheme_hash(&digest, schemes[i], (struct bytes){content, sizeof(content)}) ||
            key_sign(signature, &len, key, &digest) != ERR_OK ||
            !key_verify(public_key, &digest, (struct bytes){signature, len}))
            return false;
    }
    return num > 0;
}

static enum err check_key(const struct brought *brought, const struct words *words, struct diag *diag)
{
    AUTO(key_cleanup) EVP_PKEY *public_key = X509_get_pubkey(brought->leaf);
    if (public_key == NULL || EVP_PKEY_cmp(public_key, brought->key) != 1)
        return diag_set(diag, ERR_INPUT,
                        "%s: is not the key of the first certificate in %s; give the two that belong together",
                        words->key, words->certificate);
    if (signs_for(brought->key, public_key)) return ERR_OK;
    return diag_set(diag, ERR_CRYPTO,
                    "%s: a signature made with it does not verify; the key is damaged, or there is "
                    "no secret memory left for it",
                    words->key);
}

static void add_name(struct brought *brought, const char *name)
{
    struct certificate_info *info = &brought->info;
    if (info->num_names == LIMIT_NAMES || !field_text(name, 1, LIMIT_NAME)) return;
    for (size_t i = 0; i < info->num_names; i++) {
        if (strcmp(info->names[i], name) == 0) return;
    }
    char *room = brought->names[info->num_names];
    snprintf(room, sizeof(brought->names[0]), "%s", name);
    info->names[info->num_names++] = room;
}

static void add_alt_name(struct brought *brought, const GENERAL_NAME *name)
{
    char text[LIMIT_NAME + 1];
    if (name->type != GEN_DNS && name->type != GEN_IPADD) return;
    const ASN1_STRING *value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    const uint8_t *data = ASN1_STRING_get0_data(value);
    const size_t len = (size_t)ASN1_STRING_length(value);
    if (name->type == GEN_IPADD) {
        if (len != 4 && len != 16) return;
        inet_ntop(len == 4 ? AF_INET : AF_INET6, data, text, sizeof(text));
    } else {
        if (len > LIMIT_NAME || memchr(data, '\0', len) != NULL) return;
        memcpy(text, data, len);
        text[len] = '\0';
    }
    add_name(brought, text);
}

/* In words, for the status. Of more names than it has room for some are left out; the browser's own is not. */
static enum err describe(struct brought *brought, const struct words *words, struct diag *diag)
{
    struct certificate_info *info = &brought->info;
    if (certificate_describe(&brought->text, brought->leaf) != ERR_OK)
        return diag_set(diag, ERR_INPUT, "%s: the leaf cannot be read", words->certificate);
    info->role = brought->role;
    info->subject = brought->text.subject;
    info->serial = brought->text.serial;
    info->fingerprint = brought->text.fingerprint;
    info->not_before = brought->text.not_before;
    info->not_after = brought->text.not_after;
    if (brought_is_for(brought, "localhost")) add_name(brought, "localhost");
    GENERAL_NAMES *names = X509_get_ext_d2i(brought->leaf, NID_subject_alt_name, NULL, NULL);
    for (size_t i = 0; i < sk_GENERAL_NAME_num(names); i++) add_alt_name(brought, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    return ERR_OK;
}

enum err brought_new(struct brought **out, enum key_role role, const struct brought_files *files, uint64_t now_s,
                     struct diag *diag)
{
    const struct words named = words_of(role, files->name), *words = &named;
    AUTO(parsed_cleanup) struct parsed parsed = {{NULL}};
    *out = NULL;
    ERR_clear_error();
    struct brought *brought = calloc(1, sizeof(*brought));
    if (brought == NULL) return diag_set(diag, ERR_MEMORY, "no memory for the certificates");
    snprintf(brought->role, sizeof(brought->role), "%s%s%s", words->purpose_name, files->name != NULL ? "/" : "",
             files->name != NULL ? files->name : "");
    enum err err = copy_chain(brought, &parsed, files, words, diag);
    if (err == ERR_OK) err = check_links(&parsed, files->num, words, diag);
    if (err == ERR_OK) err = describe(brought, words, diag);
    if (err == ERR_OK) err = check_leaf(brought, words, now_s, diag);
    if (err == ERR_OK) err = key_load(&brought->key, files->key, words->key, diag);
    if (err == ERR_OK) err = check_key(brought, words, diag);
    if (err != ERR_OK) {
        brought_free(brought);
        return err;
    }
    *out = brought;
    return ERR_OK;
}

void brought_free(struct brought *brought)
{
    if (brought == NULL) return;
    EVP_PKEY_free(brought->key);
    X509_free(brought->leaf);
    free(brought);
}

EVP_PKEY *brought_take_key(struct brought *brought)
{
    EVP_PKEY *key = brought->key;
    brought->key = NULL;
    return key;
}

struct bytes brought_leaf(const struct brought *brought)
{
    return brought->chain[0];
}

struct bytes brought_issuer(const struct brought *brought)
{
    return brought->chain[brought->num > 1 ? 1 : 0];
}

struct bytes brought_anchor(const struct brought *brought)
{
    return brought->chain[brought->num - 1];
}

const struct certificate_info *brought_info(const struct brought *brought)
{
    return &brought->info;
}

bool brought_is_for(const struct brought *brought, const char *name)
{
    uint8_t address[sizeof(struct in6_addr)];
    const bool is_address = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    const bool is_for =
        is_address ? X509_check_ip_asc(brought->leaf, name, 0) == 1
                   : X509_check_host(brought->leaf, name, strlen(name), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
    ERR_clear_error();
    return is_for;
}
