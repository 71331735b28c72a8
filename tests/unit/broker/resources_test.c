/* What a run needs, opened: and what is said about what cannot be. */
#include "broker/resources.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CERTIFICATE "-----BEGIN CERTIFICATE-----\nMAYEBAECAwQ=\n-----END CERTIFICATE-----\n"

static char base[] = "/tmp/keyward-resources-XXXXXX";
static struct config config;
static struct resources resources;
static struct diag diag;

static const char *at(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", base, name);
    return path;
}

static void make_file(const char *name, const char *content, mode_t mode)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_EXCL, mode);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fchmod(fd, mode), 0);
    cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

static void setup(void)
{
    cr_assert_not_null(mkdtemp(base));
    cr_assert_eq(chmod(base, 0755), 0);
    static const char *const programs[] = {"keyd", "web", "browser-shim", "module.so"};
    for (size_t i = 0; i < 4; i++) make_file(programs[i], "", 0755);
    config_defaults(&config);
    cr_assert_eq(address_parse(&config.listen, "127.0.0.1:0", NULL), ERR_OK);
    config.browser = CONFIG_BROWSER_NONE;
    unsetenv("DISPLAY");
    unsetenv("WAYLAND_DISPLAY");
    unsetenv("XAUTHORITY");
}

static void teardown(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", base);
    cr_assert_eq(system(command), 0);
}

TestSuite(resources, .init = setup, .fini = teardown);

static enum err open_them(enum resources_use use)
{
    return resources_open(&resources, &config, use, base, &diag);
}

static void expect_input_error(const char *before, const char *path, const char *after)
{
    char wanted[4096];
    snprintf(wanted, sizeof wanted, "%s '%s': %s", before, path, after);
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_INPUT);
    cr_assert_str_eq(diag.text, wanted);
    cr_assert_eq(resources.listener, -1, "nothing stays open");
    cr_assert_eq(resources.programs.fds[PROGRAM_KEYD], -1);
}

Test(resources, have_the_port_that_the_kernel_picked)
{
    char url[128];
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK, "%s", diag.text);
    snprintf(url, sizeof url, "https://localhost:%u", (unsigned)address_port(&config.listen));
    cr_assert_neq(address_port(&config.listen), 0);
    cr_assert_str_eq(resources.url, url);
    cr_assert_str_eq(resources.page, url);
    cr_assert_eq(resources.page_port, address_port(&config.listen), "the browser's port is the same");
    cr_assert_not(resources.with_browser);
}

Test(resources, without_a_listener_keep_the_browsers_port)
{
    config.listens = false;
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK);
    cr_assert_eq(resources.listener, -1);
    cr_assert_str_eq(resources.page, "https://localhost:9000");
}

Test(resources, run_without_a_browser_where_there_is_no_screen)
{
    cr_assert_eq(access("/usr/lib/chromium/chromium", X_OK), 0, "needs Chromium: run tools/bootstrap");
    config.browser = CONFIG_BROWSER_CHROMIUM;
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK);
    cr_assert_not(resources.with_browser);
    resources_close(&resources);
    config.headless = true;
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK);
    cr_assert(resources.with_browser);
    resources_close(&resources);
    config.headless = false;
    setenv("DISPLAY", ":7", 1);
    setenv("WAYLAND_DISPLAY", "wayland-1", 1);
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK);
    cr_assert(resources.with_browser);
    cr_assert_str_eq(resources.display.x11, ":7");
    cr_assert_str_eq(resources.display.wayland, "/run/user/7/wayland-1");
}

Test(resources, put_a_gateway_before_a_browser_that_cannot_sign)
{
    cr_assert_eq(access("/usr/lib/chromium/chromium", X_OK), 0, "needs Chromium: run tools/bootstrap");
    cr_assert_eq(access("/usr/bin/cog", X_OK), 0, "needs cog: run tools/bootstrap");
    config.headless = true;
    config.browser = CONFIG_BROWSER_CHROMIUM;
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK, "%s", diag.text);
    cr_assert_eq(resources.web_port, resources.page_port);
    resources_close(&resources);
    config.browser = CONFIG_BROWSER_COG;
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK, "%s", diag.text);
    cr_assert_eq(abs(resources.web_port - resources.page_port), 1);
    resources_close(&resources);
    config.browser = CONFIG_BROWSER_NONE;
    config.headless = false;
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK, "%s", diag.text);
    cr_assert_eq(resources.web_port, resources.page_port);
}

Test(resources, refuse_what_a_browser_cannot_do)
{
    cr_assert_eq(access("/usr/bin/cog", X_OK), 0, "needs cog: run tools/bootstrap");
    config.browser = CONFIG_BROWSER_COG;
    setenv("DISPLAY", ":7", 1);
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_INPUT);
    cr_assert_str_eq(diag.text, "--browser cog: only an X display; set WAYLAND_DISPLAY (cage makes one), or add "
                                "--headless");
    setenv("WAYLAND_DISPLAY", "/run/wayland-1", 1);
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK, "%s", diag.text);
    resources_close(&resources);
    config.headless = true;
    strcpy(config.screenshot, at("picture.png"));
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_INPUT);
    cr_assert_str_eq(diag.text, "--screenshot: cog takes none; use --browser chromium");
}

/* What cannot be put into the message for the shim is found before anything starts. */
Test(resources, refuse_a_display_that_is_no_text)
{
    cr_assert_eq(access("/usr/lib/chromium/chromium", X_OK), 0, "needs Chromium: run tools/bootstrap");
    static const char *const variables[] = {"DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY"};
    char wanted[128], long_value[LIMIT_PATH + 2];
    memset(long_value, '/', sizeof long_value - 1);
    long_value[sizeof long_value - 1] = '\0';
    config.browser = CONFIG_BROWSER_CHROMIUM;
    for (size_t i = 0; i < 2 * 3; i++) {
        const char *name = variables[i / 2];
        snprintf(wanted, sizeof wanted, "%s: longer than %u bytes or not UTF-8; set it right, or add --headless", name,
                 LIMIT_PATH);
        setenv(name, i % 2 == 0 ? "/\xff" : long_value, 1);
        cr_assert_eq(open_them(RESOURCES_RUN), ERR_INPUT, "%s", name);
        cr_assert_str_eq(diag.text, wanted);
        config.headless = true;
        cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK, "nobody asks for it: %s", diag.text);
        resources_close(&resources);
        config.headless = false;
        unsetenv(name);
    }
}

Test(resources, share_memory_for_a_quota_that_no_worker_can_shorten)
{
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK);
    cr_assert_eq(resources.quota, -1);
    resources_close(&resources);
    config.upload_quota = 1;
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK);
    cr_assert_eq(lseek(resources.quota, 0, SEEK_END), LIMIT_QUOTA_PAGE);
    cr_assert_eq(fcntl(resources.quota, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_SEAL), F_SEAL_SHRINK | F_SEAL_SEAL);
    cr_assert_neq(ftruncate(resources.quota, 0), 0);
    resources_close(&resources);
}

Test(resources, name_a_directory_that_is_not_there)
{
    strcpy(config.root, at("nothing"));
    expect_input_error("--root", config.root, "No such file or directory; give a directory that can be read");
    config.root[0] = '\0';
    strcpy(config.uploads, at("keyd"));
    expect_input_error("--uploads", config.uploads, "Not a directory; give a directory that can be read");
}

Test(resources, say_who_cannot_write_uploads)
{
    char after[2048];
    cr_assert_eq(mkdir(at("up"), 0755), 0);
    strcpy(config.uploads, at("up"));
    user_of(&resources.users[PROGRAM_WEB], topology_of(PROGRAM_WEB));
    uid_t uid = resources.users[PROGRAM_WEB].uid;
    if (geteuid() != 0) cr_assert_eq(chmod(at("up"), 0555), 0);
    snprintf(after, sizeof after, "uid %u, which web runs as, cannot write there; run: chown %u '%s'", (unsigned)uid,
             (unsigned)uid, config.uploads);
    expect_input_error("--uploads", config.uploads, after);
    /* And what it says helps. */
    if (geteuid() == 0) {
        cr_assert_eq(chown(at("up"), uid, (gid_t)-1), 0);
        cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK, "%s", diag.text);
    }
}

Test(resources, say_who_cannot_read_the_root)
{
    char after[2048];
    cr_assert_eq(geteuid(), 0, "needs root: changes users; run the tests as root");
    cr_assert_eq(mkdir(at("page"), 0700), 0);
    strcpy(config.root, at("page"));
    user_of(&resources.users[PROGRAM_WEB], topology_of(PROGRAM_WEB));
    snprintf(after, sizeof after, "uid %u, which web runs as, cannot read it; run: chmod o+rx '%s'",
             (unsigned)resources.users[PROGRAM_WEB].uid, config.root);
    expect_input_error("--root", config.root, after);
}

Test(resources, look_at_the_client_ca)
{
    make_file("junk.pem", "this is no certificate\n", 0644);
    strcpy(config.client_ca, at("junk.pem"));
    expect_input_error("--client-ca", config.client_ca, "no certificate in it; want PEM");
    strcpy(config.client_ca, at("nothing.pem"));
    expect_input_error("--client-ca", config.client_ca, "No such file or directory; give a PEM file that can be read");
    /* A pipe without a writer would be waited for, with signals that nobody reads yet. */
    strcpy(config.client_ca, at("pipe.pem"));
    cr_assert_eq(mkfifo(config.client_ca, 0644), 0);
    expect_input_error("--client-ca", config.client_ca, "is not a regular file");
    make_file("good.pem", CERTIFICATE, 0644);
    strcpy(config.client_ca, at("good.pem"));
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK, "%s", diag.text);
    cr_assert_eq(resources.trust.len[TRUST_CLIENT_CA], strlen(CERTIFICATE));
}

Test(resources, refuse_a_client_ca_file_without_end)
{
    char after[128];
    make_file("long.pem", CERTIFICATE, 0644);
    strcpy(config.client_ca, at("long.pem"));
    cr_assert_eq(truncate(config.client_ca, LIMIT_CLIENT_CA_FILE), 0);
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK, "%s", diag.text);
    resources_close(&resources);
    cr_assert_eq(truncate(config.client_ca, LIMIT_CLIENT_CA_FILE + 1), 0);
    snprintf(after, sizeof after, "longer than %u bytes; give fewer CAs", LIMIT_CLIENT_CA_FILE);
    expect_input_error("--client-ca", config.client_ca, after);
}

Test(resources, make_no_screenshot_when_only_checked)
{
    cr_assert_eq(access("/usr/lib/chromium/chromium", X_OK), 0, "needs Chromium: run tools/bootstrap");
    config.browser = CONFIG_BROWSER_CHROMIUM;
    config.headless = true;
    strcpy(config.screenshot, at("picture.png"));
    cr_assert_eq(open_them(RESOURCES_CHECK), ERR_OK, "%s", diag.text);
    resources_close(&resources);
    cr_assert_neq(access(config.screenshot, F_OK), 0);
    cr_assert_eq(open_them(RESOURCES_RUN), ERR_OK, "%s", diag.text);
    cr_assert_geq(resources.screenshot, 0);
    cr_assert_eq(access(config.screenshot, F_OK), 0);
    resources_close(&resources);
    strcpy(config.screenshot, at("no/picture.png"));
    expect_input_error("--screenshot", config.screenshot, "No such file or directory; give a file that can be written");
}
