/* A peer's address as log lines and sessions show it. */
#ifndef KEYWARD_WEB_PEER_ADDRESS_H
#define KEYWARD_WEB_PEER_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

/* peer_address_format writes "127.0.0.1:40000", "[::1]:40000" (an IPv4 address in IPv6's clothes as IPv4), or "?" for
 * a family that is neither. 64 bytes are enough. */
void peer_address_format(char *out, size_t out_len, const struct sockaddr_storage *address);

#endif
