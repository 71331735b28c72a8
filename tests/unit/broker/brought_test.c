/* Certificates and keys that an operator brings: what is opened, and what is said about what is not. */
#include "broker/brought.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ONE "-----BEGIN CERTIFICATE-----\nMAYEBAECAwQ=\n-----END CERTIFICATE-----\n"
#define TWO "-----BEGIN CERTIFICATE-----\nMAYEBAECAwU=\n-----END CERTIFICATE-----\n"
#define KEY "-----BEGIN PRIVATE KEY-----\nMAYEBAECAwQ=\n-----END PRIVATE KEY-----\n"

static char base[] = "/tmp/keyward-brought-XXXXXX";
static struct brought brought;
static struct diag diag;

static const char *at(const char *name)
{
    static char paths[2][128];
    static unsigned next;
    char *path = paths[next++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", base, name);
    return path;
}

static void make_file(const char *name, const char *content, mode_t mode)
{
    unlink(at(name)); /* it may be one that not even its owner may write */
    int fd = open(at(name), O_WRONLY | O_CREAT | O_EXCL, mode);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fchmod(fd, mode), 0);
    cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

static void setup(void)
{
    cr_assert_not_null(mkdtemp(base));
    make_file("chain", "subject=CN=x\n" ONE "issuer\n" TWO, 0644);
    make_file("key", KEY, 0600);
}

static void teardown(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", base);
    cr_assert_eq(system(command), 0);
}

TestSuite(brought, .init = setup, .fini = teardown);

static void expect_refused(const char *certificate, const char *key)
{
    diag.text[0] = '\0';
    cr_assert_eq(brought_open(&brought, NULL, "server", certificate, key, &diag), ERR_INPUT);
    cr_assert_eq(brought.num, 0);
    cr_assert_eq(brought.key, -1, "nothing stays open");
}

static void expect_key_refused(const char *name, const char *why)
{
    char wanted[512];
    expect_refused(at("chain"), at(name));
    snprintf(wanted, sizeof wanted, "--server-key '%s': %s", at(name), why);
    cr_assert_str_eq(diag.text, wanted);
}

static void expect_chain_refused(const char *name, const char *why)
{
    char wanted[512];
    expect_refused(at(name), at("key"));
    snprintf(wanted, sizeof wanted, "--server-certificate '%s': %s", at(name), why);
    cr_assert_str_eq(diag.text, wanted);
}

Test(brought, reads_the_chain_and_opens_the_key)
{
    static const uint8_t one[] = {0x30, 6, 4, 4, 1, 2, 3, 4}, two[] = {0x30, 6, 4, 4, 1, 2, 3, 5};
    const struct bytes made = {one, 3};
    cr_assert_eq(brought_open(&brought, NULL, "client", at("chain"), at("key"), &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(brought.num, 2);
    cr_assert(bytes_equal(brought.chain[0], (struct bytes){one, sizeof one}));
    cr_assert(bytes_equal(brought.chain[1], (struct bytes){two, sizeof two}));
    cr_assert(bytes_equal(brought_anchor(&brought, made), brought.chain[1]));
    cr_assert(bytes_equal(brought_issuer(&brought, made), brought.chain[1]));
    cr_assert_eq(lseek(brought.key, 0, SEEK_CUR), 0, "the broker has read nothing of it");
    cr_assert_eq(fcntl(brought.key, F_GETFL) & O_ACCMODE, O_RDONLY);
    cr_assert_neq(fcntl(brought.key, F_GETFD) & FD_CLOEXEC, 0);
    brought_close(&brought);
    cr_assert_eq(brought.key, -1);
    cr_assert(bytes_equal(brought_anchor(&brought, made), made));
    cr_assert(bytes_equal(brought_issuer(&brought, made), made));
}

Test(brought, nothing_is_brought_by_default)
{
    cr_assert_eq(brought_open(&brought, NULL, "server", "", "", &diag), ERR_OK);
    cr_assert_eq(brought.num, 0);
    cr_assert_eq(brought.key, -1);
    brought_close(&brought);
}

Test(brought, comes_in_pairs)
{
    expect_refused(at("chain"), "");
    cr_assert_str_eq(diag.text, "--server-certificate goes with --server-key; give both, or neither");
    expect_refused("", at("key"));
    cr_assert_str_eq(diag.text, "--server-key goes with --server-certificate; give both, or neither");
}

Test(brought, a_key_is_its_owners_alone)
{
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0444, 0777};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char why[256];
        make_file("key", KEY, modes[i]);
        snprintf(why, sizeof why, "mode %04o lets others than its owner at it; run: chmod 600 '%s'", (unsigned)modes[i],
                 at("key"));
        expect_key_refused("key", why);
    }
    make_file("key", KEY, 0400);
    cr_assert_eq(brought_open(&brought, NULL, "server", at("chain"), at("key"), &diag), ERR_OK, "%s", diag.text);
    brought_close(&brought);
}

Test(brought, a_key_belongs_to_root_or_to_whoever_starts_it)
{
    char why[256];
    cr_assert_eq(geteuid(), 0, "needs root: gives a file away; run the tests as root");
    cr_assert_eq(chown(at("key"), 1000, 1000), 0);
    snprintf(why, sizeof why, "belongs to uid 1000, who can read and replace it; run: chown 0 '%s'", at("key"));
    expect_key_refused("key", why);
    cr_assert_eq(chown(base, 1000, 1000), 0);
    cr_assert_eq(seteuid(1000), 0);
    cr_assert_eq(brought_open(&brought, NULL, "server", at("chain"), at("key"), &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(seteuid(0), 0);
    brought_close(&brought);
}

Test(brought, a_key_is_a_file_that_is_there)
{
    expect_key_refused("no_key", "No such file or directory; give a PEM file that can be read");
    cr_assert_eq(mkfifo(at("pipe"), 0600), 0);
    expect_key_refused("pipe", "is not a regular file");
    expect_chain_refused("pipe", "is not a regular file");
    cr_assert_eq(mkdir(at("dir"), 0700), 0);
    expect_key_refused("dir", "is not a regular file");
}

Test(brought, says_what_is_wrong_with_a_chain)
{
    static char file[8 * LIMIT_CHAIN_BYTES + 1];
    expect_chain_refused("no_chain", "No such file or directory; give a PEM file that can be read");
    make_file("empty", "", 0644);
    expect_chain_refused("empty", "no certificate in it; want PEM");
    make_file("both", ONE KEY, 0600);
    expect_chain_refused("both", "holds a private key, which the broker is not to see; put it into a file of its own");
    make_file("five", ONE ONE ONE ONE ONE, 0644);
    expect_chain_refused("five", "more than 4 certificates");
    memset(file, ' ', sizeof file - 1);
    memcpy(file, ONE, strlen(ONE));
    make_file("long", file, 0644);
    expect_chain_refused("long", "longer than 81919 bytes; give the leaf and its issuers alone");
    file[sizeof file - 2] = '\0';
    make_file("long", file, 0644);
    cr_assert_eq(brought_open(&brought, NULL, "server", at("long"), at("key"), &diag), ERR_OK, "%s", diag.text);
    brought_close(&brought);
}
