#include "browser-shim/exec_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define SEE_HELP "run browser-shim exec --help"

enum { DEFAULT_LIFETIME_S = 60 };

const char exec_usage[] =
    "usage: browser-shim exec [OPTION]... -- COMMAND [ARGUMENT]...\n"
    "\n"
    "Runs COMMAND with Keyward's PKCS#11 module and a handle that ends with it. The handle signs for handshakes with "
    "this\n"
    "system's own server alone, and for one process alone. curl needs nothing more:\n"
    "\n"
    "  browser-shim exec -- curl https://localhost:9000/hello\n"
    "  browser-shim exec --p11-kit --pin first -- git clone https://localhost:9000/tools.git\n"
    "\n"
    "      --handle-ttl TIME    how long the handle lives: 60s (the default), 5m, 1h at most\n"
    "      --label LABEL        what `broker handle list` shows\n"
    "      --max N              how many signatures it makes; as many as are asked for by default\n"
    "      --pin command        the process that COMMAND is signs, and nobody that it starts (the default)\n"
    "      --pin first          the first process that loads the module signs: for a COMMAND that has another do it\n"
    "      --p11-kit            have p11-kit find the module, for programs with GnuTLS, as Debian's git (not as root)\n"
    "      --runtime-dir DIR    where the broker's control socket is\n"
    "  -v, --verbose            tell on standard error what happens\n"
    "  -h, --help               print this\n"
    "\n"
    "COMMAND finds the handle as descriptor 3, and in its environment:\n"
    "  PKCS11_MODULE_PATH, PKCS11_PROVIDER_MODULE, KEYWARD_MODULE   the module (OpenSSL's engine and provider)\n"
    "  KEYWARD_CERTIFICATE_URI, KEYWARD_KEY_URI                     certificate and key on it (RFC 7512)\n"
    "  KEYWARD_CERTIFICATE_FILE, KEYWARD_CA_FILE                    the certificate, and the server's CA, in PEM\n"
    "  CURL_HOME, CURL_CA_BUNDLE, SSL_CERT_FILE                     for curl and OpenSSL\n"
    "  GIT_SSL_CERT, GIT_SSL_KEY, GIT_SSL_CAINFO                    for git\n"
    "  XDG_CONFIG_HOME                                              with --p11-kit: yours, and the module\n"
    "\n"
    "Exit code: COMMAND's own, and its signal. 100 for a mistake in what was asked, 111 for a failure of the system: "
    "then\n"
    "nothing was run.\n";

static enum err parse_number(uint64_t *out, const char *option, const char *text, struct diag *diag)
{
    char *end;
    errno = 0;
    const unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number == 0) {
        return diag_set(diag, ERR_INPUT, "%s '%s' is not a number from 1 on; " SEE_HELP, option, text);
    }
    *out = number;
    return ERR_OK;
}

static enum err parse_lifetime(uint32_t *out, const char *text, struct diag *diag)
{
    static const struct {
        char letter;
        unsigned seconds;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}};
    char *end;
    errno = 0;
    const unsigned long number = strtoul(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (end[0] != units[i].letter || (end[0] != '\0' && end[1] != '\0')) continue;
        if (text[0] < '0' || text[0] > '9' || errno != 0 || number == 0) break;
        if (number > LIMIT_HANDLE_LIFETIME_S / units[i].seconds) break;
        *out = (uint32_t)(number * units[i].seconds);
        return ERR_OK;
    }
    return diag_set(diag, ERR_INPUT, "--handle-ttl '%s' is not a time up to %u s; write 60s, 5m or 1h", text,
                    LIMIT_HANDLE_LIFETIME_S);
}

static enum err parse_pin(enum exec_pin *out, const char *text, struct diag *diag)
{
    *out = strcmp(text, "first") == 0 ? EXEC_PIN_FIRST : EXEC_PIN_COMMAND;
    if (*out == EXEC_PIN_FIRST || strcmp(text, "command") == 0) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "--pin '%s': want command or first; " SEE_HELP, text);
}

static enum err parse_label(const char **out, const char *text, struct diag *diag)
{
    *out = text;
    const size_t len = strlen(text);
    bool good = len >= 1 && len <= LIMIT_LABEL;
    for (size_t i = 0; i < len && good; i++) good = (unsigned char)text[i] >= ' ' && text[i] != 0x7f;
    if (good) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "--label: want 1 to %u bytes without control characters", LIMIT_LABEL);
}

enum { RUNTIME_DIR = 256, TTL, LABEL, MAX, PIN, P11_KIT };

static enum err take_flag(struct exec_options *out, int flag, char **argv, struct diag *diag)
{
    switch (flag) {
    case RUNTIME_DIR: out->runtime_dir = optarg; return ERR_OK;
    case TTL: return parse_lifetime(&out->lifetime_s, optarg, diag);
    case LABEL: return parse_label(&out->label, optarg, diag);
    case MAX: return parse_number(&out->max_signatures, "--max", optarg, diag);
    case PIN: return parse_pin(&out->pin, optarg, diag);
    case P11_KIT: out->p11_kit = true; return ERR_OK;
    case 'v': out->verbose = true; return ERR_OK;
    case 'h': out->help = true; return ERR_OK;
    case ':': return diag_set(diag, ERR_INPUT, "%s needs a value; " SEE_HELP, argv[optind - 1]);
    default:
        return diag_set(diag, ERR_INPUT, "unknown option '%s'; " SEE_HELP ", or write -- before the command",
                        argv[optind - 1]);
    }
}

enum err exec_options_parse(struct exec_options *out, int argc, char **argv, struct diag *diag)
{
    static const struct option flags[] = {
        {"handle-ttl", required_argument, NULL, TTL},
        {"label", required_argument, NULL, LABEL},
        {"max", required_argument, NULL, MAX},
        {"pin", required_argument, NULL, PIN},
        {"p11-kit", no_argument, NULL, P11_KIT},
        {"runtime-dir", required_argument, NULL, RUNTIME_DIR},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *out = (struct exec_options){.label = "browser-shim exec", .lifetime_s = DEFAULT_LIFETIME_S};
    opterr = 0; /* we say it ourselves */
    optind = 0; /* so that getopt starts afresh */
    for (;;) {
        const int flag = getopt_long(argc - 1, argv + 1, "+:vh", flags, NULL); /* the command's options are its own */
        if (flag == -1) break;
        const enum err err = take_flag(out, flag, argv + 1, diag);
        if (err != ERR_OK) return err;
    }
    out->command = argv + 1 + optind;
    if (out->help || out->command[0] != NULL) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "exec takes a command; " SEE_HELP);
}
