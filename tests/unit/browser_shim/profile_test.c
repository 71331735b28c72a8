#include "browser-shim/profile.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "browser-shim/browser_kind.h"

static char home[64];

static void make_place(void)
{
    static char place[] = "/tmp/profile_test.XXXXXX";
    cr_assert_not_null(mkdtemp(place));
    snprintf(home, sizeof home, "%s/home", place);
}

static void remove_place(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %.*s", (int)(strlen(home) - strlen("/home")), home);
    cr_assert_eq(system(command), 0);
}

TestSuite(profile, .init = make_place, .fini = remove_place);

static const char *origin_of(const char *url)
{
    static char origin[PROFILE_ORIGIN];
    struct diag diag = {0};
    enum err err = profile_origin(origin, url, &diag);
    cr_assert_eq(err == ERR_OK, diag.text[0] == '\0', "a failure says why");
    cr_assert(err == ERR_OK || err == ERR_INPUT);
    return err == ERR_OK ? origin : "refused";
}

Test(profile, origin)
{
    cr_assert_str_eq(origin_of("https://localhost:9000"), "https://localhost:9000");
    cr_assert_str_eq(origin_of("https://localhost:9000/path?query#fragment"), "https://localhost:9000");
    cr_assert_str_eq(origin_of("https://[::1]:9000?x"), "https://[::1]:9000");
    cr_assert_str_eq(origin_of("https://kiosk.example#x"), "https://kiosk.example");
}

Test(profile, origin_refuses_what_is_not_one)
{
    cr_assert_str_eq(origin_of("http://localhost:9000/"), "refused");
    cr_assert_str_eq(origin_of("https:///path"), "refused");
    cr_assert_str_eq(origin_of("https://"), "refused");
    cr_assert_str_eq(origin_of(""), "refused");
    cr_assert_str_eq(origin_of("https://user@host/"), "refused");
    cr_assert_str_eq(origin_of("https://a\"b/"), "refused");
    cr_assert_str_eq(origin_of("https://a,b/"), "refused");
    cr_assert_str_eq(origin_of("https://*/"), "refused");
    cr_assert_str_eq(origin_of("https://a b/"), "refused");
}

Test(profile, origin_at_its_longest)
{
    char url[PROFILE_ORIGIN + 2];
    memset(url, 'a', sizeof url);
    memcpy(url, "https://", 8);
    url[PROFILE_ORIGIN - 1] = '\0';
    cr_assert_str_eq(origin_of(url), url);
    url[PROFILE_ORIGIN - 1] = 'a';
    url[PROFILE_ORIGIN] = '\0';
    cr_assert_str_eq(origin_of(url), "refused");
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s%s", home, name);
    return path;
}

static void make(const struct browser_kind *kind)
{
    struct diag diag = {0};
    const struct profile_words words = {"https://localhost:9000", "/somewhere/module.so"};
    enum err err = profile_make(home, kind->files, kind->num_files, &words, &diag);
    cr_assert_eq(err, ERR_OK, "%s", diag.text);
}

Test(profile, chromium_reads_the_certificate_selection)
{
    make(&browser_chromium);
    json_error_t error;
    json_t *root = json_load_file(path_of("/profile/Default/Preferences"), 0, &error);
    cr_assert_not_null(root, "%s", error.text);
    json_t *profile = json_object_get(root, "profile");
    json_t *exceptions = json_object_get(json_object_get(profile, "content_settings"), "exceptions");
    json_t *select = json_object_get(exceptions, "auto_select_certificate");
    cr_assert_eq(json_object_size(select), 1, "for the page's origin and no other");
    json_t *setting = json_object_get(json_object_get(select, "https://localhost:9000,*"), "setting");
    json_t *filters = json_object_get(setting, "filters");
    cr_assert_eq(json_array_size(filters), 1);
    cr_assert(json_is_object(json_array_get(filters, 0)));
    json_decref(root);
}

Test(profile, nss_reads_where_the_module_is)
{
    char text[256] = {0};
    make(&browser_chromium);
    FILE *file = fopen(path_of("/.pki/nssdb/pkcs11.txt"), "r");
    cr_assert_not_null(file);
    cr_assert_gt(fread(text, 1, sizeof text - 1, file), 0);
    fclose(file);
    cr_assert_str_eq(text, "library=/somewhere/module.so\nname=Keyward\n");
}

Test(profile, is_private)
{
    struct stat info;
    make(&browser_chromium);
    cr_assert_eq(stat(path_of(""), &info), 0);
    cr_assert_eq(info.st_mode & 07777, 0700);
    cr_assert_eq(stat(path_of("/profile/Default/Preferences"), &info), 0);
    cr_assert_eq(info.st_mode & 07777, 0600);
}

Test(profile, nothing_of_the_last_one_is_left)
{
    make(&browser_chromium);
    cr_assert_eq(mkdir(path_of("/deep"), 0700), 0);
    cr_assert_eq(mkdir(path_of("/deep/deeper"), 0700), 0);
    cr_assert_eq(close(open(path_of("/deep/deeper/file"), O_WRONLY | O_CREAT, 0600)), 0);
    char outside[64];
    snprintf(outside, sizeof outside, "%.*s/outside", (int)(strlen(home) - strlen("/home")), home);
    cr_assert_eq(mkdir(outside, 0700), 0);
    cr_assert_eq(symlink(outside, path_of("/deep/link")), 0);
    make(&browser_chromium);
    cr_assert_neq(access(path_of("/deep"), F_OK), 0);
    cr_assert_eq(access(outside, F_OK), 0, "a link is removed, not followed");
}

Test(profile, says_what_it_cannot_make)
{
    struct diag diag = {0};
    cr_assert_eq(profile_make("/proc/nowhere", NULL, 0, &(struct profile_words){"https://localhost", "/m.so"}, &diag),
                 ERR_SYSTEM);
    cr_assert_not_null(strstr(diag.text, "/proc/nowhere"));
}

static json_t *policy_of(const struct browser_kind *kind)
{
    struct diag diag = {0};
    json_error_t error;
    const struct profile_words words = {"https://localhost:9000", "/somewhere/module.so"};
    make(kind);
    cr_assert_eq(profile_write(home, &kind->policy, &words, &diag), ERR_OK, "%s", diag.text);
    char name[128];
    snprintf(name, sizeof name, "/%s", kind->policy.path);
    json_t *root = json_load_file(path_of(name), 0, &error);
    cr_assert_not_null(root, "%s", error.text);
    return root;
}

Test(profile, a_kiosks_chromium_sees_one_origin)
{
    json_t *policy = policy_of(&browser_chromium);
    json_t *allowed = json_object_get(policy, "URLAllowlist");
    cr_assert_eq(json_array_size(allowed), 1);
    cr_assert_str_eq(json_string_value(json_array_get(allowed, 0)), "https://localhost:9000");
    cr_assert_str_eq(json_string_value(json_array_get(json_object_get(policy, "URLBlocklist"), 0)), "*");
    json_decref(policy);
}

Test(profile, a_kiosks_firefox_sees_one_origin)
{
    json_t *policy = policy_of(&browser_firefox);
    json_t *filter = json_object_get(json_object_get(policy, "policies"), "WebsiteFilter");
    cr_assert_str_eq(json_string_value(json_array_get(json_object_get(filter, "Block"), 0)), "<all_urls>");
    json_t *allowed = json_object_get(filter, "Exceptions");
    cr_assert_eq(json_array_size(allowed), 1);
    cr_assert_str_eq(json_string_value(json_array_get(allowed, 0)), "https://localhost/*");
    json_decref(policy);
}

Test(profile, firefox_reads_where_the_module_is_and_takes_its_certificate)
{
    char text[4096] = {0};
    make(&browser_firefox);
    FILE *file = fopen(path_of("/profile/user.js"), "r");
    cr_assert_not_null(file);
    cr_assert_gt(fread(text, 1, sizeof text - 1, file), 0);
    fclose(file);
    cr_assert_not_null(strstr(text, "user_pref(\"security.default_personal_cert\", \"Select Automatically\");"));
    cr_assert_eq(access(path_of("/profile/pkcs11.txt"), R_OK), 0);
}

Test(profile, a_text_that_does_not_fit_is_not_cut)
{
    struct diag diag = {0};
    char text[PROFILE_TEXT + 1];
    const struct profile_file file = {"file", text};
    const struct profile_words words = {"", ""};
    make(&browser_chromium);
    memset(text, 'a', sizeof text);
    text[PROFILE_TEXT] = '\0';
    cr_assert_eq(profile_write(home, &file, &words, &diag), ERR_TOO_LARGE);
    text[PROFILE_TEXT - 1] = '\0';
    cr_assert_eq(profile_write(home, &file, &words, &diag), ERR_OK);
}
