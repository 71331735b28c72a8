/* Lists of handles, and how one is derived. */
#include "proto/codec_internal.h"
#include "proto/field.h"

/* ---- HandleStatus, here and in SystemStatus --------------------------------------------------------------------- */

static bool check_handle(const struct handle_status *handle)
{
    unsigned purpose = (unsigned)handle->purpose;
    return handle->handle != 0 && purpose > PURPOSE_NONE && purpose < PURPOSE_NUM &&
           field_text(handle->label, 0, LIMIT_LABEL) && (handle->pinned_pid == 0 || field_pid(handle->pinned_pid)) &&
           field_text(handle->server, 0, LIMIT_NAME) && field_text(handle->ca, 0, LIMIT_LABEL);
}

bool codec_check_handles(const struct handle_status *handles, size_t num, size_t max)
{
    if (num > max) return false;
    for (size_t i = 0; i < num; i++) {
        if (!check_handle(&handles[i])) return false;
    }
    return true;
}

enum err codec_decode_handles(struct codec_arena *arena, struct handle_status **out, size_t *out_num,
                              Keyward__Wire__HandleStatus *const *wire, size_t num, size_t max)
{
    if (num > max) return ERR_MALFORMED;
    *out_num = num;
    *out = codec_arena_take(arena, num * sizeof **out);
    if (*out == NULL) return ERR_TOO_LARGE;
    for (size_t i = 0; i < num; i++) {
        (*out)[i] = (struct handle_status){
            .handle = wire[i]->handle,
            .label = wire[i]->label,
            .purpose = (enum purpose)wire[i]->purpose,
            .expires_in_s = wire[i]->expires_in_s,
            .signatures = wire[i]->signatures,
            .refusals = wire[i]->refusals,
            .max_signatures = wire[i]->max_signatures,
            .pinned_pid = wire[i]->pinned_pid,
            .rate = wire[i]->rate,
            .parent = wire[i]->parent,
            .server = wire[i]->server,
            .ca = wire[i]->ca,
        };
    }
    return ERR_OK;
}

static void wire_handle(Keyward__Wire__HandleStatus *to, const struct handle_status *from)
{
    keyward__wire__handle_status__init(to);
    to->handle = from->handle;
    to->label = wire_text(from->label);
    to->purpose = (uint32_t)from->purpose;
    to->expires_in_s = from->expires_in_s;
    to->signatures = from->signatures;
    to->refusals = from->refusals;
    to->max_signatures = from->max_signatures;
    to->pinned_pid = from->pinned_pid;
    to->rate = from->rate;
    to->parent = from->parent;
    to->server = wire_text(from->server);
    to->ca = wire_text(from->ca);
}

void codec_wire_handles(Keyward__Wire__HandleStatus *storage, Keyward__Wire__HandleStatus **pointers,
                        const struct handle_status *handles, size_t num)
{
    for (size_t i = 0; i < num; i++) {
        wire_handle(&storage[i], &handles[i]);
        pointers[i] = &storage[i];
    }
}

/* ---- The list, in pages ----------------------------------------------------------------------------------------- */

bool codec_check_handle_list_query(const struct msg *msg)
{
    (void)msg; /* any number is one to go on from */
    return true;
}

enum err codec_decode_handle_list_query(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__HandleListQuery *from = (const Keyward__Wire__HandleListQuery *)wire;
    out->handle_list_query = from->after;
    return ERR_OK;
}

enum err codec_encode_handle_list_query(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__HandleListQuery to;
    keyward__wire__handle_list_query__init(&to);
    to.after = msg->handle_list_query;
    return codec_pack(packer, &to.base);
}

bool codec_check_handle_list(const struct msg *msg)
{
    const struct handle_list *list = &msg->handle_list;
    return list->total <= LIMIT_GRANTS && codec_check_handles(list->handles, list->num_handles, LIMIT_HANDLE_PAGE);
}

enum err codec_decode_handle_list(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    const Keyward__Wire__HandleList *from = (const Keyward__Wire__HandleList *)wire;
    struct handle_list *to = &out->handle_list;
    to->total = from->total;
    return codec_decode_handles(arena, &to->handles, &to->num_handles, from->handles, from->n_handles,
                                LIMIT_HANDLE_PAGE);
}

enum err codec_encode_handle_list(const struct packer *packer, const struct msg *msg)
{
    const struct handle_list *from = &msg->handle_list;
    Keyward__Wire__HandleStatus handles[LIMIT_HANDLE_PAGE], *pointers[LIMIT_HANDLE_PAGE];
    codec_wire_handles(handles, pointers, from->handles, from->num_handles);
    Keyward__Wire__HandleList to;
    keyward__wire__handle_list__init(&to);
    to.n_handles = from->num_handles;
    to.handles = pointers;
    to.total = from->total;
    return codec_pack(packer, &to.base);
}

/* ---- Deriving --------------------------------------------------------------------------------------------------- */

bool codec_check_handle_restrict(const struct msg *msg)
{
    const struct handle_restrict *wanted = &msg->handle_restrict; /* parent is a number that a person typed */
    return field_text(wanted->label, 0, LIMIT_LABEL) && field_text(wanted->server, 0, LIMIT_NAME) &&
           wanted->lifetime_s <= LIMIT_HANDLE_LIFETIME_S;
}

enum err codec_decode_handle_restrict(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__HandleRestrict *from = (const Keyward__Wire__HandleRestrict *)wire;
    out->handle_restrict = (struct handle_restrict){
        .parent = from->parent,
        .label = from->label,
        .lifetime_s = from->lifetime_s,
        .max_signatures = from->max_signatures,
        .rate = from->rate,
        .server = from->server,
        .pinned = from->pinned != 0,
    };
    return ERR_OK;
}

enum err codec_encode_handle_restrict(const struct packer *packer, const struct msg *msg)
{
    const struct handle_restrict *from = &msg->handle_restrict;
    Keyward__Wire__HandleRestrict to;
    keyward__wire__handle_restrict__init(&to);
    to.parent = from->parent;
    to.label = wire_text(from->label);
    to.lifetime_s = from->lifetime_s;
    to.max_signatures = from->max_signatures;
    to.rate = from->rate;
    to.server = wire_text(from->server);
    to.pinned = from->pinned;
    return codec_pack(packer, &to.base);
}
