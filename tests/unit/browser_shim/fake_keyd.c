#include "tests/unit/browser_shim/fake_keyd.h"

#include <fcntl.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "proto/link.h"
#include "tests/unit/keep.h"

#define HANDLE_FD 3

enum refusal fake_refusal = REFUSAL_EXPIRED;
int fake_supply = -1;

static EVP_PKEY *make_ec_key(int curve)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(curve);
    EVP_PKEY *key = EVP_PKEY_new();
    CHECK(ec != NULL && key != NULL && EC_KEY_generate_key(ec) == 1 && EVP_PKEY_assign_EC_KEY(key, ec) == 1);
    return key;
}

static EVP_PKEY *make_key(enum fake_key kind)
{
    if (kind == FAKE_P256) return make_ec_key(NID_X9_62_prime256v1);
    if (kind == FAKE_P384) return make_ec_key(NID_secp384r1);
    RSA *rsa = RSA_new();
    BIGNUM *e = BN_new();
    EVP_PKEY *key = EVP_PKEY_new();
    CHECK(rsa != NULL && e != NULL && key != NULL && BN_set_word(e, RSA_F4) == 1 &&
          RSA_generate_key_ex(rsa, kind == FAKE_RSA_2048 ? 2048 : 3072, e, NULL) == 1 &&
          EVP_PKEY_assign_RSA(key, rsa) == 1);
    BN_free(e);
    return key;
}

static X509_NAME *make_name(const char *text)
{
    X509_NAME *name = X509_NAME_new();
    CHECK(name != NULL &&
          X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) == 1);
    return name;
}

static X509 *make_certificate(const char *subject, EVP_PKEY *key, const char *issuer, EVP_PKEY *issuer_key, long serial)
{
    X509 *certificate = X509_new();
    X509_NAME *subject_name = make_name(subject);
    X509_NAME *issuer_name = make_name(issuer);
    CHECK(certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 &&
          ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial) == 1 &&
          X509_set_subject_name(certificate, subject_name) == 1 &&
          X509_set_issuer_name(certificate, issuer_name) == 1 &&
          X509_gmtime_adj(X509_getm_notBefore(certificate), -60) != NULL &&
          X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) != NULL && X509_set_pubkey(certificate, key) == 1 &&
          X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
    X509_NAME_free(subject_name);
    X509_NAME_free(issuer_name);
    return certificate;
}

static struct bytes name_bytes(X509_NAME *name)
{
    uint8_t *out = NULL;
    int len = i2d_X509_NAME(name, &out);
    CHECK(len > 0);
    return (struct bytes){keep(out), (size_t)len};
}

static void take_der(uint8_t **out, size_t *out_len, X509 *certificate)
{
    *out = NULL;
    int len = i2d_X509(certificate, out);
    CHECK(len > 0);
    *out_len = (size_t)len;
    keep(*out);
}

static void make_identity(struct fake_identity *out, enum fake_key kind)
{
    EVP_PKEY *ca_key = make_key(FAKE_P256);
    out->kind = kind;
    out->key = keep(make_key(kind));
    X509 *ca = make_certificate("Fake CA", ca_key, "Fake CA", ca_key, 7);
    /* A serial number whose highest bit needs a zero octet before it. */
    X509 *leaf = make_certificate("kiosk", out->key, "Fake CA", ca_key, 0x80f1);
    take_der(&out->leaf, &out->leaf_len, leaf);
    take_der(&out->issuer, &out->issuer_len, ca);
    out->server_ca = out->issuer;
    out->server_ca_len = out->issuer_len;
    out->subject = name_bytes(X509_get_subject_name(leaf));
    out->issuer_name = name_bytes(X509_get_issuer_name(leaf));
    uint8_t *serial = NULL;
    int serial_len = i2d_ASN1_INTEGER(X509_get_serialNumber(leaf), &serial);
    CHECK(serial_len > 0);
    out->serial = (struct bytes){keep(serial), (size_t)serial_len};
    X509_free(ca);
    X509_free(leaf);
    EVP_PKEY_free(ca_key);
}

void fake_identity_make(struct fake_identity *out)
{
    make_identity(out, FAKE_P256);
}

void fake_identity_make_brought(struct fake_identity *out, enum fake_key kind)
{
    make_identity(out, kind);
    EVP_PKEY *ca_key = make_key(FAKE_P256);
    X509 *ca = make_certificate("Other CA", ca_key, "Other CA", ca_key, 9);
    take_der(&out->server_ca, &out->server_ca_len, ca);
    X509_free(ca);
    EVP_PKEY_free(ca_key);
}

static size_t sign_digest(const struct fake_identity *identity, uint8_t out[LIMIT_SIGNATURE],
                          const struct sign_browser_digest *wanted)
{
    size_t len = LIMIT_SIGNATURE;
    const EVP_MD *hash = wanted->digest_len == 32   ? EVP_sha256()
                         : wanted->digest_len == 48 ? EVP_sha384()
                                                    : EVP_sha512();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(identity->key, NULL);
    CHECK(context != NULL && EVP_PKEY_sign_init(context) == 1 && EVP_PKEY_CTX_set_signature_md(context, hash) == 1);
    if (EVP_PKEY_id(identity->key) == EVP_PKEY_RSA) {
        CHECK(wanted->scheme == (wanted->digest_len == 32   ? SCHEME_RSA_PSS_SHA256
                                 : wanted->digest_len == 48 ? SCHEME_RSA_PSS_SHA384
                                                            : SCHEME_RSA_PSS_SHA512));
        CHECK(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
              EVP_PKEY_CTX_set_rsa_pss_saltlen(context, -1) == 1);
    } else {
        CHECK(wanted->scheme == (identity->kind == FAKE_P256 ? SCHEME_ECDSA_P256_SHA256 : SCHEME_ECDSA_P384_SHA384));
    }
    CHECK(EVP_PKEY_sign(context, out, &len, wanted->digest, wanted->digest_len) == 1);
    EVP_PKEY_CTX_free(context);
    return len;
}

static void reply(const struct link *link, const struct msg *msg)
{
    CHECK(link_send(link, msg, NULL, 0) == ERR_OK);
}

/* False: the handle is to be closed. */
static bool answer_sign(const struct fake_identity *identity, enum fake_manner manner, const struct link *link,
                        const struct msg *request)
{
    uint8_t signature[LIMIT_SIGNATURE];
    size_t len = sign_digest(identity, signature, &request->sign_browser_digest);
    struct msg good = {.kind = MSG_SIGNATURE, .id = request->id, .signature = {signature, len}};
    struct msg late = good;
    late.id = request->id + 1000;
    switch (manner) {
    case FAKE_IS_NOBODYS:
    case FAKE_SIGNS: reply(link, &good); return true;
    case FAKE_REFUSES:
        reply(link, &(struct msg){.kind = MSG_REFUSAL, .id = request->id, .refusal = fake_refusal});
        return true;
    case FAKE_ANSWERS_LATE:
        reply(link, &late);
        reply(link, &good);
        return true;
    case FAKE_TALKS_NONSENSE:
        CHECK(channel_send(link->fd, (const uint8_t *)"nonsense", 8, NULL, 0) == ERR_OK);
        return true;
    case FAKE_SIGNS_NONSENSE:
        reply(link, &(struct msg){.kind = MSG_SIGNATURE, .id = request->id, .signature = {signature, len - 1}});
        return true;
    case FAKE_SAYS_WRONG_KIND: reply(link, &(struct msg){.kind = MSG_HANDLE_PINNED, .id = request->id}); return true;
    case FAKE_HANGS_UP: return false;
    case FAKE_IS_REPLACED: fake_renew(identity, FAKE_SIGNS); return false;
    case FAKE_IS_SILENT:
    case FAKE_IS_ANOTHERS:
    case FAKE_IS_NO_HANDLE:
    case FAKE_IS_DEAD: return true;
    }
    return true;
}

static void answer_describe(const struct fake_identity *identity, enum refusal refusal, const struct link *link,
                            uint64_t id)
{
    const struct msg refused = {.kind = MSG_REFUSAL, .id = id, .refusal = refusal};
    const struct msg described = {.kind = MSG_HANDLE_DESCRIPTION,
                                  .id = id,
                                  .handle_description = {.label = "kiosk",
                                                         .leaf = {identity->leaf, identity->leaf_len},
                                                         .issuer = {identity->issuer, identity->issuer_len},
                                                         .server_ca = {identity->server_ca, identity->server_ca_len}}};
    reply(link, refusal == REFUSAL_NONE ? &described : &refused);
}

static void serve(const struct fake_identity *identity, enum fake_manner manner, const struct link *link,
                  unsigned *requests)
{
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    struct msg request = {0};
    struct packet_extra extra = {0};
    enum refusal closed_by = manner == FAKE_IS_NOBODYS    ? REFUSAL_NOT_PINNED
                             : manner == FAKE_IS_ANOTHERS ? REFUSAL_WRONG_PROCESS
                                                          : REFUSAL_NONE;
    CHECK(arena != NULL);
    for (;;) {
        enum err err = link_recv(link, &request, &extra, arena);
        if (err == ERR_AGAIN) {
            CHECK(channel_wait(link->fd, 60000) == ERR_OK);
            continue;
        }
        if (err != ERR_OK) break;
        if (request.kind == MSG_DESCRIBE_HANDLE) {
            answer_describe(identity, closed_by, link, request.id);
        } else if (request.kind == MSG_PIN_HANDLE) {
            CHECK(closed_by == REFUSAL_NOT_PINNED); /* nothing else is answered by pinning */
            closed_by = REFUSAL_NONE;
            reply(link, &(struct msg){.kind = MSG_HANDLE_PINNED, .id = request.id});
        } else if (request.kind == MSG_SIGN_BROWSER_DIGEST) {
            if (requests != NULL) ++*requests;
            if (!answer_sign(identity, manner, link, &request)) break;
        }
    }
    codec_arena_free(arena);
}

int fake_handle(const struct fake_identity *identity, enum fake_manner manner)
{
    int ends[2];
    CHECK(channel_pair(ends) == ERR_OK);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        /* None of the other handles: their ends are to be seen. */
        CHECK(dup2(ends[0], 0) == 0 && dup2(fake_supply, 1) == 1 && close_range(3, ~0u, 0) == 0);
        fake_supply = 1;
        serve(identity, manner, &(struct link){.fd = 0, .role = LINK_SIGN_BROWSER, .end = LINK_UPPER}, NULL);
        _exit(0);
    }
    close(ends[0]);
    return ends[1];
}

void fake_renew(const struct fake_identity *identity, enum fake_manner manner)
{
    const struct link supply = {.fd = fake_supply, .role = LINK_BROKER_SHIM, .end = LINK_UPPER};
    int handle = fake_handle(identity, manner);
    CHECK(link_send(&supply, &(struct msg){.kind = MSG_SHIM_RENEW, .shim_renew = 1}, &handle, 1) == ERR_OK);
    close(handle);
}

/* The numbers around the handle belong to the test runner, which the child has no more to do with. */
static _Noreturn void be_browser(const struct fake_identity *identity, int handle,
                                 void (*body)(const struct fake_identity *))
{
    CHECK(dup2(handle, HANDLE_FD) == HANDLE_FD && close_range(HANDLE_FD + 1, ~0u, 0) == 0);
    body(identity);
    _exit(0);
}

int fake_browser(const struct fake_identity *identity, enum fake_manner manner,
                 void (*body)(const struct fake_identity *), unsigned *requests)
{
    int ends[2];
    CHECK(channel_pair(ends) == ERR_OK);
    if (manner == FAKE_IS_NO_HANDLE) {
        close(ends[1]);
        ends[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        if (manner == FAKE_IS_DEAD) close(ends[0]);
        be_browser(identity, ends[1], body);
    }
    close(ends[1]);
    if (manner == FAKE_IS_DEAD) {
        close(ends[0]);
    } else {
        struct link link = {.fd = ends[0], .role = LINK_SIGN_BROWSER, .end = LINK_UPPER};
        serve(identity, manner, &link, requests);
        close(ends[0]);
    }
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

_Noreturn void fake_expect_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: does not hold in the browser: %s\n", file, line, condition);
    _exit(1);
}
