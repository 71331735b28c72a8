#include "keyd/keystore.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/check.h"
#include "keyd/brought.h"
#include "keyd/certificate.h"
#include "keyd/key_sign.h"
#include "keyd/name.h"
#include "keyd/ocsp_response.h"

/* Clocks of the two sides may differ a little. */
#define BACKDATE_S 300u

#define CA_NAME "Keyward ephemeral CA"
#define SERVER_NAME "localhost"

struct certificate {
    uint8_t der[LIMIT_CERTIFICATE];
    size_t len;
    struct certificate_info info; /* points to the texts below */
    char subject[CERTIFICATE_COMMON_NAME + sizeof("CN=")];
    char names[LIMIT_NAMES][LIMIT_NAME + 1];
    char serial[2 * CERTIFICATE_SERIAL + 1];
    char fingerprint[2 * SHA256_DIGEST_LENGTH + 1];
};

struct keystore {
    EVP_PKEY *keys[KEY_NUM]; /* NULL: has no key (any more) */
    uint8_t points[KEY_NUM_ROLES][CERTIFICATE_POINT];
    struct certificate certificates[KEY_NUM_ROLES];
    struct brought *brought[KEY_NUM];  /* NULL: keyd made it, or it is a further server's that is not there */
    uint8_t ocsp[LIMIT_OCSP_RESPONSE]; /* what the CA says of KEY_SERVER */
    size_t ocsp_len;                   /* 0: an operator brought that one */
    bool tls12;
    struct keystore *base; /* has what this one does not; NULL: it has all */
    size_t users;          /* those that this one is the base of, and its owner */
};

/* The one that has the role's key and certificate. */
static const struct keystore *holder_of(const struct keystore *keystore, enum key_role role)
{
    const bool own = keystore->base == NULL || role >= KEY_NUM_ROLES || /* further servers' come with each setup */
                     (role == KEY_SERVER && keystore->brought[role] != NULL);
    return own ? keystore : keystore->base;
}

static const char *const role_names[KEY_NUM_ROLES] = {
    [KEY_CA] = "ca", [KEY_SERVER] = "server", [KEY_CLIENT] = "client"};

static const enum certificate_profile role_profiles[KEY_NUM_ROLES] = {
    [KEY_CA] = CERTIFICATE_CA, [KEY_SERVER] = CERTIFICATE_SERVER, [KEY_CLIENT] = CERTIFICATE_CLIENT};

static enum err check_setup(const struct keyd_setup *setup, struct diag *diag)
{
    for (size_t i = 0; i < setup->num_dns_names; i++) {
        if (!name_is_dns(setup->dns_names[i]))
            return diag_set(diag, ERR_INPUT, "server name '%s' is not a DNS name; use letters, digits, '-' and '.'",
                            setup->dns_names[i]);
    }
    for (size_t i = 0; i < setup->num_ip_addresses; i++) {
        if (setup->ip_addresses[i].len != 4 && setup->ip_addresses[i].len != 16)
            return diag_set(diag, ERR_INPUT, "server address number %zu is neither IPv4 nor IPv6", i + 1);
    }
    if (setup->num_dns_names + setup->num_ip_addresses == 0)
        return diag_set(diag, ERR_INPUT, "the server has no name and no address; give it at least one");
    if (setup->num_dns_names + setup->num_ip_addresses > LIMIT_NAMES)
        return diag_set(diag, ERR_INPUT, "the server has more than %u names and addresses", LIMIT_NAMES);
    const size_t len = strlen(setup->client_name);
    if (len == 0 || len > CERTIFICATE_COMMON_NAME)
        return diag_set(diag, ERR_INPUT, "client name '%s' must have 1 to %u bytes", setup->client_name,
                        CERTIFICATE_COMMON_NAME);
    return ERR_OK;
}

static enum err make_key(struct keystore *keystore, enum key_role role)
{
    EC_KEY *key = key_generate(role);
    EVP_PKEY *holder = key != NULL ? EVP_PKEY_new() : NULL;
    if (holder == NULL || !EVP_PKEY_assign_EC_KEY(holder, key)) {
        EVP_PKEY_free(holder);
        EC_KEY_free(key);
        return ERR_CRYPTO;
    }
    keystore->keys[role] = holder;
    size_t len = EC_POINT_point2oct(EC_KEY_get0_group(key), EC_KEY_get0_public_key(key), POINT_CONVERSION_UNCOMPRESSED,
                                    keystore->points[role], CERTIFICATE_POINT, NULL);
    return len == CERTIFICATE_POINT ? ERR_OK : ERR_CRYPTO;
}

/* Positive, and never shorter: 126 random bits behind a fixed 01. */
static void make_serial(uint8_t out[CERTIFICATE_SERIAL])
{
    RAND_bytes(out, CERTIFICATE_SERIAL);
    out[0] = (uint8_t)((out[0] & 0x3f) | 0x40);
}

/* describe puts into words what spec says; nothing is read back from the DER. */
static void describe(struct certificate *certificate, const struct certificate_spec *spec, enum key_role role)
{
    struct certificate_info *info = &certificate->info;
    stpcpy(stpcpy(certificate->subject, "CN="), spec->subject);
    for (size_t i = 0; i < spec->num_dns_names; i++) stpcpy(certificate->names[info->num_names++], spec->dns_names[i]);
    for (size_t i = 0; i < spec->num_ip_addresses; i++) {
        const struct bytes *address = &spec->ip_addresses[i];
        inet_ntop(address->len == 4 ? AF_INET : AF_INET6, address->data, certificate->names[info->num_names++],
                  LIMIT_NAME);
    }
    for (size_t i = 0; i < info->num_names; i++) info->names[i] = certificate->names[i];

    uint8_t fingerprint[SHA256_DIGEST_LENGTH];
    SHA256(certificate->der, certificate->len, fingerprint);
    bytes_hex(certificate->serial, (struct bytes){spec->serial, sizeof(spec->serial)});
    bytes_hex(certificate->fingerprint, (struct bytes){fingerprint, sizeof(fingerprint)});
    info->role = role_names[role];
    info->subject = certificate->subject;
    info->serial = certificate->serial;
    info->fingerprint = certificate->fingerprint;
    info->not_before = spec->not_before;
    info->not_after = spec->not_after;
}

static enum err issue(struct keystore *keystore, struct certificate_spec *spec, enum key_role role)
{
    struct certificate *certificate = &keystore->certificates[role];
    spec->profile = role_profiles[role];
    spec->issuer = CA_NAME;
    make_serial(spec->serial);
    memcpy(spec->subject_point, keystore->points[role], CERTIFICATE_POINT);
    memcpy(spec->issuer_point, keystore->points[KEY_CA], CERTIFICATE_POINT);
    enum err err =
        certificate_write(certificate->der, &certificate->len, spec, EVP_PKEY_get0_EC_KEY(keystore->keys[KEY_CA]));
    if (err == ERR_OK) describe(certificate, spec, role);
    return err;
}

static enum err issue_all(struct keystore *keystore, const struct keyd_setup *setup, uint64_t now_s)
{
    const uint64_t not_before =
        now_s > BACKDATE_S ? now_s - BACKDATE_S : 0; /* a machine without a clock starts in 1970 */
    const uint64_t ca_end = now_s + setup->ca_lifetime_s;
    uint64_t leaf_end = now_s + setup->leaf_lifetime_s;
    if (leaf_end > ca_end) leaf_end = ca_end;

    struct certificate_spec ca = {.subject = CA_NAME, .not_before = not_before, .not_after = ca_end};
    struct certificate_spec server = {.subject = SERVER_NAME,
                                      .not_before = not_before,
                                      .not_after = leaf_end,
                                      .dns_names = setup->dns_names,
                                      .num_dns_names = setup->num_dns_names,
                                      .ip_addresses = setup->ip_addresses,
                                      .num_ip_addresses = setup->num_ip_addresses};
    struct certificate_spec client = {.subject = setup->client_name, .not_before = not_before, .not_after = leaf_end};
    enum err err = issue(keystore, &ca, KEY_CA);
    if (err == ERR_OK && keystore->brought[KEY_SERVER] == NULL) err = issue(keystore, &server, KEY_SERVER);
    if (err == ERR_OK && keystore->brought[KEY_SERVER] == NULL) {
        err = ocsp_response_write(keystore->ocsp, &keystore->ocsp_len, &server,
                                  EVP_PKEY_get0_EC_KEY(keystore->keys[KEY_CA]), keystore_certificate(keystore, KEY_CA));
    }
    if (err == ERR_OK && keystore->brought[KEY_CLIENT] == NULL) err = issue(keystore, &client, KEY_CLIENT);
    return err;
}

/* What keyd makes itself: all that is not brought. */
static enum err make_rest(struct keystore *keystore, const struct keyd_setup *setup, uint64_t now_s, struct diag *diag)
{
    enum err err = ERR_OK;
    for (enum key_role role = 0; role < KEY_NUM_ROLES && err == ERR_OK; role++) {
        if (keystore->brought[role] == NULL) err = make_key(keystore, role);
    }
    if (err == ERR_OK) err = issue_all(keystore, setup, now_s);
    EVP_PKEY_free(keystore->keys[KEY_CA]);
    keystore->keys[KEY_CA] = NULL;
    if (err == ERR_OK) return ERR_OK;
    return diag_set(diag, err, "cannot make keys and certificates: BoringSSL failed");
}

static enum err bring(struct keystore *keystore, enum key_role role, const struct brought_files *files, uint64_t now_s,
                      struct diag *diag)
{
    if (files->num == 0) return ERR_OK;
    enum err err = brought_new(&keystore->brought[role], role, files, now_s, diag);
    if (err == ERR_OK) keystore->keys[role] = brought_take_key(keystore->brought[role]);
    return err;
}

enum err keystore_new_with(struct keystore **out, const struct keyd_setup *setup, const struct keystore_files *files,
                           uint64_t now_s, struct diag *diag)
{
    const struct brought_files server = {setup->server_chain, setup->num_server_chain, files->server_key, NULL},
                               client = {setup->client_chain, setup->num_client_chain, files->client_key, NULL};
    *out = NULL;
    enum err err = check_setup(setup, diag);
    if (err != ERR_OK) return err;
    struct keystore *keystore = calloc(1, sizeof(*keystore));
    if (keystore == NULL) return diag_set(diag, ERR_MEMORY, "no memory for the certificates");
    keystore->tls12 = setup->tls12;
    keystore->users = 1;
    err = bring(keystore, KEY_SERVER, &server, now_s, diag);
    if (err == ERR_OK) err = bring(keystore, KEY_CLIENT, &client, now_s, diag);
    if (err == ERR_OK) err = make_rest(keystore, setup, now_s, diag);
    if (err != ERR_OK) {
        keystore_free(keystore);
        return err;
    }
    *out = keystore;
    return ERR_OK;
}

enum err keystore_new(struct keystore **out, const struct keyd_setup *setup, uint64_t now_s, struct diag *diag)
{
    CHECK(setup->num_server_chain == 0 && setup->num_client_chain == 0);
    return keystore_new_with(out, setup, &(struct keystore_files){.server_key = -1, .client_key = -1}, now_s, diag);
}

enum err keystore_renew(struct keystore **out, struct keystore *keystore, const struct keyd_setup *setup,
                        int server_key, uint64_t now_s, struct diag *diag)
{
    struct keystore *base = keystore->base != NULL ? keystore->base : keystore;
    const struct brought_files server = {setup->server_chain, setup->num_server_chain, server_key, NULL};
    *out = NULL;
    if (server.num == 0 && base->brought[KEY_SERVER] != NULL)
        return diag_set(diag, ERR_INPUT,
                        "--server-certificate: without one keyd makes the server's key at its start alone; restart the "
                        "broker");
    struct keystore *renewed = calloc(1, sizeof(*renewed));
    if (renewed == NULL) return diag_set(diag, ERR_MEMORY, "no memory for the certificates");
    renewed->tls12 = setup->tls12;
    renewed->users = 1;
    renewed->base = base;
    base->users++;
    enum err err = bring(renewed, KEY_SERVER, &server, now_s, diag);
    if (err != ERR_OK) {
        keystore_free(renewed);
        return err;
    }
    *out = renewed;
    return ERR_OK;
}

void keystore_free(struct keystore *keystore)
{
    if (keystore == NULL || --keystore->users > 0) return;
    keystore_free(keystore->base);
    for (enum key_role role = 0; role < KEY_NUM; role++) {
        EVP_PKEY_free(keystore->keys[role]);
        brought_free(keystore->brought[role]);
    }
    free(keystore);
}

enum err keystore_bring_server(struct keystore *keystore, uint32_t number, const struct brought_files *files,
                               uint64_t now_s, struct diag *diag)
{
    const enum key_role key = key_of_server(number);
    CHECK(number >= 1 && number <= LIMIT_SERVER_CERTIFICATES && files->num > 0);
    if (keystore->brought[key] != NULL) return diag_set(diag, ERR_DENIED, "server certificate %u is there", number);
    enum err err = brought_new(&keystore->brought[key], KEY_SERVER, files, now_s, diag);
    if (err == ERR_OK) keystore->keys[key] = brought_take_key(keystore->brought[key]);
    return err;
}

bool keystore_find_server(const struct keystore *keystore, enum key_role *out, struct bytes leaf)
{
    for (uint32_t number = 0; number <= LIMIT_SERVER_CERTIFICATES; number++) {
        *out = key_of_server(number);
        if (keystore_has(keystore, *out) && bytes_equal(leaf, keystore_certificate(keystore, *out))) return true;
    }
    return false;
}

bool keystore_has(const struct keystore *keystore, enum key_role role)
{
    return holder_of(keystore, role)->keys[role] != NULL;
}

struct bytes keystore_certificate(const struct keystore *keystore, enum key_role role)
{
    keystore = holder_of(keystore, role);
    if (keystore->brought[role] != NULL) return brought_leaf(keystore->brought[role]);
    CHECK(role < KEY_NUM_ROLES);
    return (struct bytes){keystore->certificates[role].der, keystore->certificates[role].len};
}

struct bytes keystore_ocsp(const struct keystore *keystore)
{
    keystore = holder_of(keystore, KEY_SERVER);
    return (struct bytes){keystore->ocsp, keystore->ocsp_len};
}

struct bytes keystore_issuer(const struct keystore *keystore, enum key_role role)
{
    keystore = holder_of(keystore, role);
    if (keystore->brought[role] == NULL) return keystore_certificate(keystore, KEY_CA);
    return brought_issuer(keystore->brought[role]);
}

struct bytes keystore_anchor(const struct keystore *keystore, enum key_role role)
{
    keystore = holder_of(keystore, role);
    if (keystore->brought[role] == NULL) return keystore_certificate(keystore, KEY_CA);
    return brought_anchor(keystore->brought[role]);
}

bool keystore_issues(const struct keystore *keystore)
{
    return holder_of(keystore, KEY_SERVER)->brought[KEY_SERVER] == NULL ||
           holder_of(keystore, KEY_CLIENT)->brought[KEY_CLIENT] == NULL;
}

const struct certificate_info *keystore_info(const struct keystore *keystore, enum key_role role)
{
    keystore = holder_of(keystore, role);
    if (keystore->brought[role] != NULL) return brought_info(keystore->brought[role]);
    CHECK(role < KEY_NUM_ROLES);
    return &keystore->certificates[role].info;
}

size_t keystore_schemes(uint16_t out[SCHEMES_OF_A_KEY], const struct keystore *keystore, enum key_role role)
{
    keystore = holder_of(keystore, role);
    const EVP_PKEY *key = keystore->keys[role];
    return key != NULL ? key_schemes(out, key) : 0;
}

bool keystore_does_tls12(const struct keystore *keystore)
{
    return keystore->tls12;
}

bool keystore_does(const struct keystore *keystore, enum key_role role, uint16_t scheme)
{
    keystore = holder_of(keystore, role);
    const EVP_PKEY *key = keystore->keys[role];
    return key != NULL && key_does(key, scheme);
}

enum err keystore_sign(const struct keystore *keystore, uint8_t out[SCHEME_SIGNATURE], size_t *out_len,
                       enum key_role role, const struct digest *digest)
{
    keystore = holder_of(keystore, role);
    const EVP_PKEY *key = keystore->keys[role];
    return key != NULL ? key_sign(out, out_len, key, digest) : ERR_DENIED;
}

bool keystore_verify(const struct keystore *keystore, enum key_role role, const struct digest *digest,
                     struct bytes signature)
{
    keystore = holder_of(keystore, role);
    const EVP_PKEY *key = keystore->keys[role];
    return key != NULL && key_verify(key, digest, signature);
}

/* An address has more than one text; the certificate's names have inet_ntop's. */
static void normalize_address(char out[LIMIT_NAME + 1], const char *name)
{
    uint8_t address[sizeof(struct in6_addr)];
    snprintf(out, LIMIT_NAME + 1, "%s", name);
    if (inet_pton(AF_INET, name, address) == 1) inet_ntop(AF_INET, address, out, LIMIT_NAME);
    if (inet_pton(AF_INET6, name, address) == 1) inet_ntop(AF_INET6, address, out, LIMIT_NAME);
}

bool keystore_is_server_name(const struct keystore *keystore, enum key_role server, const char *name)
{
    keystore = holder_of(keystore, server);
    const struct certificate_info *info = &keystore->certificates[KEY_SERVER].info;
    char wanted[LIMIT_NAME + 1];
    if (keystore->brought[server] != NULL) return brought_is_for(keystore->brought[server], name);
    normalize_address(wanted, name);
    for (size_t i = 0; i < info->num_names; i++) {
        if (strcasecmp(info->names[i], wanted) == 0) return true;
    }
    return false;
}
