/* Contexts from identities: which are taken, and what is said about the others. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/web/pki.h"
#include "tests/unit/web/terms.h"
#include "web/tls.h"

static struct pki_cert ca, server;
static SSL_CTX *context;
static struct diag diag;
static struct tls_terms terms;

static void setup(void)
{
    ca = pki_ca("CA");
    server = pki_make(&(struct pki_request){.name = "server", .issuer = &ca, .eku = NID_server_auth});
}

static void teardown(void)
{
    SSL_CTX_free(context);
    pki_free(&server);
    pki_free(&ca);
}

TestSuite(tls, .init = setup, .fini = teardown);

static int file_of(const char *text, size_t len)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    cr_assert(fd >= 0 && write(fd, text, len) == (ssize_t)len);
    return fd;
}

static enum err load(int fd)
{
    struct web_identity identity = {
        .chain = {server.der, ca.der}, .num_chain = 2, .client_cas = {ca.der}, .num_client_cas = 1};
    return make_context(&context, &identity, &terms, fd, &diag);
}

static void expect_text(enum err got, enum err want, const char *text)
{
    cr_assert_eq(got, want, "%s: %s", err_name(got), diag.text);
    cr_assert(strstr(diag.text, text) != NULL, "said '%s'", diag.text);
    cr_assert_null(context);
}

Test(tls, takes_an_identity)
{
    cr_assert_eq(load(-1), ERR_OK, "%s", diag.text);
    cr_assert_eq(SSL_CTX_get_min_proto_version(context), TLS1_3_VERSION);
}

Test(tls, takes_a_file_of_two_cas_and_leaves_its_offset)
{
    char text[8192];
    struct pki_cert one = pki_ca("one"), two = pki_ca("two");
    size_t len = pki_pem(text, sizeof text, &one);
    len += (size_t)snprintf(text + len, sizeof text - len, "some words between\n");
    len += pki_pem(text + len, sizeof text - len, &two);
    int fd = file_of(text, len);
    lseek(fd, 7, SEEK_SET);
    cr_assert_eq(load(fd), ERR_OK, "%s", diag.text);
    cr_assert_eq(lseek(fd, 0, SEEK_CUR), 7);
    cr_assert_eq(sk_CRYPTO_BUFFER_num(clients_names(tls_clients(context))), 3);
    pki_free(&one);
    pki_free(&two);
}

Test(tls, says_which_certificate_of_the_file_is_broken)
{
    char text[8192];
    size_t len = pki_pem(text, sizeof text, &ca);
    len += (size_t)snprintf(text + len, sizeof text - len,
                            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    expect_text(load(file_of(text, len)), ERR_INPUT, "client CA file: certificate 2: does not parse");
}

Test(tls, says_which_certificate_is_cut)
{
    char text[8192];
    size_t len = pki_pem(text, sizeof text, &ca);
    expect_text(load(file_of(text, len - 40)), ERR_INPUT, "client CA file: certificate 1: does not parse");
}

Test(tls, refuses_a_leaf_as_ca)
{
    char text[8192];
    size_t len = pki_pem(text, sizeof text, &server);
    expect_text(load(file_of(text, len)), ERR_INPUT,
                "client CA file: certificate 1 ('CN=server') is not a CA certificate");
}

Test(tls, refuses_an_empty_file)
{
    expect_text(load(file_of("", 0)), ERR_INPUT, "client CA file: no certificate in it");
    expect_text(load(file_of("hello\n", 6)), ERR_INPUT, "client CA file: no certificate in it");
}

Test(tls, refuses_a_private_key)
{
    char text[8192];
    size_t len = pki_pem(text, sizeof text, &ca);
    len += (size_t)snprintf(text + len, sizeof text - len, "-----BEGIN EC PRIVATE KEY-----\n");
    expect_text(load(file_of(text, len)), ERR_INPUT, "holds a private key");
}

Test(tls, refuses_a_file_that_is_too_long)
{
    static char text[LIMIT_CLIENT_CA_FILE + 1];
    memset(text, '\n', sizeof text);
    size_t len = pki_pem(text, sizeof text, &ca);
    text[len] = '\n';
    SSL_CTX *whole = NULL;
    cr_assert_eq(load(file_of(text, sizeof text - 1)), ERR_OK, "%s", diag.text);
    whole = context;
    expect_text(load(file_of(text, sizeof text)), ERR_INPUT, "client CA file: longer than");
    SSL_CTX_free(whole);
}

Test(tls, refuses_more_names_than_a_client_reads)
{
    enum { CAS = 80 };
    static char text[CAS * 2048];
    char name[160];
    size_t len = 0;
    for (int i = 0; i < CAS; i++) {
        struct pki_cert one;
        snprintf(name, sizeof name, "CA %0*d", 60, i);
        struct pki_request request = {.name = name, .issuer = i > 0 ? &ca : NULL, .is_ca = true};
        one = pki_make(&request);
        for (int repeat = 0; repeat < 4; repeat++) len += pki_pem(text + len, sizeof text - len, &one);
        pki_free(&one);
        if (len > sizeof text - 8192) break;
    }
    expect_text(load(file_of(text, len)), ERR_INPUT, "names are too long together");
}

Test(tls, refuses_a_file_that_cannot_be_read)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    expect_text(load(ends[0]), ERR_SYSTEM, "client CA file: cannot be read: Illegal seek");
}

Test(tls, refuses_a_chain_that_does_not_parse)
{
    struct web_identity identity = {.chain = {{(const uint8_t *)"x", 1}}, .num_chain = 1};
    expect_text(make_context(&context, &identity, &terms, -1, &diag), ERR_CRYPTO,
                "the server's certificate: does not parse");
}

Test(tls, refuses_a_key_that_keyd_does_not_sign_with)
{
    struct pki_cert other = pki_make(&(struct pki_request){.name = "server", .curve = NID_secp521r1});
    struct web_identity identity = {.chain = {other.der}, .num_chain = 1};
    expect_text(make_context(&context, &identity, &terms, -1, &diag), ERR_INPUT, "not one that keyd signs with");
    pki_free(&other);
}

Test(tls, refuses_a_broken_client_ca)
{
    struct web_identity identity = {.chain = {server.der},
                                    .num_chain = 1,
                                    .client_cas = {ca.der, {ca.der.data, ca.der.len - 1}},
                                    .num_client_cas = 2};
    expect_text(make_context(&context, &identity, &terms, -1, &diag), ERR_INPUT,
                "the broker's client CAs: certificate 2: does not parse");
}

Test(tls, refuses_bytes_after_a_certificate)
{
    uint8_t longer[LIMIT_CERTIFICATE];
    memcpy(longer, ca.der.data, ca.der.len);
    longer[ca.der.len] = 0;
    struct web_identity identity = {.chain = {server.der}, .num_chain = 1, .num_client_cas = 1};
    identity.client_cas[0] = (struct bytes){longer, ca.der.len + 1};
    expect_text(make_context(&context, &identity, &terms, -1, &diag), ERR_INPUT,
                "the broker's client CAs: certificate 1: does not parse");
    memcpy(longer, server.der.data, server.der.len);
    longer[server.der.len] = 0;
    identity.chain[0] = (struct bytes){longer, server.der.len + 1};
    expect_text(make_context(&context, &identity, &terms, -1, &diag), ERR_CRYPTO,
                "the server's certificate: does not parse");
}

Test(tls, says_which_group_there_is_not)
{
    terms.groups = TLS_GROUP_X25519_MLKEM768 | TLS_GROUP_X25519;
#if defined(SSL_GROUP_X25519_MLKEM768)
    cr_assert_eq(load(-1), ERR_OK, "%s", diag.text);
#else
    expect_text(load(-1), ERR_INPUT, "[tls] groups: this BoringSSL has no X25519MLKEM768; take it out");
#endif
}

Test(tls, refuses_suites_that_no_handshake_could_have)
{
    terms = (struct tls_terms){.tls12 = true, .suites = TLS_SUITES_RSA};
    expect_text(load(-1), ERR_INPUT, "[tls] suites: none fits the server's key, which is ECDSA");
    terms.tls12 = false;
    cr_assert_eq(load(-1), ERR_OK, "%s", diag.text);
}
