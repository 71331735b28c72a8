#include "browser-shim/client_echo.h"

#include <stdbool.h>
#include <string.h>

enum {
    ANSWER_PREFIX = 256, /* the timestamp and the address */
    ANSWER_MAX = ANSWER_PREFIX + LIMIT_ECHO_LINE + 1,
};

enum err client_echo_check(const char *message, struct diag *diag)
{
    if (strlen(message) > LIMIT_ECHO_LINE) {
        return diag_set(diag, ERR_INPUT, "a message is longer than %u bytes; send it in parts", LIMIT_ECHO_LINE);
    }
    if (strpbrk(message, "\r\n") != NULL) {
        return diag_set(diag, ERR_INPUT, "a message has a line break; give each line as a message of its own");
    }
    return ERR_OK;
}

/* What has come and has not been written out yet. */
struct answers {
    uint8_t data[ANSWER_MAX];
    size_t len;
};

/* An answer ends with what was sent. Anything else is the server's way of saying no, or another service. */
static bool is_echo(const uint8_t *line, size_t len, const char *message)
{
    size_t message_len = strlen(message);
    return len > message_len && line[len - message_len - 1] == ' ' &&
           memcmp(line + len - message_len, message, message_len) == 0;
}

/* Reads until there is a whole line, and writes it out. */
static enum err print_answer(struct client_tls *tls, struct client_output *output, struct answers *answers,
                             const char *message, struct diag *diag)
{
    for (;;) {
        const uint8_t *end = memchr(answers->data, '\n', answers->len);
        if (end != NULL) {
            size_t line = (size_t)(end - answers->data) + 1;
            enum err err = client_output_write(output, answers->data, line, diag);
            if (err == ERR_OK && !is_echo(answers->data, line - 1, message)) {
                err = diag_set(diag, ERR_MALFORMED, "the server did not echo the message; is this the port of --echo?");
            }
            answers->len -= line;
            memmove(answers->data, answers->data + line, answers->len);
            return err;
        }
        if (answers->len == sizeof answers->data) {
            return diag_set(diag, ERR_TOO_LARGE,
                            "the server's answer is longer than a line can be; is this the port "
                            "of --echo?");
        }
        size_t len = 0;
        enum err err = client_tls_read(tls, answers->data + answers->len, &len, sizeof answers->data - answers->len,
                                       CLIENT_TLS_WAIT, diag);
        if (err != ERR_OK) return err;
        if (len == 0) return diag_set(diag, ERR_CLOSED, "the server ended the conversation before it answered");
        answers->len += len;
    }
}

enum err client_echo(struct client_tls *tls, struct client_output *output, char *const *messages, size_t num_messages,
                     struct diag *diag)
{
    struct answers answers = {.len = 0};
    for (size_t i = 0; i < num_messages; i++) {
        uint8_t line[LIMIT_ECHO_LINE + 1];
        size_t len = strlen(messages[i]);
        memcpy(line, messages[i], len);
        line[len] = '\n';
        enum err err = client_tls_write(tls, line, len + 1, diag);
        if (err == ERR_OK) err = print_answer(tls, output, &answers, messages[i], diag);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}
