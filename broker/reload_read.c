#include "broker/reload_read.h"

#include <string.h>

#include "broker/broker.h"
#include "broker/command.h"

static bool has_elsewhere(const struct config *config)
{
    bool has = false;
    for (size_t i = 0; i < config->num_proxies; i++) has = has || config->proxies[i].tls;
    return has;
}

/* Handles for applications elsewhere, and their revocations, are known by the place in this list. */
static bool is_same_list(const struct config *a, const struct config *b)
{
    bool same = a->num_proxies == b->num_proxies;
    for (size_t i = 0; same && i < a->num_proxies; i++)
        same = strcmp(a->proxies[i].prefix, b->proxies[i].prefix) == 0 &&
               strcmp(a->proxies[i].text, b->proxies[i].text) == 0;
    return same;
}

static enum err check_rights(const struct broker *broker, const struct config *next, struct diag *diag)
{
    if ((has_elsewhere(broker->config) || has_elsewhere(next)) && !is_same_list(broker->config, next))
        return diag_set(diag, ERR_INPUT,
                        "[proxy] upstream: needs a restart where one is https://, as handles are out for it");
    for (size_t i = 0; i < next->num_proxies; i++) {
        const struct upstream_place *place = &next->proxies[i];
        const uint16_t port = upstream_port(place);
        bool may = broker->may_connect && port == 0;
        for (size_t j = 0; j < broker->num_ports && !may; j++) may = broker->ports[j] == port;
        if (may) continue;
        return diag_set(diag, ERR_INPUT,
                        "[proxy] '%s': needs a restart: the broker keeps the right to connect to what was configured "
                        "at its start alone",
                        place->text);
    }
    return ERR_OK;
}

static bool is_same_chain(const struct brought *a, const struct brought *b)
{
    bool same = a->num == b->num;
    for (size_t i = 0; same && i < a->num; i++) same = bytes_equal(a->chain[i], b->chain[i]);
    return same;
}

/* keyd gets it once. */
static enum err check_client(const struct resources *now, struct resources *next, struct diag *diag)
{
    if (!is_same_chain(&now->client, &next->client))
        return diag_set(diag, ERR_INPUT,
                        "--client-certificate: holds other certificates than at the broker's start, which needs a "
                        "restart, as handles are out for the old one");
    /* keyd does not look at the key before its next start, when one that does not fit would be too late to refuse. */
    enum err err = brought_keep_key(&next->client, &now->client);
    return err == ERR_OK ? ERR_OK : diag_set(diag, err, "too many open files");
}

/* What the kernel or the start has decided is as it was. */
static void carry_over(struct config *next, const struct config *now)
{
    next->listen = now->listen;
    next->echo = now->echo;
    memcpy(next->streams, now->streams, sizeof next->streams);
    memcpy(next->runtime_dir, now->runtime_dir, sizeof next->runtime_dir);
}

enum err reload_read(struct setting *next, struct broker *broker, struct diag *diag)
{
    static struct command command;
    struct reload *reload = &broker->reload;
    char fixed[LIMIT_AUDIT_TEXT];
    struct opener opener = {.files = reload->files, .num_files = reload->num_files};
    enum err err = command_parse(&command, &opener, broker->argc, broker->argv, diag);
    if (err != ERR_OK) return err;
    next->config = command.config;
    config_changes(reload->changes, sizeof reload->changes, broker->config, &next->config, CONFIG_ANY);
    if (config_changes(fixed, sizeof fixed, broker->config, &next->config, CONFIG_AT_START))
        return diag_set(diag, ERR_INPUT, "%s: needs a restart; set it as it was, or restart the broker", fixed);
    carry_over(&next->config, broker->config);
    err = check_rights(broker, &next->config, diag);
    if (err == ERR_OK) err = resources_reopen(&next->resources, broker->resources, &next->config, &opener, diag);
    if (err != ERR_OK) return err;
    err = check_client(broker->resources, &next->resources, diag);
    if (err != ERR_OK) resources_close_content(&next->resources);
    return err;
}
