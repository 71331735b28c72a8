/* The files that an operator brings: which are taken, and what is said about the others. */
#include <criterion/criterion.h>
#include <openssl/mem.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "keyd/keystore.h"
#include "tests/unit/keyd/bring.h"

static enum err load(const struct bring *server, const struct bring *client, uint64_t now_s, struct diag *diag)
{
    const struct keyd_setup wanted = bring_setup(server, client);
    const struct keystore_files files = {.server_key = server != NULL ? server->key : -1,
                                         .client_key = client != NULL ? client->key : -1};
    struct keystore *made;
    diag->text[0] = '\0';
    const enum err err = keystore_new_with(&made, &wanted, &files, now_s, diag);
    cr_assert_eq(made == NULL, err != ERR_OK);
    keystore_free(made);
    return err;
}

static struct keystore *make(const struct bring *server)
{
    const struct keyd_setup wanted = bring_setup(server, NULL);
    const struct keystore_files files = {.server_key = server->key, .client_key = -1};
    struct keystore *made;
    struct diag diag = {0};
    cr_assert_eq(keystore_new_with(&made, &wanted, &files, clock_wall_s(), &diag), ERR_OK, "%s", diag.text);
    return made;
}

static void expect_refused(const char *chain, const char *key, const char *why)
{
    const struct bring server = bring_open(chain, key);
    struct diag diag;
    cr_assert_eq(load(&server, NULL, clock_wall_s(), &diag), ERR_INPUT, "%s, %s: %s", chain, key, diag.text);
    cr_assert_neq(strstr(diag.text, why), NULL, "%s, %s: %s", chain, key, diag.text);
}

Test(brought_files, refuses_keys_that_keyd_does_not_hold)
{
    static const char wanted[] = "want ECDSA on P-256 or P-384, or RSA of 2048, 3072 or 4096 bits";
    static const struct {
        const char *key, *why;
    } cases[] = {
        {"rsa1024.key", "--server-key: an RSA key of 1024 bits"},
        {"rsa8192.key", "--server-key: an RSA key of 8192 bits"},
        {"p521.key", "--server-key: an ECDSA key on P-521"},
        {"ed25519.key", "--server-key: an Ed25519 key, which browsers do not take"},
        {"k256.key", "--server-key: the private key in it cannot be read"},
        {"rsapss.key", "--server-key: the private key in it cannot be read"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_refused("p256.server.pem", cases[i].key, cases[i].why);
        expect_refused("p256.server.pem", cases[i].key, wanted);
    }
}

Test(brought_files, refuses_files_that_are_no_key)
{
    expect_refused("p256.server.pem", "encrypted.key", "--server-key: the private key is encrypted");
    expect_refused("rsa2048.server.pem", "encrypted_pkcs1.key", "--server-key: the private key is encrypted");
    expect_refused("p256.server.pem", "public.key", "--server-key: no private key in it");
    expect_refused("p256.server.pem", "ca.crt", "--server-key: no private key in it");
}

Test(brought_files, refuses_a_key_that_is_another_certificates)
{
    expect_refused("p256.server.pem", "other_p256.key", "--server-key: is not the key of the first certificate");
    expect_refused("p256.server.pem", "p384.key", "--server-key: is not the key of the first certificate");
    expect_refused("rsa2048.server.pem", "p256.key", "--server-key: is not the key of the first certificate");
    expect_refused("rsa2048.server.pem", "rsa3072.key", "--server-key: is not the key of the first certificate");
}

Test(brought_files, refuses_chains_that_lead_nowhere)
{
    expect_refused("leaf_alone.pem", "p256.key", "--server-certificate: holds the leaf alone");
    expect_refused("wrong_order.pem", "ca.key", "--server-certificate: certificate 2 did not sign certificate 1");
    expect_refused("wrong_issuer.pem", "p256.key", "--server-certificate: certificate 2 did not sign certificate 1");
    expect_refused("same_name.pem", "p256.key", "--server-certificate: certificate 2 did not sign certificate 1");
    expect_refused("under_a_leaf.pem", "other_p256.key", "--server-certificate: certificate 2 is not a CA's");
}

Test(brought_files, refuses_leaves_that_no_peer_would_take)
{
    expect_refused("no_names.pem", "p256.key", "--server-certificate: the leaf has no DNS name");
    expect_refused("no_signing.pem", "p256.key", "--server-certificate: the leaf");
    expect_refused("p256.client.pem", "p256.key",
                   "--server-certificate: the leaf is not for TLS server authentication");
    const struct bring server = bring_open("p256.server.pem", "p256.key"),
                       client = bring_open("p256.client.pem", "p256.key");
    struct diag diag;
    cr_assert_eq(load(NULL, &server, clock_wall_s(), &diag), ERR_INPUT);
    cr_assert_neq(strstr(diag.text, "--client-certificate: the leaf is not for TLS client authentication"), NULL, "%s",
                  diag.text);
    cr_assert_eq(load(&server, &client, clock_wall_s(), &diag), ERR_OK);
}

Test(brought_files, refuses_a_leaf_from_the_second_after_its_last)
{
    const struct bring server = bring_open("p256.server.pem", "p256.key");
    struct diag diag;
    struct keystore *keystore = make(&server);
    const uint64_t last = keystore_info(keystore, KEY_SERVER)->not_after;
    keystore_free(keystore);
    cr_assert_eq(load(&server, NULL, last, &diag), ERR_OK);
    cr_assert_eq(load(&server, NULL, last + 1, &diag), ERR_INPUT);
    cr_assert_neq(strstr(diag.text, "--server-certificate: the leaf has expired"), NULL, "%s", diag.text);
    /* A machine whose clock is not set yet starts all the same; its peers will say what they think. */
    cr_assert_eq(load(&server, NULL, 10, &diag), ERR_OK);
}

Test(brought_files, refuses_certificates_that_do_not_parse)
{
    struct bring server = bring_open("p256.server.pem", "p256.key");
    struct diag diag;
    server.chain[1].len--;
    cr_assert_eq(load(&server, NULL, clock_wall_s(), &diag), ERR_INPUT);
    cr_assert_str_eq(diag.text, "--server-certificate: certificate 2 does not parse");
}

/* A key's file in memory, with something else in its place. */
static int file_of(const void *data, size_t len)
{
    const int fd = memfd_create("key", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, data, len), (ssize_t)len);
    return fd;
}

static size_t read_key(char *out, size_t room, const char *name)
{
    const struct bring bring = bring_open(NULL, name);
    const ssize_t len = pread(bring.key, out, room, 0);
    cr_assert_gt(len, 0);
    return (size_t)len;
}

static enum err load_key(const void *data, size_t len, struct diag *diag)
{
    struct bring server = bring_open("rsa4096.server.pem", NULL);
    server.key = file_of(data, len);
    return load(&server, NULL, clock_wall_s(), diag);
}

Test(brought_files, reads_files_up_to_the_limit)
{
    char file[LIMIT_KEY_FILE + 1];
    struct diag diag;
    memset(file, '\n', sizeof(file));
    read_key(file, sizeof(file), "rsa4096.key");
    cr_assert_eq(load_key(file, LIMIT_KEY_FILE, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(load_key(file, LIMIT_KEY_FILE + 1, &diag), ERR_INPUT);
    cr_assert_str_eq(diag.text, "--server-key: longer than 8192 bytes; give a file that holds the private key alone");
}

/* Wherever the file was read to before: a keyd that comes later reads the same descriptor. */
Test(brought_files, reads_from_the_beginning_and_leaves_the_descriptor_where_it_is)
{
    const struct bring server = bring_of(&bring_kinds[0], "server");
    struct diag diag;
    cr_assert_eq(lseek(server.key, 100, SEEK_SET), 100);
    cr_assert_eq(load(&server, NULL, clock_wall_s(), &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(load(&server, NULL, clock_wall_s(), &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(lseek(server.key, 0, SEEK_CUR), 100);
}

Test(brought_files, refuses_garbage)
{
    char file[LIMIT_KEY_FILE];
    struct diag diag;
    const size_t len = read_key(file, sizeof(file), "rsa4096.key");
    for (size_t cut = 0; cut < len - 30; cut += 97)
        cr_assert_eq(load_key(file, cut, &diag), ERR_INPUT, "cut to %zu", cut);
    for (size_t at = 30; at < len - 40; at += 61) {
        const char was = file[at];
        file[at] = was == 'A' ? 'B' : 'A';
        const enum err err = load_key(file, len, &diag);
        cr_assert(err == ERR_INPUT || err == ERR_CRYPTO || was == '\n', "byte %zu: %s", at, diag.text);
        cr_assert(err == ERR_OK || strstr(diag.text, "--server-key: ") == diag.text, "%s", diag.text);
        file[at] = was;
    }
    cr_assert_eq(load_key(file, len, &diag), ERR_OK, "%s", diag.text);
    memset(file, 0xff, sizeof(file));
    cr_assert_eq(load_key(file, sizeof(file), &diag), ERR_INPUT);
    cr_assert_eq(load_key(file, 0, &diag), ERR_INPUT);
    static const char empty[] = "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n";
    cr_assert_eq(load_key(empty, strlen(empty), &diag), ERR_INPUT);
}

Test(brought_files, says_that_a_file_cannot_be_read)
{
    struct bring server = bring_of(&bring_kinds[0], "server");
    struct diag diag;
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    server.key = ends[0];
    cr_assert_eq(load(&server, NULL, clock_wall_s(), &diag), ERR_SYSTEM);
    cr_assert_str_eq(diag.text, "--server-key: cannot be read: Illegal seek");
}

/* No secret memory left for it: refused, and good again when there is some. */
Test(brought_files, running_out_of_memory_refuses)
{
    static void *blocks[LIMIT_SECRET_HEAP / 64];
    const struct bring server = bring_of(&bring_kinds[4], "server");
    struct diag diag;
    size_t num = 0;
    keystore_free(make(&server)); /* blocks keep their sizes: from now on there are those that it needs */
    for (size_t size = 32768; size >= 32; size /= 2) {
        for (void *block; (block = OPENSSL_malloc(size)) != NULL;) blocks[num++] = block;
    }
    for (; num > 0; OPENSSL_free(blocks[--num])) {
        const enum err err = load(&server, NULL, clock_wall_s(), &diag);
        if (err == ERR_OK) break;
        cr_assert_neq(diag.text[0], '\0');
    }
    while (num > 0) OPENSSL_free(blocks[--num]);
    cr_assert_eq(load(&server, NULL, clock_wall_s(), &diag), ERR_OK, "%s", diag.text);
}

Test(brought_files, takes_a_leaf_that_signed_itself)
{
    const struct bring server = bring_open("self_signed.pem", "p256.key");
    struct keystore *keystore = make(&server);
    cr_assert(bytes_equal(keystore_anchor(keystore, KEY_SERVER), keystore_certificate(keystore, KEY_SERVER)));
    keystore_free(keystore);
}

Test(brought_files, takes_the_other_forms_of_a_key)
{
    static const char *const pairs[][2] = {
        {"p384.server.pem", "sec1.key"}, {"p384.server.pem", "parameters.key"}, {"rsa2048.server.pem", "pkcs1.key"}};
    for (size_t i = 0; i < 3; i++) {
        const struct bring server = bring_open(pairs[i][0], pairs[i][1]);
        struct diag diag;
        cr_assert_eq(load(&server, NULL, clock_wall_s(), &diag), ERR_OK, "%s: %s", pairs[i][1], diag.text);
    }
}
