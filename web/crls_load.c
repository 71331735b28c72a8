/* Reading the lists, and finding for each the CA that has signed it. */
#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "web/crls_internal.h"

/* What has been loaded so far, and which list is at hand. */
struct loading {
    struct crls *crls;
    const struct crls_authorities *authorities;
    SHA256_CTX *digest;
    struct diag *diag;
    size_t number; /* from 1 */
};

static void auto_x509(X509 **certificate)
{
    X509_free(*certificate);
}

static void auto_x509_name(X509_NAME **name)
{
    X509_NAME_free(*name);
}

static void auto_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void auto_bio(BIO **bio)
{
    BIO_free(*bio);
}

static void auto_text(char **text)
{
    OPENSSL_free(*text);
}

static void auto_octets(uint8_t **octets)
{
    OPENSSL_free(*octets);
}

static void auto_crls(struct crls **crls)
{
    crls_free(*crls);
}

static enum err complain(const struct loading *loading, const char *why)
{
    return diag_set(loading->diag, ERR_INPUT, "CRL file: list %zu: %s", loading->number, why);
}

static enum err complain_of(const struct loading *loading, const X509 *ca, const char *why)
{
    struct certificate_text text = {0};
    if (certificate_describe(&text, ca) != ERR_OK) return complain(loading, why);
    return diag_set(loading->diag, ERR_INPUT, "CRL file: list %zu, of '%s': %s", loading->number, text.subject, why);
}

/* ERR_DENIED: the CA has not signed it. */
static enum err check_signature(const struct loading *loading, const struct crl *crl, X509 *ca)
{
    struct diag why = {{0}};
    AUTO(auto_key) EVP_PKEY *key = X509_get_pubkey(ca);
    if (key == NULL) return ERR_DENIED;
    enum err err = signed_data_verify(&crl->body, key, &why);
    if (err == ERR_INPUT) return complain_of(loading, ca, why.text);
    if (err != ERR_OK || (X509_get_key_usage(ca) & X509v3_KU_CRL_SIGN) != 0) return err;
    return complain_of(loading, ca,
                       "this CA's certificate does not let it sign lists (key usage cRLSign); have it renewed");
}

static enum err refuse_stranger(const struct loading *loading, const X509_NAME *issuer)
{
    AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());
    const uint8_t *text = NULL;
    size_t len = 0;
    if (bio == NULL || X509_NAME_print_ex(bio, issuer, 0, XN_FLAG_RFC2253) < 0 || !BIO_mem_contents(bio, &text, &len))
        return complain(loading, "by none of the client CAs");
    return diag_set(
        loading->diag, ERR_INPUT,
        "CRL file: list %zu: by '%.*s', which is none of the client CAs; add that CA to the file of them, or "
        "take the list out",
        loading->number, (int)(len < LIMIT_SUBJECT ? len : LIMIT_SUBJECT), text);
}

/* The CA that has signed the list, by its name and its key. It stays the store's. */
static enum err find_signer(X509 **out, const struct loading *loading, const struct crl *crl)
{
    const uint8_t *at = crl->issuer.data;
    AUTO(auto_x509_name) X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)crl->issuer.len);
    const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(loading->authorities->store);
    X509 *namesake = NULL;
    if (name == NULL) return complain(loading, "its issuer's name does not parse");
    for (size_t i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (ca == NULL || X509_NAME_cmp(X509_get_subject_name(ca), name) != 0) continue;
        namesake = ca;
        *out = ca;
        enum err err = check_signature(loading, crl, ca);
        if (err != ERR_DENIED) return err;
    }
    if (namesake == NULL) return refuse_stranger(loading, name);
    return complain_of(
        loading, namesake,
        "the client CA of that name has not signed it: another key, or the list is damaged; get it anew");
}

/* The place for a list of this CA. NULL: it has a newer one. */
static struct list *place_for(struct crls *crls, const struct lineage_issuer *issuer, uint64_t this_update)
{
    const struct list *known = crls_list(crls, issuer);
    if (known == NULL) return &crls->lists[crls->num++];
    return known->this_update < this_update ? &crls->lists[known - crls->lists] : NULL;
}

static enum err keep(struct loading *loading, const struct crl *crl, const X509 *signer)
{
    struct certificate_text text;
    struct lineage_issuer issuer;
    struct bytes rest = crl->entries;
    if (certificate_describe(&text, signer) != ERR_OK || !lineage_issuer_of(&issuer, signer))
        return complain(loading, "the certificate of its CA cannot be read");
    struct list *list = place_for(loading->crls, &issuer, crl->this_update);
    if (list == NULL) return ERR_OK;
    free(list->entries);
    *list = (struct list){.issuer = issuer, .this_update = crl->this_update, .next_update = crl->next_update};
    memcpy(list->name, text.subject, sizeof list->name);
    if (crl->num_entries == 0) return ERR_OK;
    list->entries = calloc(crl->num_entries, sizeof *list->entries);
    if (list->entries == NULL) return diag_set(loading->diag, ERR_MEMORY, "CRL file: no memory");
    while (list->num_entries < crl->num_entries && crl_next(&list->entries[list->num_entries], &rest))
        list->num_entries++;
    qsort(list->entries, list->num_entries, sizeof *list->entries, crls_compare);
    return ERR_OK;
}

static enum err add(struct loading *loading, struct bytes der)
{
    struct diag why = {{0}};
    struct crl crl;
    X509 *signer = NULL;
    if (loading->number > LIMIT_CRLS)
        return diag_set(loading->diag, ERR_INPUT, "CRL file: more than %u lists; give one of each client CA",
                        LIMIT_CRLS);
    enum err err = crl_parse(&crl, der, &why);
    if (err != ERR_OK) return complain(loading, why.text);
    err = find_signer(&signer, loading, &crl);
    if (err != ERR_OK) return err;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(der.data, der.len, digest);
    SHA256_Update(loading->digest, digest, sizeof digest);
    return keep(loading, &crl, signer);
}

static enum err load_pem(struct loading *loading, struct bytes file)
{
    AUTO(auto_bio) BIO *bio = BIO_new_mem_buf(file.data, (int)file.len);
    if (bio == NULL) return diag_set(loading->diag, ERR_MEMORY, "CRL file: no memory");
    for (loading->number = 1;; loading->number++) {
        AUTO(auto_text) char *name = NULL;
        AUTO(auto_text) char *header = NULL;
        AUTO(auto_octets) uint8_t *der = NULL;
        long len = 0;
        if (!PEM_read_bio(bio, &name, &header, &der, &len)) break;
        if (strcmp(name, PEM_STRING_X509_CRL) != 0)
            return diag_set(loading->diag, ERR_INPUT, "CRL file: holds a %.32s; want '-----BEGIN X509 CRL-----' alone",
                            name);
        enum err err = add(loading, (struct bytes){der, (size_t)len});
        if (err != ERR_OK) return err;
    }
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return at_end ? ERR_OK : complain(loading, "does not parse: its PEM is damaged; get it anew");
}

static enum err load_der(struct loading *loading, struct bytes file)
{
    CBS rest, element;
    CBS_init(&rest, file.data, file.len);
    for (loading->number = 1; CBS_len(&rest) > 0; loading->number++) {
        if (!CBS_get_asn1_element(&rest, &element, CBS_ASN1_SEQUENCE))
            return complain(loading, "neither PEM nor DER; get it anew");
        enum err err = add(loading, (struct bytes){CBS_data(&element), CBS_len(&element)});
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

static enum err set_exempt(struct loading *loading)
{
    const struct crls_authorities *authorities = loading->authorities;
    for (size_t i = 0; i < authorities->num_exempt; i++) {
        const uint8_t *at = authorities->exempt[i].data;
        AUTO(auto_x509) X509 *ca = d2i_X509(NULL, &at, (long)authorities->exempt[i].len);
        if (ca == NULL || !lineage_issuer_of(&loading->crls->exempt[i], ca))
            return diag_set(loading->diag, ERR_INPUT, "CRL file: the broker's client CA cannot be read");
        loading->crls->num_exempt++;
    }
    return ERR_OK;
}

/* Whose clients could only be refused is better missed now than by each of them. */
static enum err check_complete(const struct loading *loading)
{
    const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(loading->authorities->store);
    for (size_t i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        struct lineage_issuer issuer;
        struct certificate_text text;
        X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (ca == NULL) continue;
        if (!lineage_issuer_of(&issuer, ca) || certificate_describe(&text, ca) != ERR_OK)
            return diag_set(loading->diag, ERR_INPUT, "CRL file: a client CA's certificate cannot be read");
        if (crls_is_exempt(loading->crls, &issuer) || crls_list(loading->crls, &issuer) != NULL) continue;
        return diag_set(loading->diag, ERR_INPUT,
                        "CRL file: it has no list of the client CA '%s', whose clients could not be checked; add that "
                        "CA's list (one without entries will do), or take the CA out",
                        text.subject);
    }
    return ERR_OK;
}

enum err crls_new(struct crls **out, SHA256_CTX *digest, const struct crls_authorities *authorities, struct bytes file,
                  struct diag *diag)
{
    static const char armour[] = "-----BEGIN ";
    *out = NULL;
    AUTO(auto_crls) struct crls *crls = calloc(1, sizeof *crls);
    if (crls == NULL) return diag_set(diag, ERR_MEMORY, "CRL file: no memory");
    struct loading loading = {.crls = crls, .authorities = authorities, .digest = digest, .diag = diag};
    ERR_clear_error();
    if (file.len == 0) return diag_set(diag, ERR_INPUT, "CRL file: it is empty; want X509 CRLs, PEM or DER");
    enum err err = set_exempt(&loading);
    const bool is_pem = memmem(file.data, file.len, armour, sizeof armour - 1) != NULL;
    if (err == ERR_OK) err = is_pem ? load_pem(&loading, file) : load_der(&loading, file);
    if (err == ERR_OK) err = check_complete(&loading);
    ERR_clear_error();
    if (err != ERR_OK) return err;
    *out = crls;
    crls = NULL;
    return ERR_OK;
}
