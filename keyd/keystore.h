/* The keys and their certificates: made once, from the broker's setup, or brought by an operator, and gone with the
 * process.
 *
 * The CA's private key is destroyed as soon as it has signed the two leaves, so nothing can issue another certificate
 * in its name. */
#ifndef KEYWARD_KEYD_KEYSTORE_H
#define KEYWARD_KEYD_KEYSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "keyd/brought.h"
#include "keyd/key_generate.h"
#include "keyd/scheme.h"
#include "proto/message.h"

struct keystore;

/* keystore_new makes the keys and certificates; now_s is the time of day. ERR_INPUT: a name that may not be issued.
 * ERR_CRYPTO, ERR_MEMORY. Each with a diagnostic. */
MUST_CHECK enum err keystore_new(struct keystore **out, const struct keyd_setup *setup, uint64_t now_s,
                                 struct diag *diag);

/* The key files that come with the setup, in place of what is made; -1 where its chain is empty. */
struct keystore_files {
    int server_key;
    int client_key;
};

/* keystore_new_with does the same with what an operator brings; the descriptors stay the caller's. ERR_INPUT: also for
 * what brought_new says. */
MUST_CHECK enum err keystore_new_with(struct keystore **out, const struct keyd_setup *setup,
                                      const struct keystore_files *files, uint64_t now_s, struct diag *diag);

/* keystore_renew makes one with the server's key of this setup, its chain if it brings one and what it says of TLS 1.2, and all else as
 * keystore has it: the client's key and certificate, and the CA. It has no further servers until they are brought. Either may be freed first. ERR_INPUT: also for what brought_new
 * says, and if the server's key was brought and now is not. */
MUST_CHECK enum err keystore_renew(struct keystore **out, struct keystore *keystore, const struct keyd_setup *setup,
                                   int server_key, uint64_t now_s, struct diag *diag);
void keystore_free(struct keystore *keystore);

/* keystore_bring_server adds a server certificate and its key (brought_new), beside the default one, under a number that has none:
 * 1 to LIMIT_SERVER_CERTIFICATES. ERR_DENIED: it has one. */
MUST_CHECK enum err keystore_bring_server(struct keystore *keystore, uint32_t number, const struct brought_files *files,
                                          uint64_t now_s, struct diag *diag);

/* keystore_find_server says which server's certificate leaf is: KEY_SERVER, or one that was brought since. */
bool keystore_find_server(const struct keystore *keystore, enum key_role *out, struct bytes leaf);

/* keystore_has says whether there is a key. Of further servers that have none nothing else may be asked. */
bool keystore_has(const struct keystore *keystore, enum key_role role);

/* keystore_certificate returns the role's certificate, DER; it lives as long as the keystore. */
struct bytes keystore_certificate(const struct keystore *keystore, enum key_role role);

/* keystore_ocsp returns what keyd's CA says of the server's certificate (ocsp_response.h); empty: an operator brought that one. */
struct bytes keystore_ocsp(const struct keystore *keystore);

/* keystore_issuer returns who signed the role's certificate (KEY_SERVER, KEY_CLIENT); the certificate itself if nobody else
 * did. keystore_anchor returns the last certificate of its chain, which whoever verifies it has to trust. */
struct bytes keystore_issuer(const struct keystore *keystore, enum key_role role);
struct bytes keystore_anchor(const struct keystore *keystore, enum key_role role);

/* keystore_issues says whether the CA vouches for anybody: not if both certificates are brought. */
bool keystore_issues(const struct keystore *keystore);

/* keystore_info returns the same in words; it lives as long as the keystore. */
const struct certificate_info *keystore_info(const struct keystore *keystore, enum key_role role);

/* keystore_schemes writes the schemes that the role's key does and returns how many; none if it has no key. */
size_t keystore_schemes(uint16_t out[SCHEMES_OF_A_KEY], const struct keystore *keystore, enum key_role role);
bool keystore_does(const struct keystore *keystore, enum key_role role, uint16_t scheme);

/* keystore_does_tls12 says whether the server's key is for TLS 1.2 as well. */
bool keystore_does_tls12(const struct keystore *keystore);

/* keystore_verify says whether signature is the role's, of digest. Without memory nothing is. */
bool keystore_verify(const struct keystore *keystore, enum key_role role, const struct digest *digest,
                     struct bytes signature);

/* keystore_is_server_name says whether that server's certificate is for name, a host name or an IP address in text. */
bool keystore_is_server_name(const struct keystore *keystore, enum key_role server, const char *name);

/* keystore_sign writes a signature of digest as TLS carries it. Only keyd/dispatch.c calls it, with a digest that
 * keyd/purpose.c made, or that keyd/expectation.c foretold. ERR_DENIED: the role's key does not sign, or not under the
 * digest's scheme. ERR_CRYPTO. */
MUST_CHECK enum err keystore_sign(const struct keystore *keystore, uint8_t out[SCHEME_SIGNATURE], size_t *out_len,
                                  enum key_role role, const struct digest *digest);

#endif
