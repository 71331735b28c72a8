#include "rig.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "web/http/http1.h"
#include "web/http/http2.h"

void text_add(struct text *text, const void *data, size_t len)
{
    if (text->len + len >= text->room) {
        text->room = 2 * (text->len + len + 1);
        text->data = realloc(text->data, text->room);
        cr_assert_not_null(text->data);
    }
    if (len > 0) memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void text_print(struct text *text, const char *format, ...)
{
    char *line = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&line, format, args);
    va_end(args);
    cr_assert_geq(len, 0);
    text_add(text, line, (size_t)len);
    free(line);
}

void text_fill(struct text *text, char c, size_t count)
{
    char *fill = malloc(count + 1);
    cr_assert_not_null(fill);
    memset(fill, c, count);
    text_add(text, fill, count);
    free(fill);
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

static void wake(void *context)
{
    struct rig *rig = context;
    rig->wakes++;
}

static int make_dir(char *out, size_t out_len)
{
    const char *base = getenv("TEST_TMPDIR");
    snprintf(out, out_len, "%s/kwXXXXXX", base != NULL && strlen(base) < 50 ? base : "/tmp");
    cr_assert_not_null(mkdtemp(out));
    cr_assert_eq(chmod(out, 0755), 0);
    int fd = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

/* Standard error into memory, so that a test can read the log. */
static void catch_log(struct rig *rig)
{
    rig->log_fd = memfd_create("log", MFD_CLOEXEC);
    rig->stderr_fd = dup(STDERR_FILENO);
    cr_assert(rig->log_fd >= 0 && rig->stderr_fd >= 0);
    cr_assert_geq(dup2(rig->log_fd, STDERR_FILENO), 0);
}

int rig_quota_page(void)
{
    int fd = memfd_create("quota", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    cr_assert_geq(fd, 0);
    cr_assert_eq(ftruncate(fd, LIMIT_QUOTA_PAGE), 0);
    cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    return fd;
}

void rig_init(struct rig *rig, const struct rig_config *config)
{
    *rig = (struct rig){.out_step = 4096};
    snprintf(rig->peer.address, sizeof(rig->peer.address), "127.0.0.1:4000");
    snprintf(rig->peer.certificate.subject, sizeof(rig->peer.certificate.subject), "CN=kiosk \"1\"");
    snprintf(rig->peer.certificate.issuer, sizeof(rig->peer.certificate.issuer), "CN=Keyward CA");
    snprintf(rig->peer.certificate.serial, sizeof(rig->peer.certificate.serial), "0a1b");
    snprintf(rig->peer.certificate.fingerprint, sizeof(rig->peer.certificate.fingerprint), "%064d", 7);
    rig->peer.certificate.not_after = 1700000000;
    rig->peer.protocol = "TLSv1.3";
    rig->peer.cipher = "TLS_AES_128_GCM_SHA256";
    rig->peer.group = "X25519";
    rig->peer.alpn = "http/1.1";
    struct http_site_config site = {
        .root_fd = -1,
        .uploads_fd = -1,
        .max_upload_bytes = config->max_upload_bytes,
        .upload_quota = config->upload_quota,
        .quota_fd = config->upload_quota > 0 ? rig_quota_page() : -1,
        .access = config->access,
        .spa = config->spa,
        .immutable = config->immutable,
    };
    cr_assert_eq(header_table_new(&site.headers, config->headers, config->num_headers), ERR_OK);
    if (config->root) site.root_fd = make_dir(rig->root_dir, sizeof(rig->root_dir));
    if (config->uploads) site.uploads_fd = make_dir(rig->uploads_dir, sizeof(rig->uploads_dir));
    catch_log(rig);
    struct diag diag = {0};
    cr_assert_eq(http_site_open(&rig->site, &site, &diag), ERR_OK, "%s", diag.text);
}

void rig_start_http1(struct rig *rig)
{
    rig_end_session(rig);
    struct session_host host = {wake, rig};
    rig->session = http1_session_new(rig->site, &rig->peer, &host);
    cr_assert_not_null(rig->session);
}

void rig_start_http2(struct rig *rig)
{
    rig_end_session(rig);
    struct session_host host = {wake, rig};
    rig->session = http2_session_new(rig->site, &rig->peer, &host);
    cr_assert_not_null(rig->session);
}

void rig_end_session(struct rig *rig)
{
    if (rig->session != NULL) rig->session->ops->free(rig->session);
    rig->session = NULL;
}

static void remove_dir(const char *path)
{
    if (path[0] == '\0') return;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", path);
    cr_assert_eq(system(command), 0);
}

void rig_cleanup(struct rig *rig)
{
    rig_end_session(rig);
    http_site_free(rig->site);
    remove_dir(rig->root_dir);
    remove_dir(rig->uploads_dir);
    dup2(rig->stderr_fd, STDERR_FILENO); /* a sanitizer may have something to say */
    close(rig->stderr_fd);
    close(rig->log_fd);
}

static void wait_for_commit(struct rig *rig)
{
    struct pollfd done = {.fd = http_site_fd(rig->site), .events = POLLIN};
    int wakes = rig->wakes;
    cr_assert_eq(poll(&done, 1, 10000), 1, "the session waits for nothing, and no commit comes");
    http_site_complete(rig->site);
    cr_assert_gt(rig->wakes, wakes, "a commit without a wake");
}

/* One turn of the connection's loop without input; false if there is nothing to do. */
static bool turn(struct rig *rig, struct text *out)
{
    unsigned wants = rig->session->ops->wants(rig->session);
    if ((wants & SESSION_WRITE) != 0) {
        uint8_t piece[65536];
        size_t len = rig->session->ops->produce(rig->session, piece, rig->out_step);
        cr_assert_leq(len, rig->out_step);
        text_add(out, piece, len);
        return true;
    }
    if (wants != 0) return false;
    wait_for_commit(rig);
    return true;
}

void rig_pump(struct rig *rig, struct text *out)
{
    for (int turns = 0; turn(rig, out); turns++) cr_assert_lt(turns, 1000000, "the session never comes to rest");
}

void rig_talk(struct rig *rig, struct text *out, const char *data, size_t len, size_t step)
{
    size_t at = 0;
    if (out->data == NULL) text_add(out, "", 0);
    for (;;) {
        rig_pump(rig, out);
        if (at == len || (rig->session->ops->wants(rig->session) & SESSION_READ) == 0) return;
        size_t piece = len - at < step ? len - at : step;
        /* Memory of exactly that size, so that a sanitizer sees a read past its end. */
        uint8_t *copy = malloc(piece);
        cr_assert_not_null(copy);
        memcpy(copy, data + at, piece);
        enum err err = rig->session->ops->receive(rig->session, copy, piece);
        free(copy);
        at += piece;
        if (err != ERR_OK) {
            rig_pump(rig, out);
            return;
        }
    }
}

bool rig_wants_close(const struct rig *rig)
{
    return (rig->session->ops->wants(rig->session) & SESSION_CLOSE) != 0;
}

char *rig_log(const struct rig *rig)
{
    off_t size = lseek(rig->log_fd, 0, SEEK_END);
    char *log = calloc(1, (size_t)size + 1);
    cr_assert_not_null(log);
    cr_assert_eq(pread(rig->log_fd, log, (size_t)size, 0), (ssize_t)size);
    return log;
}

int rig_num_files(const char *dir)
{
    DIR *directory = opendir(dir);
    cr_assert_not_null(directory);
    int count = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return count;
}

static FILE *open_file(const char *dir, const char *name, const char *mode)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return fopen(path, mode);
}

char *rig_file(const char *dir, const char *name)
{
    FILE *file = open_file(dir, name, "rb");
    if (file == NULL) return NULL;
    char *content = calloc(1, 1 << 20);
    cr_assert_not_null(content);
    cr_assert_lt(fread(content, 1, (1 << 20) - 1, file), (1 << 20) - 1);
    fclose(file);
    return content;
}

void rig_write_file(const char *dir, const char *name, const char *content)
{
    FILE *file = open_file(dir, name, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(content, 1, strlen(content), file), strlen(content));
    cr_assert_eq(fclose(file), 0);
}
