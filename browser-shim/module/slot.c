/* PKCS #11 2.40, 11.4 and 11.5: the library, its slot and its token. */
#include <string.h>

#include "browser-shim/module/module.h"

#define MAKER "Keyward"

/* Text fields are filled up with blanks and have no end mark (2.40, 3.1). */
static void fill(unsigned char *field, size_t field_len, const char *text)
{
    size_t len = strlen(text);
    if (len > field_len) len = field_len;
    memset(field, ' ', field_len);
    memcpy(field, text, len);
}

/* All four mutex functions are given, or none. Ours are the system's: an application that insists on its own
 * (no CKF_OS_LOCKING_OK) cannot be served. */
static ck_rv_t check_initialize_args(const struct ck_c_initialize_args *args)
{
    if (args == NULL) return CKR_OK;
    if (args->reserved != NULL) return CKR_ARGUMENTS_BAD;
    int given = (args->create_mutex != NULL) + (args->destroy_mutex != NULL) + (args->lock_mutex != NULL) +
                (args->unlock_mutex != NULL);
    if (given != 0 && given != 4) return CKR_ARGUMENTS_BAD;
    if (given == 4 && (args->flags & CKF_OS_LOCKING_OK) == 0) return CKR_CANT_LOCK;
    return CKR_OK;
}

ck_rv_t C_Initialize(void *init_args)
{
    ck_rv_t rv = check_initialize_args(init_args);
    return rv == CKR_OK ? module_start() : rv;
}

ck_rv_t C_Finalize(void *reserved)
{
    return reserved == NULL ? module_stop() : CKR_ARGUMENTS_BAD;
}

ck_rv_t C_GetInfo(struct ck_info *info)
{
    if (module_enter() == NULL) return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (info == NULL) return module_leave(CKR_ARGUMENTS_BAD);
    *info = (struct ck_info){.cryptoki_version = MODULE_CRYPTOKI_VERSION};
    fill(info->manufacturer_id, sizeof info->manufacturer_id, MAKER);
    fill(info->library_description, sizeof info->library_description, "Keyward delegated key");
    return module_leave(CKR_OK);
}

ck_rv_t C_GetSlotList(unsigned char token_present, ck_slot_id_t *slot_list, unsigned long *count)
{
    struct module *module = module_enter();
    if (module == NULL) return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (count == NULL) return module_leave(CKR_ARGUMENTS_BAD);
    unsigned long room = *count;
    *count = token_present != CK_FALSE && !module_has_token(module) ? 0 : 1;
    if (slot_list == NULL || *count == 0) return module_leave(CKR_OK);
    if (room < *count) return module_leave(CKR_BUFFER_TOO_SMALL);
    slot_list[0] = MODULE_SLOT;
    return module_leave(CKR_OK);
}

ck_rv_t C_GetSlotInfo(ck_slot_id_t slot_id, struct ck_slot_info *info)
{
    struct module *module = module_enter();
    if (module == NULL) return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot_id != MODULE_SLOT) return module_leave(CKR_SLOT_ID_INVALID);
    if (info == NULL) return module_leave(CKR_ARGUMENTS_BAD);
    /* Removable: the token goes when the handle is revoked or keyd ends. */
    *info = (struct ck_slot_info){.flags = CKF_REMOVABLE_DEVICE};
    if (module_has_token(module)) info->flags |= CKF_TOKEN_PRESENT;
    fill(info->slot_description, sizeof info->slot_description, "Keyward handle");
    fill(info->manufacturer_id, sizeof info->manufacturer_id, MAKER);
    return module_leave(CKR_OK);
}

/* Enters if the slot is ours and its token is there; otherwise there is no lock. */
static ck_rv_t enter_token(struct module **out, ck_slot_id_t slot_id)
{
    *out = module_enter();
    if (*out == NULL) return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot_id != MODULE_SLOT) return module_leave(CKR_SLOT_ID_INVALID);
    if (!module_has_token(*out)) return module_leave(CKR_TOKEN_NOT_PRESENT);
    return CKR_OK;
}

ck_rv_t C_GetTokenInfo(ck_slot_id_t slot_id, struct ck_token_info *info)
{
    struct module *module = NULL;
    ck_rv_t rv = enter_token(&module, slot_id);
    if (rv != CKR_OK) return rv;
    if (info == NULL) return module_leave(CKR_ARGUMENTS_BAD);
    /* No CKF_LOGIN_REQUIRED: holding the handle is all the authentication there is, and a browser would ask for a PIN. */
    *info = (struct ck_token_info){
        .flags = CKF_TOKEN_INITIALIZED | CKF_WRITE_PROTECTED,
        .max_session_count = SESSIONS_MAX,
        .session_count = module->sessions.num_open,
        .max_rw_session_count = CK_UNAVAILABLE_INFORMATION,
        .rw_session_count = CK_UNAVAILABLE_INFORMATION,
        .total_public_memory = CK_UNAVAILABLE_INFORMATION,
        .free_public_memory = CK_UNAVAILABLE_INFORMATION,
        .total_private_memory = CK_UNAVAILABLE_INFORMATION,
        .free_private_memory = CK_UNAVAILABLE_INFORMATION,
    };
    fill(info->label, sizeof info->label, "Keyward");
    fill(info->manufacturer_id, sizeof info->manufacturer_id, MAKER);
    fill(info->model, sizeof info->model, "handle");
    fill(info->serial_number, sizeof info->serial_number, "1");
    fill(info->utc_time, sizeof info->utc_time, "");
    return module_leave(CKR_OK);
}

ck_rv_t C_GetMechanismList(ck_slot_id_t slot_id, ck_mechanism_type_t *mechanism_list, unsigned long *count)
{
    struct module *module = NULL;
    ck_rv_t rv = enter_token(&module, slot_id);
    if (rv != CKR_OK) return rv;
    if (count == NULL) return module_leave(CKR_ARGUMENTS_BAD);
    unsigned long room = *count;
    *count = 1;
    if (mechanism_list == NULL) return module_leave(CKR_OK);
    if (room < 1) return module_leave(CKR_BUFFER_TOO_SMALL);
    mechanism_list[0] = module->objects.key.mechanism;
    return module_leave(CKR_OK);
}

ck_rv_t C_GetMechanismInfo(ck_slot_id_t slot_id, ck_mechanism_type_t type, struct ck_mechanism_info *info)
{
    struct module *module = NULL;
    ck_rv_t rv = enter_token(&module, slot_id);
    if (rv != CKR_OK) return rv;
    const struct key *key = &module->objects.key;
    if (type != key->mechanism) return module_leave(CKR_MECHANISM_INVALID);
    if (info == NULL) return module_leave(CKR_ARGUMENTS_BAD);
    *info = (struct ck_mechanism_info){.min_key_size = key->bits, .max_key_size = key->bits, .flags = key->flags};
    return module_leave(CKR_OK);
}

/* Looked at, not waited for: a browser that wants to wait gets no thread of ours to do it in. */
ck_rv_t C_WaitForSlotEvent(ck_flags_t flags, ck_slot_id_t *slot, void *reserved)
{
    struct module *module = module_enter();
    if (module == NULL) return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot == NULL || reserved != NULL) return module_leave(CKR_ARGUMENTS_BAD);
    if ((flags & CKF_DONT_BLOCK) == 0) return module_leave(CKR_FUNCTION_NOT_SUPPORTED);
    const bool is_present = module_has_token(module);
    if (is_present == module->was_present && !module->exchanged) return module_leave(CKR_NO_EVENT);
    module->was_present = is_present;
    module->exchanged = false;
    *slot = MODULE_SLOT;
    return module_leave(CKR_OK);
}
