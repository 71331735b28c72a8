#include "broker/ask.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/bytes.h"
#include "base/runtime.h"
#include "broker/pem.h"
#include "broker/print.h"
#include "broker/print_verdicts.h"
#include "proto/link.h"

static void auto_arena(struct codec_arena **arena)
{
    codec_arena_free(*arena);
}

static struct msg question_of(const struct command *command)
{
    struct msg msg = {.kind = MSG_SYSTEM_STATUS_QUERY, .id = 1};
    if (command->what == COMMAND_CA) msg.kind = MSG_CA_QUERY;
    if (command->what == COMMAND_RELOAD) msg.kind = MSG_RELOAD;
    if (command->what == COMMAND_BROWSER_RENEW) msg.kind = MSG_BROWSER_RENEW;
    if (command->what == COMMAND_REOPEN) msg.kind = MSG_LOG_REOPEN;
    if (command->what == COMMAND_EXPLAIN) {
        msg.kind = MSG_EXPLAIN_QUERY;
        msg.explain_query = command->explain;
    }
    if (command->what == COMMAND_HANDLE_LIST) msg.kind = MSG_HANDLE_LIST_QUERY;
    if (command->what == COMMAND_HANDLE_REVOKE) {
        msg.kind = MSG_HANDLE_REVOKE;
        msg.handle_revoke = command->handle;
    }
    if (command->what == COMMAND_CERTIFICATE_REVOKE) {
        msg.kind = MSG_CERTIFICATE_REVOKE;
        msg.certificate_revoke = (struct bytes){command->serial, command->serial_len};
    }
    return msg;
}

static enum err flush(struct diag *diag)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM, "standard output cannot be written");
}

static void print_done(const struct command *command, uint64_t connections)
{
    char serial[2 * LIMIT_SERIAL + 1];
    if (command->what == COMMAND_REOPEN) {
        puts("the access log is written to the file of its name");
        return;
    }
    if (command->what == COMMAND_BROWSER_RENEW) {
        puts("the browser has a new handle");
        return;
    }
    bytes_hex(serial, (struct bytes){command->serial, command->serial_len});
    if (command->what == COMMAND_RELOAD)
        printf("reloaded; ");
    else if (command->what == COMMAND_CERTIFICATE_REVOKE)
        printf("certificate %s revoked; ", serial);
    else
        printf("handle %" PRIu64 " revoked; ", command->handle);
    printf("%" PRIu64 " connection%s closed\n", connections, connections == 1 ? "" : "s");
}

static enum err print_answer(const struct command *command, const struct msg *msg, struct diag *diag)
{
    if (msg->kind == MSG_DONE) print_done(command, msg->done);
    if (msg->kind == MSG_EXPLANATION && command->output == COMMAND_FOR_PEOPLE)
        print_verdicts(stdout, &msg->explanation, command->explain_host);
    else if (msg->kind == MSG_EXPLANATION && print_verdicts_json(stdout, &msg->explanation) != ERR_OK)
        return diag_set(diag, ERR_MEMORY, "no memory");
    if (msg->kind == MSG_CA) pem_print_certificate(stdout, msg->ca);
    if (msg->kind == MSG_SYSTEM_STATUS && command->output == COMMAND_FOR_PEOPLE) {
        print_status(stdout, &msg->system_status);
    } else if (msg->kind == MSG_SYSTEM_STATUS && print_status_json(stdout, &msg->system_status) != ERR_OK) {
        return diag_set(diag, ERR_MEMORY, "no memory");
    }
    return flush(diag);
}

/* A connection to the broker, and where its answers are. */
struct line {
    const char *dir;
    struct link link;
    struct codec_arena *arena;
};

static enum err ask(const struct line *line, struct msg *out, const struct msg *question, struct diag *diag)
{
    struct packet_extra extra;
    const unsigned patience = DEADLINE_CONTROL_MS + (question->kind == MSG_RELOAD ? DEADLINE_RELOAD_MS : 0);
    enum err err = link_call(&line->link, out, &extra, line->arena, question, NULL, 0, patience);
    if (err == ERR_TIMEOUT) return diag_set(diag, err, "the broker in '%s' does not answer; see its log", line->dir);
    if (err != ERR_OK) {
        return diag_set(diag, err, "the broker in '%s' closed the connection (%s); see its log", line->dir,
                        err_name(err));
    }
    if (out->kind == MSG_FAILED) return diag_set(diag, (enum err)out->failed.error, "%s", out->failed.text);
    return ERR_OK;
}

static enum err print_page(const struct command *command, const struct handle_list *list, enum print_page page,
                           struct diag *diag)
{
    if (command->output == COMMAND_FOR_PEOPLE) {
        print_handles(stdout, list->handles, list->num_handles, page);
        return ERR_OK;
    }
    enum err err = print_handles_json(stdout, list->handles, list->num_handles, page);
    return err == ERR_OK ? ERR_OK : diag_set(diag, err, "no memory");
}

/* Page after page, each from the last number on, until one is not full. */
static enum err ask_list(const struct line *line, const struct command *command, struct diag *diag)
{
    struct msg question = question_of(command), answer;
    enum print_page page = PRINT_FIRST_PAGE;
    do {
        enum err err = ask(line, &answer, &question, diag);
        if (err == ERR_OK && answer.kind != MSG_HANDLE_LIST) err = diag_set(diag, ERR_MALFORMED, "not a list");
        if (err == ERR_OK) err = print_page(command, &answer.handle_list, page, diag);
        if (err != ERR_OK) return err;
        page = PRINT_NEXT_PAGE;
        question.id++;
        if (answer.handle_list.num_handles > 0)
            question.handle_list_query = answer.handle_list.handles[answer.handle_list.num_handles - 1].handle;
    } while (answer.handle_list.num_handles == LIMIT_HANDLE_PAGE);
    if (command->output == COMMAND_JSON) print_handles_json_end(stdout);
    return flush(diag);
}

enum err ask_broker(const struct command *command, struct diag *diag)
{
    char dir[LIMIT_PATH + 1];
    AUTO_FD fd = -1;
    struct msg answer;
    enum err err = ERR_OK;
    memcpy(dir, command->config.runtime_dir, sizeof dir);
    if (!dir[0]) err = runtime_default_dir(dir, sizeof dir, diag);
    if (err == ERR_OK) err = runtime_connect(&fd, dir, diag);
    if (err != ERR_OK) return err;
    AUTO(auto_arena) struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    if (!arena) return diag_set(diag, ERR_MEMORY, "no memory");
    const struct line line = {.dir = dir, .link = {.fd = fd, .role = LINK_CONTROL, .end = LINK_LOWER}, .arena = arena};
    if (command->what == COMMAND_HANDLE_LIST) return ask_list(&line, command, diag);
    const struct msg question = question_of(command);
    err = ask(&line, &answer, &question, diag);
    return err == ERR_OK ? print_answer(command, &answer, diag) : err;
}
