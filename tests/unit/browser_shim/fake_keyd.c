#include "tests/unit/browser_shim/fake_keyd.h"

#include <fcntl.h>
#include <openssl/asn1.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "proto/link.h"

#define HANDLE_FD 3

enum refusal fake_refusal = REFUSAL_EXPIRED;

static EVP_PKEY *make_key(void)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();
    CHECK(ec != NULL && key != NULL && EC_KEY_generate_key(ec) == 1 && EVP_PKEY_assign_EC_KEY(key, ec) == 1);
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
    return (struct bytes){out, (size_t)len};
}

void fake_identity_make(struct fake_identity *out)
{
    EVP_PKEY *ca_key = make_key();
    out->key = make_key();
    X509 *ca = make_certificate("Fake CA", ca_key, "Fake CA", ca_key, 7);
    /* A serial number whose highest bit needs a zero octet before it. */
    X509 *leaf = make_certificate("kiosk", out->key, "Fake CA", ca_key, 0x80f1);
    out->leaf = NULL;
    out->issuer = NULL;
    int leaf_len = i2d_X509(leaf, &out->leaf);
    int issuer_len = i2d_X509(ca, &out->issuer);
    CHECK(leaf_len > 0 && issuer_len > 0);
    out->leaf_len = (size_t)leaf_len;
    out->issuer_len = (size_t)issuer_len;
    out->subject = name_bytes(X509_get_subject_name(leaf));
    out->issuer_name = name_bytes(X509_get_issuer_name(leaf));
    uint8_t *serial = NULL;
    int serial_len = i2d_ASN1_INTEGER(X509_get_serialNumber(leaf), &serial);
    CHECK(serial_len > 0);
    out->serial = (struct bytes){serial, (size_t)serial_len};
    X509_free(ca);
    X509_free(leaf);
    EVP_PKEY_free(ca_key);
}

static size_t sign_digest(const struct fake_identity *identity, uint8_t out[LIMIT_SIGNATURE], const uint8_t digest[32])
{
    size_t len = LIMIT_SIGNATURE;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(identity->key, NULL);
    CHECK(context != NULL && EVP_PKEY_sign_init(context) == 1 &&
          EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 &&
          EVP_PKEY_sign(context, out, &len, digest, 32) == 1);
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
    CHECK(request->sign_browser_digest.scheme == SCHEME_ECDSA_P256_SHA256 &&
          request->sign_browser_digest.digest_len == 32);
    size_t len = sign_digest(identity, signature, request->sign_browser_digest.digest);
    struct msg good = {.kind = MSG_SIGNATURE, .id = request->id, .signature = {signature, len}};
    struct msg late = good;
    late.id = request->id + 1000;
    switch (manner) {
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
    case FAKE_IS_SILENT:
    case FAKE_IS_NO_HANDLE:
    case FAKE_IS_DEAD: return true;
    }
    return true;
}

static void serve(const struct fake_identity *identity, enum fake_manner manner, const struct link *link,
                  unsigned *requests)
{
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    struct msg request = {0};
    struct packet_extra extra = {0};
    CHECK(arena != NULL);
    for (;;) {
        enum err err = link_recv(link, &request, &extra, arena);
        if (err == ERR_AGAIN) {
            CHECK(channel_wait(link->fd, 60000) == ERR_OK);
            continue;
        }
        if (err != ERR_OK) break;
        if (request.kind == MSG_DESCRIBE_HANDLE) {
            reply(link, &(struct msg){.kind = MSG_HANDLE_DESCRIPTION,
                                      .id = request.id,
                                      .handle_description = {.label = "kiosk",
                                                             .leaf = {identity->leaf, identity->leaf_len},
                                                             .issuer = {identity->issuer, identity->issuer_len}}});
        } else if (request.kind == MSG_SIGN_BROWSER_DIGEST) {
            if (requests != NULL) ++*requests;
            if (!answer_sign(identity, manner, link, &request)) break;
        }
    }
    codec_arena_free(arena);
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
