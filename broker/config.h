/* What the broker is told to do: defaults, then an INI file, then flags. Tables (broker/config_table.h) have a row for
 * every option; the file and the command line go through the same rows, so both take the same values and say the same. */
#ifndef KEYWARD_BROKER_CONFIG_H
#define KEYWARD_BROKER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/limits.h"
#include "broker/address.h"
#include "broker/stream_place.h"
#include "broker/upstream.h"
#include "proto/header.h"
#include "proto/message.h"
#include "proto/tls_choice.h"

/* The browser's port inside its namespace where the host has no listener. */
#define CONFIG_DEFAULT_PORT 9000

enum config_browser {
    CONFIG_BROWSER_IF_POSSIBLE, /* the default: without a screen or a Chromium the broker says so and runs on */
    CONFIG_BROWSER_CHROMIUM,    /* asked for, as the next ones: what it needs has to be there */
    CONFIG_BROWSER_FIREFOX,
    CONFIG_BROWSER_COG,
    CONFIG_BROWSER_EPIPHANY,
    CONFIG_BROWSER_NONE,
};

enum config_metrics {
    CONFIG_METRICS_RUNTIME_DIR, /* the default: a socket named metrics there */
    CONFIG_METRICS_PATH,
    CONFIG_METRICS_ADDRESS,
    CONFIG_METRICS_NONE,
};

/* Options, at most. */
#define CONFIG_MAX_ROWS 128

/* A name that the server certificate is to have. */
struct config_name {
    char dns[LIMIT_NAME + 1]; /* empty for an address */
    uint8_t ip[16];
    size_t ip_len; /* 0, 4 or 16 */
};

/* Who vouches for an application that is elsewhere. */
struct config_proxy_ca {
    char prefix[LIMIT_PROXY_PREFIX + 1];
    char path[LIMIT_PATH + 1];
};

/* A server certificate beside the default one. */
struct config_certificate {
    char name[LIMIT_SERVER_SECTION + 1];
    char certificate[LIMIT_PATH + 1]; /* this and the key: PEM files */
    char key[LIMIT_PATH + 1];
    char ocsp[LIMIT_PATH + 1]; /* DER; empty: none */
};

struct config {
    bool listens;
    struct address listen;
    bool echoes;
    struct address echo;

    char root[LIMIT_PATH + 1]; /* these thirteen: empty if not given */
    char uploads[LIMIT_PATH + 1];
    char client_ca[LIMIT_PATH + 1];
    char crl[LIMIT_PATH + 1];
    char screenshot[LIMIT_PATH + 1];
    char runtime_dir[LIMIT_PATH + 1];
    char audit_file[LIMIT_PATH + 1];
    char access_file[LIMIT_PATH + 1];
    char server_certificate[LIMIT_PATH + 1];
    char server_key[LIMIT_PATH + 1];
    char server_ocsp[LIMIT_PATH + 1];
    char client_certificate[LIMIT_PATH + 1];
    char client_key[LIMIT_PATH + 1];
    bool audit_continue; /* handles are used even while their uses cannot be recorded */
    uint32_t audit_interval_s;

    enum tls_mode tls_mode; /* of the host's listener */
    uint32_t workers;       /* 0: one for each CPU */
    struct tls_terms tls;
    bool resumption;
    uint64_t max_upload_bytes;
    uint32_t idle_timeout_ms;
    bool spa;
    bool immutable;
    uint64_t upload_quota;                            /* 0: none */
    char headers[LIMIT_HEADERS][HEADER_LINE_LEN + 1]; /* NAME:VALUE */
    size_t num_headers;
    enum access_log access_log;
    bool log_json; /* what Keyward itself says */
    struct config_certificate certificates[LIMIT_SERVER_CERTIFICATES];
    size_t num_certificates;
    struct upstream_place proxies[LIMIT_PROXIES];
    size_t num_proxies;
    struct config_proxy_ca proxy_cas[LIMIT_PROXIES];
    size_t num_proxy_cas;
    struct stream_place streams[LIMIT_STREAMS];
    size_t num_streams;

    struct web_limits limits;

    enum config_metrics metrics;
    char metrics_path[LIMIT_PATH + 1];
    struct address metrics_address; /* on loopback */

    enum config_browser browser;
    bool headless;
    uint32_t heartbeat_s; /* within which the browser's page asks for something; 0: it need not */
    bool window;          /* with what a kiosk forbids */

    struct config_name names[LIMIT_NAMES];
    size_t num_names;
    uint32_t ca_lifetime_s;
    uint32_t leaf_lifetime_s;
    char client_name[LIMIT_LABEL + 1];

    uint64_t said[CONFIG_MAX_ROWS]; /* a digest of what each option was set to, in its own words; 0: it was not */
};

void config_defaults(struct config *out);

/* config_set sets one option of the file. A section may have a name behind it, as in [proxy "/api/"]. ERR_NOT_FOUND: there
 * is no such section or key. ERR_INPUT: a bad value. */
MUST_CHECK enum err config_set(struct config *config, const char *section, const char *key, const char *value,
                               struct diag *diag);

/* config_row_of gives a number for the option, the same for all its spellings, below CONFIG_MAX_ROWS; -1 if there is
 * none. For telling that a file sets something twice. */
int config_row_of(const char *section, const char *key);
bool config_has_section(const char *section);

/* config_changes writes which options were set otherwise, such as "[web] root, [headers]", as far as there is room, and says whether there
 * are any. CONFIG_AT_START: only of those that hold from the broker's start to its end. */
enum config_which { CONFIG_ANY, CONFIG_AT_START };
bool config_changes(char *out, size_t out_len, const struct config *before, const struct config *after,
                    enum config_which which);

/* config_repeats says whether the option is one that a section has any number of, under names of their own. */
bool config_repeats(int row);

/* config_is_set says whether the option, if it is such a one, has a value. */
bool config_is_set(const struct config *config, const char *section, const char *key);

enum config_flag { CONFIG_FLAG_UNKNOWN, CONFIG_FLAG_ALONE, CONFIG_FLAG_TAKES_VALUE };

/* config_flag_kind says what follows the flag, such as "--listen". */
enum config_flag config_flag_kind(const char *flag);

/* config_set_flag sets one flag; value is NULL for one that stands alone. The diagnostic names the flag. */
MUST_CHECK enum err config_set_flag(struct config *config, const char *flag, const char *value, struct diag *diag);

/* config_print_flags lists the flags for --help. */
void config_print_flags(FILE *out);

/* config_proxy_ca returns the path of the CA that vouches for a proxy's upstream, NULL: there is none. */
const char *config_proxy_ca(const struct config *config, const char *prefix);

/* config_check looks for options that contradict each other, and fills in what follows from others. */
MUST_CHECK enum err config_check(struct config *config, struct diag *diag);

#endif
