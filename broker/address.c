#include "broker/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define WANTED "want ADDR:PORT, such as 127.0.0.1:9000 or [::1]:9000"

static struct sockaddr_in *as_v4(struct address *address)
{
    return (struct sockaddr_in *)(void *)&address->socket;
}

static struct sockaddr_in6 *as_v6(struct address *address)
{
    return (struct sockaddr_in6 *)(void *)&address->socket;
}

static const struct sockaddr_in *const_v4(const struct address *address)
{
    return (const struct sockaddr_in *)(const void *)&address->socket;
}

static const struct sockaddr_in6 *const_v6(const struct address *address)
{
    return (const struct sockaddr_in6 *)(const void *)&address->socket;
}

/* Digits only: strtoul would also take signs and blanks. */
static enum err parse_port(uint16_t *out, const char *text)
{
    unsigned value = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 5) return ERR_INPUT;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return ERR_INPUT;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value > 65535) return ERR_INPUT;
    *out = (uint16_t)value;
    return ERR_OK;
}

enum err address_parse(struct address *out, const char *text, struct diag *diag)
{
    char host[INET6_ADDRSTRLEN];
    uint16_t port;
    const char *colon = strrchr(text, ':');
    *out = (struct address){0};
    if (!colon) return diag_set(diag, ERR_INPUT, "'%s' has no port; " WANTED, text);
    if (parse_port(&port, colon + 1) != ERR_OK) {
        return diag_set(diag, ERR_INPUT, "port '%s' is not a number from 0 to 65535; " WANTED, colon + 1);
    }
    size_t len = (size_t)(colon - text);
    bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (!bracketed && memchr(text, ':', len)) {
        return diag_set(diag, ERR_INPUT, "'%s': an IPv6 address goes in brackets; " WANTED, text);
    }
    const char *start = bracketed ? text + 1 : text;
    if (bracketed) len -= 2;
    if (len >= sizeof host) return diag_set(diag, ERR_INPUT, "'%s' is not an IP address; " WANTED, text);
    memcpy(host, start, len);
    host[len] = '\0';
    if (bracketed) {
        as_v6(out)->sin6_family = AF_INET6;
        as_v6(out)->sin6_port = htons(port);
        out->len = sizeof(struct sockaddr_in6);
        if (inet_pton(AF_INET6, host, &as_v6(out)->sin6_addr) == 1) return ERR_OK;
    } else {
        as_v4(out)->sin_family = AF_INET;
        as_v4(out)->sin_port = htons(port);
        out->len = sizeof(struct sockaddr_in);
        if (inet_pton(AF_INET, host, &as_v4(out)->sin_addr) == 1) return ERR_OK;
    }
    return diag_set(diag, ERR_INPUT, "'%s' is not an IP address (names are not looked up); " WANTED, host);
}

const uint8_t *address_host_bytes(const struct address *address, size_t *out_len)
{
    if (address->socket.ss_family == AF_INET6) {
        *out_len = 16;
        return const_v6(address)->sin6_addr.s6_addr;
    }
    *out_len = 4;
    return (const uint8_t *)&const_v4(address)->sin_addr;
}

uint16_t address_port(const struct address *address)
{
    if (address->socket.ss_family == AF_INET6) return ntohs(const_v6(address)->sin6_port);
    return ntohs(const_v4(address)->sin_port);
}

static void format_host(char out[INET6_ADDRSTRLEN + 2], const struct address *address)
{
    char host[INET6_ADDRSTRLEN] = "?";
    size_t len;
    inet_ntop(address->socket.ss_family, address_host_bytes(address, &len), host, sizeof host);
    snprintf(out, INET6_ADDRSTRLEN + 2, len == 16 ? "[%s]" : "%s", host);
}

void address_format(char out[ADDRESS_TEXT], const struct address *address)
{
    char host[INET6_ADDRSTRLEN + 2];
    format_host(host, address);
    snprintf(out, ADDRESS_TEXT, "%s:%u", host, (unsigned)address_port(address));
}

bool address_is_any(const struct address *address)
{
    size_t len;
    const uint8_t *host = address_host_bytes(address, &len);
    for (size_t i = 0; i < len; i++) {
        if (host[i] != 0) return false;
    }
    return true;
}

/* Exactly the addresses that the name localhost stands for. */
static bool is_localhost(const struct address *address)
{
    static const uint8_t v4[4] = {127, 0, 0, 1};
    static const uint8_t v6[16] = {[15] = 1};
    size_t len;
    const uint8_t *host = address_host_bytes(address, &len);
    return memcmp(host, len == 16 ? v6 : v4, len) == 0;
}

bool address_is_loopback(const struct address *address)
{
    size_t len;
    const uint8_t *host = address_host_bytes(address, &len);
    return is_localhost(address) || (len == 4 && host[0] == 127);
}

void address_url(char *out, size_t out_len, const char *scheme, const struct address *address)
{
    char host[INET6_ADDRSTRLEN + 2] = "localhost";
    if (!is_localhost(address) && !address_is_any(address)) format_host(host, address);
    snprintf(out, out_len, "%s://%s:%u", scheme, host, (unsigned)address_port(address));
}
