/* A mutual handshake of BoringSSL with itself, in memory, to see what it wants signed. */
#ifndef KEYWARD_TESTS_UNIT_KEYD_HANDSHAKE_H
#define KEYWARD_TESTS_UNIT_KEYD_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

struct handshake {
    uint8_t server_input[512];
    size_t server_input_len;
    uint8_t client_input[512]; /* TLS 1.3 only: in TLS 1.2 it is the whole transcript */
    size_t client_input_len;
};

/* handshake_run completes a handshake of this version and key exchange groups ("X25519:P-256": TLS 1.2 wants the curve of
 * the certificates among them); the keys and
 * certificates are a keystore's. A failure fails the test. */
struct handshake handshake_run(uint16_t version, const char *groups);

#endif
