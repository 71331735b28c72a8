/* What the broker and keyd say to each other. */
#include "proto/codec_internal.h"
#include "proto/field.h"

bool codec_check_chain(const struct bytes *chain, size_t num)
{
    size_t len = 0;
    if (num > LIMIT_CHAIN || !field_certificates(chain, num)) return false;
    for (size_t i = 0; i < num; i++) len += chain[i].len;
    return len <= LIMIT_CHAIN_BYTES;
}

bool codec_check_keyd_setup(const struct msg *msg)
{
    const struct keyd_setup *setup = &msg->keyd_setup;
    if (setup->num_dns_names > LIMIT_NAMES || setup->num_ip_addresses > LIMIT_NAMES) return false;
    for (size_t i = 0; i < setup->num_ip_addresses; i++) {
        if (setup->ip_addresses[i].len != 4 && setup->ip_addresses[i].len != 16) return false;
    }
    return setup->log_style < LIMIT_LOG_STYLES && field_texts(setup->dns_names, setup->num_dns_names, 1, LIMIT_NAME) &&
           setup->ca_lifetime_s >= 60 && setup->ca_lifetime_s <= LIMIT_CA_LIFETIME_S && setup->leaf_lifetime_s >= 60 &&
           setup->leaf_lifetime_s <= LIMIT_LEAF_LIFETIME_S && setup->leaf_lifetime_s <= setup->ca_lifetime_s &&
           field_text(setup->client_name, 1, LIMIT_LABEL) &&
           codec_check_chain(setup->server_chain, setup->num_server_chain) &&
           codec_check_chain(setup->client_chain, setup->num_client_chain);
}

enum err codec_decode_keyd_setup(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__KeydSetup *from = (const Keyward__Wire__KeydSetup *)wire;
    struct keyd_setup *to = &out->keyd_setup;
    if (from->n_dns_names > LIMIT_NAMES || from->n_ip_addresses > LIMIT_NAMES) return ERR_MALFORMED;
    if (from->n_server_chain > LIMIT_CHAIN || from->n_client_chain > LIMIT_CHAIN) return ERR_MALFORMED;
    to->num_dns_names = from->n_dns_names;
    for (size_t i = 0; i < to->num_dns_names; i++) to->dns_names[i] = from->dns_names[i];
    to->num_ip_addresses = from->n_ip_addresses;
    for (size_t i = 0; i < to->num_ip_addresses; i++) to->ip_addresses[i] = bytes_of_wire(from->ip_addresses[i]);
    to->ca_lifetime_s = from->ca_lifetime_s;
    to->leaf_lifetime_s = from->leaf_lifetime_s;
    to->client_name = from->client_name;
    to->num_server_chain = from->n_server_chain;
    for (size_t i = 0; i < to->num_server_chain; i++) to->server_chain[i] = bytes_of_wire(from->server_chain[i]);
    to->tls12 = from->tls12 != 0;
    to->log_style = from->log_style;
    to->num_client_chain = from->n_client_chain;
    for (size_t i = 0; i < to->num_client_chain; i++) to->client_chain[i] = bytes_of_wire(from->client_chain[i]);
    return ERR_OK;
}

enum err codec_encode_keyd_setup(const struct packer *packer, const struct msg *msg)
{
    const struct keyd_setup *from = &msg->keyd_setup;
    char *dns_names[LIMIT_NAMES];
    ProtobufCBinaryData ip_addresses[LIMIT_NAMES], server_chain[LIMIT_CHAIN], client_chain[LIMIT_CHAIN];
    for (size_t i = 0; i < from->num_dns_names; i++) dns_names[i] = wire_text(from->dns_names[i]);
    for (size_t i = 0; i < from->num_ip_addresses; i++) ip_addresses[i] = wire_bytes(from->ip_addresses[i]);
    for (size_t i = 0; i < from->num_server_chain; i++) server_chain[i] = wire_bytes(from->server_chain[i]);
    for (size_t i = 0; i < from->num_client_chain; i++) client_chain[i] = wire_bytes(from->client_chain[i]);
    Keyward__Wire__KeydSetup to;
    keyward__wire__keyd_setup__init(&to);
    to.n_dns_names = from->num_dns_names;
    to.dns_names = dns_names;
    to.n_ip_addresses = from->num_ip_addresses;
    to.ip_addresses = ip_addresses;
    to.ca_lifetime_s = from->ca_lifetime_s;
    to.leaf_lifetime_s = from->leaf_lifetime_s;
    to.client_name = wire_text(from->client_name);
    to.n_server_chain = from->num_server_chain;
    to.server_chain = server_chain;
    to.n_client_chain = from->num_client_chain;
    to.client_chain = client_chain;
    to.tls12 = from->tls12;
    to.log_style = msg->keyd_setup.log_style;
    return codec_pack(packer, &to.base);
}

/* ---- CertificateInfo, here and in SystemStatus ------------------------------------------------------------------ */

static bool check_certificate(const struct certificate_info *info)
{
    return info->num_names <= LIMIT_NAMES && field_texts(info->names, info->num_names, 1, LIMIT_NAME) &&
           field_text(info->role, 1, LIMIT_LABEL) && field_text(info->subject, 0, LIMIT_SUBJECT) &&
           field_text(info->serial, 0, LIMIT_LABEL) && field_text(info->fingerprint, 0, LIMIT_LABEL);
}

bool codec_check_certificates(const struct certificate_info *certificates, size_t num)
{
    if (num > LIMIT_CERTIFICATES) return false;
    for (size_t i = 0; i < num; i++) {
        if (!check_certificate(&certificates[i])) return false;
    }
    return true;
}

static enum err decode_certificate(struct certificate_info *to, const Keyward__Wire__CertificateInfo *from)
{
    if (from->n_names > LIMIT_NAMES) return ERR_MALFORMED;
    *to = (struct certificate_info){
        .role = from->role,
        .subject = from->subject,
        .num_names = from->n_names,
        .serial = from->serial,
        .fingerprint = from->fingerprint,
        .not_before = from->not_before,
        .not_after = from->not_after,
    };
    for (size_t i = 0; i < from->n_names; i++) to->names[i] = from->names[i];
    return ERR_OK;
}

enum err codec_decode_certificates(struct codec_arena *arena, struct certificate_info **out, size_t *out_num,
                                   Keyward__Wire__CertificateInfo *const *wire, size_t num)
{
    if (num > LIMIT_CERTIFICATES) return ERR_MALFORMED;
    *out_num = num;
    *out = codec_arena_take(arena, num * sizeof **out);
    if (*out == NULL) return ERR_TOO_LARGE;
    for (size_t i = 0; i < num; i++) {
        enum err err = decode_certificate(&(*out)[i], wire[i]);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

void codec_wire_certificates(struct wire_certificate *storage, Keyward__Wire__CertificateInfo **pointers,
                             const struct certificate_info *certificates, size_t num)
{
    for (size_t i = 0; i < num; i++) {
        const struct certificate_info *from = &certificates[i];
        Keyward__Wire__CertificateInfo *to = &storage[i].info;
        keyward__wire__certificate_info__init(to);
        for (size_t j = 0; j < from->num_names; j++) storage[i].names[j] = wire_text(from->names[j]);
        to->role = wire_text(from->role);
        to->subject = wire_text(from->subject);
        to->n_names = from->num_names;
        to->names = storage[i].names;
        to->serial = wire_text(from->serial);
        to->fingerprint = wire_text(from->fingerprint);
        to->not_before = from->not_before;
        to->not_after = from->not_after;
        pointers[i] = to;
    }
}

/* ----------------------------------------------------------------------------------------------------------------- */

bool codec_check_keyd_identity(const struct msg *msg)
{
    const struct keyd_identity *identity = &msg->keyd_identity;
    return field_certificate(identity->ca) && field_certificate(identity->server) &&
           field_certificate(identity->client) && identity->audit_key.len >= 1 &&
           identity->audit_key.len <= LIMIT_AUDIT_KEY && identity->ocsp.len <= LIMIT_OCSP_RESPONSE &&
           codec_check_certificates(identity->certificates, identity->num_certificates);
}

enum err codec_decode_keyd_identity(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    const Keyward__Wire__KeydIdentity *from = (const Keyward__Wire__KeydIdentity *)wire;
    struct keyd_identity *to = &out->keyd_identity;
    to->ca = bytes_of_wire(from->ca);
    to->server = bytes_of_wire(from->server);
    to->client = bytes_of_wire(from->client);
    to->secret_memory = from->secret_memory != 0;
    to->audit_key = bytes_of_wire(from->audit_key);
    to->ocsp = bytes_of_wire(from->ocsp);
    return codec_decode_certificates(arena, &to->certificates, &to->num_certificates, from->certificates,
                                     from->n_certificates);
}

enum err codec_encode_keyd_identity(const struct packer *packer, const struct msg *msg)
{
    const struct keyd_identity *from = &msg->keyd_identity;
    struct wire_certificate certificates[LIMIT_CERTIFICATES];
    Keyward__Wire__CertificateInfo *pointers[LIMIT_CERTIFICATES];
    codec_wire_certificates(certificates, pointers, from->certificates, from->num_certificates);
    Keyward__Wire__KeydIdentity to;
    keyward__wire__keyd_identity__init(&to);
    to.ca = wire_bytes(from->ca);
    to.server = wire_bytes(from->server);
    to.client = wire_bytes(from->client);
    to.n_certificates = from->num_certificates;
    to.certificates = pointers;
    to.secret_memory = from->secret_memory;
    to.audit_key = wire_bytes(from->audit_key);
    to.ocsp = wire_bytes(from->ocsp);
    return codec_pack(packer, &to.base);
}

bool codec_check_keyd_grant(const struct msg *msg)
{
    const struct keyd_grant *grant = &msg->keyd_grant;
    unsigned purpose = (unsigned)grant->purpose;
    return grant->grant != 0 && purpose > PURPOSE_NONE && purpose < PURPOSE_NUM &&
           field_text(grant->label, 0, LIMIT_LABEL) && field_text(grant->server, 0, LIMIT_NAME) &&
           (grant->pid == 0 || field_pid(grant->pid)) && (grant->ca.len == 0 || field_certificate(grant->ca));
}

enum err codec_decode_keyd_grant(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__KeydGrant *from = (const Keyward__Wire__KeydGrant *)wire;
    out->keyd_grant = (struct keyd_grant){
        .grant = from->grant,
        .purpose = (enum purpose)from->purpose,
        .label = from->label,
        .lifetime_s = from->lifetime_s,
        .max_signatures = from->max_signatures,
        .server = from->server,
        .rate = from->rate,
        .pid = from->pid,
        .parent = from->parent,
        .ca = bytes_of_wire(from->ca),
        .setup = from->setup,
    };
    return ERR_OK;
}

enum err codec_encode_keyd_grant(const struct packer *packer, const struct msg *msg)
{
    const struct keyd_grant *from = &msg->keyd_grant;
    Keyward__Wire__KeydGrant to;
    keyward__wire__keyd_grant__init(&to);
    to.grant = from->grant;
    to.purpose = (uint32_t)from->purpose;
    to.label = wire_text(from->label);
    to.lifetime_s = from->lifetime_s;
    to.max_signatures = from->max_signatures;
    to.server = wire_text(from->server);
    to.rate = from->rate;
    to.pid = from->pid;
    to.parent = from->parent;
    to.ca = wire_bytes(from->ca);
    to.setup = from->setup;
    return codec_pack(packer, &to.base);
}

bool codec_check_keyd_settle(const struct msg *msg)
{
    return msg->keyd_settle != 0;
}

enum err codec_decode_keyd_settle(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__KeydSettle *from = (const Keyward__Wire__KeydSettle *)wire;
    out->keyd_settle = from->setup;
    return ERR_OK;
}

enum err codec_encode_keyd_settle(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__KeydSettle to;
    keyward__wire__keyd_settle__init(&to);
    to.setup = msg->keyd_settle;
    return codec_pack(packer, &to.base);
}

bool codec_check_keyd_revoke(const struct msg *msg)
{
    return msg->keyd_revoke != 0;
}

enum err codec_decode_keyd_revoke(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__KeydRevoke *from = (const Keyward__Wire__KeydRevoke *)wire;
    out->keyd_revoke = from->grant;
    return ERR_OK;
}

enum err codec_encode_keyd_revoke(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__KeydRevoke to;
    keyward__wire__keyd_revoke__init(&to);
    to.grant = msg->keyd_revoke;
    return codec_pack(packer, &to.base);
}

bool codec_check_keyd_event(const struct msg *msg)
{
    const struct keyd_event *event = &msg->keyd_event;
    unsigned what = (unsigned)event->what;
    return event->grant != 0 && what > GRANT_EVENT_NONE && what < GRANT_EVENT_NUM &&
           (unsigned)event->reason < REFUSAL_NUM && (event->pid == 0 || field_pid(event->pid)) && event->count >= 1;
}

enum err codec_decode_keyd_event(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__KeydEvent *from = (const Keyward__Wire__KeydEvent *)wire;
    out->keyd_event = (struct keyd_event){
        .grant = from->grant,
        .what = (enum grant_event)from->what,
        .reason = (enum refusal)from->reason,
        .pid = from->pid,
        .uid = from->uid,
        .count = from->count,
        .signatures = from->signatures,
        .refusals = from->refusals,
    };
    return ERR_OK;
}

enum err codec_encode_keyd_event(const struct packer *packer, const struct msg *msg)
{
    const struct keyd_event *from = &msg->keyd_event;
    Keyward__Wire__KeydEvent to;
    keyward__wire__keyd_event__init(&to);
    to.grant = from->grant;
    to.what = (uint32_t)from->what;
    to.reason = (uint32_t)from->reason;
    to.pid = from->pid;
    to.uid = from->uid;
    to.count = from->count;
    to.signatures = from->signatures;
    to.refusals = from->refusals;
    return codec_pack(packer, &to.base);
}

bool codec_check_keyd_status(const struct msg *msg)
{
    const struct keyd_status *status = &msg->keyd_status;
    if (status->num_grants > LIMIT_SERVER_GRANTS || status->total > LIMIT_GRANTS) return false;
    for (size_t i = 0; i < status->num_grants; i++) {
        if (status->grants[i].grant == 0) return false;
    }
    return true;
}

enum err codec_decode_keyd_status(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    const Keyward__Wire__KeydStatus *from = (const Keyward__Wire__KeydStatus *)wire;
    struct keyd_status *to = &out->keyd_status;
    if (from->n_grants > LIMIT_SERVER_GRANTS) return ERR_MALFORMED;
    to->signatures = from->signatures;
    to->refusals = from->refusals;
    to->secret_bytes = from->secret_bytes;
    to->total = from->total;
    to->events_lost = from->events_lost;
    to->num_grants = from->n_grants;
    to->grants = codec_arena_take(arena, to->num_grants * sizeof *to->grants);
    if (to->grants == NULL) return ERR_TOO_LARGE;
    for (size_t i = 0; i < to->num_grants; i++) {
        const Keyward__Wire__GrantStatus *grant = from->grants[i];
        to->grants[i] = (struct grant_status){
            .grant = grant->grant,
            .signatures = grant->signatures,
            .refusals = grant->refusals,
        };
    }
    return ERR_OK;
}

enum err codec_encode_keyd_status(const struct packer *packer, const struct msg *msg)
{
    const struct keyd_status *from = &msg->keyd_status;
    Keyward__Wire__GrantStatus grants[LIMIT_SERVER_GRANTS];
    Keyward__Wire__GrantStatus *pointers[LIMIT_SERVER_GRANTS];
    for (size_t i = 0; i < from->num_grants; i++) {
        keyward__wire__grant_status__init(&grants[i]);
        grants[i].grant = from->grants[i].grant;
        grants[i].signatures = from->grants[i].signatures;
        grants[i].refusals = from->grants[i].refusals;
        pointers[i] = &grants[i];
    }
    Keyward__Wire__KeydStatus to;
    keyward__wire__keyd_status__init(&to);
    to.signatures = from->signatures;
    to.refusals = from->refusals;
    to.secret_bytes = from->secret_bytes;
    to.n_grants = from->num_grants;
    to.grants = pointers;
    to.total = from->total;
    to.events_lost = from->events_lost;
    return codec_pack(packer, &to.base);
}
