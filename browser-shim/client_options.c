#include "browser-shim/client_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "browser-shim/client.h"
#include "browser-shim/client_echo.h"

const char client_usage[] =
    "usage: browser-shim get [OPTION]... URL\n"
    "       browser-shim put [OPTION]... FILE URL\n"
    "       browser-shim post [OPTION]... URL\n"
    "       browser-shim echo [OPTION]... HOST:PORT MESSAGE...\n"
    "       browser-shim trace [OPTION]... [--json] [--tls12] URL\n"
    "       browser-shim exec [OPTION]... -- COMMAND [ARGUMENT]...    (see browser-shim exec --help)\n"
    "\n"
    "Speaks to a Keyward page as a browser would: asks the running broker for a short-lived handle and authenticates\n"
    "with the client key, which stays in keyd. The server has to be the one that the broker started; with --cacert "
    "any\n"
    "other whose certificate leads to that CA, which keyd verifies too.\n"
    "trace shakes hands and asks for nothing: it prints each message of the handshake, and which of them keyd signed.\n"
    "\n"
    "  -o, --output FILE        write the body, or the answers, to FILE, whole or not at all\n"
    "  -H, --header FIELD       get, put, post: send this header field, 'Name: value'; as often as you like\n"
    "  -d, --data DATA          post: send DATA; @FILE: the file; -: standard input\n"
    "      --cacert FILE        the CA of a server that is not the broker's own: one certificate, PEM\n"
    "      --runtime-dir DIR    where the broker's control socket is\n"
    "      --from HANDLE        use a part of this handle: one signature of its, and not a handle of one's own\n"
    "      --json               print an object of JSON: trace one a line, get, put and post one about the answer in\n"
    "                           place of its body, which -o keeps\n"
    "      --tls12              trace: do not offer TLS 1.3; keyd signs nothing then\n"
    "  -v, --verbose            tell on standard error what happens\n"
    "  -h, --help               print this\n"
    "\n"
    "  browser-shim get -o page.html https://localhost:9000/\n"
    "  browser-shim put report.pdf https://localhost:9000/upload/report.pdf\n"
    "  browser-shim post -H 'Content-Type: application/json' -d '{\"n\": 1}' https://localhost:9000/api/orders\n"
    "  journalctl -n 100 | browser-shim post -d - https://localhost:9000/api/logs\n"
    "\n"
    "A transfer that takes more than a second shows how far it is, where standard error is a terminal.\n"
    "\n"
    "Exit code:\n"
    "    0  done; for get, put and post the HTTP status is 2xx\n"
    "    1  the server answered with another HTTP status\n"
    "  100  something is to be changed first: the command line, a file, a name that does not exist, no broker\n"
    "  111  the system, the network, TLS, or the server's or the handle's refusal\n"
    "Of 1, 100 and 111 standard error says the cause and what to do, in one line.\n";

static const struct {
    const char *word;
    enum client_command command;
} commands[] = {
    {"get", CLIENT_GET},     {"put", CLIENT_PUT},   {"post", CLIENT_POST},   {"echo", CLIENT_ECHO},
    {"trace", CLIENT_TRACE}, {"help", CLIENT_HELP}, {"--help", CLIENT_HELP}, {"-h", CLIENT_HELP},
};

enum { NUM_COMMANDS = sizeof commands / sizeof commands[0] };

bool client_is_command(const char *word)
{
    for (size_t i = 0; i < NUM_COMMANDS; i++) {
        if (strcmp(commands[i].word, word) == 0) return true;
    }
    return false;
}

static enum err parse_command(struct client_options *out, int argc, char **argv, struct diag *diag)
{
    if (argc < 2) return diag_set(diag, ERR_INPUT, "no command; run browser-shim --help");
    for (size_t i = 0; i < NUM_COMMANDS; i++) {
        if (strcmp(commands[i].word, argv[1]) != 0) continue;
        out->command = commands[i].command;
        return ERR_OK;
    }
    return diag_set(diag, ERR_INPUT, "unknown command '%s'; run browser-shim --help", argv[1]);
}

/* A number as `broker handle list` shows it. */
static enum err parse_handle(uint64_t *out, const char *text, struct diag *diag)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number == 0) {
        return diag_set(diag, ERR_INPUT, "--from '%s' is not a handle's number; broker handle list shows them", text);
    }
    *out = number;
    return ERR_OK;
}

static void parse_data(struct client_options *out, const char *text)
{
    const bool is_input = strcmp(text, "-") == 0;
    out->upload = is_input ? text : text[0] == '@' ? text + 1 : NULL;
    out->data = out->upload == NULL ? text : NULL;
}

static enum err parse_flags(struct client_options *out, int argc, char **argv, struct diag *diag)
{
    enum { RUNTIME_DIR = 256, CACERT, FROM, JSON, TLS12 };
    static const struct option flags[] = {
        {"output", required_argument, NULL, 'o'},
        {"header", required_argument, NULL, 'H'},
        {"data", required_argument, NULL, 'd'},
        {"runtime-dir", required_argument, NULL, RUNTIME_DIR},
        {"cacert", required_argument, NULL, CACERT},
        {"from", required_argument, NULL, FROM},
        {"json", no_argument, NULL, JSON},
        {"tls12", no_argument, NULL, TLS12},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    opterr = 0; /* we say it ourselves */
    optind = 0; /* so that getopt starts afresh */
    for (;;) {
        int flag = getopt_long(argc, argv, ":o:H:d:vh", flags, NULL);
        switch (flag) {
        case -1: return ERR_OK;
        case 'o': out->output = optarg; break;
        case 'd': parse_data(out, optarg); break;
        case 'H':
            if (client_fields_add(&out->fields, optarg, diag) != ERR_OK) return ERR_INPUT;
            break;
        case CACERT: out->cacert = optarg; break;
        case RUNTIME_DIR: out->runtime_dir = optarg; break;
        case FROM:
            if (parse_handle(&out->from, optarg, diag) != ERR_OK) return ERR_INPUT;
            break;
        case JSON: out->json = true; break;
        case TLS12: out->tls12 = true; break;
        case 'v': out->verbose = true; break;
        case 'h': out->command = CLIENT_HELP; break;
        case ':': return diag_set(diag, ERR_INPUT, "%s needs a value; run browser-shim --help", argv[optind - 1]);
        default:
            return diag_set(diag, ERR_INPUT,
                            "unknown option '%s'; run browser-shim --help, or write -- before what "
                            "is not an option",
                            argv[optind - 1]);
        }
    }
}

static enum err parse_operands(struct client_options *out, char **operands, int num, struct diag *diag)
{
    switch (out->command) {
    case CLIENT_HELP: return ERR_OK;
    case CLIENT_GET:
        if (num != 1) return diag_set(diag, ERR_INPUT, "get takes one URL; run browser-shim --help");
        return client_url_parse(&out->url, operands[0], diag);
    case CLIENT_PUT:
        if (num != 2) return diag_set(diag, ERR_INPUT, "put takes a file and a URL; run browser-shim --help");
        out->upload = operands[0];
        return client_url_parse(&out->url, operands[1], diag);
    case CLIENT_POST:
        if (num != 1) return diag_set(diag, ERR_INPUT, "post takes one URL; run browser-shim --help");
        if (out->upload == NULL && out->data == NULL) out->data = "";
        return client_url_parse(&out->url, operands[0], diag);
    case CLIENT_TRACE:
        if (num != 1) return diag_set(diag, ERR_INPUT, "trace takes one URL; run browser-shim --help");
        return client_url_parse(&out->url, operands[0], diag);
    case CLIENT_ECHO: break;
    }
    if (num < 2) return diag_set(diag, ERR_INPUT, "echo takes HOST:PORT and messages; run browser-shim --help");
    out->messages = operands + 1;
    out->num_messages = (size_t)num - 1;
    for (size_t i = 0; i < out->num_messages; i++) {
        enum err err = client_echo_check(out->messages[i], diag);
        if (err != ERR_OK) return err;
    }
    return client_address_parse(&out->address, operands[0], diag);
}

/* An option that would do nothing is a mistake. */
static enum err check_flags(const struct client_options *options, struct diag *diag)
{
    const enum client_command command = options->command;
    const bool is_http = command == CLIENT_GET || command == CLIENT_PUT || command == CLIENT_POST;
    const bool has_data = options->data != NULL || options->upload != NULL;
    if (command == CLIENT_HELP) return ERR_OK;
    if (options->tls12 && command != CLIENT_TRACE)
        return diag_set(diag, ERR_INPUT, "--tls12 is for trace; run browser-shim --help");
    if (options->json && command == CLIENT_ECHO)
        return diag_set(diag, ERR_INPUT, "--json is not for echo; run browser-shim --help");
    if (options->fields.num > 0 && !is_http)
        return diag_set(diag, ERR_INPUT, "-H is for get, put and post; run browser-shim --help");
    if (has_data && command != CLIENT_POST)
        return diag_set(diag, ERR_INPUT, "--data is for post; put takes a file; run browser-shim --help");
    return ERR_OK;
}

enum err client_options_parse(struct client_options *out, int argc, char **argv, struct diag *diag)
{
    *out = (struct client_options){.command = CLIENT_HELP};
    enum err err = parse_command(out, argc, argv, diag);
    if (err != ERR_OK || out->command == CLIENT_HELP) return err;
    err = parse_flags(out, argc - 1, argv + 1, diag);
    if (err == ERR_OK) err = check_flags(out, diag);
    if (err == ERR_OK) err = parse_operands(out, argv + 1 + optind, argc - 1 - optind, diag);
    if (err == ERR_OK && out->command != CLIENT_ECHO) out->address = out->url.address;
    return err;
}
