/* Configuration: defaults, the file, flags, and what is said about what is wrong. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/command.h"
#include "broker/config_file.h"
#include "broker/value.h"

#define HELP "; see broker --help"
#define COUNT(array) (sizeof(array) / sizeof *(array))

static char path[] = "/tmp/keyward-config-XXXXXX";

static void write_file(const char *content, size_t len)
{
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, len), (ssize_t)len);
    close(fd);
}

static enum err load(struct config *config, const char *content, size_t len, struct diag *diag)
{
    strcpy(path, "/tmp/keyward-config-XXXXXX");
    write_file(content, len);
    config_defaults(config);
    enum err err = config_file_load(config, NULL, path, diag);
    unlink(path);
    return err;
}

Test(config, has_defaults)
{
    struct config config;
    char text[ADDRESS_TEXT];
    config_defaults(&config);
    cr_assert_eq(config_check(&config, NULL), ERR_OK);
    cr_assert(config.listens);
    cr_assert_not(config.echoes);
    address_format(text, &config.listen);
    cr_assert_str_eq(text, "127.0.0.1:9000");
    cr_assert_eq(config.browser, CONFIG_BROWSER_IF_POSSIBLE);
    cr_assert(config.tls.tls12);
    cr_assert_not(config.spa);
    cr_assert(config.immutable);
    cr_assert_eq(config.upload_quota, 0);
    cr_assert_eq(config.tls_mode, TLS_MODE_MUTUAL);
    cr_assert(config.resumption);
    cr_assert_eq(config.num_names, 3);
    cr_assert_str_eq(config.names[0].dns, "localhost");
    cr_assert_eq(config.names[1].ip_len, 4);
    cr_assert_eq(config.names[2].ip_len, 16);
    cr_assert_leq(config.leaf_lifetime_s, config.ca_lifetime_s);
    cr_assert_not(config.audit_continue);
    cr_assert_eq(config.audit_interval_s, 60);
}

Test(config, suites_go_with_tls12)
{
    struct config config;
    struct diag diag = {0};
    config_defaults(&config);
    cr_assert_eq(config_set(&config, "tls", "suites", "ECDHE-RSA-CHACHA20-POLY1305", &diag), ERR_OK);
    cr_assert_eq(config_check(&config, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(config_set_flag(&config, "--tls-min-version", "1.3", &diag), ERR_OK);
    cr_assert_eq(config_check(&config, &diag), ERR_INPUT);
    cr_assert(strstr(diag.text, "[tls] suites are those of TLS 1.2") != NULL, "%s", diag.text);
}

Test(config, tls_is_off_on_loopback_alone)
{
    static const struct {
        const char *address;
        enum err want;
    } cases[] = {
        {"127.0.0.1:0", ERR_OK},    {"127.1.2.3:0", ERR_OK},      {"[::1]:0", ERR_OK},
        {"none", ERR_OK},           {"0.0.0.0:0", ERR_INPUT},     {"[::]:0", ERR_INPUT},
        {"128.0.0.1:0", ERR_INPUT}, {"192.0.2.1:0", ERR_INPUT},   {"[::ffff:127.0.0.1]:0", ERR_INPUT},
        {"[::2]:0", ERR_INPUT},     {"126.255.0.1:0", ERR_INPUT}, {"[fe80::1]:0", ERR_INPUT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config config;
        struct diag diag = {0};
        config_defaults(&config);
        cr_assert_eq(config_set_flag(&config, "--tls-mode", "off", &diag), ERR_OK);
        cr_assert_eq(config_set_flag(&config, "--listen", cases[i].address, &diag), ERR_OK, "%s", diag.text);
        cr_assert_eq(config_check(&config, &diag), cases[i].want, "%s", cases[i].address);
        if (cases[i].want != ERR_OK) cr_assert(strstr(diag.text, "only on loopback") != NULL, "%s", diag.text);
        config.tls_mode = TLS_MODE_SERVER;
        cr_assert_eq(config_check(&config, &diag), ERR_OK, "%s", diag.text);
    }
}

Test(config, takes_every_option_from_the_file)
{
    static const char content[] =
        "# a comment\n"
        "[listen]\naddress = [::1]:9443\n"
        "[web]\nroot = /srv/page\nclient_ca=/etc/ca.pem\nuploads = /srv/up ; behind it\n"
        "workers = 3\nmax_upload = 2G\nidle_timeout = 2m\n"
        "[content]\nspa = yes\nimmutable = no\nupload_quota = 5G\n[log]\naccess = json\n"
        "[tls]\nmode = optional\nresumption = no\nmin_version = 1.3\ngroups = P-384, X25519\n"
        "[echo]\naddress = 127.0.0.1:7\n"
        "[browser]\nbrowser = chromium\nheadless = yes\nscreenshot = /tmp/p.png\nheartbeat = 5s\n"
        "[keyd]\nnames = kiosk.example, 192.0.2.1 2001:db8::7\n"
        "ca_lifetime = 30d\nleaf_lifetime = 12h\nclient_name = kiosk 7\n"
        "server_certificate = /etc/s.pem\nserver_key = /etc/s.key\nserver_ocsp = /etc/s.ocsp\n"
        "client_certificate = /etc/c.pem\nclient_key = /etc/c.key\n"
        "[audit]\nfile = /var/log/audit.jsonl\npolicy = continue\ninterval = 15m\n"
        "[broker]\n  runtime_dir = /run/kiosk";
    struct config config;
    struct diag diag = {0};
    cr_assert_eq(load(&config, content, sizeof content - 1, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(config.listen.socket.ss_family, AF_INET6);
    cr_assert_eq(address_port(&config.listen), 9443);
    cr_assert_str_eq(config.root, "/srv/page");
    cr_assert_str_eq(config.client_ca, "/etc/ca.pem");
    cr_assert_str_eq(config.uploads, "/srv/up");
    cr_assert_eq(config.workers, 3);
    cr_assert_not(config.tls.tls12);
    cr_assert_eq(config.max_upload_bytes, UINT64_C(2) << 30);
    cr_assert_eq(config.idle_timeout_ms, 120000);
    cr_assert(config.spa);
    cr_assert_not(config.immutable);
    cr_assert_eq(config.upload_quota, UINT64_C(5) << 30);
    cr_assert_eq(config.access_log, ACCESS_LOG_JSON);
    cr_assert(config.echoes);
    cr_assert_eq(config.browser, CONFIG_BROWSER_CHROMIUM);
    cr_assert(config.headless);
    cr_assert_str_eq(config.screenshot, "/tmp/p.png");
    cr_assert_eq(config.heartbeat_s, LIMIT_HEARTBEAT_MIN_S);
    cr_assert_eq(config.num_names, 3);
    cr_assert_str_eq(config.names[0].dns, "kiosk.example");
    cr_assert_eq(config.names[1].ip[0], 192);
    cr_assert_eq(config.names[2].ip_len, 16);
    cr_assert_eq(config.ca_lifetime_s, 30 * 86400);
    cr_assert_eq(config.leaf_lifetime_s, 12 * 3600);
    cr_assert_str_eq(config.client_name, "kiosk 7");
    cr_assert_str_eq(config.server_certificate, "/etc/s.pem");
    cr_assert_str_eq(config.server_key, "/etc/s.key");
    cr_assert_str_eq(config.server_ocsp, "/etc/s.ocsp");
    cr_assert_str_eq(config.client_certificate, "/etc/c.pem");
    cr_assert_str_eq(config.client_key, "/etc/c.key");
    cr_assert_str_eq(config.runtime_dir, "/run/kiosk");
    cr_assert_eq(config.tls_mode, TLS_MODE_OPTIONAL);
    cr_assert_eq(config.tls.groups, TLS_GROUP_P384 | TLS_GROUP_X25519);
    cr_assert_eq(config.tls.suites, 0);
    cr_assert_not(config.resumption);
    cr_assert_str_eq(config.audit_file, "/var/log/audit.jsonl");
    cr_assert(config.audit_continue);
    cr_assert_eq(config.audit_interval_s, 900);
}

Test(config, shows_metrics_to_this_machine_alone)
{
    static const struct {
        const char *where;
        enum err want;
        enum config_metrics metrics;
    } cases[] = {
        {"none", ERR_OK, CONFIG_METRICS_NONE},
        {"unix:/run/m", ERR_OK, CONFIG_METRICS_PATH},
        {"127.0.0.1:9100", ERR_OK, CONFIG_METRICS_ADDRESS},
        {"[::1]:0", ERR_OK, CONFIG_METRICS_ADDRESS},
        {"unix:", ERR_INPUT, CONFIG_METRICS_PATH},
        {"0.0.0.0:9100", ERR_INPUT, CONFIG_METRICS_ADDRESS},
        {"192.0.2.1:9100", ERR_INPUT, CONFIG_METRICS_ADDRESS},
        {"[::]:9100", ERR_INPUT, CONFIG_METRICS_ADDRESS},
        {"/run/m", ERR_INPUT, CONFIG_METRICS_ADDRESS},
    };
    struct config config;
    config_defaults(&config);
    cr_assert_eq(config.metrics, CONFIG_METRICS_RUNTIME_DIR);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        config_defaults(&config);
        cr_assert_eq(config_set(&config, "metrics", "listen", cases[i].where, &diag), cases[i].want, "%s: %s",
                     cases[i].where, diag.text);
        cr_assert_eq(config.metrics, cases[i].metrics, "%s", cases[i].where);
    }
    cr_assert_eq(config_set(&config, "metrics", "listen", "unix:/run/m", NULL), ERR_OK);
    cr_assert_str_eq(config.metrics_path, "/run/m");
}

Test(config, says_in_which_line_what_is_wrong)
{
    static const struct {
        const char *content;
        const char *says; /* behind FILE: */
    } bad[] = {
        {"[listen]\nadress = 127.0.0.1:1\n", "2: there is no option 'adress' in [listen]"},
        {"[listne]\naddress = 127.0.0.1:1\n", "2: there is no section [listne]"},
        {"address = 127.0.0.1:1\n", "1: 'address' stands before the first section; start with one, such as [listen]"},
        {"[web]\nworkers = 1\n\nworkers = 2\n", "4: [web] workers is set twice; line 2 has it already"},
        {"[web]\nworkers = 1\n[echo]\n[web]\nworkers = 1\n", "5: [web] workers is set twice; line 2 has it already"},
        {"[web]\nworkers = 0\n", "2: [web] workers: '0' is not a number from 1 to 64"},
        {"[web]\nworkers = 65\n", "2: [web] workers: '65' is not a number from 1 to 64"},
        {"[web]\nworkers = many\n", "2: [web] workers: 'many' is not a number from 1 to 64"},
        {"[web]\nworkers =\n", "2: [web] workers: '' is not a number from 1 to 64"},
        {"[browser]\nheadless = maybe\n", "2: [browser] headless: 'maybe' is neither yes nor no"},
        {"[tls]\nmin_version = 1.1\n", "2: [tls] min_version: '1.1' is no version that is safe; want 1.2 or 1.3"},
        {"[tls]\ngroups = X25519 P-521\n", "2: [tls] groups: 'P-521' is no group that is taken; choose of "
                                           "X25519MLKEM768, X25519, P-256, P-384"},
        {"[tls]\ngroups = ,\n", "2: [tls] groups: the value is empty; choose of X25519MLKEM768, X25519, P-256, P-384"},
        {"[tls]\nsuites = AES128-SHA\n",
         "2: [tls] suites: 'AES128-SHA' is no suite of TLS 1.2 that is taken; choose of ECDHE-ECDSA-AES128-GCM-SHA256, "
         "ECDHE-ECDSA-AES256-GCM-SHA384, ECDHE-ECDSA-CHACHA20-POLY1305, ECDHE-RSA-AES128-GCM-SHA256, "
         "ECDHE-RSA-AES256-GCM-SHA384, ECDHE-RSA-CHACHA20-POLY1305"},
        {"[web]\nroot =\n", "2: [web] root: the value is empty"},
        {"[web]\nmax_upload = 1T\n",
         "2: [web] max_upload: '1T' is not a size from 1 to 1099511627776 bytes; write 512K, 64M or 2G"},
        {"[web]\nmax_upload = 99999999999999999999\n", "2: [web] max_upload: '99999999999999999999' is not a size from "
                                                       "1 to 1099511627776 bytes; write 512K, 64M or 2G"},
        {"[web]\nmax_upload = 18014398509481984K\n", "2: [web] max_upload: '18014398509481984K' is not a size from 1 "
                                                     "to 1099511627776 bytes; write 512K, 64M or 2G"},
        {"[log]\naccess = xml\n",
         "2: [log] access: 'xml' is no format of an access log; want text, json, combined or none"},
        {"[content]\nupload_quota = 0\n",
         "2: [content] upload_quota: '0' is not a size from 1 to 1125899906842624 bytes; write 512K, 64M or 2G"},
        {"[proxy]\nupstream = unix:/a\n", "2: there is no section [proxy]"},
        {"[proxy \"\"]\nupstream = unix:/a\n", "2: there is no section [proxy \"\"]"},
        {"[proxy \"/a\"]\ndownstream = unix:/a\n", "2: there is no option 'downstream' in [proxy \"/a\"]"},
        {"[proxy \"/a\"]\nupstream = unix:/a\n[proxy \"/b\"]\nupstream = unix:/a\n[proxy \"/a\"]\nupstream = unix:/b\n",
         "6: [proxy \"/a\"] upstream is set twice"},
        {"[proxy \"a\"]\nupstream = unix:/a\n",
         "2: [proxy \"a\"] upstream: 'a' is no prefix of paths; it begins with '/'"},
        {"[proxy \"/a=b\"]\nupstream = unix:/a\n", "2: [proxy \"/a=b\"] upstream: '/a=b' has a '=' in it"},
        {"[proxy \"/a%20\"]\nupstream = unix:/a\n",
         "2: [proxy \"/a%20\"] upstream: '/a%20': a prefix has no blanks and none of %?#\"\\;, and is ASCII"},
        {"[proxy \"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]\nupstream = unix:/a\n",
         "1: the section's name is too long (49 bytes at most); give long ones as flags"},
        {"[certificate \"a b\"]\nkey = k\n",
         "2: [certificate \"a b\"] key: 'a b' is no name for a certificate; want 1 to 32 "
         "letters, digits, '.', '-', '_' or '*'"},
        {"[certificate \"123456789012345678901234567890123\"]\nkey = k\n",
         "2: [certificate \"123456789012345678901234567890123\"] key: '123456789012345678901234567890123' is no name "
         "for a "
         "certificate; want 1 to 32 letters, digits, '.', '-', '_' or '*'"},
        {"[certificate \"a\"]\nkey =\n", "2: [certificate \"a\"] key: the value is empty"},
        {"[certificate \"a\"]\nkey = k\ncertificate = c\nkey = l\n", "4: [certificate \"a\"] key is set twice"},
        {"[certificate \"a\"]\nname = k\n", "2: there is no option 'name' in [certificate \"a\"]"},
        {"[certificate]\nkey = k\n", "2: there is no section [certificate]"},
        {"[headers]\nX Y = 1\n", "2: [headers] X Y: 'X Y:1' cannot be set: its name is not a header field's"},
        {"[headers]\nContent-Length = 1\n",
         "2: [headers] Content-Length: 'Content-Length:1' cannot be set: the server sets it by itself"},
        {"[headers]\nA = \x01\n",
         "2: [headers] A: 'A:?' cannot be set: its value has other characters than printable ASCII"},
        {"[headers]\nA-b = 1\nX = 2\na-B = 3\n", "4: [headers] a-B is set twice"},
        {"[headers]\nA = 1 ; 2\n", "2: [headers] a ';' behind a blank begins a comment; write it without the blank"},
        {"[browser]\nheartbeat = 4s\n",
         "2: [browser] heartbeat: '4s' is not a time from 5 to 86400 seconds; write 90s, 15m, 12h or 30d"},
        {"[browser]\nheartbeat = 86401\n",
         "2: [browser] heartbeat: '86401' is not a time from 5 to 86400 seconds; write 90s, 15m, 12h or 30d"},
        {"[keyd]\nleaf_lifetime = 59\n",
         "2: [keyd] leaf_lifetime: '59' is not a time from 60 to 7776000 seconds; write 90s, 15m, 12h or 30d"},
        {"[audit]\npolicy = hope\n", "2: [audit] policy: 'hope' is no policy; want refuse (no handle is used while the "
                                     "log cannot be written) or continue"},
        {"[audit]\ninterval = 0\n",
         "2: [audit] interval: '0' is not a time from 1 to 86400 seconds; write 90s, 15m, 12h or 30d"},
        {"[audit]\ninterval = 86401\n",
         "2: [audit] interval: '86401' is not a time from 1 to 86400 seconds; write 90s, 15m, 12h or 30d"},
        {"[tls]\nmode = none\n",
         "2: [tls] mode: 'none' is no mode; want mutual (clients need a certificate), optional (or have none), server "
         "(are not asked for one) or off (no TLS, on loopback)"},
        {"[keyd]\nnames = a..b\n", "2: [keyd] names: 'a..b' is neither a DNS name nor an IP address"},
        {"[keyd]\nnames = , ,\n", "2: [keyd] names: the value is empty"},
        {"[keyd]\nclient_name = kiosk \xff\n",
         "2: [keyd] client_name: the value is not UTF-8, which names in certificates are"},
        {"[browser]\nbrowser = lynx\n", "2: [browser] browser: 'lynx' is not a browser that Keyward starts; want "
                                        "chromium, firefox, cog, epiphany or none"},
        {"[web]\nthis is no line\n", "2: neither '[section]' nor 'key = value' nor a '#' comment"},
        {"[web\n", "1: neither '[section]' nor 'key = value' nor a '#' comment"},
        {"[web]\nnonsense\nworkers = many\n", "2: neither '[section]' nor 'key = value' nor a '#' comment"},
        {"[listen]\naddress = nonsense\n", "2: [listen] address: 'nonsense' has no port; want ADDR:PORT, such as "
                                           "127.0.0.1:9000 or [::1]:9000"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct config config;
        struct diag diag = {0};
        cr_assert_eq(load(&config, bad[i].content, strlen(bad[i].content), &diag), ERR_INPUT, "%s", bad[i].content);
        cr_assert_eq(strncmp(diag.text, path, strlen(path)), 0, "%s", diag.text);
        cr_assert_str_eq(diag.text + strlen(path) + 1, bad[i].says);
    }
}

Test(config, takes_headers_from_the_file_and_flags)
{
    static const char content[] = "[headers]\nX-Frame-Options = DENY\nReferrer-Policy =\nA=b;c\n[web]\nworkers = 1\n";
    struct config config;
    struct diag diag = {0};
    cr_assert_eq(load(&config, content, sizeof content - 1, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(config_set_flag(&config, "--header", "x-frame-options: \t SAMEORIGIN ", &diag), ERR_OK, "%s",
                 diag.text);
    cr_assert_eq(config_set_flag(&config, "--header", "New:", &diag), ERR_OK, "%s", diag.text);
    static const char *const want[] = {"x-frame-options:SAMEORIGIN", "Referrer-Policy:", "A:b;c", "New:"};
    cr_assert_eq(config.num_headers, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++) cr_expect_str_eq(config.headers[i], want[i]);
}

Test(config, limits_headers)
{
    static char line[2 * HEADER_LINE_LEN];
    struct config config;
    struct diag diag = {0};
    config_defaults(&config);
    for (size_t over = 0; over <= 1; over++) {
        memset(line, 'n', LIMIT_HEADER_NAME + over);
        snprintf(line + LIMIT_HEADER_NAME + over, 3, ":v");
        cr_expect_eq(config_set_flag(&config, "--header", line, &diag), over ? ERR_INPUT : ERR_OK);
        snprintf(line, 3, "v:");
        memset(line + 2, 'v', LIMIT_HEADER_VALUE + over);
        line[2 + LIMIT_HEADER_VALUE + over] = '\0';
        cr_expect_eq(config_set_flag(&config, "--header", line, &diag), over ? ERR_INPUT : ERR_OK);
    }
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    cr_expect_eq(config_set_flag(&config, "--header", line, &diag), ERR_INPUT);
    for (size_t i = config.num_headers; i <= LIMIT_HEADERS; i++) {
        snprintf(line, sizeof line, "h%zu:v", i);
        cr_expect_eq(config_set_flag(&config, "--header", line, &diag), i < LIMIT_HEADERS ? ERR_OK : ERR_INPUT);
    }
    cr_expect_str_eq(diag.text, "--header: more than 16 header fields");
}

Test(config, takes_applications_from_the_file_and_flags)
{
    static const char content[] = "[proxy \"/api/\"]\nupstream = unix:/run/app.sock\n"
                                  "[proxy \"/\"]\nupstream = http://127.0.0.1:8080/\n";
    struct config config;
    struct diag diag = {0};
    cr_assert_eq(load(&config, content, sizeof content - 1, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(config_set_flag(&config, "--proxy", "/=http://[::1]:81", &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(config_set_flag(&config, "--proxy", "/v6=http://127.9.9.9:82", &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(config.num_proxies, 3);
    cr_expect_str_eq(config.proxies[0].prefix, "/api/");
    cr_expect_str_eq(config.proxies[0].text, "unix:/run/app.sock");
    cr_expect_eq(config.proxies[0].address.socket.ss_family, AF_UNIX);
    cr_expect_str_eq(config.proxies[1].prefix, "/");
    cr_expect_eq(config.proxies[1].address.socket.ss_family, AF_INET6);
    cr_expect_eq(address_port(&config.proxies[1].address), 81);
    cr_expect_str_eq(config.proxies[2].prefix, "/v6");
}

Test(config, says_what_is_wrong_with_an_application)
{
    static const struct {
        const char *value, *says;
    } bad[] = {
        {"/a", "'/a' has no '='"},
        {"=unix:/a", "'' is no prefix of paths"},
        {"a=unix:/a", "'a' is no prefix of paths"},
        {"/a b=unix:/a", "a prefix has no blanks"},
        {"/\xc3\xa4=unix:/a", "a prefix has no blanks"},
        {"/a=unix:/\xe4", "is not UTF-8"},
        {"/a=unix:/a\x01", "is not UTF-8"},
        {"/a=", "'' is no upstream"},
        {"/a=/run/app.sock", "'/run/app.sock' is no upstream"},
        {"/a=unix:app.sock", "'app.sock' is no absolute path"},
        {"/a=unix:", "'' is no absolute path"},
        {"/a=http://localhost:80", "'localhost' is not an IP address"},
        {"/a=http://127.0.0.1", "has no port"},
        {"/a=http://127.0.0.1:0", "has port 0"},
        {"/a=http://127.0.0.1:80/x", "has a path"},
        {"/a=http://192.0.2.1:80", "another machine's address"},
        {"/a=http://0.0.0.0:80", "another machine's address"},
        {"/a=http://[::]:80", "another machine's address"},
        {"/a=https://192.0.2.1", "has no port"},
        {"/a=https://192.0.2.1:0", "'0' is no port"},
        {"/a=https://192.0.2.1:65536", "'65536' is no port"},
        {"/a=https://192.0.2.1:443/x", "has a path"},
        {"/a=https://:443", "'' is neither a host name nor an address"},
        {"/a=https://app_.example:443", "'app_.example' is neither"},
        {"/a=https://2001:db8::1:443", "'2001:db8::1' is neither"},
        {"/a=https://[192.0.2.1]:443", "'[192.0.2.1]' is neither"},
        {"/a=HTTPS://192.0.2.1:443", "is no upstream"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct config config;
        struct diag diag = {0};
        config_defaults(&config);
        cr_expect_eq(config_set_flag(&config, "--proxy", bad[i].value, &diag), ERR_INPUT, "%s", bad[i].value);
        cr_expect_not_null(strstr(diag.text, bad[i].says), "%s", diag.text);
        cr_expect_eq(config.num_proxies, 0);
    }
}

Test(config, takes_applications_that_are_elsewhere)
{
    static const char content[] = "[proxy \"/api/\"]\nca = /etc/app.pem\nupstream = https://app.example:8443/\n"
                                  "[proxy \"/six\"]\nupstream = https://[2001:db8::1]:443\nca = six.pem\n";
    struct config config;
    struct diag diag = {0};
    config_defaults(&config);
    cr_assert_eq(load(&config, content, strlen(content), &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(config_check(&config, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(config.num_proxies, 2);
    cr_expect(config.proxies[0].tls && config.proxies[1].tls);
    cr_expect_str_eq(config.proxies[0].host, "app.example");
    cr_expect_str_eq(config.proxies[1].host, "2001:db8::1");
    cr_expect_eq(config.proxies[0].port, 8443);
    cr_expect_eq(config.proxies[1].port, 443);
    cr_expect_str_eq(config_proxy_ca(&config, "/api/"), "/etc/app.pem");
    cr_expect_str_eq(config_proxy_ca(&config, "/six"), "six.pem");
    cr_expect_null(config_proxy_ca(&config, "/"));
    cr_expect_eq(config_set_flag(&config, "--proxy-ca", "/six=other.pem", &diag), ERR_OK);
    cr_expect_str_eq(config_proxy_ca(&config, "/six"), "other.pem");
    cr_expect_eq(config.num_proxy_cas, 2);
}

Test(config, an_application_elsewhere_and_its_ca_need_each_other)
{
    static const struct {
        const char *proxy, *ca, *says;
    } bad[] = {
        {"/a=https://192.0.2.1:443", NULL, "needs the CA that vouches for it; add ca = FILE, or --proxy-ca /a=FILE"},
        {"/a=https://192.0.2.1:443", "/b=ca.pem", "needs the CA"},
        {"/a=unix:/app", "/a=ca.pem", "ca is about https://, which unix:/app is not"},
        {NULL, "/a=ca.pem", "[proxy \"/a\"] has a ca and no upstream"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct config config;
        struct diag diag = {0};
        config_defaults(&config);
        if (bad[i].proxy) cr_assert_eq(config_set_flag(&config, "--proxy", bad[i].proxy, &diag), ERR_OK);
        if (bad[i].ca) cr_assert_eq(config_set_flag(&config, "--proxy-ca", bad[i].ca, &diag), ERR_OK);
        cr_expect_eq(config_check(&config, &diag), ERR_INPUT);
        cr_expect_not_null(strstr(diag.text, bad[i].says), "%s", diag.text);
    }
}

Test(config, limits_cas_of_applications)
{
    struct config config;
    struct diag diag = {0};
    char value[LIMIT_PATH + 64];
    config_defaults(&config);
    for (int over = 0; over <= 1; over++) {
        memset(value, 'a', sizeof value);
        snprintf(value + LIMIT_PROXY_PREFIX + over, 16, "=ca.pem");
        cr_expect_eq(config_set_flag(&config, "--proxy-ca", value, &diag), over ? ERR_INPUT : ERR_OK);
        memset(value, 'a', sizeof value);
        value[1] = '=';
        value[2u + LIMIT_PATH + (unsigned)over] = '\0';
        cr_expect_eq(config_set_flag(&config, "--proxy-ca", value, &diag), over ? ERR_INPUT : ERR_OK);
    }
    cr_expect_eq(config_set_flag(&config, "--proxy-ca", "/a", &diag), ERR_INPUT);
    cr_expect_eq(config_set_flag(&config, "--proxy-ca", "/a=", &diag), ERR_INPUT);
    for (size_t i = config.num_proxy_cas; i <= LIMIT_PROXIES; i++) {
        snprintf(value, sizeof value, "/n%zu=ca.pem", i);
        cr_expect_eq(config_set_flag(&config, "--proxy-ca", value, &diag), i < LIMIT_PROXIES ? ERR_OK : ERR_INPUT);
    }
}

Test(config, limits_applications)
{
    struct config config;
    struct diag diag = {0};
    char value[400];
    config_defaults(&config);
    for (int over = 0; over <= 1; over++) {
        enum err want = over ? ERR_INPUT : ERR_OK;
        memset(value, 'a', sizeof value);
        value[0] = '/';
        snprintf(value + LIMIT_PROXY_PREFIX + over, 32, "=unix:/a");
        cr_expect_eq(config_set_flag(&config, "--proxy", value, &diag), want);
        memset(value, 'a', sizeof value);
        memcpy(value, "/a=unix:/", 9);
        value[8 + 107 + over] = '\0'; /* sun_path, less its NUL */
        cr_expect_eq(config_set_flag(&config, "--proxy", value, &diag), want);
    }
    for (size_t i = config.num_proxies; i <= LIMIT_PROXIES; i++) {
        snprintf(value, sizeof value, "/n%zu=unix:/a", i);
        cr_expect_eq(config_set_flag(&config, "--proxy", value, &diag), i < LIMIT_PROXIES ? ERR_OK : ERR_INPUT);
    }
    cr_expect_str_eq(diag.text, "--proxy: more than 16 prefixes");
    cr_expect_eq(config_set_flag(&config, "--proxy", "/n5=unix:/b", &diag), ERR_OK, "another place for an old prefix");
}

Test(config, takes_streams_from_the_file_and_flags)
{
    static const char content[] = "[stream \"127.0.0.1:5433\"]\nupstream = unix:/run/db.sock\nidle_timeout = 7d\n"
                                  "[stream \"127.0.0.1:25\"]\nproxy_protocol = yes\nupstream = 127.0.0.1:26\n";
    struct config config;
    struct diag diag = {0};
    cr_assert_eq(load(&config, content, sizeof content - 1, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(config_set_flag(&config, "--stream", "127.0.0.1:5433=[::1]:81", &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(config_set_flag(&config, "--stream", "[::1]:1=unix:/a", &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(config_check(&config, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(config.num_streams, 3);
    const struct stream_place *first = &config.streams[0], *second = &config.streams[1];
    cr_expect_str_eq(first->name, "127.0.0.1:5433");
    cr_expect_eq(address_port(&first->listen), 5433);
    cr_expect_str_eq(first->upstream, "[::1]:81", "the flag's");
    cr_expect_eq(first->address.socket.ss_family, AF_INET6);
    cr_expect_eq(first->idle_s, LIMIT_STREAM_IDLE_S, "and the rest stays");
    cr_expect_not(first->proxy_protocol);
    cr_expect_eq(address_port(&second->listen), 25);
    cr_expect_eq(address_port(&second->address), 26);
    cr_expect_eq(second->idle_s, 0);
    cr_expect(second->proxy_protocol);
    cr_expect_eq(config.streams[2].address.socket.ss_family, AF_UNIX);
}

Test(config, says_what_is_wrong_with_a_stream)
{
    static const struct {
        const char *value, *says;
    } bad[] = {
        {"127.0.0.1:1", "has no '='"},
        {"=unix:/a", "'' has no port"},
        {"localhost:1=unix:/a", "'localhost' is not an IP address"},
        {"127.0.0.1:1=", "want"},
        {"127.0.0.1:1=unix:a.sock", "'a.sock' is no absolute path"},
        {"127.0.0.1:1=unix:/\xe4", "is not UTF-8"},
        {"127.0.0.1:1=http://127.0.0.1:80", "want ADDR:PORT"},
        {"127.0.0.1:1=127.0.0.1:0", "has port 0"},
        {"127.0.0.1:1=192.0.2.1:80", "another machine's address"},
        {"127.0.0.1:1=0.0.0.0:80", "another machine's address"},
    };
    struct diag diag = {0};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct config config;
        config_defaults(&config);
        cr_expect_eq(config_set_flag(&config, "--stream", bad[i].value, &diag), ERR_INPUT, "%s", bad[i].value);
        cr_expect_not_null(strstr(diag.text, bad[i].says), "%s", diag.text);
        cr_expect_eq(config.num_streams, 0);
    }
    struct config config;
    static const char twice[] = "[stream \"127.0.0.1:1\"]\nidle_timeout = 1\nidle_timeout = 2\n";
    cr_expect_eq(load(&config, twice, sizeof twice - 1, &diag), ERR_INPUT);
    cr_expect_not_null(strstr(diag.text, "3: [stream \"127.0.0.1:1\"] idle_timeout is set twice"), "%s", diag.text);
    static const char too_long[] = "[stream \"127.0.0.1:1\"]\nidle_timeout = 604801\n";
    cr_expect_eq(load(&config, too_long, sizeof too_long - 1, &diag), ERR_INPUT);
    static const char nowhere[] = "[stream \"127.0.0.1:1\"]\nidle_timeout = 1\n";
    cr_assert_eq(load(&config, nowhere, sizeof nowhere - 1, &diag), ERR_OK, "%s", diag.text);
    cr_expect_eq(config_check(&config, &diag), ERR_INPUT);
    cr_expect_not_null(strstr(diag.text, "[stream \"127.0.0.1:1\"] has no upstream"), "%s", diag.text);
}

Test(config, limits_streams)
{
    struct config config;
    struct diag diag = {0};
    char value[400];
    config_defaults(&config);
    for (size_t i = 0; i <= LIMIT_STREAMS; i++) {
        snprintf(value, sizeof value, "127.0.0.1:%zu=unix:/a", i + 1);
        cr_expect_eq(config_set_flag(&config, "--stream", value, &diag), i < LIMIT_STREAMS ? ERR_OK : ERR_INPUT);
    }
    cr_expect_str_eq(diag.text, "--stream: more than 8 streams");
    cr_expect_eq(config_set_flag(&config, "--stream", "127.0.0.1:5=unix:/b", &diag), ERR_OK);
    cr_expect_eq(config_check(&config, &diag), ERR_OK, "%s", diag.text);
}

Test(config, refuses_lines_that_libinih_would_cut)
{
    struct config config;
    struct diag diag = {0};
    char content[300] = "[web]\nroot = /";
    size_t head = strlen(content);
    memset(content + head, 'a', 250);
    content[head + 250] = '\n';
    cr_assert_eq(load(&config, content, head + 251, &diag), ERR_INPUT);
    cr_assert_str_eq(diag.text + strlen(path),
                     ":2: the line is too long (198 bytes at most); give long values as flags");
    /* The longest line there may be, with and without an end. */
    cr_assert_eq(load(&config, content, 6 + 199, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(strlen(config.root), 199 - strlen("root = "));
    content[6 + 198] = '\n';
    cr_assert_eq(load(&config, content, 6 + 199, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(strlen(config.root), 198 - strlen("root = "));
}

Test(config, refuses_a_nul_byte)
{
    static const char content[] = "[web]\nroot = /srv\0/other\n";
    struct config config;
    struct diag diag = {0};
    cr_assert_eq(load(&config, content, sizeof content - 1, &diag), ERR_INPUT);
    cr_assert_str_eq(diag.text + strlen(path), ":2: the line has a NUL byte in it");
}

Test(config, names_a_file_that_is_not_there)
{
    struct config config;
    struct diag diag = {0};
    config_defaults(&config);
    cr_assert_eq(config_file_load(&config, NULL, "/nonexistent/k.ini", &diag), ERR_INPUT);
    cr_assert_str_eq(diag.text,
                     "--config '/nonexistent/k.ini': No such file or directory; give a file that can be read");
    cr_assert_eq(config_file_load(&config, NULL, "/tmp", &diag), ERR_INPUT);
    cr_assert_str_eq(diag.text, "--config '/tmp': cannot be read; give a file");
}

/* Splits words at blanks and parses them. */
static enum err parse(struct command *out, const char *line, struct diag *diag)
{
    char copy[256], *words[32] = {"broker"}, *rest = NULL;
    int num = 1;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) words[num++] = word;
    return command_parse(out, NULL, num, words, diag);
}

Test(command, knows_its_subcommands)
{
    static const struct {
        const char *line;
        enum subcommand what;
        enum command_output output;
        uint64_t handle;
    } rows[] = {
        {"", COMMAND_RUN, COMMAND_FOR_PEOPLE, 0},
        {"run", COMMAND_RUN, COMMAND_FOR_PEOPLE, 0},
        {"--no-browser", COMMAND_RUN, COMMAND_FOR_PEOPLE, 0},
        {"--listen none check --headless", COMMAND_CHECK, COMMAND_FOR_PEOPLE, 0},
        {"status", COMMAND_STATUS, COMMAND_FOR_PEOPLE, 0},
        {"status --json --runtime-dir /x", COMMAND_STATUS, COMMAND_JSON, 0},
        {"ca", COMMAND_CA, COMMAND_FOR_PEOPLE, 0},
        {"handle list", COMMAND_HANDLE_LIST, COMMAND_FOR_PEOPLE, 0},
        {"handle revoke 17", COMMAND_HANDLE_REVOKE, COMMAND_FOR_PEOPLE, 17},
        {"--help", COMMAND_HELP, COMMAND_FOR_PEOPLE, 0},
        {"status -h", COMMAND_HELP, COMMAND_FOR_PEOPLE, 0},
        {"--version", COMMAND_VERSION, COMMAND_FOR_PEOPLE, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct command command;
        struct diag diag = {0};
        cr_assert_eq(parse(&command, rows[i].line, &diag), ERR_OK, "%s: %s", rows[i].line, diag.text);
        cr_assert_eq(command.what, rows[i].what, "%s", rows[i].line);
        cr_assert_eq(command.output, rows[i].output);
        cr_assert_eq(command.handle, rows[i].handle);
    }
}

Test(command, says_what_is_wrong)
{
    static const struct {
        const char *line;
        const char *says;
    } bad[] = {
        {"--frobnicate", "unknown flag '--frobnicate'" HELP},
        {"run --head", "unknown flag '--head'" HELP},
        {"-x", "unknown flag '-x'" HELP},
        {"dance", "unknown subcommand 'dance'" HELP},
        {"run fast", "unexpected 'fast'" HELP},
        {"run --listen", "--listen needs a value" HELP},
        {"--no-browser=yes", "--no-browser takes no value" HELP},
        {"--help=me", "--help takes no value" HELP},
        {"run --json", "--json does not go with run" HELP},
        {"--json", "--json does not go with run" HELP},
        {"ca --json", "--json does not go with ca" HELP},
        {"handle", "handle wants 'list' or 'revoke ID'" HELP},
        {"handle drop", "handle wants 'list' or 'revoke ID'" HELP},
        {"handle revoke", "handle revoke needs a number; broker handle list shows them"},
        {"handle revoke x",
         "handle: 'x' is not a number from 1 to 18446744073709551615; broker handle list shows them"},
        {"handle revoke 1 2", "unexpected '2'" HELP},
        {"a b c d e", "unexpected 'e'" HELP},
        {"--workers=0", "--workers: '0' is not a number from 1 to 64"},
        {"--workers -1", "--workers: '-1' is not a number from 1 to 64"},
        {"--browser lynx",
         "--browser: 'lynx' is not a browser that Keyward starts; want chromium, firefox, cog, epiphany or none"},
        {"--listen=127.0.0.1",
         "--listen: '127.0.0.1' has no port; want ADDR:PORT, such as 127.0.0.1:9000 or [::1]:9000"},
        {"--header X", "--header: 'X' cannot be set: it has no colon"},
        {"--header Date:now", "--header: 'Date:now' cannot be set: the server sets it by itself"},
        {"--spa --headless", "--spa is about the files of a directory; add --root DIR"},
        {"--heartbeat 30s --no-browser",
         "--heartbeat goes with a browser, and --no-browser says there is none; drop one"},
        {"--screenshot /x", "--screenshot is taken by a browser without a screen; add --headless"},
        {"--headless --no-browser", "--headless goes with a browser, and --no-browser says there is none; drop one"},
        {"--listen none --no-browser",
         "--listen none with --no-browser leaves nothing to serve; drop one, or give --echo ADDR:PORT"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct command command;
        struct diag diag = {0};
        cr_assert_eq(parse(&command, bad[i].line, &diag), ERR_INPUT, "%s", bad[i].line);
        cr_assert_str_eq(diag.text, bad[i].says);
    }
}

Test(command, lets_flags_win_over_the_file)
{
    char line[128];
    struct command command;
    struct diag diag = {0};
    strcpy(path, "/tmp/keyward-config-XXXXXX");
    write_file("[web]\nworkers = 2\n[tls]\nmin_version = 1.3\n", 42);
    snprintf(line, sizeof line, "--workers 5 --config=%s --listen [::1]:0", path);
    cr_assert_eq(parse(&command, line, &diag), ERR_OK, "%s", diag.text);
    unlink(path);
    cr_assert_eq(command.config.workers, 5);
    cr_assert_not(command.config.tls.tls12);
    cr_assert_eq(command.config.listen.socket.ss_family, AF_INET6);
}

Test(command, gives_the_certificate_the_address_it_listens_on)
{
    struct command command;
    cr_assert_eq(parse(&command, "--listen 192.0.2.7:443", NULL), ERR_OK);
    cr_assert_eq(command.config.num_names, 4);
    cr_assert_eq(memcmp(command.config.names[3].ip, "\xc0\x00\x02\x07", 4), 0);
    cr_assert_eq(parse(&command, "--listen 0.0.0.0:443", NULL), ERR_OK);
    cr_assert_eq(command.config.num_names, 3);
}

Test(value, knows_host_names)
{
    static const char *const good[] = {"localhost", "a", "kiosk-7.example", "1.example", "xn--bcher-kva.example"};
    static const char *const bad[] = {
        "",   ".",    "a.",  ".a",  "a..b",      "-a",
        "a-", "a-.b", "a_b", "a b", "*.example", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < COUNT(good); i++) cr_assert(value_dns_name(good[i]), "%s", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++) cr_assert_not(value_dns_name(bad[i]), "%s", bad[i]);
}

Test(value, refuses_control_characters_and_what_is_too_long)
{
    char out[8];
    struct diag diag = {0};
    cr_assert_eq(value_text(out, sizeof out, "1234567", &diag), ERR_OK);
    cr_assert_eq(value_text(out, sizeof out, "12345678", &diag), ERR_INPUT);
    cr_assert_str_eq(diag.text, "the value is longer than 7 bytes");
    cr_assert_eq(value_text(out, sizeof out, "a\tb", &diag), ERR_INPUT);
    cr_assert_str_eq(diag.text, "the value has a control character in it");
}
