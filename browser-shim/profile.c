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

static enum err make_dir(const char *path, struct diag *diag)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM, "browser home '%s': %s", path, strerror(errno));
}

/* All directories on the way to the file, below base, which is there. */
static enum err make_parents(const char *base, const char *path, struct diag *diag)
{
    char dir[LIMIT_PATH];
    for (const char *slash = strchr(path + strlen(base) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
        enum err err = make_dir(dir, diag);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

/* Copies text with the words in their places. False: it does not fit. */
static bool fill_in(char *out, size_t size, const char *text, const struct profile_words *words)
{
    /* The origin without its port: for Firefox's match patterns, which know none. */
    const char *port = strrchr(words->origin, ':');
    const size_t origin_len = strlen(words->origin);
    const bool has_port = port != NULL && port[1] != '/' && strchr(port, ']') == NULL;
    const struct {
        const char *mark;
        const char *word;
        size_t word_len;
    } places[] = {{"@ORIGIN@", words->origin, origin_len},
                  {"@SITE@", words->origin, has_port ? (size_t)(port - words->origin) : origin_len},
                  {"@MODULE@", words->module, strlen(words->module)}};
    size_t len = 0;
    while (*text != '\0') {
        const char *add = text;
        size_t add_len = 1, taken = 1;
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            if (strncmp(text, places[i].mark, strlen(places[i].mark)) != 0) continue;
            add = places[i].word;
            add_len = places[i].word_len;
            taken = strlen(places[i].mark);
        }
        if (len + add_len >= size) return false;
        memcpy(out + len, add, add_len);
        len += add_len;
        text += taken;
    }
    out[len] = '\0';
    return true;
}

enum err profile_write(const char *base, const struct profile_file *file, const struct profile_words *words,
                       struct diag *diag)
{
    char path[LIMIT_PATH];
    char text[PROFILE_TEXT];
    int path_len = snprintf(path, sizeof path, "%s/%s", base, file->path);
    if (path_len < 0 || (size_t)path_len >= sizeof path || !fill_in(text, sizeof text, file->text, words))
        return diag_set(diag, ERR_TOO_LARGE, "browser home '%s': what belongs into '%s' is too long", base, file->path);
    enum err err = make_parents(base, path, diag);
    if (err != ERR_OK) return err;
    size_t len = strlen(text);
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, text, len) == (ssize_t)len) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM, "browser home '%s': %s", path, strerror(errno));
}

enum err profile_make(const char *home, const struct profile_file *files, size_t num_files,
                      const struct profile_words *words, struct diag *diag)
{
    char runtime[LIMIT_PATH];
    snprintf(runtime, sizeof runtime, "%s/run", home);
    enum err err = remove_tree(home, diag);
    if (err == ERR_OK) err = make_dir(home, diag);
    if (err == ERR_OK) err = make_dir(runtime, diag);
    for (size_t i = 0; err == ERR_OK && i < num_files; i++) err = profile_write(home, &files[i], words, diag);
    return err;
}
