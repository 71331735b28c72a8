#include "broker/staple_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

#define SERVER_OPTION "--server-ocsp"
#define NAMED_OPTION "[certificate \"%s\"] ocsp"

enum { OPTION_LEN = LIMIT_SERVER_SECTION + 32 };

/* One byte more than is allowed tells that the file is too long. */
enum { ROOM = LIMIT_OCSP_RESPONSE + 1 };

static ssize_t read_all(int fd, uint8_t room[ROOM])
{
    size_t len = 0;
    while (len < ROOM) {
        const ssize_t got = read(fd, room + len, ROOM - len);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

static enum err complain(struct diag *diag, const char *option, const char *path, const char *why)
{
    return diag_set(diag, ERR_INPUT, "%s '%s': %s", option, path, why);
}

static enum err read_file(struct bytes *out, struct opener *opener, const char *option, const char *path,
                          struct diag *diag)
{
    uint8_t room[ROOM];
    struct stat st;
    if (!path[0]) return ERR_OK;
    /* Not blocking: a pipe must not hold the broker up. */
    AUTO_FD fd = opener_open(opener, path, O_RDONLY | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        return complain(diag, option, path, "is not a regular file");
    const ssize_t len = fd >= 0 ? read_all(fd, room) : -1;
    if (len < 0)
        return diag_set(diag, ERR_INPUT, "%s '%s': %s; give a file that can be read", option, path, strerror(errno));
    if (len == 0) return complain(diag, option, path, "is empty; want an OCSP response, DER");
    if (len == ROOM)
        return diag_set(
            diag, ERR_INPUT,
            "%s '%s': longer than %u bytes; ask for this certificate alone, with no more certificates in the "
            "response than its responder's",
            option, path, LIMIT_OCSP_RESPONSE);
    if (room[0] == '-') return complain(diag, option, path, "is PEM; want DER, as the responder sends it");
    uint8_t *copy = malloc((size_t)len);
    if (!copy) return diag_set(diag, ERR_MEMORY, "%s '%s': no memory", option, path);
    memcpy(copy, room, (size_t)len);
    *out = (struct bytes){copy, (size_t)len};
    return ERR_OK;
}

enum err staple_files_open(struct staple_files *out, struct opener *opener, const struct config *config,
                           struct diag *diag)
{
    char option[OPTION_LEN];
    enum err err = read_file(&out->server, opener, SERVER_OPTION, config->server_ocsp, diag);
    for (size_t i = 0; i < config->num_certificates && err == ERR_OK; i++) {
        const struct config_certificate *row = &config->certificates[i];
        snprintf(option, sizeof option, NAMED_OPTION, row->name);
        err = read_file(&out->named[i], opener, option, row->ocsp, diag);
    }
    return err;
}

void staple_files_free(struct staple_files *files)
{
    free((void *)(uintptr_t)files->server.data);
    for (size_t i = 0; i < LIMIT_SERVER_CERTIFICATES; i++) free((void *)(uintptr_t)files->named[i].data);
    *files = (struct staple_files){0};
}

const char *staple_files_blame(char *out_option, size_t out_len, const char **out_path, const struct config *config,
                               const char *text)
{
    static const char words[] = "OCSP response";
    if (strncmp(text, words, sizeof words - 1) != 0) return NULL;
    const char *rest = text + sizeof words - 1;
    if (rest[0] == ':') {
        snprintf(out_option, out_len, SERVER_OPTION);
        *out_path = config->server_ocsp;
        return config->server_ocsp[0] ? rest : NULL;
    }
    for (size_t i = 0; i < config->num_certificates; i++) {
        char named[OPTION_LEN];
        const int len = snprintf(named, sizeof named, " of [certificate \"%s\"]", config->certificates[i].name);
        if (strncmp(rest, named, (size_t)len) != 0) continue;
        snprintf(out_option, out_len, NAMED_OPTION, config->certificates[i].name);
        *out_path = config->certificates[i].ocsp;
        return rest + len;
    }
    return NULL;
}
