/* What an operator may choose of TLS, by the names that people know and BoringSSL reads: sets, as bits. The order of
 * preference is that of the lists, whatever the operator's. Nothing weak is on them. */
#ifndef KEYWARD_PROTO_TLS_CHOICE_H
#define KEYWARD_PROTO_TLS_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

/* Groups (RFC 8446, 4.2.7). */
#define TLS_GROUP_X25519_MLKEM768 1u
#define TLS_GROUP_X25519 2u
#define TLS_GROUP_P256 4u
#define TLS_GROUP_P384 8u
#define TLS_GROUPS_ALL 15u

/* Suites of TLS 1.2, all with ECDHE and AEAD: three for a server with an ECDSA key, three for one with an RSA key. Those of
 * TLS 1.3 are fixed. */
#define TLS_SUITES_ECDSA 7u
#define TLS_SUITES_RSA 56u
#define TLS_SUITES_ALL 63u

/* The longest list, with its NUL. */
#define TLS_CHOICE_LIST 256

struct tls_terms {
    bool tls12;      /* TLS 1.2 as well as 1.3 */
    uint32_t groups; /* 0: all that this BoringSSL has */
    uint32_t suites; /* of TLS 1.2; 0: all */
};

enum tls_choice { TLS_CHOICE_GROUPS, TLS_CHOICE_SUITES };

/* tls_choice_bit returns the bit of the name; 0: there is none of that name. */
uint32_t tls_choice_bit(enum tls_choice choice, const char *name);

/* tls_choice_list writes the names of a set with this between them. */
void tls_choice_list(char out[TLS_CHOICE_LIST], enum tls_choice choice, uint32_t set, const char *between);

#endif
