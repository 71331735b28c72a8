#include "broker/servers.h"

#include <stdlib.h>
#include <string.h>

#include "base/host_name.h"
#include "base/log.h"
#include "broker/broker.h"

static struct msg message_of(const struct config *config, const struct resources *resources, size_t at, uint64_t id)
{
    const struct brought *brought = &resources->servers[at];
    struct msg msg = {.kind = MSG_SERVER_CERTIFICATE, .id = id};
    msg.server_certificate = (struct server_certificate){
        .number = (uint32_t)at + 1, .name = config->certificates[at].name, .num_chain = brought->num};
    for (size_t i = 0; i < brought->num; i++) msg.server_certificate.chain[i] = brought->chain[i];
    return msg;
}

void servers_give_keyd(struct servers *out, struct broker *broker, struct process *keyd, const struct setting *setting)
{
    const struct resources *resources = &setting->resources;
    *out = (struct servers){.num_given = resources->num_servers};
    for (size_t i = 0; i < resources->num_servers; i++) {
        struct msg msg = message_of(&setting->config, resources, i, ++broker->last_id);
        msg.server_certificate.has_key = true;
        out->last_id = msg.id;
        process_send(broker, keyd, &msg, &resources->servers[i].key, 1);
    }
}

void servers_give_web(struct broker *broker, struct process *web)
{
    const struct resources *resources = web_resources(broker, web);
    for (size_t i = 0; i < resources->num_servers; i++) {
        struct msg msg = message_of(web_config(broker, web), resources, i, 0);
        msg.server_certificate.ocsp = resources->staples.named[i];
        process_send(broker, web, &msg, NULL, 0);
    }
}

void servers_forget(struct servers *servers)
{
    for (size_t i = 0; i < LIMIT_SERVER_CERTIFICATES; i++) free(servers->infos[i]);
    *servers = (struct servers){0};
}

/* A copy of text, behind what *room has already. */
static const char *copy_text(char **room, const char *text)
{
    char *copy = *room;
    *room = stpcpy(copy, text) + 1;
    return copy;
}

/* The info and its texts in one piece of memory, which the caller frees. NULL: no memory. */
static struct certificate_info *copy_info(const struct certificate_info *info)
{
    size_t len = strlen(info->role) + strlen(info->subject) + strlen(info->serial) + strlen(info->fingerprint) + 4;
    for (size_t i = 0; i < info->num_names; i++) len += strlen(info->names[i]) + 1;
    struct certificate_info *copy = malloc(sizeof *copy + len);
    if (!copy) return NULL;
    char *room = (char *)(copy + 1);
    *copy = *info;
    copy->role = copy_text(&room, info->role);
    copy->subject = copy_text(&room, info->subject);
    copy->serial = copy_text(&room, info->serial);
    copy->fingerprint = copy_text(&room, info->fingerprint);
    for (size_t i = 0; i < info->num_names; i++) copy->names[i] = copy_text(&room, info->names[i]);
    return copy;
}

/* Which of them the answer is about; num_given: none. */
static size_t place_of(const struct servers *servers, const struct msg *msg)
{
    const size_t num = servers->num_given;
    const uint64_t last = servers->last_id;
    return last != 0 && msg->id <= last && msg->id + num > last ? (size_t)(msg->id + num - last) - 1 : num;
}

bool servers_are_asked(const struct servers *servers, const struct msg *msg)
{
    return place_of(servers, msg) < servers->num_given;
}

enum err servers_note_info(struct servers *servers, const struct msg *msg)
{
    const size_t at = place_of(servers, msg);
    if (at == servers->num_given || servers->infos[at]) return ERR_NOT_FOUND;
    servers->infos[at] = copy_info(&msg->server_info);
    if (!servers->infos[at]) return ERR_MEMORY;
    servers->num++;
    return ERR_OK;
}

bool servers_note_failed(struct broker *broker, const struct process *process, const struct msg *msg)
{
    if (process->row->program != PROGRAM_KEYD || !servers_are_asked(&broker->servers, msg)) return false;
    log_error("%s", msg->failed.text);
    broker_stop(broker, (enum err)msg->failed.error);
    return true;
}

bool servers_complete(const struct servers *servers)
{
    return servers->num == servers->num_given;
}

struct bytes servers_anchor(const struct broker *broker, const char *name)
{
    for (size_t i = 0; i < broker->servers.num; i++) {
        const struct certificate_info *info = broker->servers.infos[i];
        const struct brought *brought = &broker->resources->servers[i];
        for (size_t j = 0; j < info->num_names; j++) {
            if (host_name_matches(info->names[j], name)) return brought->chain[brought->num - 1];
        }
    }
    return (struct bytes){NULL, 0};
}
