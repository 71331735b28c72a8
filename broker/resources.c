#include "broker/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "broker/listener.h"
#include "broker/memory_file.h"
#include "broker/upstream_ca.h"
#include "proto/field.h"

/* They travel in a message, which takes text only. */
static enum err take_variable(char out[LIMIT_PATH + 1], const char *name, const char *value, struct diag *diag)
{
    if (!field_text(value, 0, LIMIT_PATH)) {
        return diag_set(diag, ERR_INPUT, "%s: longer than %u bytes or not UTF-8; set it right, or add --headless", name,
                        LIMIT_PATH);
    }
    snprintf(out, LIMIT_PATH + 1, "%s", value ? value : "");
    return ERR_OK;
}

static enum err read_display(struct display *out, struct diag *diag)
{
    char path[2 * LIMIT_PATH];
    const char *wayland = getenv("WAYLAND_DISPLAY");
    const char *session = getenv("XDG_RUNTIME_DIR");
    *out = (struct display){0};
    if (wayland && wayland[0] && wayland[0] != '/') {
        snprintf(path, sizeof path, "%s/%s", session ? session : "", wayland);
        wayland = session ? path : NULL;
    }
    enum err err = take_variable(out->x11, "DISPLAY", getenv("DISPLAY"), diag);
    if (err == ERR_OK) err = take_variable(out->xauthority, "XAUTHORITY", getenv("XAUTHORITY"), diag);
    if (err == ERR_OK) err = take_variable(out->wayland, "WAYLAND_DISPLAY", wayland, diag);
    return err;
}

static const struct browser_program browsers[] = {
    {CONFIG_BROWSER_CHROMIUM, "chromium", "/usr/lib/chromium/chromium", "chromium",
     BROWSER_CAN_SIGN | BROWSER_CAN_HEADLESS | BROWSER_CAN_X11 | BROWSER_CAN_WAYLAND | BROWSER_CAN_PICTURES},
    {CONFIG_BROWSER_FIREFOX, "firefox", "/usr/lib/firefox-esr/firefox-esr", "firefox-esr",
     BROWSER_CAN_SIGN | BROWSER_CAN_HEADLESS | BROWSER_CAN_X11 | BROWSER_CAN_WAYLAND | BROWSER_CAN_PICTURES},
    {CONFIG_BROWSER_COG, "cog", "/usr/bin/cog", "cog", BROWSER_CAN_HEADLESS | BROWSER_CAN_WAYLAND},
    {CONFIG_BROWSER_EPIPHANY, "epiphany", "/usr/bin/epiphany", "epiphany-browser",
     BROWSER_CAN_X11 | BROWSER_CAN_WAYLAND},
};

static bool is_wanted(const struct browser_program *browser, const struct config *config)
{
    if (config->browser == CONFIG_BROWSER_IF_POSSIBLE) return (browser->can & BROWSER_CAN_SIGN) != 0;
    return config->browser == browser->choice;
}

/* The one that was asked for, or the first that is there. NULL: there is none. */
static const struct browser_program *find_browser(const struct config *config)
{
    for (size_t i = 0; i < sizeof browsers / sizeof browsers[0]; i++) {
        if (is_wanted(&browsers[i], config) && access(browsers[i].path, X_OK) == 0) return &browsers[i];
    }
    return NULL;
}

static enum err say_missing(const struct config *config, struct diag *diag)
{
    const struct browser_program *wanted = browsers;
    while (!is_wanted(wanted, config)) wanted++;
    return diag_set(diag, ERR_INPUT, "--browser %s: '%s': %s; install %s", wanted->name, wanted->path, strerror(ENOENT),
                    wanted->package);
}

/* What a browser cannot do is no reason to run without it: it was asked for. */
static enum err check_abilities(const struct resources *resources, const struct config *config, struct diag *diag)
{
    const struct browser_program *browser = resources->browser;
    const struct display *display = &resources->display;
    if (config->screenshot[0] && (browser->can & BROWSER_CAN_PICTURES) == 0)
        return diag_set(diag, ERR_INPUT, "--screenshot: %s takes none; use --browser chromium", browser->name);
    if (config->headless && (browser->can & BROWSER_CAN_HEADLESS) == 0)
        return diag_set(diag, ERR_INPUT, "--headless: %s needs a screen; give it one with Xvfb or cage, or use cog",
                        browser->name);
    if (display->x11[0] && !display->wayland[0] && (browser->can & BROWSER_CAN_X11) == 0)
        return diag_set(diag, ERR_INPUT,
                        "--browser %s: only an X display; set WAYLAND_DISPLAY (cage makes one), or add --headless",
                        browser->name);
    return ERR_OK;
}

static enum err decide_browser(struct resources *out, const struct config *config, struct diag *diag)
{
    out->with_browser = false;
    if (config->browser == CONFIG_BROWSER_NONE) return ERR_OK;
    out->browser = find_browser(config);
    if (out->browser == NULL) {
        if (config->browser != CONFIG_BROWSER_IF_POSSIBLE || config->headless) return say_missing(config, diag);
        out->browserless =
            "no Chromium and no Firefox: running without a browser; install chromium, or say --no-browser";
        return ERR_OK;
    }
    enum err err = config->headless ? ERR_OK : read_display(&out->display, diag);
    if (err == ERR_OK) err = check_abilities(out, config, diag);
    if (err != ERR_OK) return err;
    if (!config->headless && !out->display.x11[0] && !out->display.wayland[0]) {
        out->browserless = "no display: running without a browser; set DISPLAY or WAYLAND_DISPLAY, or add --headless";
        return ERR_OK;
    }
    out->with_browser = true;
    return ERR_OK;
}

/* rights is what web's user needs in the directory. */
static enum err open_dir(int *out_fd, struct opener *opener, const char *path, const char *flag, const struct user *web,
                         int rights, struct diag *diag)
{
    AUTO_FD fd = opener_open(opener, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        return diag_set(diag, ERR_INPUT, "%s '%s': %s; give a directory that can be read", flag, path, strerror(errno));
    }
    enum err err = opener_takes(opener) ? ERR_OK : user_may_access(web, fd, rights);
    if (err == ERR_SYSTEM) {
        return diag_set(diag, err,
                        "%s '%s': cannot become %s (uid %u) to try it; that user has to exist in this user namespace",
                        flag, path, web->name, (unsigned)web->uid);
    }
    if (err != ERR_OK && (rights & W_OK) != 0) {
        return diag_set(diag, ERR_INPUT, "%s '%s': uid %u, which web runs as, cannot write there; run: chown %u '%s'",
                        flag, path, (unsigned)web->uid, (unsigned)web->uid, path);
    }
    if (err != ERR_OK) {
        return diag_set(diag, ERR_INPUT, "%s '%s': uid %u, which web runs as, cannot read it; run: chmod o+rx '%s'",
                        flag, path, (unsigned)web->uid, path);
    }
    *out_fd = auto_keep_fd(&fd);
    return ERR_OK;
}

static enum err open_screenshot(struct resources *out, const char *path, enum resources_use use, struct diag *diag)
{
    int making = use == RESOURCES_RUN ? O_CREAT | O_TRUNC : 0;
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC | making, 0644);
    if (fd < 0 && !(use == RESOURCES_CHECK && errno == ENOENT)) {
        return diag_set(diag, ERR_INPUT, "--screenshot '%s': %s; give a file that can be written", path,
                        strerror(errno));
    }
    out->screenshot = auto_keep_fd(&fd);
    return ERR_OK;
}

/* No worker may shorten under another's feet what both have mapped. */
static enum err open_quota(struct resources *out, struct diag *diag)
{
    AUTO_FD fd = memory_file_new("upload-quota");
    if (fd < 0 || pwrite(fd, "", 1, LIMIT_QUOTA_PAGE - 1) != 1 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) != 0)
        return diag_set(diag, ERR_SYSTEM, "[content] upload_quota: no memory to share: %s", strerror(errno));
    out->quota = auto_keep_fd(&fd);
    return ERR_OK;
}

static enum err open_proxy_cas(struct resources *out, const struct config *config, struct opener *opener,
                               struct diag *diag)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < config->num_proxies && err == ERR_OK; i++) {
        const char *path = config_proxy_ca(config, config->proxies[i].prefix);
        if (path) err = upstream_ca_read(&out->proxy_cas[i], opener, path, diag);
    }
    return err;
}

static enum err open_servers(struct resources *out, const struct config *config, struct opener *opener,
                             struct diag *diag)
{
    if (config->num_certificates == 0) return ERR_OK;
    out->servers = calloc(config->num_certificates, sizeof *out->servers);
    if (!out->servers) return diag_set(diag, ERR_MEMORY, "no memory for the certificates");
    for (size_t i = 0; i < config->num_certificates; i++) {
        const struct config_certificate *row = &config->certificates[i];
        enum err err = brought_open_server(&out->servers[i], opener, row->name, row->certificate, row->key, diag);
        if (err != ERR_OK) return err;
        out->num_servers++;
    }
    return ERR_OK;
}

static void name_page(struct resources *out, const struct config *config)
{
    out->mode = config->tls_mode;
    address_url(out->url, sizeof out->url, config->tls_mode == TLS_MODE_OFF ? "http" : "https", &config->listen);
}

/* Nothing is open yet. */
static void init_content(struct resources *out)
{
    out->root = out->uploads = out->quota = -1;
    out->trust = (struct trust_files){0};
    out->staples = (struct staple_files){0};
    out->server = out->client = (struct brought){.key = -1};
    memset(out->proxy_cas, 0, sizeof out->proxy_cas);
    out->servers = NULL;
    out->num_servers = 0;
}

enum err resources_open_content(struct resources *out, const struct config *config, struct opener *opener,
                                struct diag *diag)
{
    const struct user *web = &out->users[PROGRAM_WEB];
    enum err err = ERR_OK;
    init_content(out);
    if (config->root[0]) err = open_dir(&out->root, opener, config->root, "--root", web, R_OK | X_OK, diag);
    if (err == ERR_OK && config->uploads[0]) {
        err = open_dir(&out->uploads, opener, config->uploads, "--uploads", web, W_OK | X_OK, diag);
    }
    if (err == ERR_OK) err = open_proxy_cas(out, config, opener, diag);
    if (err == ERR_OK) err = trust_files_open(&out->trust, opener, config, diag);
    if (err == ERR_OK) {
        err = brought_open(&out->server, opener, "server", config->server_certificate, config->server_key, diag);
    }
    if (err == ERR_OK) {
        err = brought_open(&out->client, opener, "client", config->client_certificate, config->client_key, diag);
    }
    if (err == ERR_OK) err = open_servers(out, config, opener, diag);
    if (err == ERR_OK) err = staple_files_open(&out->staples, opener, config, diag);
    return err;
}

static bool is_same_dir(int a, int b)
{
    struct stat left, right;
    return a >= 0 && b >= 0 && fstat(a, &left) == 0 && fstat(b, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

/* Workers that put files into the same directory count together, whatever their configuration is. */
static enum err reopen_quota(struct resources *out, const struct resources *current, struct diag *diag)
{
    if (current->quota < 0 || !is_same_dir(out->uploads, current->uploads)) return open_quota(out, diag);
    out->quota = fcntl(current->quota, F_DUPFD_CLOEXEC, 0);
    return out->quota >= 0 ? ERR_OK : diag_set(diag, ERR_SYSTEM, "[content] upload_quota: %s", strerror(errno));
}

enum err resources_reopen(struct resources *out, const struct resources *current, const struct config *config,
                          struct opener *opener, struct diag *diag)
{
    *out = *current;
    enum err err = resources_open_content(out, config, opener, diag);
    if (err == ERR_OK && config->upload_quota > 0) err = reopen_quota(out, current, diag);
    if (err != ERR_OK) resources_close_content(out);
    if (err == ERR_OK && config->listens) name_page(out, config);
    return err;
}

/* Once: at a reload the broker is in its sandbox, and those that need this are the same. */
static enum err find_upstreams(struct resources *out, const struct config *config, struct diag *diag)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < config->num_proxies && err == ERR_OK; i++) {
        if (config->proxies[i].tls) err = upstream_lookup(&out->upstreams[i], &config->proxies[i], diag);
    }
    return err;
}

static enum err open_files(struct resources *out, const struct config *config, enum resources_use use,
                           struct diag *diag)
{
    enum err err = resources_open_content(out, config, NULL, diag);
    if (err == ERR_OK) err = find_upstreams(out, config, diag);
    if (err == ERR_OK && config->upload_quota > 0) err = open_quota(out, diag);
    if (err == ERR_OK && config->screenshot[0] && out->with_browser) {
        err = open_screenshot(out, config->screenshot, use, diag);
    }
    return err;
}

static enum err bind_streams(struct resources *out, struct config *config, struct diag *diag)
{
    for (size_t i = 0; i < config->num_streams; i++) {
        enum err err = listener_bind(&out->streams[i], &config->streams[i].listen, "stream", diag);
        if (err != ERR_OK) return err;
        address_format(out->stream_addresses[i], &config->streams[i].listen);
    }
    return ERR_OK;
}

static enum err bind_listeners(struct resources *out, struct config *config, struct diag *diag)
{
    enum err err = ERR_OK;
    if (config->listens) err = listener_bind(&out->listener, &config->listen, "listen", diag);
    if (err == ERR_OK && config->echoes) err = listener_bind(&out->echo, &config->echo, "echo", diag);
    if (err != ERR_OK) return err;
    out->page_port = config->listens ? address_port(&config->listen) : CONFIG_DEFAULT_PORT;
    out->web_port = out->page_port;
    if (out->with_browser && (out->browser->can & BROWSER_CAN_SIGN) == 0)
        out->web_port = (uint16_t)(out->page_port < UINT16_MAX ? out->page_port + 1 : out->page_port - 1);
    snprintf(out->page, sizeof out->page, "https://localhost:%u", (unsigned)out->page_port);
    if (config->listens) {
        address_format(out->listener_address, &config->listen);
        name_page(out, config);
    } else {
        snprintf(out->url, sizeof out->url, "%s", out->with_browser ? out->page : "none");
    }
    if (config->echoes) address_format(out->echo_address, &config->echo);
    return bind_streams(out, config, diag);
}

static void find_users(struct resources *out)
{
    user_of(&out->broker, topology_broker());
    for (size_t i = 0; i < topology_len; i++) {
        if (topology[i].program != PROGRAM_NONE) user_of(&out->users[topology[i].program], &topology[i]);
    }
}

enum err resources_open(struct resources *out, struct config *config, enum resources_use use, const char *programs_dir,
                        struct diag *diag)
{
    *out = (struct resources){.listener = -1,
                              .echo = -1,
                              .root = -1,
                              .uploads = -1,
                              .quota = -1,
                              .screenshot = -1,
                              .server = {.key = -1},
                              .client = {.key = -1}};
    for (size_t i = 0; i < LIMIT_STREAMS; i++) out->streams[i] = -1;
    find_users(out);
    enum err err = decide_browser(out, config, diag);
    if (err == ERR_OK) err = programs_open(&out->programs, programs_dir, out->with_browser, diag);
    if (err != ERR_OK) return err;
    err = bind_listeners(out, config, diag);
    if (err == ERR_OK) err = open_files(out, config, use, diag);
    if (err != ERR_OK) resources_close(out);
    return err;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

void resources_close_content(struct resources *resources)
{
    close_fd(&resources->root);
    close_fd(&resources->uploads);
    close_fd(&resources->quota);
    trust_files_free(&resources->trust);
    staple_files_free(&resources->staples);
    for (size_t i = 0; i < LIMIT_PROXIES; i++) {
        free((void *)(uintptr_t)resources->proxy_cas[i].data);
        resources->proxy_cas[i] = (struct bytes){0};
    }
    brought_close(&resources->server);
    brought_close(&resources->client);
    for (size_t i = 0; i < resources->num_servers; i++) brought_close(&resources->servers[i]);
    free(resources->servers);
    resources->servers = NULL;
    resources->num_servers = 0;
}

void resources_stop_listening(struct resources *resources)
{
    close_fd(&resources->listener);
    close_fd(&resources->echo);
    for (size_t i = 0; i < LIMIT_STREAMS; i++) close_fd(&resources->streams[i]);
}

void resources_close(struct resources *resources)
{
    resources_close_content(resources);
    resources_stop_listening(resources);
    close_fd(&resources->screenshot);
    programs_close(&resources->programs);
}
