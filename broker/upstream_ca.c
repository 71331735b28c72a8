#include "broker/upstream_ca.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/limits.h"
#include "broker/pem.h"

/* Armour takes a third more than what it holds, and a certificate may be described before it. */
enum { CA_FILE = 4 * LIMIT_CERTIFICATE };

static enum err read_file(uint8_t room[CA_FILE], size_t *out_len, struct opener *opener, const char *path)
{
    struct stat st;
    /* Not blocking: a pipe must not hold the broker up. */
    AUTO_FD fd = opener_open(opener, path, O_RDONLY | O_NONBLOCK);
    *out_len = 0;
    if (fd < 0 || fstat(fd, &st) != 0) return ERR_SYSTEM;
    if (!S_ISREG(st.st_mode)) return ERR_DENIED;
    while (*out_len < CA_FILE) {
        ssize_t got = read(fd, room + *out_len, CA_FILE - *out_len);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ERR_SYSTEM;
        if (got == 0) return ERR_OK;
        *out_len += (size_t)got;
    }
    return ERR_TOO_LARGE;
}

enum err upstream_ca_read(struct bytes *out, struct opener *opener, const char *path, struct diag *diag)
{
    struct diag why = {0};
    size_t len, num;
    AUTO_FREE uint8_t *text = malloc(CA_FILE);
    AUTO_FREE uint8_t *der = malloc(LIMIT_CERTIFICATE);
    if (!text || !der) return diag_set(diag, ERR_MEMORY, "[proxy] ca '%s': no memory", path);
    switch ((int)read_file(text, &len, opener, path)) {
    case ERR_OK: break;
    case ERR_DENIED: return diag_set(diag, ERR_INPUT, "[proxy] ca '%s': is not a regular file", path);
    case ERR_TOO_LARGE:
        return diag_set(diag, ERR_INPUT, "[proxy] ca '%s': longer than %u bytes; give one certificate", path,
                        (unsigned)CA_FILE - 1);
    default:
        return diag_set(diag, ERR_INPUT, "[proxy] ca '%s': %s; give a PEM file that can be read", path,
                        strerror(errno));
    }
    enum err err = pem_read_certificates(out, &num, 1, der, LIMIT_CERTIFICATE, (struct bytes){text, len}, &why);
    if (err != ERR_OK) return diag_set(diag, err, "[proxy] ca '%s': %s", path, why.text);
    der = NULL; /* out's now */
    return ERR_OK;
}
