#include "keyd/key_load.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/obj.h>
#include <openssl/pem.h>

#include "base/limits.h"
#include "keyd/key_sign.h"

#define WANTED "want ECDSA on P-256 or P-384, or RSA of 2048, 3072 or 4096 bits"

/* One byte more than is allowed tells that the file is too long. */
#define ROOM (LIMIT_KEY_FILE + 1u)

static enum err read_file(uint8_t room[ROOM], size_t *out_len, int fd, const char *option, struct diag *diag)
{
    size_t len = 0;
    while (len < ROOM) {
        const ssize_t got = pread(fd, room + len, ROOM - len, (off_t)len);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return diag_set(diag, ERR_SYSTEM, "%s: cannot be read: %s", option, strerror(errno));
        if (got == 0) break;
        len += (size_t)got;
    }
    *out_len = len;
    if (len < ROOM) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "%s: longer than %u bytes; give a file that holds the private key alone", option,
                    LIMIT_KEY_FILE);
}

static bool holds(const uint8_t *file, size_t len, const char *text)
{
    return memmem(file, len, text, strlen(text)) != NULL;
}

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *out, int out_len, int for_writing, void *unused)
{
    (void)out, (void)out_len, (void)for_writing, (void)unused;
    return 0;
}

static enum err complain(const char *option, struct diag *diag)
{
    const uint32_t error = ERR_peek_error();
    const bool no_memory = ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    const char *reason = ERR_reason_error_string(error);
    ERR_clear_error();
    if (no_memory) return diag_set(diag, ERR_MEMORY, "%s: no secret memory left for the key", option);
    return diag_set(diag, ERR_INPUT, "%s: the private key in it cannot be read (%s); " WANTED ", as PEM", option,
                    reason != NULL ? reason : "no reason given");
}

static enum err parse(EVP_PKEY **out, const uint8_t *file, size_t len, const char *option, struct diag *diag)
{
    if (holds(file, len, "BEGIN ENCRYPTED PRIVATE KEY") || holds(file, len, "4,ENCRYPTED"))
        return diag_set(diag, ERR_INPUT,
                        "%s: the private key is encrypted, and there is nobody to ask for its passphrase; decrypt it "
                        "with openssl pkey and protect the file by its owner and mode",
                        option);
    if (!holds(file, len, "PRIVATE KEY-----"))
        return diag_set(diag, ERR_INPUT, "%s: no private key in it; want PEM, '-----BEGIN PRIVATE KEY-----'", option);
    BIO *bio = BIO_new_mem_buf(file, (int)len);
    *out = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    return *out != NULL ? ERR_OK : complain(option, diag);
}

static enum err refuse_kind(const EVP_PKEY *key, const char *option, struct diag *diag)
{
    const char *curve;
    switch (EVP_PKEY_id(key)) {
    case EVP_PKEY_RSA:
        return diag_set(diag, ERR_INPUT, "%s: an RSA key of %d bits; " WANTED, option, EVP_PKEY_bits(key));
    case EVP_PKEY_EC:
        curve = EC_curve_nid2nist(EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key))));
        return diag_set(diag, ERR_INPUT, "%s: an ECDSA key on %s; " WANTED, option, curve != NULL ? curve : "?");
    case EVP_PKEY_ED25519:
        return diag_set(diag, ERR_INPUT, "%s: an Ed25519 key, which browsers do not take; " WANTED, option);
    default: return diag_set(diag, ERR_INPUT, "%s: neither an ECDSA nor an RSA key; " WANTED, option);
    }
}

enum err key_load(EVP_PKEY **out, int fd, const char *option, struct diag *diag)
{
    size_t len = 0;
    uint16_t schemes[SCHEMES_OF_A_KEY];
    *out = NULL;
    /* On the secret heap, which wipes it. */
    uint8_t *file = OPENSSL_malloc(ROOM);
    if (file == NULL) return diag_set(diag, ERR_MEMORY, "%s: no secret memory left for the key", option);
    enum err err = read_file(file, &len, fd, option, diag);
    if (err == ERR_OK) err = parse(out, file, len, option, diag);
    OPENSSL_free(file);
    if (err == ERR_OK && key_schemes(schemes, *out) == 0) {
        err = refuse_kind(*out, option, diag);
        EVP_PKEY_free(*out);
        *out = NULL;
    }
    return err;
}
