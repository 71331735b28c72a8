#include "web/handed_file.h"

#include <errno.h>
#include <openssl/mem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"

/* *out_len is max + 1 if there is more than max. */
static enum err read_all(uint8_t *out, size_t *out_len, const struct handed_file *file, struct diag *diag)
{
    for (*out_len = 0; *out_len <= file->max;) {
        ssize_t n = pread(file->fd, out + *out_len, file->max + 1 - *out_len, (off_t)*out_len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return diag_set(diag, ERR_SYSTEM, "%s: cannot be read: %s", file->name, strerror(errno));
        if (n == 0) return ERR_OK;
        *out_len += (size_t)n;
    }
    return diag_set(diag, ERR_INPUT, "%s: longer than %zu bytes; %s", file->name, file->max, file->remedy);
}

enum err handed_file_read(uint8_t **out, size_t *out_len, const struct handed_file *file, struct diag *diag)
{
    static const char private_key[] = "PRIVATE KEY-----";
    AUTO_FREE uint8_t *text = malloc(file->max + 1);
    if (text == NULL) return diag_set(diag, ERR_MEMORY, "%s: no memory", file->name);
    enum err err = read_all(text, out_len, file, diag);
    if (memmem(text, *out_len, private_key, sizeof private_key - 1) != NULL) {
        OPENSSL_cleanse(text, *out_len);
        return diag_set(diag, ERR_INPUT,
                        "%s: holds a private key, which no front end should be able to read; take it out", file->name);
    }
    if (err != ERR_OK) return err;
    *out = text;
    text = NULL;
    return ERR_OK;
}
