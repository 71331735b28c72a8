#include "broker/ask.h"

#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/runtime.h"
#include "broker/pem.h"
#include "broker/print.h"
#include "proto/link.h"

static void auto_arena(struct codec_arena **arena)
{
    codec_arena_free(*arena);
}

static struct msg question_of(const struct command *command)
{
    struct msg msg = {.kind = MSG_SYSTEM_STATUS_QUERY, .id = 1};
    if (command->what == COMMAND_CA) msg.kind = MSG_CA_QUERY;
    if (command->what == COMMAND_HANDLE_REVOKE) {
        msg.kind = MSG_HANDLE_REVOKE;
        msg.handle_revoke = command->handle;
    }
    return msg;
}

static enum err print_answer(const struct command *command, const struct msg *msg, struct diag *diag)
{
    if (msg->kind == MSG_FAILED) return diag_set(diag, (enum err)msg->failed.error, "%s", msg->failed.text);
    if (msg->kind == MSG_CA) pem_print_certificate(stdout, msg->ca);
    if (msg->kind == MSG_SYSTEM_STATUS) {
        bool handles_only = command->what == COMMAND_HANDLE_LIST;
        enum err err = ERR_OK;
        if (command->output == COMMAND_JSON) {
            err = handles_only ? print_handles_json(stdout, &msg->system_status)
                               : print_status_json(stdout, &msg->system_status);
        } else if (handles_only) {
            print_handles(stdout, &msg->system_status);
        } else {
            print_status(stdout, &msg->system_status);
        }
        if (err != ERR_OK) return diag_set(diag, err, "no memory");
    }
    if (fflush(stdout) != 0 || ferror(stdout)) return diag_set(diag, ERR_SYSTEM, "standard output cannot be written");
    return ERR_OK;
}

enum err ask_broker(const struct command *command, struct diag *diag)
{
    char dir[LIMIT_PATH + 1];
    AUTO_FD fd = -1;
    struct msg answer;
    struct packet_extra extra;
    enum err err = ERR_OK;
    memcpy(dir, command->config.runtime_dir, sizeof dir);
    if (!dir[0]) err = runtime_default_dir(dir, sizeof dir, diag);
    if (err == ERR_OK) err = runtime_connect(&fd, dir, diag);
    if (err != ERR_OK) return err;
    AUTO(auto_arena) struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    if (!arena) return diag_set(diag, ERR_MEMORY, "no memory");
    const struct link link = {.fd = fd, .role = LINK_CONTROL, .end = LINK_LOWER};
    const struct msg question = question_of(command);
    err = link_call(&link, &answer, &extra, arena, &question, NULL, 0, DEADLINE_CONTROL_MS);
    if (err == ERR_TIMEOUT) return diag_set(diag, err, "the broker in '%s' does not answer; see its log", dir);
    if (err != ERR_OK) {
        return diag_set(diag, err, "the broker in '%s' closed the connection (%s); see its log", dir, err_name(err));
    }
    return print_answer(command, &answer, diag);
}
