#include "browser-shim/profile.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"

static const char scheme[] = "https://";

/* A host name, an address, or an IPv6 address in brackets, with a port or without: nothing that would have to be
 * escaped in JSON or that Chromium's content-setting patterns give a meaning of their own. */
static bool is_authority_char(char c)
{
    return isalnum((unsigned char)c) || strchr(".-:[]", c) != NULL;
}

enum err profile_origin(char out[PROFILE_ORIGIN], const char *url, struct diag *diag)
{
    size_t scheme_len = sizeof scheme - 1;
    if (strncmp(url, scheme, scheme_len) != 0) {
        return diag_set(diag, ERR_INPUT, "page '%s': not an https URL; a client certificate is only sent over TLS",
                        url);
    }
    size_t len = strcspn(url + scheme_len, "/?#");
    for (size_t i = 0; i < len; i++) {
        if (!is_authority_char(url[scheme_len + i])) len = 0;
    }
    if (len == 0 || scheme_len + len >= PROFILE_ORIGIN) {
        return diag_set(diag, ERR_INPUT, "page '%s': no host in it that could be visited; want https://HOST:PORT/",
                        url);
    }
    memcpy(out, url, scheme_len + len);
    out[scheme_len + len] = '\0';
    return ERR_OK;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Removes a directory with all that is in it, following no link and leaving no file system. */
static enum err remove_tree(const char *path, struct diag *diag)
{
    enum { OPEN_DIRECTORIES = 16 };
    if (nftw(path, remove_entry, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 || errno == ENOENT) {
        return ERR_OK;
    }
    return diag_set(diag, ERR_SYSTEM, "browser home '%s': cannot remove the old one: %s", path, strerror(errno));
}

static enum err make_dir(const char *home, const char *name, struct diag *diag)
{
    char path[LIMIT_PATH];
    snprintf(path, sizeof path, "%s%s", home, name);
    if (mkdir(path, 0700) == 0) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM, "browser home '%s': %s", path, strerror(errno));
}

static enum err write_file(const char *home, const char *name, const char *text, struct diag *diag)
{
    char path[LIMIT_PATH];
    snprintf(path, sizeof path, "%s%s", home, name);
    size_t len = strlen(text);
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, text, len) == (ssize_t)len) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM, "browser home '%s': %s", path, strerror(errno));
}

static enum err make_dirs(const char *home, struct diag *diag)
{
    static const char *const names[] = {"", "/run", "/.pki", "/.pki/nssdb", "/profile", "/profile/Default"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum err err = make_dir(home, names[i], diag);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

static enum err write_files(const char *home, const char *origin, const char *module, struct diag *diag)
{
    char text[2048];
    snprintf(text, sizeof text, "library=%s\nname=Keyward\n", module);
    enum err err = write_file(home, "/.pki/nssdb/pkcs11.txt", text, diag);
    if (err != ERR_OK) return err;
    /* One filter without a condition: any certificate will do, and there is only one. The rest keeps bubbles away that
     * nobody stands at a kiosk to answer. */
    snprintf(text, sizeof text,
             "{\"profile\":{\"content_settings\":{\"exceptions\":{\"auto_select_certificate\":"
             "{\"%s,*\":{\"setting\":{\"filters\":[{}]}}}}},\"exit_type\":\"Normal\"},"
             "\"credentials_enable_service\":false,\"translate\":{\"enabled\":false}}\n",
             origin);
    return write_file(home, "/profile/Default/Preferences", text, diag);
}

enum err profile_make(const char *home, const char *origin, const char *module, struct diag *diag)
{
    enum err err = remove_tree(home, diag);
    if (err == ERR_OK) err = make_dirs(home, diag);
    if (err == ERR_OK) err = write_files(home, origin, module, diag);
    return err;
}
