#include "broker/command.h"

#include <string.h>

#include "broker/config_file.h"
#include "broker/value.h"

#define SEE_HELP "see broker --help"

static const struct {
    const char *words[2]; /* the second is NULL for most */
    enum subcommand what;
    const char *operand; /* its name in the usage; NULL: none */
    bool json;
    const char *help;
} subcommands[] = {
    {{"run", NULL}, COMMAND_RUN, NULL, false, "start everything (the default)"},
    {{"check", NULL}, COMMAND_CHECK, NULL, false, "check configuration, files and addresses; start nothing"},
    {{"status", NULL}, COMMAND_STATUS, NULL, true, "show the running processes, handles, certificates and counters"},
    {{"ca", NULL}, COMMAND_CA, NULL, false, "print the running system's CA certificate (PEM)"},
    {{"handle", "list"}, COMMAND_HANDLE_LIST, NULL, true, "list the handles that are out"},
    {{"handle", "revoke"},
     COMMAND_HANDLE_REVOKE,
     "ID",
     false,
     "revoke the handle with this number, and end its connections"},
    {{"certificate", "revoke"}, COMMAND_CERTIFICATE_REVOKE, "SERIAL", false, "turn clients with this certificate away"},
    {{"reload", NULL},
     COMMAND_RELOAD,
     NULL,
     false,
     "read the configuration and all files it names again, all or nothing"},
    {{"browser", "renew"},
     COMMAND_BROWSER_RENEW,
     NULL,
     false,
     "give the browser a new handle; it goes on with that, and its page stays open"},
    {{"reopen", NULL},
     COMMAND_REOPEN,
     NULL,
     false,
     "open the access log's file again, which has been renamed (SIGUSR1)"},
    {{"explain", NULL},
     COMMAND_EXPLAIN,
     "[ADDRESS|last|N]",
     true,
     "say why handshakes failed, of this client, or the last one, or the last N (10), and what to do"},
};

#define NUM_SUBCOMMANDS (sizeof subcommands / sizeof *subcommands)

/* What was on the command line, sorted. */
struct words {
    const char *operands[4];
    size_t num_operands;
    const char *config_file;
    bool json;
    bool help;
    bool version;
};

void command_help(FILE *out)
{
    fprintf(out, "broker starts, watches and connects the processes of Keyward.\n\n"
                 "usage: broker [SUBCOMMAND] [FLAGS]\n\n");
    for (size_t i = 0; i < NUM_SUBCOMMANDS; i++) {
        char left[32];
        const char *second = subcommands[i].words[1];
        const char *operand = subcommands[i].operand;
        snprintf(left, sizeof left, "%s%s%s%s%s", subcommands[i].words[0], second ? " " : "", second ? second : "",
                 operand ? " " : "", operand ? operand : "");
        fprintf(out, "  %-26s %s\n", left, subcommands[i].help);
    }
    fprintf(out, "  %-26s %s\n  %-26s %s\n", "audit verify FILE", "say whether an audit log is as it was written",
            "audit show FILE", "show an audit log");
    fprintf(out, "\nflags of run and check:\n  %-26s %s\n", "--config FILE", "an INI file; flags win over it");
    config_print_flags(out);
    fprintf(out,
            "\nThe other subcommands take --config, --runtime-dir and, for status, explain and handle list, --json.\n"
            "SIGTERM and SIGINT stop everything, SIGHUP is reload, SIGUSR1 reopen. Exit codes: 0 done, 100 change "
            "something and "
            "try again,\n"
            "111 the system failed.\n");
}

/* Splits --flag=value. Returns the value, or NULL if there is none. */
static const char *split_flag(char *name, size_t name_len, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    if (len >= name_len) len = name_len - 1;
    memcpy(name, word, len);
    name[len] = '\0';
    return equals ? equals + 1 : NULL;
}

static enum err take_alone(struct words *words, const char *name, const char *value, bool *out_taken, struct diag *diag)
{
    bool *flag = NULL;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) flag = &words->help;
    if (strcmp(name, "--version") == 0) flag = &words->version;
    if (strcmp(name, "--json") == 0) flag = &words->json;
    *out_taken = flag != NULL;
    if (flag && value) return diag_set(diag, ERR_INPUT, "%s takes no value; " SEE_HELP, name);
    if (flag) *flag = true;
    return ERR_OK;
}

/* Whether flags set the configuration on this pass, or are only looked at. */
enum pass { PASS_LOOK, PASS_SET };

static enum err take_flag(struct words *words, struct config *config, enum pass pass, int *at, int argc, char **argv,
                          struct diag *diag)
{
    char name[64];
    bool taken;
    const char *value = split_flag(name, sizeof name, argv[*at]);
    enum err err = take_alone(words, name, value, &taken, diag);
    if (err != ERR_OK || taken) return err;
    bool is_config = strcmp(name, "--config") == 0;
    enum config_flag kind = is_config ? CONFIG_FLAG_TAKES_VALUE : config_flag_kind(name);
    if (kind == CONFIG_FLAG_UNKNOWN) return diag_set(diag, ERR_INPUT, "unknown flag '%s'; " SEE_HELP, name);
    if (kind == CONFIG_FLAG_ALONE && value) return diag_set(diag, ERR_INPUT, "%s takes no value; " SEE_HELP, name);
    if (kind == CONFIG_FLAG_TAKES_VALUE && !value) {
        if (*at + 1 >= argc) return diag_set(diag, ERR_INPUT, "%s needs a value; " SEE_HELP, name);
        value = argv[++*at];
    }
    if (is_config) {
        words->config_file = value;
        return ERR_OK;
    }
    return pass == PASS_SET ? config_set_flag(config, name, value, diag) : ERR_OK;
}

static enum err take_words(struct words *words, struct config *config, enum pass pass, int argc, char **argv,
                           struct diag *diag)
{
    *words = (struct words){0};
    for (int at = 1; at < argc; at++) {
        if (argv[at][0] == '-') {
            enum err err = take_flag(words, config, pass, &at, argc, argv, diag);
            if (err != ERR_OK) return err;
        } else {
            if (words->num_operands == 4) return diag_set(diag, ERR_INPUT, "unexpected '%s'; " SEE_HELP, argv[at]);
            words->operands[words->num_operands++] = argv[at];
        }
    }
    return ERR_OK;
}

static bool row_matches(const struct words *words, size_t row)
{
    const char *second = subcommands[row].words[1];
    if (words->num_operands == 0 || strcmp(words->operands[0], subcommands[row].words[0]) != 0) return false;
    return !second || (words->num_operands > 1 && strcmp(words->operands[1], second) == 0);
}

static const char *where_to_look(enum subcommand what)
{
    return what == COMMAND_CERTIFICATE_REVOKE ? "openssl x509 -serial shows a certificate's"
                                              : "broker handle list shows them";
}

static enum err take_operand(struct command *out, const char *operand, struct diag *diag)
{
    struct diag why = {0};
    const bool is_serial = out->what == COMMAND_CERTIFICATE_REVOKE;
    enum err err = is_serial ? value_serial(out->serial, &out->serial_len, operand, &why)
                             : value_number(&out->handle, operand, 1, UINT64_MAX, &why);
    if (err == ERR_OK) return ERR_OK;
    return diag_set(diag, err, "%s: %s; %s", is_serial ? "certificate" : "handle", why.text, where_to_look(out->what));
}

/* ADDRESS, [ADDRESS], or with a port, as the log has it: without that, as the workers write it. */
static bool take_host(char out[ADDRESS_TEXT], const char *text)
{
    struct address address;
    char padded[2 * ADDRESS_TEXT];
    if (strlen(text) >= ADDRESS_TEXT) return false;
    enum err err = address_parse(&address, text, NULL);
    snprintf(padded, sizeof padded, "%s:0", text);
    if (err != ERR_OK) err = address_parse(&address, padded, NULL);
    snprintf(padded, sizeof padded, "[%s]:0", text);
    if (err != ERR_OK) err = address_parse(&address, padded, NULL);
    if (err != ERR_OK) return false;
    address_format(out, &address);
    *strrchr(out, ':') = '\0';
    return true;
}

/* operand NULL: none was given. */
static enum err take_explain(struct command *out, const char *operand, struct diag *diag)
{
    uint64_t max;
    out->explain = (struct explain_query){.host = out->explain_host, .max = 10};
    if (!operand) return ERR_OK;
    const bool is_number = strspn(operand, "0123456789") == strlen(operand);
    if (strcmp(operand, "last") == 0) {
        out->explain.max = 1;
    } else if (is_number) {
        enum err err = value_number(&max, operand, 1, LIMIT_EXPLANATION, diag);
        if (err != ERR_OK) return err;
        out->explain.max = (uint32_t)max;
    } else if (!take_host(out->explain_host, operand)) {
        return diag_set(diag, ERR_INPUT,
                        "explain: '%s' is no address; give one as the log has it, last or a number; " SEE_HELP,
                        operand);
    } else {
        out->explain.max = LIMIT_EXPLANATION;
    }
    return ERR_OK;
}

static enum err find_subcommand(struct command *out, const struct words *words, struct diag *diag)
{
    if (words->num_operands == 0) {
        out->what = COMMAND_RUN;
        return words->json ? diag_set(diag, ERR_INPUT, "--json does not go with run; " SEE_HELP) : ERR_OK;
    }
    for (size_t i = 0; i < NUM_SUBCOMMANDS; i++) {
        if (!row_matches(words, i)) continue;
        size_t first = subcommands[i].words[1] ? 2 : 1;
        size_t operands = subcommands[i].operand ? 1 : 0;
        if (words->num_operands > first + operands) {
            return diag_set(diag, ERR_INPUT, "unexpected '%s'; " SEE_HELP, words->operands[first + operands]);
        }
        const bool is_explain = subcommands[i].what == COMMAND_EXPLAIN; /* the one whose operand may be left out */
        if (words->num_operands < first + operands && !is_explain) {
            return diag_set(diag, ERR_INPUT, "%s %s needs a number; %s", subcommands[i].words[0],
                            subcommands[i].words[1], where_to_look(subcommands[i].what));
        }
        if (words->json && !subcommands[i].json) {
            return diag_set(diag, ERR_INPUT, "--json does not go with %s; " SEE_HELP, subcommands[i].words[0]);
        }
        out->what = subcommands[i].what;
        if (is_explain) return take_explain(out, words->num_operands > first ? words->operands[first] : NULL, diag);
        return subcommands[i].operand ? take_operand(out, words->operands[first], diag) : ERR_OK;
    }
    if (strcmp(words->operands[0], "handle") == 0) {
        return diag_set(diag, ERR_INPUT, "handle wants 'list' or 'revoke ID'; " SEE_HELP);
    }
    if (strcmp(words->operands[0], "certificate") == 0) {
        return diag_set(diag, ERR_INPUT, "certificate wants 'revoke SERIAL'; " SEE_HELP);
    }
    return diag_set(diag, ERR_INPUT, "unknown subcommand '%s'; " SEE_HELP, words->operands[0]);
}

enum err command_parse(struct command *out, struct opener *opener, int argc, char **argv, struct diag *diag)
{
    struct words words;
    *out = (struct command){0};
    config_defaults(&out->config);
    enum err err = take_words(&words, &out->config, PASS_LOOK, argc, argv, diag);
    if (err != ERR_OK) return err;
    if (words.help || words.version) {
        out->what = words.help ? COMMAND_HELP : COMMAND_VERSION;
        return ERR_OK;
    }
    err = find_subcommand(out, &words, diag);
    if (err != ERR_OK) return err;
    out->output = words.json ? COMMAND_JSON : COMMAND_FOR_PEOPLE;
    if (words.config_file) err = config_file_load(&out->config, opener, words.config_file, diag);
    if (err == ERR_OK) err = take_words(&words, &out->config, PASS_SET, argc, argv, diag);
    if (err == ERR_OK) err = config_check(&out->config, diag);
    return err;
}
