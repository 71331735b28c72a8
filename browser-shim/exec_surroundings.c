#include "browser-shim/exec_surroundings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"

#define MODULE "module.so"

/* "pkcs11:token=Keyward;id=%HH...;type=private" */
enum { URI_MAX = 64 + 3 * SHA_DIGEST_LENGTH, TEXT_MAX = 4 * LIMIT_CERTIFICATE };

static enum err failed(const char *what, const char *path, struct diag *diag)
{
    return diag_set(diag, ERR_SYSTEM, "'%s': cannot %s: %s; make room there, or set XDG_RUNTIME_DIR", path, what,
                    strerror(errno));
}

/* False and errno: it does not fit. */
__attribute__((format(printf, 3, 4))) static bool print(char *out, size_t out_len, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    const int len = vsnprintf(out, out_len, format, values);
    va_end(values);
    errno = ENAMETOOLONG;
    return len >= 0 && (size_t)len < out_len;
}

static enum err write_file(const struct exec_surroundings *to, const char *name, const char *text, struct diag *diag)
{
    char path[LIMIT_PATH];
    if (!print(path, sizeof path, "%s/%s", to->dir, name)) return failed("make a file", to->dir, diag);
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const size_t len = strlen(text);
    if (fd >= 0 && write(fd, text, len) == (ssize_t)len) return ERR_OK;
    return failed("write it", path, diag);
}

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

static void free_x509(X509 **x509)
{
    X509_free(*x509);
}

static enum err write_certificate(const struct exec_surroundings *to, const char *name, struct bytes der,
                                  struct diag *diag)
{
    const uint8_t *at = der.data, *text = NULL;
    size_t len = 0;
    AUTO(free_x509) X509 *x509 = d2i_X509(NULL, &at, (long)der.len);
    AUTO(free_bio) BIO *bio = BIO_new(BIO_s_mem());
    if (x509 == NULL || bio == NULL || !PEM_write_bio_X509(bio, x509) || BIO_write(bio, "", 1) != 1 ||
        !BIO_mem_contents(bio, &text, &len)) {
        return diag_set(diag, ERR_CRYPTO, "%s: the broker's certificate cannot be read; restart the broker", name);
    }
    return write_file(to, name, (const char *)text, diag);
}

/* The module is beside this program. */
static enum err find_module(char *out, size_t out_len, struct diag *diag)
{
    const ssize_t len = readlink("/proc/self/exe", out, out_len - sizeof MODULE);
    char *slash = len > 0 ? memrchr(out, '/', (size_t)len) : NULL;
    if (slash == NULL) {
        return diag_set(diag, ERR_SYSTEM, "/proc/self/exe: cannot tell where this program is; mount /proc");
    }
    memcpy(slash + 1, MODULE, sizeof MODULE);
    if (access(out, R_OK) == 0) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM, "'%s': %s; install it there, or build //browser-shim:module.so", out,
                    strerror(errno));
}

/* The certificate's object and the key's have the same identifier: the SHA-1 of the certificate. */
static void make_uri(char out[URI_MAX], struct bytes certificate, const char *type)
{
    uint8_t id[SHA_DIGEST_LENGTH];
    char text[3 * SHA_DIGEST_LENGTH + 1];
    SHA1(certificate.data, certificate.len, id);
    for (size_t i = 0; i < sizeof id; i++) snprintf(text + 3 * i, 4, "%%%02x", id[i]);
    snprintf(out, URI_MAX, "pkcs11:token=Keyward;id=%s;type=%s", text, type);
}

/* ---- Each consumer ----------------------------------------------------------------------------------------------- */

static enum err set(const char *name, const char *value, struct diag *diag)
{
    return setenv(name, value, 1) == 0 ? ERR_OK : diag_set(diag, ERR_MEMORY, "%s: %s", name, strerror(errno));
}

static enum err set_file(const struct exec_surroundings *in, const char *name, const char *file, struct diag *diag)
{
    char path[LIMIT_PATH];
    if (!print(path, sizeof path, "%s%s%s", in->dir, file[0] != '\0' ? "/" : "", file)) {
        return failed("name it", in->dir, diag);
    }
    return set(name, path, diag);
}

static enum err tell_certificates(const struct exec_surroundings *to, const struct client_handle *handle,
                                  struct diag *diag)
{
    static const char *const for_ca[] = {"KEYWARD_CA_FILE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "GIT_SSL_CAINFO"};
    enum err err = write_certificate(to, "ca.pem", handle->ca, diag);
    for (size_t i = 0; i < sizeof for_ca / sizeof *for_ca && err == ERR_OK; i++) {
        err = set_file(to, for_ca[i], "ca.pem", diag);
    }
    if (err == ERR_OK) err = write_certificate(to, "client.pem", handle->certificate, diag);
    if (err == ERR_OK) err = set_file(to, "KEYWARD_CERTIFICATE_FILE", "client.pem", diag);
    return err;
}

static enum err tell_key(const struct exec_surroundings *to, const char *certificate, const char *key,
                         struct diag *diag)
{
    char text[TEXT_MAX];
    snprintf(text, sizeof text,
             "# For one command, by browser-shim exec.\n"
             "engine = \"pkcs11\"\n"
             "cert-type = \"ENG\"\ncert = \"%s\"\n"
             "key-type = \"ENG\"\nkey = \"%s\"\n",
             certificate, key);
    enum err err = write_file(to, ".curlrc", text, diag);
    if (err == ERR_OK) err = set_file(to, "CURL_HOME", "", diag);
    if (err == ERR_OK) err = set("KEYWARD_CERTIFICATE_URI", certificate, diag);
    if (err == ERR_OK) err = set("KEYWARD_KEY_URI", key, diag);
    if (err == ERR_OK) err = set("GIT_SSL_CERT", certificate, diag);
    if (err == ERR_OK) err = set("GIT_SSL_KEY", key, diag);
    return err;
}

static enum err tell_module(const char *module, struct diag *diag)
{
    static const char *const names[] = {"KEYWARD_MODULE", "PKCS11_MODULE_PATH", "PKCS11_PROVIDER_MODULE"};
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && err == ERR_OK; i++) err = set(names[i], module, diag);
    return err;
}

/* ---- p11-kit ----------------------------------------------------------------------------------------------------- */

/* Everything in the person's own configuration, but for p11-kit's, stays where it is. */
static enum err link_configuration(const char *to, struct diag *diag)
{
    char from[LIMIT_PATH], target[LIMIT_PATH], link[LIMIT_PATH];
    const char *own = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    const bool given = own != NULL && own[0] != '\0';
    if (!given && home == NULL) return ERR_OK;
    if (!print(from, sizeof from, "%s%s", given ? own : home, given ? "" : "/.config")) return ERR_OK;
    DIR *dir = opendir(from);
    if (dir == NULL) return ERR_OK; /* there is none */
    enum err err = ERR_OK;
    for (const struct dirent *entry; err == ERR_OK && (entry = readdir(dir)) != NULL;) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "pkcs11") == 0) continue;
        if (!print(target, sizeof target, "%s/%s", from, name) || !print(link, sizeof link, "%s/%s", to, name) ||
            symlink(target, link) != 0)
            err = failed("link to it", name, diag);
    }
    closedir(dir);
    return err;
}

static enum err tell_p11_kit(const struct exec_surroundings *to, const char *module, struct diag *diag)
{
    static const char *const dirs[] = {"config", "config/pkcs11", "config/pkcs11/modules"};
    char path[LIMIT_PATH], text[LIMIT_PATH + 32];
    if (geteuid() == 0) {
        return diag_set(diag, ERR_INPUT,
                        "--p11-kit: p11-kit asks nobody but the system as root; run it as another user");
    }
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        if (!print(path, sizeof path, "%s/%s", to->dir, dirs[i]) || mkdir(path, 0700) != 0) {
            return failed("make it", dirs[i], diag);
        }
    }
    if (!print(path, sizeof path, "%s/config", to->dir)) return failed("name it", to->dir, diag);
    enum err err = link_configuration(path, diag);
    snprintf(text, sizeof text, "module: %s\n", module);
    if (err == ERR_OK) err = write_file(to, "config/pkcs11/modules/keyward.module", text, diag);
    return err == ERR_OK ? set_file(to, "XDG_CONFIG_HOME", "config", diag) : err;
}

/* ---- The directory ----------------------------------------------------------------------------------------------- */

static enum err make_directory(struct exec_surroundings *out, struct diag *diag)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime == NULL || runtime[0] != '/') runtime = "/tmp";
    if (print(out->dir, sizeof out->dir, "%s/keyward-exec-XXXXXX", runtime) && mkdtemp(out->dir) != NULL) return ERR_OK;
    out->dir[0] = '\0';
    return failed("make a directory", runtime, diag);
}

enum err exec_surroundings_make(struct exec_surroundings *out, const struct client_handle *handle, bool with_p11_kit,
                                struct diag *diag)
{
    char module[LIMIT_PATH], certificate[URI_MAX], key[URI_MAX];
    *out = (struct exec_surroundings){{0}};
    enum err err = find_module(module, sizeof module, diag);
    if (err == ERR_OK) err = make_directory(out, diag);
    if (err != ERR_OK) return err;
    make_uri(certificate, handle->certificate, "cert");
    make_uri(key, handle->certificate, "private");
    err = tell_certificates(out, handle, diag);
    if (err == ERR_OK) err = tell_key(out, certificate, key, diag);
    if (err == ERR_OK) err = tell_module(module, diag);
    if (err == ERR_OK && with_p11_kit) err = tell_p11_kit(out, module, diag);
    return err;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    (void)remove(path); /* what cannot be removed holds up nothing else */
    return 0;
}

void exec_surroundings_remove(struct exec_surroundings *surroundings)
{
    enum { OPEN_MAX_DIRS = 8 };
    if (surroundings->dir[0] == '\0') return;
    (void)nftw(surroundings->dir, remove_one, OPEN_MAX_DIRS, FTW_DEPTH | FTW_PHYS);
    surroundings->dir[0] = '\0';
}
