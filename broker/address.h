/* Socket addresses as people write them: 127.0.0.1:9000, [::1]:9000. Numbers only; nothing here asks a name server. */
#ifndef KEYWARD_BROKER_ADDRESS_H
#define KEYWARD_BROKER_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

#define ADDRESS_TEXT 64

struct address {
    struct sockaddr_storage socket;
    socklen_t len;
};

/* address_parse reads ADDR:PORT. Port 0 is allowed: the kernel picks one. ERR_INPUT with what is wrong. */
MUST_CHECK enum err address_parse(struct address *out, const char *text, struct diag *diag);

/* address_format writes the form that address_parse reads. */
void address_format(char out[ADDRESS_TEXT], const struct address *address);

uint16_t address_port(const struct address *address);

/* address_is_any says whether it is 0.0.0.0 or ::. */
bool address_is_any(const struct address *address);

/* address_is_loopback says whether only this machine can reach it: 127.0.0.0/8 and ::1. */
bool address_is_loopback(const struct address *address);

/* address_host_bytes gives the 4 or 16 bytes of the host's part, in network order; the pointer lives with address. */
const uint8_t *address_host_bytes(const struct address *address, size_t *out_len);

/* address_url writes the URL that the server has for its own machine: localhost where it listens on loopback or on every
 * address, otherwise the number. scheme: "https". */
void address_url(char *out, size_t out_len, const char *scheme, const struct address *address);

#endif
