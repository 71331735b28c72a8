#include "broker/trust_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "broker/pem.h"

struct kind {
    const char *flag;
    size_t max; /* bytes */
    const char *form;
    const char *remedy; /* for one that is longer */
};

static const struct kind kinds[TRUST_NUM] = {
    [TRUST_CLIENT_CA] = {"--client-ca", LIMIT_CLIENT_CA_FILE, "PEM", "give fewer CAs"},
    [TRUST_CRL] = {"--crl", LIMIT_CRL_FILE, "PEM or DER", "give the lists of the client CAs alone"},
};

static const char *path_of(const struct config *config, enum trust_kind kind)
{
    return kind == TRUST_CLIENT_CA ? config->client_ca : config->crl;
}

static enum err read_all(uint8_t *out, size_t *out_len, size_t size, int fd)
{
    *out_len = 0;
    while (*out_len < size) {
        ssize_t got = read(fd, out + *out_len, size - *out_len);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ERR_SYSTEM;
        if (got == 0) break;
        *out_len += (size_t)got;
    }
    return *out_len < size ? ERR_OK : ERR_TOO_LARGE;
}

static enum err read_file(struct trust_files *out, enum trust_kind which, struct opener *opener, const char *path,
                          struct diag *diag)
{
    const struct kind *kind = &kinds[which];
    struct stat st;
    size_t len;
    /* One byte more than is allowed tells that the file is too long. */
    AUTO_FREE uint8_t *text = malloc(kind->max + 1);
    /* Not blocking: a pipe must not hold the broker up. */
    AUTO_FD fd = opener_open(opener, path, O_RDONLY | O_NONBLOCK);
    if (!text) return diag_set(diag, ERR_MEMORY, "%s '%s': no memory", kind->flag, path);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return diag_set(diag, ERR_INPUT, "%s '%s': %s; give a %s file that can be read", kind->flag, path,
                        strerror(errno), kind->form);
    }
    if (!S_ISREG(st.st_mode)) return diag_set(diag, ERR_INPUT, "%s '%s': is not a regular file", kind->flag, path);
    enum err err = read_all(text, &len, kind->max + 1, fd);
    if (err == ERR_TOO_LARGE) {
        return diag_set(diag, ERR_INPUT, "%s '%s': longer than %zu bytes; %s", kind->flag, path, kind->max,
                        kind->remedy);
    }
    if (err != ERR_OK) return diag_set(diag, ERR_INPUT, "%s '%s': %s", kind->flag, path, strerror(errno));
    out->text[which] = text;
    out->len[which] = len;
    text = NULL;
    return ERR_OK;
}

static enum err check_armour(const struct trust_files *files, const char *path, struct diag *diag)
{
    struct diag why = {0};
    enum err err = pem_check_certificates(trust_files_get(files, TRUST_CLIENT_CA), SIZE_MAX, &why);
    return err == ERR_OK ? ERR_OK : diag_set(diag, err, "%s '%s': %s", kinds[TRUST_CLIENT_CA].flag, path, why.text);
}

enum err trust_files_open(struct trust_files *out, struct opener *opener, const struct config *config,
                          struct diag *diag)
{
    enum err err = ERR_OK;
    for (enum trust_kind kind = 0; kind < TRUST_NUM && err == ERR_OK; kind++) {
        const char *const path = path_of(config, kind);
        if (!path[0]) continue;
        err = read_file(out, kind, opener, path, diag);
        if (err == ERR_OK && kind == TRUST_CLIENT_CA) err = check_armour(out, path, diag);
    }
    return err;
}

void trust_files_free(struct trust_files *files)
{
    for (enum trust_kind kind = 0; kind < TRUST_NUM; kind++) free(files->text[kind]);
    *files = (struct trust_files){0};
}

struct bytes trust_files_get(const struct trust_files *files, enum trust_kind kind)
{
    return (struct bytes){files->text[kind], files->len[kind]};
}

bool trust_files_equal(const struct trust_files *a, const struct trust_files *b)
{
    bool equal = true;
    for (enum trust_kind kind = 0; kind < TRUST_NUM; kind++)
        equal = equal && (a->text[kind] == NULL) == (b->text[kind] == NULL) &&
                bytes_equal(trust_files_get(a, kind), trust_files_get(b, kind));
    return equal;
}

const char *trust_files_blame(const char **out_flag, const char **out_path, const struct config *config,
                              const char *text)
{
    static const char *const names[TRUST_NUM] = {[TRUST_CLIENT_CA] = "client CA file", [TRUST_CRL] = "CRL file"};
    for (enum trust_kind kind = 0; kind < TRUST_NUM; kind++) {
        if (strncmp(text, names[kind], strlen(names[kind])) != 0) continue;
        *out_flag = kinds[kind].flag;
        *out_path = path_of(config, kind);
        return text + strlen(names[kind]);
    }
    return NULL;
}
