#include "broker/audit_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/runtime.h"
#include "base/sandbox.h"
#include "broker/audit_show.h"
#include "broker/audit_verify.h"
#include "broker/sandbox_policy.h"
#include "broker/value.h"
#include "proto/link.h"

#define USAGE \
    "broker audit verify FILE [--key FINGERPRINT] [--head N:HASH] [--crash N], or broker audit show FILE [--json]"

struct audit_words {
    bool verify;
    bool json;
    const char *file;
    const char *runtime_dir;
    struct audit_trust trust;
};

/* What becomes of the records. */
struct audit_output {
    const struct audit_words *words;
    enum audit_colour colour;
};

static bool read_hash(uint8_t out[AUDIT_HASH], const char *text)
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != 2 * AUDIT_HASH) return false;
    for (size_t i = 0; i < 2 * AUDIT_HASH; i++) {
        const char *digit = strchr(digits, text[i] >= 'A' && text[i] <= 'F' ? text[i] + 32 : text[i]);
        if (!digit) return false;
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | (digit - digits));
    }
    return true;
}

static enum err take_key(struct audit_trust *trust, const char *text, struct diag *diag)
{
    if (trust->num_keys == LIMIT_AUDIT_KEYS) return diag_set(diag, ERR_INPUT, "more than %u --key", LIMIT_AUDIT_KEYS);
    if (read_hash(trust->keys[trust->num_keys++], text)) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "--key: '%s' is no fingerprint; want the 64 digits of an 'audit key' line", text);
}

static enum err take_head(struct audit_trust *trust, const char *text, struct diag *diag)
{
    char number[32];
    struct diag why = {0};
    const char *colon = strchr(text, ':');
    if (trust->num_pins == LIMIT_AUDIT_KEYS) return diag_set(diag, ERR_INPUT, "more than %u --head", LIMIT_AUDIT_KEYS);
    struct audit_pin *pin = &trust->pins[trust->num_pins++];
    if (colon && (size_t)(colon - text) < sizeof number) {
        memcpy(number, text, (size_t)(colon - text));
        number[colon - text] = '\0';
        if (value_number(&pin->number, number, 1, UINT64_MAX, &why) == ERR_OK && read_hash(pin->hash, colon + 1))
            return ERR_OK;
    }
    return diag_set(diag, ERR_INPUT, "--head: '%s' is no head; want N:HASH as in an 'audit head' line", text);
}

static enum err take_crash(struct audit_trust *trust, const char *text, struct diag *diag)
{
    struct diag why = {0};
    if (trust->num_crashes == LIMIT_AUDIT_KEYS)
        return diag_set(diag, ERR_INPUT, "more than %u --crash", LIMIT_AUDIT_KEYS);
    if (value_number(&trust->crashes[trust->num_crashes++], text, 1, UINT64_MAX, &why) == ERR_OK) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "--crash: '%s' is no record; want the number of the start behind the crash", text);
}

static enum err take_flag(struct audit_words *words, const char *name, const char *value, struct diag *diag)
{
    if (words->verify && strcmp(name, "--key") == 0) return take_key(&words->trust, value, diag);
    if (words->verify && strcmp(name, "--head") == 0) return take_head(&words->trust, value, diag);
    if (words->verify && strcmp(name, "--crash") == 0) return take_crash(&words->trust, value, diag);
    if (words->verify && strcmp(name, "--runtime-dir") == 0) {
        words->runtime_dir = value;
        return ERR_OK;
    }
    return diag_set(diag, ERR_INPUT, "unknown flag '%s'; " USAGE, name);
}

static enum err parse(struct audit_words *words, int argc, char **argv, struct diag *diag)
{
    bool show = argc > 0 && strcmp(argv[0], "show") == 0;
    words->verify = argc > 0 && strcmp(argv[0], "verify") == 0;
    if (!show && !words->verify) return diag_set(diag, ERR_INPUT, "want " USAGE);
    for (int at = 1; at < argc; at++) {
        enum err err = ERR_OK;
        if (show && strcmp(argv[at], "--json") == 0) {
            words->json = true;
        } else if (argv[at][0] == '-' && at + 1 < argc) {
            err = take_flag(words, argv[at], argv[at + 1], diag);
            at++;
        } else if (argv[at][0] == '-') {
            err = diag_set(diag, ERR_INPUT, "unknown flag '%s', or it needs a value; " USAGE, argv[at]);
        } else if (words->file) {
            err = diag_set(diag, ERR_INPUT, "unexpected '%s'; " USAGE, argv[at]);
        } else {
            words->file = argv[at];
        }
        if (err != ERR_OK) return err;
    }
    return words->file ? ERR_OK : diag_set(diag, ERR_INPUT, "which file? " USAGE);
}

/* ---- The running broker, if there is one and it answers us ------------------------------------------------------ */

static void take_state(struct audit_trust *trust, const struct audit_state *state)
{
    if (state->records == 0 || !read_hash(trust->live_key, state->fingerprint)) return;
    trust->live = true;
    trust->running.number = state->records;
    memcpy(trust->running.hash, state->hash, AUDIT_HASH);
}

/* Before the file is opened, so that the file is not older than the answer. */
static void ask_running(struct audit_words *words)
{
    char dir[LIMIT_PATH + 1];
    AUTO_FD fd = -1;
    struct msg answer;
    struct packet_extra extra;
    struct diag ignored;
    const char *where = words->runtime_dir ? words->runtime_dir : dir;
    const struct msg question = {.kind = MSG_AUDIT_QUERY, .id = 1};
    if (where == dir && runtime_default_dir(dir, sizeof dir, &ignored) != ERR_OK) return;
    if (runtime_connect(&fd, where, &ignored) != ERR_OK) return;
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    const struct link link = {.fd = fd, .role = LINK_CONTROL, .end = LINK_LOWER};
    if (arena && link_call(&link, &answer, &extra, arena, &question, NULL, 0, DEADLINE_CONTROL_MS) == ERR_OK &&
        answer.kind == MSG_AUDIT_STATE)
        take_state(&words->trust, &answer.audit_state);
    codec_arena_free(arena);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

static void take_record(void *context, const struct audit_record *record)
{
    const struct audit_output *output = context;
    char hex[2 * AUDIT_HASH + 1];
    if (output->words->verify && record->what == AUDIT_KEY) {
        bytes_hex(hex, (struct bytes){record->fingerprint.data, record->fingerprint.len});
        printf("key %s from record %llu on\n", hex, (unsigned long long)record->number);
    }
    if (!output->words->verify && output->words->json) audit_show_json(stdout, record);
    if (!output->words->verify && !output->words->json) audit_show(stdout, record, output->colour);
}

static enum err read_all(struct audit_verify *verify, int fd, const char *path, struct diag *diag)
{
    static char data[65536];
    for (;;) {
        ssize_t got = read(fd, data, sizeof data);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return diag_set(diag, ERR_SYSTEM, "audit log '%s': %s", path, strerror(errno));
        if (got == 0 || !audit_verify_feed(verify, data, (size_t)got)) return ERR_OK;
    }
}

static enum err tell(const struct audit_words *words, const struct audit_report *report, struct diag *diag)
{
    if (words->verify && report->verdict != AUDIT_DAMAGED) {
        printf("%llu records, each as it was written; covered by signed heads up to record %llu%s\n",
               (unsigned long long)report->records, (unsigned long long)report->covered,
               report->confirmed ? ", and confirmed by the running broker" : "");
        if (report->lost > 0) printf("%llu records were lost, as the log says\n", (unsigned long long)report->lost);
        if (report->crashes > 0)
            printf(
                "brokers that were killed, as you say: %llu; what came after the last head of each is as the next one "
                "found it\n",
                (unsigned long long)report->crashes);
        if (words->trust.num_keys == 0 && words->trust.num_pins == 0)
            printf("the keys are those that the file names; compare them with the journal's 'audit key' lines, or give "
                   "--key\n");
    }
    if (fflush(stdout) != 0 || ferror(stdout)) return diag_set(diag, ERR_SYSTEM, "standard output cannot be written");
    if (report->verdict == AUDIT_INTACT || (!words->verify && report->verdict == AUDIT_OPEN)) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "audit log '%s': %s", words->file, report->text);
}

static enum err run(const struct audit_words *words, int fd, struct diag *diag)
{
    struct audit_report report;
    struct audit_output output = {.words = words, .colour = isatty(STDOUT_FILENO) ? AUDIT_COLOURED : AUDIT_PLAIN};
    tzset(); /* reads a file */
    enum err err = sandbox_enter(&audit_policy, NULL, 0, diag);
    if (err != ERR_OK) return err;
    struct audit_verify *verify = audit_verify_new(&words->trust, take_record, &output);
    if (!verify) return diag_set(diag, ERR_MEMORY, "no memory");
    err = read_all(verify, fd, words->file, diag);
    if (err == ERR_OK) {
        audit_verify_finish(verify, &report);
        err = tell(words, &report, diag);
    }
    audit_verify_free(verify);
    return err;
}

enum err audit_command(int argc, char **argv, struct diag *diag)
{
    static struct audit_words words;
    enum err err = parse(&words, argc, argv, diag);
    if (err != ERR_OK) return err;
    if (words.verify) ask_running(&words);
    AUTO_FD fd = open(words.file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return diag_set(diag, ERR_INPUT, "audit log '%s': %s", words.file, strerror(errno));
    return run(&words, fd, diag);
}
