/* Options that contradict each other, and those that follow from others. */
#include <string.h>

#include "broker/config.h"

/* A server on an address of its own is to be reachable under that address. */
static enum err name_address(struct config *config, const struct address *address, struct diag *diag)
{
    size_t len;
    const uint8_t *host = address_host_bytes(address, &len);
    if (address_is_any(address)) return ERR_OK;
    for (size_t i = 0; i < config->num_names; i++) {
        if (config->names[i].ip_len == len && memcmp(config->names[i].ip, host, len) == 0) return ERR_OK;
    }
    if (config->num_names == LIMIT_NAMES) {
        return diag_set(diag, ERR_INPUT, "[keyd] names leaves no room for the addresses listened on; take one out");
    }
    struct config_name *name = &config->names[config->num_names++];
    *name = (struct config_name){.ip_len = len};
    memcpy(name->ip, host, len);
    return ERR_OK;
}

/* An application elsewhere is known by one CA that the operator names: there is no other that could be meant. */
static enum err check_proxies(const struct config *config, struct diag *diag)
{
    for (size_t i = 0; i < config->num_proxies; i++) {
        const struct upstream_place *place = &config->proxies[i];
        const bool has_ca = config_proxy_ca(config, place->prefix) != NULL;
        if (place->tls == has_ca) continue;
        return place->tls ? diag_set(diag, ERR_INPUT,
                                     "[proxy \"%s\"] %s needs the CA that vouches for it; add ca = FILE, or --proxy-ca "
                                     "%s=FILE",
                                     place->prefix, place->text, place->prefix)
                          : diag_set(diag, ERR_INPUT, "[proxy \"%s\"] ca is about https://, which %s is not; drop one",
                                     place->prefix, place->text);
    }
    for (size_t i = 0; i < config->num_proxy_cas; i++) {
        bool is_used = false;
        for (size_t j = 0; j < config->num_proxies; j++)
            is_used = is_used || strcmp(config->proxies[j].prefix, config->proxy_cas[i].prefix) == 0;
        if (!is_used)
            return diag_set(diag, ERR_INPUT,
                            "[proxy \"%s\"] has a ca and no upstream; add upstream = https://HOST:PORT",
                            config->proxy_cas[i].prefix);
    }
    return ERR_OK;
}

static enum err check_certificates(const struct config *config, struct diag *diag)
{
    for (size_t i = 0; i < config->num_certificates; i++) {
        const struct config_certificate *row = &config->certificates[i];
        const bool has_key = row->key[0] != '\0';
        if (has_key && row->certificate[0]) continue;
        return diag_set(diag, ERR_INPUT, "[certificate \"%s\"] has a %s and no %s; give both", row->name,
                        has_key ? "key" : "certificate", has_key ? "certificate" : "key");
    }
    return ERR_OK;
}

enum err config_check(struct config *config, struct diag *diag)
{
    if (config->num_names == 0) return diag_set(diag, ERR_MEMORY, "no memory");
    if (config->leaf_lifetime_s > config->ca_lifetime_s) {
        return diag_set(diag, ERR_INPUT,
                        "[keyd] leaf_lifetime is longer than ca_lifetime; a CA outlives what it signs");
    }
    if (config->spa && !config->root[0]) {
        return diag_set(diag, ERR_INPUT, "--spa is about the files of a directory; add --root DIR");
    }
    if (config->access_file[0] && config->access_log != ACCESS_LOG_JSON && config->access_log != ACCESS_LOG_COMBINED) {
        return diag_set(
            diag, ERR_INPUT,
            "--access-file is for lines that say when they were written; add --access-log json or combined");
    }
    if (config->upload_quota > 0 && !config->uploads[0]) {
        return diag_set(diag, ERR_INPUT, "[content] upload_quota is about a directory; add --uploads DIR");
    }
    if (config->crl[0] && !config->client_ca[0]) {
        return diag_set(
            diag, ERR_INPUT,
            "--crl is about clients of your own CAs; add --client-ca FILE (clients of keyd's CA are revoked "
            "with: broker certificate revoke)");
    }
    if (config->server_ocsp[0] && !config->server_certificate[0]) {
        return diag_set(diag, ERR_INPUT,
                        "--server-ocsp is about a certificate of your own; add --server-certificate FILE, or drop it "
                        "(keyd makes the response about its own itself)");
    }
    if (config->screenshot[0] && !config->headless) {
        return diag_set(diag, ERR_INPUT, "--screenshot is taken by a browser without a screen; add --headless");
    }
    if (config->heartbeat_s > 0 && config->browser == CONFIG_BROWSER_NONE) {
        return diag_set(diag, ERR_INPUT,
                        "--heartbeat goes with a browser, and --no-browser says there is none; drop one");
    }
    if (config->headless && config->browser == CONFIG_BROWSER_NONE) {
        return diag_set(diag, ERR_INPUT,
                        "--headless goes with a browser, and --no-browser says there is none; drop one");
    }
    for (size_t i = 0; i < config->num_streams; i++) {
        if (config->streams[i].upstream[0] == '\0')
            return diag_set(diag, ERR_INPUT, "[stream \"%s\"] has no upstream; want unix:/PATH or 127.0.0.1:PORT",
                            config->streams[i].name);
    }
    if (!config->listens && !config->echoes && config->num_streams == 0 && config->browser == CONFIG_BROWSER_NONE) {
        return diag_set(diag, ERR_INPUT,
                        "--listen none with --no-browser leaves nothing to serve; drop one, or give --echo ADDR:PORT");
    }
    if (!config->tls.tls12 && config->tls.suites != 0) {
        return diag_set(diag, ERR_INPUT, "[tls] suites are those of TLS 1.2, which min_version leaves out; drop one");
    }
    if (config->tls_mode == TLS_MODE_OFF && config->listens && !address_is_loopback(&config->listen)) {
        char text[ADDRESS_TEXT];
        address_format(text, &config->listen);
        return diag_set(diag, ERR_INPUT,
                        "--tls-mode off serves without encryption and knows nobody, so only on loopback, which %s is "
                        "not; listen on 127.0.0.1 or [::1], or take another mode",
                        text);
    }
    enum err err = check_proxies(config, diag);
    if (err == ERR_OK) err = check_certificates(config, diag);
    if (err == ERR_OK && config->listens) err = name_address(config, &config->listen, diag);
    if (err == ERR_OK && config->echoes) err = name_address(config, &config->echo, diag);
    for (size_t i = 0; i < config->num_streams && err == ERR_OK; i++)
        err = name_address(config, &config->streams[i].listen, diag);
    return err;
}
