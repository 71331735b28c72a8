/* What the broker says on its control socket. */
#include "proto/codec_internal.h"
#include "proto/field.h"

static bool check_process(const struct process_status *process)
{
    return field_text(process->name, 1, LIMIT_LABEL) && (process->pid == 0 || field_pid(process->pid)) &&
           field_text(process->namespaces, 0, LIMIT_NAME);
}

bool codec_check_system_status(const struct msg *msg)
{
    const struct system_status *status = &msg->system_status;
    if (status->num_processes > LIMIT_STATUS_PROCESSES || status->total_handles > LIMIT_GRANTS) return false;
    for (size_t i = 0; i < status->num_processes; i++) {
        if (!check_process(&status->processes[i])) return false;
    }
    return field_text(status->url, 0, LIMIT_URL) && (unsigned)status->mode < TLS_MODE_NUM &&
           codec_check_handles(status->handles, status->num_handles, LIMIT_STATUS_HANDLES) &&
           codec_check_certificates(status->certificates, status->num_certificates);
}

static enum err decode_processes(struct codec_arena *arena, struct system_status *out,
                                 Keyward__Wire__ProcessStatus *const *wire, size_t num)
{
    if (num > LIMIT_STATUS_PROCESSES) return ERR_MALFORMED;
    out->num_processes = num;
    out->processes = codec_arena_take(arena, num * sizeof *out->processes);
    if (out->processes == NULL) return ERR_TOO_LARGE;
    for (size_t i = 0; i < num; i++) {
        out->processes[i] = (struct process_status){
            .name = wire[i]->name,
            .pid = wire[i]->pid,
            .uid = wire[i]->uid,
            .seccomp_mode = wire[i]->seccomp_mode,
            .no_new_privs = wire[i]->no_new_privs != 0,
            .landlock_abi = wire[i]->landlock_abi,
            .namespaces = wire[i]->namespaces,
            .restarts = wire[i]->restarts,
            .resident_bytes = wire[i]->resident_bytes,
        };
    }
    return ERR_OK;
}

enum err codec_decode_system_status(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    const Keyward__Wire__SystemStatus *from = (const Keyward__Wire__SystemStatus *)wire;
    struct system_status *to = &out->system_status;
    to->url = from->url;
    to->ready_ms = from->ready_ms;
    to->secret_memory = from->secret_memory != 0;
    to->handshakes = from->handshakes;
    to->handshakes_failed = from->handshakes_failed;
    to->requests = from->requests;
    to->requests_refused = from->requests_refused;
    to->signatures = from->signatures;
    to->refusals = from->refusals;
    to->total_handles = from->total_handles;
    to->audit_records = from->audit_records;
    to->audit_pending = from->audit_pending;
    to->audit_lost = from->audit_lost;
    to->audit_held = from->audit_held != 0;
    to->mode = (enum tls_mode)from->mode;
    to->verdicts = from->verdicts;
    enum err err = decode_processes(arena, to, from->processes, from->n_processes);
    if (err == ERR_OK)
        err = codec_decode_handles(arena, &to->handles, &to->num_handles, from->handles, from->n_handles,
                                   LIMIT_STATUS_HANDLES);
    if (err != ERR_OK) return err;
    return codec_decode_certificates(arena, &to->certificates, &to->num_certificates, from->certificates,
                                     from->n_certificates);
}

static void wire_process(Keyward__Wire__ProcessStatus *to, const struct process_status *from)
{
    keyward__wire__process_status__init(to);
    to->name = wire_text(from->name);
    to->pid = from->pid;
    to->uid = from->uid;
    to->seccomp_mode = from->seccomp_mode;
    to->no_new_privs = from->no_new_privs;
    to->landlock_abi = from->landlock_abi;
    to->namespaces = wire_text(from->namespaces);
    to->restarts = from->restarts;
    to->resident_bytes = from->resident_bytes;
}

enum err codec_encode_system_status(const struct packer *packer, const struct msg *msg)
{
    const struct system_status *from = &msg->system_status;
    Keyward__Wire__ProcessStatus processes[LIMIT_STATUS_PROCESSES], *process_pointers[LIMIT_STATUS_PROCESSES];
    Keyward__Wire__HandleStatus handles[LIMIT_STATUS_HANDLES], *handle_pointers[LIMIT_STATUS_HANDLES];
    struct wire_certificate certificates[LIMIT_CERTIFICATES];
    Keyward__Wire__CertificateInfo *certificate_pointers[LIMIT_CERTIFICATES];
    for (size_t i = 0; i < from->num_processes; i++) {
        wire_process(&processes[i], &from->processes[i]);
        process_pointers[i] = &processes[i];
    }
    codec_wire_handles(handles, handle_pointers, from->handles, from->num_handles);
    codec_wire_certificates(certificates, certificate_pointers, from->certificates, from->num_certificates);

    Keyward__Wire__SystemStatus to;
    keyward__wire__system_status__init(&to);
    to.url = wire_text(from->url);
    to.ready_ms = from->ready_ms;
    to.secret_memory = from->secret_memory;
    to.n_processes = from->num_processes;
    to.processes = process_pointers;
    to.n_handles = from->num_handles;
    to.handles = handle_pointers;
    to.n_certificates = from->num_certificates;
    to.certificates = certificate_pointers;
    to.handshakes = from->handshakes;
    to.handshakes_failed = from->handshakes_failed;
    to.requests = from->requests;
    to.requests_refused = from->requests_refused;
    to.signatures = from->signatures;
    to.refusals = from->refusals;
    to.total_handles = from->total_handles;
    to.audit_records = from->audit_records;
    to.audit_pending = from->audit_pending;
    to.audit_lost = from->audit_lost;
    to.audit_held = from->audit_held;
    to.mode = (uint32_t)from->mode;
    to.verdicts = from->verdicts;
    return codec_pack(packer, &to.base);
}

bool codec_check_ca(const struct msg *msg)
{
    return field_certificate(msg->ca);
}

enum err codec_decode_ca(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Ca *from = (const Keyward__Wire__Ca *)wire;
    out->ca = bytes_of_wire(from->certificate);
    return ERR_OK;
}

enum err codec_encode_ca(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Ca to;
    keyward__wire__ca__init(&to);
    to.certificate = wire_bytes(msg->ca);
    return codec_pack(packer, &to.base);
}

bool codec_check_handle_revoke(const struct msg *msg)
{
    (void)msg; /* a number that a person typed: the broker says whether there is such a handle */
    return true;
}

enum err codec_decode_handle_revoke(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__HandleRevoke *from = (const Keyward__Wire__HandleRevoke *)wire;
    out->handle_revoke = from->handle;
    return ERR_OK;
}

enum err codec_encode_handle_revoke(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__HandleRevoke to;
    keyward__wire__handle_revoke__init(&to);
    to.handle = msg->handle_revoke;
    return codec_pack(packer, &to.base);
}

bool codec_check_handle_mint(const struct msg *msg)
{
    const struct handle_mint *mint = &msg->handle_mint;
    return field_text(mint->label, 1, LIMIT_LABEL) && field_text(mint->server, 0, LIMIT_NAME) &&
           mint->lifetime_s >= 1 && mint->lifetime_s <= LIMIT_HANDLE_LIFETIME_S &&
           (mint->ca.len == 0 || field_certificate(mint->ca));
}

enum err codec_decode_handle_mint(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__HandleMint *from = (const Keyward__Wire__HandleMint *)wire;
    out->handle_mint.label = from->label;
    out->handle_mint.lifetime_s = from->lifetime_s;
    out->handle_mint.max_signatures = from->max_signatures;
    out->handle_mint.server = from->server;
    out->handle_mint.rate = from->rate;
    out->handle_mint.pinned = from->pinned != 0;
    out->handle_mint.ca = bytes_of_wire(from->ca);
    out->handle_mint.digests = from->digests != 0;
    return ERR_OK;
}

enum err codec_encode_handle_mint(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__HandleMint to;
    keyward__wire__handle_mint__init(&to);
    to.label = wire_text(msg->handle_mint.label);
    to.lifetime_s = msg->handle_mint.lifetime_s;
    to.max_signatures = msg->handle_mint.max_signatures;
    to.server = wire_text(msg->handle_mint.server);
    to.rate = msg->handle_mint.rate;
    to.pinned = msg->handle_mint.pinned;
    to.ca = wire_bytes(msg->handle_mint.ca);
    to.digests = msg->handle_mint.digests;
    return codec_pack(packer, &to.base);
}

bool codec_check_handle_minted(const struct msg *msg)
{
    const struct handle_minted *minted = &msg->handle_minted;
    return minted->handle != 0 && field_certificate(minted->client) && field_certificate(minted->ca);
}

enum err codec_decode_handle_minted(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__HandleMinted *from = (const Keyward__Wire__HandleMinted *)wire;
    out->handle_minted.handle = from->handle;
    out->handle_minted.client = bytes_of_wire(from->client);
    out->handle_minted.ca = bytes_of_wire(from->ca);
    return ERR_OK;
}

enum err codec_encode_handle_minted(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__HandleMinted to;
    keyward__wire__handle_minted__init(&to);
    to.handle = msg->handle_minted.handle;
    to.client = wire_bytes(msg->handle_minted.client);
    to.ca = wire_bytes(msg->handle_minted.ca);
    return codec_pack(packer, &to.base);
}

bool codec_check_done(const struct msg *msg)
{
    (void)msg; /* a counter */
    return true;
}

enum err codec_decode_done(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    out->done = ((const Keyward__Wire__Done *)wire)->connections;
    return ERR_OK;
}

enum err codec_encode_done(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Done to;
    keyward__wire__done__init(&to);
    to.connections = msg->done;
    return codec_pack(packer, &to.base);
}

bool codec_check_certificate_revoke(const struct msg *msg)
{
    return field_serial(msg->certificate_revoke);
}

enum err codec_decode_certificate_revoke(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    out->certificate_revoke = bytes_of_wire(((const Keyward__Wire__CertificateRevoke *)wire)->serial);
    return ERR_OK;
}

enum err codec_encode_certificate_revoke(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__CertificateRevoke to;
    keyward__wire__certificate_revoke__init(&to);
    to.serial = wire_bytes(msg->certificate_revoke);
    return codec_pack(packer, &to.base);
}
