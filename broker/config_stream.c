/* Options about streams: [stream "ADDR:PORT"]. */
#include <string.h>

#include "broker/config_table.h"
#include "broker/value.h"

/* num_streams if there is none of this name. */
static size_t find(const struct config *config, const char *name, size_t len)
{
    size_t i = 0;
    while (i < config->num_streams &&
           (strlen(config->streams[i].name) != len || strncmp(config->streams[i].name, name, len) != 0))
        i++;
    return i;
}

/* Splits NAME=VALUE, and makes a copy of the stream, or a new one. */
static enum err begin(struct stream_place *out, const char **out_value, const struct config *config, const char *text,
                      struct diag *diag)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL) return diag_set(diag, ERR_INPUT, "'%s' has no '='; want ADDR:PORT=UPSTREAM", text);
    const size_t len = (size_t)(equals - text), at = find(config, text, len);
    *out_value = equals + 1;
    if (at == LIMIT_STREAMS) return diag_set(diag, ERR_INPUT, "more than %u streams", LIMIT_STREAMS);
    if (at < config->num_streams) {
        *out = config->streams[at];
        return ERR_OK;
    }
    *out = (struct stream_place){.idle_s = 0};
    return stream_place_name(out, text, len, diag);
}

static void keep(struct config *config, const struct stream_place *place)
{
    const size_t at = find(config, place->name, strlen(place->name));
    config->streams[at] = *place;
    if (at == config->num_streams) config->num_streams++;
}

static enum err set_upstream(struct config *config, const char *text, struct diag *diag)
{
    struct stream_place place;
    const char *value;
    enum err err = begin(&place, &value, config, text, diag);
    if (err == ERR_OK) err = stream_place_upstream(&place, value, diag);
    if (err == ERR_OK) keep(config, &place);
    return err;
}

static enum err set_idle_timeout(struct config *config, const char *text, struct diag *diag)
{
    struct stream_place place;
    const char *value;
    uint64_t seconds = 0;
    enum err err = begin(&place, &value, config, text, diag);
    if (err == ERR_OK) err = value_duration(&seconds, value, 1, LIMIT_STREAM_IDLE_S, diag);
    place.idle_s = (uint32_t)seconds;
    if (err == ERR_OK) keep(config, &place);
    return err;
}

static enum err set_proxy_protocol(struct config *config, const char *text, struct diag *diag)
{
    struct stream_place place;
    const char *value;
    enum err err = begin(&place, &value, config, text, diag);
    if (err == ERR_OK) err = value_switch(&place.proxy_protocol, value, diag);
    place.has_proxy_protocol = true;
    if (err == ERR_OK) keep(config, &place);
    return err;
}

static bool has_upstream(const struct config *config, const char *name, size_t len)
{
    const size_t at = find(config, name, len);
    return at < config->num_streams && config->streams[at].upstream[0] != '\0';
}

static bool has_idle_timeout(const struct config *config, const char *name, size_t len)
{
    const size_t at = find(config, name, len);
    return at < config->num_streams && config->streams[at].idle_s != 0;
}

static bool has_proxy_protocol(const struct config *config, const char *name, size_t len)
{
    const size_t at = find(config, name, len);
    return at < config->num_streams && config->streams[at].has_proxy_protocol;
}

static const struct config_option rows[] = {
    {.section = "stream \"",
     .key = "upstream",
     .at_start = true,
     .flag = "--stream",
     .set = set_upstream,
     .has = has_upstream,
     .argument = "ADDR:PORT=UPSTREAM",
     .help =
         "take TLS from clients with a certificate there, and pass the plain bytes to unix:/PATH or 127.0.0.1:PORT"},
    {.section = "stream \"", .key = "idle_timeout", .at_start = true, .set = set_idle_timeout, .has = has_idle_timeout},
    {.section = "stream \"",
     .key = "proxy_protocol",
     .at_start = true,
     .set = set_proxy_protocol,
     .has = has_proxy_protocol},
};

const struct config_table config_stream_options = {rows, sizeof rows / sizeof *rows};
