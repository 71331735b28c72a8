/* A server of other people's, with a CA and one below it. A test changes them before they are issued. */
#ifndef KEYWARD_TESTS_UNIT_KEYD_SERVER_CASE_H
#define KEYWARD_TESTS_UNIT_KEYD_SERVER_CASE_H

#include <criterion/criterion.h>

#include "base/limits.h"
#include "keyd/server_verify.h"
#include "tests/unit/keyd/pki.h"

enum {
    ECDSA_P256 = 0x0403,
    ECDSA_P384 = 0x0503,
    ECDSA_P521 = 0x0603,
    RSA_PKCS1_SHA256 = 0x0401,
    RSA_SHA256 = 0x0804,
    RSA_SHA384 = 0x0805,
    RSA_SHA512 = 0x0806,
    ED25519 = 0x0807,
};

#define START INT64_C(1700000000)
#define END INT64_C(1800000000)
#define NOW UINT64_C(1750000000)
#define NAME "service.example.com"

extern const struct bytes content; /* what the server signs */
extern struct pki_spec root, middle, leaf;
extern struct server_wanted wanted;
extern struct bytes chain[LIMIT_SERVER_CHAIN + 1]; /* what issue makes of leaf and middle */
extern struct server_shown shown;

/* server_case_setup makes them good ones. */
void server_case_setup(void);

/* issue makes the certificates and the server's signature; issue_and_expect asserts the verdict on them. */
void issue(void);
void issue_and_expect(enum server_verdict verdict, const char *what);

#define assert_verdict(expected, ...) cr_assert_eq(server_verify(&wanted, &shown), expected, __VA_ARGS__)

#endif
