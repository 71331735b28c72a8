#include "tlsclient/leaf.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/certificate.h"

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

static void free_time(ASN1_TIME **time)
{
    ASN1_TIME_free(*time);
}

/* The server chose it: what is not a name's letters is not shown. */
static bool name_text(char *out, size_t out_len, const GENERAL_NAME *name)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    const uint8_t *data = value != NULL ? ASN1_STRING_get0_data(value) : NULL;
    const int len = value != NULL ? ASN1_STRING_length(value) : 0;
    if (type == GEN_IPADD && (len == 4 || len == 16))
        return inet_ntop(len == 4 ? AF_INET : AF_INET6, data, out, (socklen_t)out_len) != NULL;
    if (type != GEN_DNS || len <= 0 || (size_t)len >= out_len) return false;
    for (int i = 0; i < len; i++) {
        if (data[i] <= ' ' || data[i] > '~') return false;
    }
    memcpy(out, data, (size_t)len);
    out[len] = '\0';
    return true;
}

static void read_names(struct tlsclient_leaf *out, const X509 *x509)
{
    static const char more[] = ", ...";
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;
    for (size_t i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        char name[LIMIT_NAME + 1];
        if (!name_text(name, sizeof name, sk_GENERAL_NAME_value(names, i))) continue;
        const char *comma = used > 0 ? ", " : "";
        const size_t len = strlen(comma) + strlen(name), room = sizeof out->names - used;
        const bool fits = len + sizeof more <= room;
        snprintf(out->names + used, room, "%s%s", fits ? comma : used > 0 ? more : "...", fits ? name : "");
        if (!fits) break;
        used += len;
    }
    GENERAL_NAMES_free(names);
}

void tlsclient_leaf_read(struct tlsclient_leaf *out, const SSL *ssl)
{
    struct certificate_text text;
    *out = (struct tlsclient_leaf){.not_before = 0};
    const STACK_OF(X509) *chain = SSL_get_session(ssl) != NULL ? SSL_get_peer_full_cert_chain(ssl) : NULL;
    const X509 *x509 = chain != NULL && sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : NULL;
    if (x509 == NULL || certificate_describe(&text, x509) != ERR_OK) return;
    memcpy(out->issuer, text.issuer, sizeof out->issuer);
    out->not_before = text.not_before;
    out->not_after = text.not_after;
    read_names(out, x509);
    ERR_clear_error();
}

void tlsclient_time_text(char out[TLSCLIENT_TIME], uint64_t time_s)
{
    AUTO(free_time) ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)time_s);
    AUTO(free_bio) BIO *bio = BIO_new(BIO_s_mem());
    const uint8_t *text = NULL;
    size_t len = 0;
    if (time == NULL || bio == NULL || !ASN1_TIME_print(bio, time) || !BIO_mem_contents(bio, &text, &len)) len = 0;
    snprintf(out, TLSCLIENT_TIME, "%.*s", (int)len, len > 0 ? (const char *)text : "");
}
