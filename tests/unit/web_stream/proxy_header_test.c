#include "web/stream/proxy_header.h"

#include <criterion/criterion.h>
#include <openssl/mem.h>
#include <openssl/x509.h>
#include <string.h>

#include "tests/unit/web/pki.h"

static struct session_peer peer;
static struct buffer header;

static void reset(void)
{
    memset(&peer, 0, sizeof peer);
    memset(&header, 0, sizeof header);
    strcpy(peer.address, "192.0.2.1:258");
    peer.protocol = peer.cipher = peer.group = peer.alpn = "";
}

TestSuite(proxy_header, .init = reset);

static struct bytes write_header(const char *local, const char *id)
{
    cr_assert_eq(proxy_header_write(&header, &peer, local, id), ERR_OK);
    return buffer_left(&header);
}

static const uint8_t start[13] = "\r\n\r\n\0\r\nQUIT\n\x21";

/* The value of a TLV among len bytes; its length is 0 if there is none. */
static struct bytes value_of(struct bytes all, uint8_t type)
{
    for (size_t at = 0; at + 3 <= all.len;) {
        const size_t len = (size_t)(all.data[at + 1] << 8 | all.data[at + 2]);
        cr_assert_leq(at + 3 + len, all.len);
        if (all.data[at] == type) return (struct bytes){all.data + at + 3, len};
        at += 3 + len;
    }
    return (struct bytes){NULL, 0};
}

static void expect_value(struct bytes all, uint8_t type, const char *want)
{
    const struct bytes value = value_of(all, type);
    cr_assert_eq(value.len, strlen(want), "%u: %zu", type, value.len);
    cr_expect_eq(memcmp(value.data, want, value.len), 0);
}

Test(proxy_header, ipv4)
{
    static const uint8_t rest[] = {0x11, 0, 12 + 5, 192, 0, 2, 1, 127, 0, 0, 1, 1, 2, 0x03, 0xe8, 5, 0, 2, 'i', 'd'};
    const struct bytes got = write_header("127.0.0.1:1000", "id");
    cr_assert_eq(got.len, sizeof start + sizeof rest);
    cr_expect_eq(memcmp(got.data, start, sizeof start), 0);
    cr_expect_eq(memcmp(got.data + sizeof start, rest, sizeof rest), 0);
    buffer_free(&header);
}

Test(proxy_header, ipv6)
{
    static const uint8_t rest[3 + 36] = {
        0x21, 0, 36, 0x20, 1, 0xd, 0xb8, [3 + 15] = 1, [3 + 31] = 1, [3 + 33] = 1, [3 + 35] = 2,
    };
    strcpy(peer.address, "[2001:db8::1]:1");
    const struct bytes got = write_header("[::1]:2", "");
    cr_assert_eq(got.len, sizeof start + sizeof rest);
    cr_expect_eq(memcmp(got.data + sizeof start, rest, sizeof rest), 0);
    buffer_free(&header);
}

Test(proxy_header, ends_that_are_not_of_one_kind_are_not_told)
{
    static const char *const peers[] = {"?",  "192.0.2.1:258", "[::1]:1",  "192.0.2.1:258", "",
                                        ":1", "[]:1",          "192.0.2:1"};
    static const char *const locals[] = {"127.0.0.1:1", "?", "127.0.0.1:1", "[::1]:1", "", ":1", "[]:1", "192.0.2:1"};
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
        reset();
        strcpy(peer.address, peers[i]);
        const struct bytes got = write_header(locals[i], "");
        cr_assert_eq(got.len, sizeof start + 3);
        cr_expect_eq(memcmp(got.data + sizeof start, "\0\0\0", 3), 0, "%s %s", peers[i], locals[i]);
        buffer_free(&header);
    }
}

static struct bytes tls_of(struct bytes got)
{
    const struct bytes values = {got.data + sizeof start + 3 + 12, got.len - sizeof start - 3 - 12};
    return value_of(values, 0x20);
}

Test(proxy_header, tells_whose_certificate_it_is)
{
    struct pki_cert ca = pki_ca("CA"), leaf = pki_make(&(struct pki_request){.name = "caf\xc3\xa9", .issuer = &ca});
    peer.protocol = "TLSv1.3";
    peer.cipher = "TLS_AES_128_GCM_SHA256";
    peer.group = "X25519";
    strcpy(peer.certificate.fingerprint, "verified");
    peer.leaf = leaf.der;
    for (int resumed = 0; resumed <= 1; resumed++) {
        peer.resumed = resumed != 0;
        const struct bytes tls = tls_of(write_header("127.0.0.1:1000", "id"));
        cr_assert_geq(tls.len, 5);
        cr_expect_eq(memcmp(tls.data, resumed ? "\x05\0\0\0\0" : "\x07\0\0\0\0", 5), 0);
        const struct bytes values = {tls.data + 5, tls.len - 5};
        expect_value(values, 0x21, "TLSv1.3");
        expect_value(values, 0x22, "caf\xc3\xa9");
        expect_value(values, 0x23, "TLS_AES_128_GCM_SHA256");
        expect_value(values, 0x26, "X25519");
        const struct bytes der = value_of(values, 0x28);
        cr_assert_eq(der.len, leaf.der.len);
        cr_expect_eq(memcmp(der.data, leaf.der.data, der.len), 0);
        buffer_free(&header);
    }
    pki_free(&leaf);
    pki_free(&ca);
}

Test(proxy_header, says_when_there_is_no_certificate)
{
    peer.protocol = "TLSv1.2";
    const struct bytes tls = tls_of(write_header("127.0.0.1:1000", ""));
    cr_assert_eq(tls.len, 5 + 3 + 7);
    cr_expect_eq(memcmp(tls.data, "\x01\0\0\0\x01", 5), 0);
    buffer_free(&header);
}

/* A leaf like this one, with what to do to its subject. */
static void expect_no_name(void (*change)(X509_NAME *subject))
{
    struct pki_cert ca = pki_ca("CA"), leaf = pki_client(&ca);
    uint8_t *der = NULL;
    change(X509_get_subject_name(leaf.x509));
    X509_sign(leaf.x509, ca.key, EVP_sha256());
    const int len = i2d_X509(leaf.x509, &der);
    cr_assert_gt(len, 0);
    peer.protocol = "TLSv1.3";
    strcpy(peer.certificate.fingerprint, "verified");
    peer.leaf = (struct bytes){der, (size_t)len};
    const struct bytes tls = tls_of(write_header("127.0.0.1:1000", ""));
    const struct bytes values = {tls.data + 5, tls.len - 5};
    cr_expect_eq(value_of(values, 0x22).len, 0);
    cr_expect_eq(value_of(values, 0x28).len, (size_t)len);
    buffer_free(&header);
    OPENSSL_free(der);
    pki_free(&leaf);
    pki_free(&ca);
}

static void add_second(X509_NAME *subject)
{
    cr_assert(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)"admin", -1, -1, 0));
}

static void put_nul(X509_NAME *subject)
{
    X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, 0));
    cr_assert(X509_NAME_add_entry_by_txt(subject, "CN", V_ASN1_UTF8STRING, (const uint8_t *)"admin\0.evil", 11, -1, 0));
}

static void remove_all(X509_NAME *subject)
{
    X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, 0));
}

Test(proxy_header, a_name_that_could_be_read_in_two_ways_is_none)
{
    expect_no_name(add_second);
    reset();
    expect_no_name(put_nul);
    reset();
    expect_no_name(remove_all);
}

Test(proxy_header, certificates_up_to_the_limit)
{
    static uint8_t der[LIMIT_CERTIFICATE + 1];
    peer.protocol = "TLSv1.3";
    strcpy(peer.certificate.fingerprint, "verified");
    peer.leaf = (struct bytes){der, sizeof der};
    const struct bytes tls = tls_of(write_header("127.0.0.1:1000", ""));
    cr_expect_eq(value_of((struct bytes){tls.data + 5, tls.len - 5}, 0x28).len, 0);
    buffer_free(&header);
}
