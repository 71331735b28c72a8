/* Whether the server in a TLS 1.3 handshake is the one that it has to be: its certificates lead to one pinned certificate
 * (RFC 5280, 6), the first of them has the name (RFC 9525: subjectAltName alone, a wildcard only as the whole leftmost
 * label), is in its time and for servers, and the CertificateVerify is by its key (RFC 8446, 4.4.3). BoringSSL parses
 * and builds the path. Nothing is kept from one call to the next.
 *
 * Keys: ECDSA on P-256 and P-384, Ed25519, RSA of 2048 to 8192 bits (P-521 takes too long to verify for a process that
 * everybody waits for); signatures on certificates with SHA-256, SHA-384, SHA-512 or Ed25519. There is no revocation: whoever pins a CA trusts what it has signed until it expires. */
#ifndef KEYWARD_KEYD_SERVER_VERIFY_H
#define KEYWARD_KEYD_SERVER_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Who it has to be. */
struct server_wanted {
    struct bytes ca;  /* DER */
    const char *name; /* a host name, or an IP address in text */
    uint64_t now_s;   /* the time of day, in seconds since the epoch */
};

/* What a handshake shows of its server. */
struct server_shown {
    const struct bytes *chain; /* DER, the server's own first */
    size_t num_chain;
    uint16_t scheme;        /* of its CertificateVerify (RFC 8446, 4.2.3), as the next two */
    struct bytes content;   /* what was signed */
    struct bytes signature; /* of it */
};

/* The first thing that is wrong. */
enum server_verdict {
    SERVER_GOOD,
    SERVER_UNREADABLE, /* a certificate that is none, or no memory to read it */
    SERVER_NO_CA,      /* the pinned certificate may not vouch for servers */
    SERVER_UNTRUSTED,  /* the chain does not lead to the pinned certificate */
    SERVER_NOT_NAMED,
    SERVER_OUT_OF_TIME,
    SERVER_MISUSED, /* a certificate in the chain is not for what it does there */
    SERVER_WEAK,    /* a key or a signature algorithm that is not in the list above */
    SERVER_UNSIGNED /* the CertificateVerify is not by the server's key */
};

enum server_verdict server_verify(const struct server_wanted *wanted, const struct server_shown *shown);

/* server_verify_can says whether there can be such a server at all: ca is a certificate of a CA that may vouch for
 * servers, and name is a host name or an address. What is wrong is said as above. */
enum server_verdict server_verify_can(const struct server_wanted *wanted);

#endif
