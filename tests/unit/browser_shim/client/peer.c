#include "tests/unit/browser_shim/client/peer.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "keyd/transcript.h"
#include "proto/link.h"
#include "tests/unit/keep.h"

/* ---- Keys and certificates, made once a test --------------------------------------------------------------------- */

static struct authority {
    EVP_PKEY *key;
    X509 *certificate;
} authorities[2];

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = EVP_PKEY_new();
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    cr_assert(key != NULL && ec != NULL && EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec));
    return key;
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, NULL, nid, (char *)(uintptr_t)value);
    cr_assert_not_null(extension);
    cr_assert(X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
}

struct subject {
    const char *name;
    const char *san; /* NULL: none */
    const char *eku; /* NULL: a CA */
    int not_before_s, not_after_s;
};

static X509 *new_certificate(EVP_PKEY *key, const struct subject *subject, const struct authority *issuer)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_NAME_new();
    cr_assert(certificate != NULL && name != NULL);
    cr_assert(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)subject->name, -1, -1, 0));
    cr_assert(X509_set_version(certificate, X509_VERSION_3));
    cr_assert(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1 + rand()));
    cr_assert(X509_set_subject_name(certificate, name));
    cr_assert(X509_set_issuer_name(certificate,
                                   issuer->certificate != NULL ? X509_get_subject_name(issuer->certificate) : name));
    cr_assert_not_null(X509_gmtime_adj(X509_getm_notBefore(certificate), subject->not_before_s));
    cr_assert_not_null(X509_gmtime_adj(X509_getm_notAfter(certificate), subject->not_after_s));
    cr_assert(X509_set_pubkey(certificate, key));
    add_extension(certificate, NID_basic_constraints, subject->eku == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (subject->eku != NULL) add_extension(certificate, NID_ext_key_usage, subject->eku);
    if (subject->san != NULL) add_extension(certificate, NID_subject_alt_name, subject->san);
    cr_assert_gt(X509_sign(certificate, issuer->key, EVP_sha256()), 0);
    X509_NAME_free(name);
    return certificate;
}

static const struct authority *authority_of(enum peer_ca ca)
{
    struct authority *authority = &authorities[ca];
    if (authority->key == NULL) {
        authority->key = new_key();
        const struct subject subject = {ca == PEER_CA_OURS ? "our CA" : "another CA", NULL, NULL, -3600, 3600};
        authority->certificate = new_certificate(authority->key, &subject, &(struct authority){authority->key, NULL});
    }
    return authority;
}

/* ---- The server -------------------------------------------------------------------------------------------------- */

static SSL *new_server(const struct peer_server *server, int fd)
{
    const struct subject subject = {
        .name = "server",
        .san = "DNS:localhost,IP:127.0.0.1,IP:::1",
        .eku = server->eku != 0 ? OBJ_nid2sn(server->eku) : "serverAuth",
        .not_before_s = server->not_before_s != 0 ? server->not_before_s : -3600,
        .not_after_s = server->not_after_s != 0 ? server->not_after_s : 3600,
    };
    EVP_PKEY *key = new_key();
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    cr_assert(SSL_CTX_use_certificate(ctx, new_certificate(key, &subject, authority_of(server->ca))));
    cr_assert(SSL_CTX_use_PrivateKey(ctx, key));
    cr_assert(
        SSL_CTX_set_max_proto_version(ctx, server->max_version != 0 ? (uint16_t)server->max_version : TLS1_3_VERSION));
    /* Neither is left to BoringSSL, whose defaults move on. */
    cr_assert(SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION) && SSL_CTX_set1_curves_list(ctx, "X25519"));
    cr_assert(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), authority_of(server->client_ca)->certificate));
    if (server->asking == PEER_ASKS) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    SSL *ssl = SSL_new(ctx);
    cr_assert(SSL_set_fd(ssl, fd));
    return ssl;
}

static void serve_lines(const struct peer_server *server, SSL *ssl)
{
    char line[LIMIT_ECHO_LINE + 1], answer[sizeof line + 16];
    for (int len; (len = SSL_read(ssl, line, sizeof line)) > 0;) {
        if (server->behaviour == PEER_NEVER_ENDS) {
            memset(line, 'a', sizeof line);
            while (SSL_write(ssl, line, sizeof line) > 0) {
            }
            return;
        }
        if (server->behaviour == PEER_IS_SILENT) continue;
        int answer_len = snprintf(answer, sizeof answer, "then there %.*s", server->behaviour == PEER_ECHOES ? len : 3,
                                  server->behaviour == PEER_ECHOES ? line : "no\n");
        if (SSL_write(ssl, answer, answer_len) <= 0) return;
    }
}

static void serve_tls(const struct peer_server *server, int fd)
{
    SSL *ssl = new_server(server, fd);
    char request[64], name[64] = "nobody";
    if (server->behaviour >= PEER_ECHOES) {
        if (SSL_accept(ssl) == 1) serve_lines(server, ssl);
    } else if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof request) > 0) {
        X509 *client = SSL_get_peer_certificate(ssl);
        if (client != NULL) X509_NAME_get_text_by_NID(X509_get_subject_name(client), NID_commonName, name, sizeof name);
        SSL_write(ssl, name, (int)strlen(name));
        if (server->behaviour == PEER_TLS) SSL_shutdown(ssl);
    }
}

/* Starts a process that runs with fd until it is done. */
static int start_process(int ends[2])
{
    int pid = fork();
    cr_assert_geq(pid, 0);
    close(ends[pid == 0 ? 0 : 1]);
    return pid;
}

int peer_start_server(const struct peer_server *server)
{
    int ends[2];
    (void)authority_of(PEER_CA_OURS);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    if (start_process(ends) == 0) {
        signal(SIGPIPE, SIG_IGN);
        static const char plain[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
        if (server->behaviour == PEER_PLAIN_TEXT) {
            char hello[2048];
            if (read(ends[1], hello, sizeof hello) > 0 && write(ends[1], plain, sizeof plain - 1) < 0) _exit(1);
        } else if (server->behaviour != PEER_HANGS_UP) {
            serve_tls(server, ends[1]);
        }
        _exit(0);
    }
    cr_assert_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    return ends[0];
}

uint16_t peer_listen(const struct peer_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)authority_of(PEER_CA_OURS);
    cr_assert_eq(bind(listener, (const struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(listener, 8), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    if (server != NULL && fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGCHLD, SIG_IGN);
        for (;;) {
            const int fd = accept(listener, NULL, NULL);
            if (fork() == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                serve_tls(server, fd);
                _exit(0);
            }
            close(fd);
        }
    }
    return ntohs(address.sin_port);
}

/* ---- keyd -------------------------------------------------------------------------------------------------------- */

/* RFC 8446, 4.4.3, written down apart from the client's code. */
static size_t sign(uint8_t *out, struct bytes messages, EVP_PKEY *key)
{
    struct transcript transcript;
    uint8_t hash[TRANSCRIPT_HASH];
    cr_assert(transcript_parse(&transcript, messages, TRANSCRIPT_TO_CLIENT_CERTIFICATE));
    transcript_hash_finish(hash, &transcript.whole_hash);
    static const char spaces_and_context[] =
        "                                                                TLS 1.3, client CertificateVerify";
    uint8_t content[sizeof spaces_and_context + 48], digest[SHA256_DIGEST_LENGTH];
    memcpy(content, spaces_and_context, sizeof spaces_and_context);
    memcpy(content + sizeof spaces_and_context, hash, transcript.hash.len);
    SHA256(content, sizeof spaces_and_context + transcript.hash.len, digest);
    unsigned len = 0;
    cr_assert(ECDSA_sign(0, digest, sizeof digest, out, &len, EVP_PKEY_get0_EC_KEY(key)));
    return len;
}

static void answer(const struct link *link, enum peer_keyd behaviour, const struct msg *request, EVP_PKEY *key)
{
    uint8_t signature[128] = {0x30};
    struct msg msg = {.kind = MSG_SIGNATURE, .id = request->id, .signature = {signature, sizeof signature}};
    if (behaviour == KEYD_SIGNS_AFTER_STALE_ANSWER) {
        struct msg stale = {.kind = MSG_REFUSAL, .id = request->id + 7, .refusal = REFUSAL_EXPIRED};
        cr_assert_eq(link_send(link, &stale, NULL, 0), ERR_OK);
    }
    if (behaviour == KEYD_REFUSES || behaviour == KEYD_DOUBTS) {
        msg.kind = MSG_REFUSAL;
        msg.refusal = behaviour == KEYD_DOUBTS ? REFUSAL_SERVER : REFUSAL_EXPIRED;
    } else if (behaviour != KEYD_SIGNS_WRONG) {
        cr_assert_eq(request->sign_tls13_client.scheme, SCHEME_ECDSA_P256_SHA256);
        msg.signature.len = sign(signature, request->sign_tls13_client.messages, key);
    }
    cr_assert_eq(link_send(link, &msg, NULL, 0), ERR_OK);
}

static void describe(const struct link *link, const struct msg *request, struct bytes leaf, struct bytes ca)
{
    const struct msg msg = {.kind = MSG_HANDLE_DESCRIPTION,
                            .id = request->id,
                            .handle_description = {.label = "test", .leaf = leaf, .issuer = ca, .server_ca = ca}};
    cr_assert_eq(link_send(link, &msg, NULL, 0), ERR_OK);
}

static void run_keyd(const struct client_handle *client, int fd, enum peer_keyd behaviour, EVP_PKEY *key)
{
    const struct link link = {.fd = fd, .role = LINK_SIGN_GATEWAY, .end = LINK_UPPER};
    struct codec_arena *arena = codec_arena_new(LIMIT_SIGN_ARENA);
    struct msg request;
    struct packet_extra extra;
    while (channel_wait(fd, 10000) == ERR_OK && link_recv(&link, &request, &extra, arena) == ERR_OK) {
        if (request.kind == MSG_DESCRIBE_HANDLE) {
            describe(&link, &request, client->certificate, client->ca);
            continue;
        }
        if (behaviour == KEYD_CLOSES) return;
        if (behaviour == KEYD_TALKS_NONSENSE) {
            cr_assert_eq(channel_send(fd, (const uint8_t *)"nonsense", 8, NULL, 0), ERR_OK);
        } else {
            answer(&link, behaviour, &request, key);
        }
    }
}

static struct bytes der_of(X509 *certificate)
{
    uint8_t *der = NULL;
    int len = i2d_X509(certificate, &der);
    cr_assert_gt(len, 0);
    return (struct bytes){keep(der), (size_t)len};
}

void peer_start_keyd(struct client_handle *out, enum peer_keyd behaviour)
{
    const struct authority *authority = authority_of(PEER_CA_OURS);
    const struct subject subject = {"kiosk", NULL, "clientAuth", -3600, 3600};
    EVP_PKEY *key = new_key();
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    X509 *certificate = new_certificate(key, &subject, authority);
    *out = (struct client_handle){
        .fd = ends[0],
        .id = 1,
        .certificate = der_of(certificate),
        .ca = der_of(authority->certificate),
    };
    if (start_process(ends) == 0) {
        run_keyd(out, ends[1], behaviour, key);
        _exit(0);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
}
