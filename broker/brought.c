#include "broker/brought.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "broker/pem.h"

/* Armour takes a third more than what it holds, and a chain may have its certificates described in between. */
#define CHAIN_FILE (8u * LIMIT_CHAIN_BYTES)

static enum err read_file(uint8_t room[CHAIN_FILE], size_t *out_len, int fd)
{
    size_t len = 0;
    while (len < CHAIN_FILE) {
        ssize_t got = read(fd, room + len, CHAIN_FILE - len);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ERR_SYSTEM;
        if (got == 0) break;
        len += (size_t)got;
    }
    *out_len = len;
    return len < CHAIN_FILE ? ERR_OK : ERR_TOO_LARGE;
}

static bool holds(struct bytes text, const char *what)
{
    return memmem(text.data, text.len, what, strlen(what)) != NULL;
}

static enum err read_chain(struct brought *out, struct opener *opener, const char *flag, const char *path,
                           struct diag *diag)
{
    static uint8_t room[CHAIN_FILE];
    struct diag why = {0};
    struct bytes text = {.data = room};
    struct stat st;
    /* Not blocking: a pipe must not hold the broker up. */
    AUTO_FD fd = opener_open(opener, path, O_RDONLY | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        return diag_set(diag, ERR_INPUT, "%s '%s': is not a regular file", flag, path);
    enum err err = fd >= 0 ? read_file(room, &text.len, fd) : ERR_SYSTEM;
    if (err == ERR_SYSTEM) {
        return diag_set(diag, ERR_INPUT, "%s '%s': %s; give a PEM file that can be read", flag, path, strerror(errno));
    }
    if (err != ERR_OK) {
        return diag_set(diag, ERR_INPUT, "%s '%s': longer than %u bytes; give the leaf and its issuers alone", flag,
                        path, CHAIN_FILE - 1);
    }
    if (holds(text, "PRIVATE KEY-----")) {
        explicit_bzero(room, sizeof room);
        return diag_set(diag, ERR_INPUT,
                        "%s '%s': holds a private key, which the broker is not to see; put it into a file of its own",
                        flag, path);
    }
    err = pem_read_certificates(out->chain, &out->num, LIMIT_CHAIN, out->der, sizeof out->der, text, &why);
    if (err != ERR_OK) out->num = 0;
    return err == ERR_OK ? ERR_OK : diag_set(diag, err, "%s '%s': %s", flag, path, why.text);
}

static enum err open_key(int *out_fd, struct opener *opener, const char *flag, const char *path, struct diag *diag)
{
    struct stat st;
    AUTO_FD fd = opener_open(opener, path, O_RDONLY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return diag_set(diag, ERR_INPUT, "%s '%s': %s; give a PEM file that can be read", flag, path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) return diag_set(diag, ERR_INPUT, "%s '%s': is not a regular file", flag, path);
    /* The loader runs as whoever started the broker, and has asked this. */
    if (!opener_takes(opener) && st.st_uid != 0 && st.st_uid != geteuid()) {
        return diag_set(diag, ERR_INPUT, "%s '%s': belongs to uid %u, who can read and replace it; run: chown %u '%s'",
                        flag, path, (unsigned)st.st_uid, (unsigned)geteuid(), path);
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return diag_set(diag, ERR_INPUT, "%s '%s': mode %04o lets others than its owner at it; run: chmod 600 '%s'",
                        flag, path, (unsigned)(st.st_mode & 07777), path);
    }
    *out_fd = auto_keep_fd(&fd);
    return ERR_OK;
}

static enum err open_pair(struct brought *out, struct opener *opener, const char *certificate_flag,
                          const char *certificate, const char *key_flag, const char *key, struct diag *diag)
{
    enum err err = open_key(&out->key, opener, key_flag, key, diag);
    if (err == ERR_OK) err = read_chain(out, opener, certificate_flag, certificate, diag);
    if (err != ERR_OK) brought_close(out);
    return err;
}

enum err brought_open_server(struct brought *out, struct opener *opener, const char *name, const char *certificate,
                             const char *key, struct diag *diag)
{
    char certificate_flag[LIMIT_SERVER_SECTION + 32], key_flag[LIMIT_SERVER_SECTION + 32];
    *out = (struct brought){.key = -1};
    snprintf(certificate_flag, sizeof certificate_flag, "[certificate \"%s\"] certificate", name);
    snprintf(key_flag, sizeof key_flag, "[certificate \"%s\"] key", name);
    return open_pair(out, opener, certificate_flag, certificate, key_flag, key, diag);
}

enum err brought_open(struct brought *out, struct opener *opener, const char *role, const char *certificate,
                      const char *key, struct diag *diag)
{
    char certificate_flag[32], key_flag[32];
    *out = (struct brought){.key = -1};
    if (!certificate[0] && !key[0]) return ERR_OK;
    snprintf(certificate_flag, sizeof certificate_flag, "--%s-certificate", role);
    snprintf(key_flag, sizeof key_flag, "--%s-key", role);
    if (!certificate[0] || !key[0]) {
        return diag_set(diag, ERR_INPUT, "%s goes with %s; give both, or neither", key[0] ? key_flag : certificate_flag,
                        key[0] ? certificate_flag : key_flag);
    }
    return open_pair(out, opener, certificate_flag, certificate, key_flag, key, diag);
}

void brought_close(struct brought *brought)
{
    if (brought->key >= 0) close(brought->key);
    brought->key = -1;
    brought->num = 0;
}

enum err brought_keep_key(struct brought *brought, const struct brought *current)
{
    if (current->key < 0) return ERR_OK;
    const int key = fcntl(current->key, F_DUPFD_CLOEXEC, 0);
    if (key < 0) return ERR_SYSTEM;
    close(brought->key);
    brought->key = key;
    return ERR_OK;
}

struct bytes brought_anchor(const struct brought *brought, struct bytes made)
{
    return brought->num > 0 ? brought->chain[brought->num - 1] : made;
}

struct bytes brought_issuer(const struct brought *brought, struct bytes made)
{
    return brought->num > 0 ? brought->chain[brought->num > 1 ? 1 : 0] : made;
}
