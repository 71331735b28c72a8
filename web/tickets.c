#include "web/tickets.h"

#include <errno.h>
#include <openssl/aead.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"

enum { NAME = 16, NONCE = 12 };

/* As in the broker's file. */
struct ticket_key {
    uint8_t name[NAME];
    uint8_t secret[32];
};

/* A mapping of its own. */
struct tickets {
    size_t num;
    struct ticket_key keys[LIMIT_TICKET_KEYS];
};

_Static_assert(sizeof(struct ticket_key) == LIMIT_TICKET_KEY, "no padding in the file");

struct tickets *tickets_new(void)
{
    struct tickets *tickets = mmap(NULL, sizeof *tickets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (tickets == MAP_FAILED) return NULL;
    if (mlock(tickets, sizeof *tickets) != 0 || madvise(tickets, sizeof *tickets, MADV_DONTDUMP) != 0) {
        munmap(tickets, sizeof *tickets);
        return NULL;
    }
    return tickets;
}

void tickets_free(struct tickets *tickets)
{
    if (tickets == NULL) return;
    tickets_drop(tickets);
    munmap(tickets, sizeof *tickets);
}

void tickets_drop(struct tickets *tickets)
{
    OPENSSL_cleanse(tickets, sizeof *tickets);
}

bool tickets_ready(const struct tickets *tickets)
{
    return tickets->num > 0;
}

enum err tickets_take(struct tickets *tickets, int fd)
{
    tickets_drop(tickets);
    uint8_t more;
    ssize_t got;
    do got = pread(fd, tickets->keys, sizeof tickets->keys, 0);
    while (got < 0 && errno == EINTR);
    if (got <= 0 || (size_t)got % LIMIT_TICKET_KEY != 0 || pread(fd, &more, 1, got) != 0) {
        tickets_drop(tickets);
        return ERR_MALFORMED;
    }
    tickets->num = (size_t)got / LIMIT_TICKET_KEY;
    return ERR_OK;
}

enum err tickets_seal(const struct tickets *tickets, uint8_t *out, struct bytes in)
{
    const struct ticket_key *key = &tickets->keys[0];
    uint8_t *nonce = out + NAME;
    const size_t len = in.len + TICKETS_OVERHEAD, sealed = len - NAME - NONCE;
    if (tickets->num == 0) {
        RAND_bytes(out, len);
        return ERR_OK;
    }
    EVP_AEAD_CTX aead;
    size_t out_len;
    memcpy(out, key->name, NAME);
    RAND_bytes(nonce, NONCE);
    if (!EVP_AEAD_CTX_init(&aead, EVP_aead_aes_256_gcm(), key->secret, sizeof key->secret, 0, NULL)) return ERR_CRYPTO;
    const int good =
        EVP_AEAD_CTX_seal(&aead, nonce + NONCE, &out_len, sealed, nonce, NONCE, in.data, in.len, out, NAME);
    EVP_AEAD_CTX_cleanup(&aead);
    return good && out_len == sealed ? ERR_OK : ERR_CRYPTO;
}

enum err tickets_open(const struct tickets *tickets, uint8_t *out, size_t *out_len, struct bytes in)
{
    const struct ticket_key *key = NULL;
    if (in.len < TICKETS_OVERHEAD) return ERR_DENIED;
    for (size_t i = 0; i < tickets->num && key == NULL; i++)
        if (memcmp(tickets->keys[i].name, in.data, NAME) == 0) key = &tickets->keys[i];
    EVP_AEAD_CTX aead;
    if (key == NULL) return ERR_DENIED;
    if (!EVP_AEAD_CTX_init(&aead, EVP_aead_aes_256_gcm(), key->secret, sizeof key->secret, 0, NULL)) return ERR_CRYPTO;
    const int good = EVP_AEAD_CTX_open(&aead, out, out_len, in.len, in.data + NAME, NONCE, in.data + NAME + NONCE,
                                       in.len - NAME - NONCE, in.data, NAME);
    EVP_AEAD_CTX_cleanup(&aead);
    ERR_clear_error();
    return good ? ERR_OK : ERR_DENIED;
}
