#include "browser-shim/client_ca.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"

/* One certificate in base64, and whatever `openssl x509 -text` writes before it. */
enum { FILE_MAX = 65536 };

static enum err read_file(uint8_t *out, size_t *out_len, const char *path, struct diag *diag)
{
    struct stat st;
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return diag_set(diag, ERR_INPUT, "--cacert '%s': cannot read it: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return diag_set(diag, ERR_INPUT, "--cacert '%s' is not a regular file; name a PEM file with one certificate",
                        path);
    }
    *out_len = 0;
    for (;;) {
        ssize_t len = read(fd, out + *out_len, FILE_MAX - *out_len);
        if (len < 0 && errno == EINTR) continue;
        if (len < 0) return diag_set(diag, ERR_INPUT, "--cacert '%s': cannot read it: %s", path, strerror(errno));
        if (len == 0) return ERR_OK;
        *out_len += (size_t)len;
        if (*out_len == FILE_MAX) {
            return diag_set(diag, ERR_INPUT,
                            "--cacert '%s' is larger than one certificate can be; name a file with the one CA that "
                            "signed the server's certificate, not a bundle",
                            path);
        }
    }
}

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

static void free_x509(X509 **x509)
{
    X509_free(*x509);
}

/* The next certificate in the text. NULL: there is none. */
static X509 *next_certificate(BIO *text)
{
    X509 *x509 = PEM_read_bio_X509(text, NULL, NULL, NULL);
    ERR_clear_error();
    return x509;
}

static enum err check_ca(X509 *x509, const char *path, struct diag *diag)
{
    if (X509_get_extension_flags(x509) & EXFLAG_CA && X509_check_purpose(x509, X509_PURPOSE_SSL_SERVER, 1) == 1) {
        return ERR_OK;
    }
    return diag_set(
        diag, ERR_INPUT,
        "--cacert '%s': the certificate is not that of a CA that may vouch for servers; name the one of the "
        "CA that signed the server's certificate",
        path);
}

static enum err keep_der(struct client_ca *out, X509 *x509, const char *path, struct diag *diag)
{
    const int len = i2d_X509(x509, NULL);
    if (len <= 0 || (size_t)len > sizeof out->der) {
        return diag_set(diag, ERR_INPUT, "--cacert '%s': the certificate is larger than %u bytes", path,
                        LIMIT_CERTIFICATE);
    }
    uint8_t *at = out->der;
    out->len = (size_t)i2d_X509(x509, &at);
    return ERR_OK;
}

enum err client_ca_read(struct client_ca *out, const char *path, struct diag *diag)
{
    static uint8_t text[FILE_MAX];
    size_t len;
    enum err err = read_file(text, &len, path, diag);
    if (err != ERR_OK) return err;
    AUTO(free_bio) BIO *bio = BIO_new_mem_buf(text, (int)len);
    if (bio == NULL) return diag_set(diag, ERR_MEMORY, "no memory");
    AUTO(free_x509) X509 *x509 = next_certificate(bio);
    if (x509 == NULL) {
        return diag_set(
            diag, ERR_INPUT,
            "--cacert '%s' has no certificate in PEM; if it is DER, convert it with openssl x509 -inform der", path);
    }
    AUTO(free_x509) X509 *second = next_certificate(bio);
    if (second != NULL) {
        return diag_set(diag, ERR_INPUT,
                        "--cacert '%s' has more than one certificate; leave the one of the CA that signed the server's",
                        path);
    }
    err = check_ca(x509, path, diag);
    return err == ERR_OK ? keep_der(out, x509, path, diag) : err;
}
