/* PKCS #11 2.40, 11.6, 11.7 and 11.11: sessions, objects and signing. */
#include <string.h>

#include "browser-shim/module/module.h"
#include "browser-shim/module/refusal.h"

ck_rv_t C_OpenSession(ck_slot_id_t slot_id, ck_flags_t flags, void *application, ck_notify_t notify,
                      ck_session_handle_t *session)
{
    (void)application; /* there is nothing to notify of */
    (void)notify;
    struct module *module = module_enter();
    if (module == NULL) return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot_id != MODULE_SLOT) return module_leave(CKR_SLOT_ID_INVALID);
    if (session == NULL) return module_leave(CKR_ARGUMENTS_BAD);
    if ((flags & CKF_SERIAL_SESSION) == 0) return module_leave(CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    if ((flags & CKF_RW_SESSION) != 0) return module_leave(CKR_TOKEN_WRITE_PROTECTED);
    if (!module_has_token(module)) return module_leave(CKR_TOKEN_NOT_PRESENT);
    struct session *opened = session_open(&module->sessions, flags);
    if (opened == NULL) return module_leave(CKR_SESSION_COUNT);
    *session = opened->handle;
    return module_leave(CKR_OK);
}

ck_rv_t C_CloseSession(ck_session_handle_t handle)
{
    ck_rv_t rv = CKR_OK;
    struct session *session = NULL;
    struct module *module = module_enter_session(&rv, &session, handle);
    if (rv != CKR_OK) return rv;
    session_close(&module->sessions, session);
    return module_leave(CKR_OK);
}

ck_rv_t C_CloseAllSessions(ck_slot_id_t slot_id)
{
    struct module *module = module_enter();
    if (module == NULL) return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot_id != MODULE_SLOT) return module_leave(CKR_SLOT_ID_INVALID);
    session_close_all(&module->sessions);
    return module_leave(CKR_OK);
}

ck_rv_t C_GetSessionInfo(ck_session_handle_t handle, struct ck_session_info *info)
{
    ck_rv_t rv = CKR_OK;
    struct session *session = NULL;
    struct module *module = module_enter_session(&rv, &session, handle);
    if (rv != CKR_OK) return rv;
    if (info == NULL) return module_leave(CKR_ARGUMENTS_BAD);
    if (session->outlived || !module_has_token(module)) return module_leave(CKR_DEVICE_REMOVED);
    *info = (struct ck_session_info){.slot_id = MODULE_SLOT, .state = CKS_RO_PUBLIC_SESSION, .flags = session->flags};
    return module_leave(CKR_OK);
}

/* Nothing on this token waits for a PIN. */
ck_rv_t C_Login(ck_session_handle_t handle, ck_user_type_t user_type, unsigned char *pin, unsigned long pin_len)
{
    (void)pin;
    (void)pin_len;
    ck_rv_t rv = CKR_OK;
    struct session *session = NULL;
    (void)module_enter_session(&rv, &session, handle);
    if (rv != CKR_OK) return rv;
    return module_leave(user_type > CKU_CONTEXT_SPECIFIC ? CKR_USER_TYPE_INVALID : CKR_USER_PIN_NOT_INITIALIZED);
}

ck_rv_t C_Logout(ck_session_handle_t handle)
{
    ck_rv_t rv = CKR_OK;
    struct session *session = NULL;
    (void)module_enter_session(&rv, &session, handle);
    return rv != CKR_OK ? rv : module_leave(CKR_USER_NOT_LOGGED_IN);
}

ck_rv_t C_GetObjectSize(ck_session_handle_t handle, ck_object_handle_t object, unsigned long *size)
{
    ck_rv_t rv = CKR_OK;
    struct session *session = NULL;
    struct module *module = module_enter_session(&rv, &session, handle);
    if (rv != CKR_OK) return rv;
    if (!objects_exist(&module->objects, object)) return module_leave(CKR_OBJECT_HANDLE_INVALID);
    if (size == NULL) return module_leave(CKR_ARGUMENTS_BAD);
    *size = CK_UNAVAILABLE_INFORMATION;
    return module_leave(CKR_OK);
}

ck_rv_t C_GetAttributeValue(ck_session_handle_t handle, ck_object_handle_t object, struct ck_attribute *templ,
                            unsigned long count)
{
    ck_rv_t rv = CKR_OK;
    struct session *session = NULL;
    struct module *module = module_enter_session(&rv, &session, handle);
    if (rv != CKR_OK) return rv;
    if (!objects_exist(&module->objects, object)) return module_leave(CKR_OBJECT_HANDLE_INVALID);
    if (templ == NULL && count > 0) return module_leave(CKR_ARGUMENTS_BAD);
    return module_leave(objects_get(&module->objects, object, templ, count));
}

ck_rv_t C_FindObjectsInit(ck_session_handle_t handle, struct ck_attribute *templ, unsigned long count)
{
    ck_rv_t rv = CKR_OK;
    struct session *session = NULL;
    struct module *module = module_enter_session(&rv, &session, handle);
    if (rv != CKR_OK) return rv;
    if (templ == NULL && count > 0) return module_leave(CKR_ARGUMENTS_BAD);
    if (session->finding) return module_leave(CKR_OPERATION_ACTIVE);
    session_start_search(session, &module->objects, templ, count);
    return module_leave(CKR_OK);
}

ck_rv_t C_FindObjects(ck_session_handle_t handle, ck_object_handle_t *object, unsigned long max_object_count,
                      unsigned long *object_count)
{
    ck_rv_t rv = CKR_OK;
    struct session *session = NULL;
    (void)module_enter_session(&rv, &session, handle);
    if (rv != CKR_OK) return rv;
    if (!session->finding) return module_leave(CKR_OPERATION_NOT_INITIALIZED);
    if (object_count == NULL || (object == NULL && max_object_count > 0)) return module_leave(CKR_ARGUMENTS_BAD);
    *object_count = session_next_found(session, object, max_object_count);
    return module_leave(CKR_OK);
}

ck_rv_t C_FindObjectsFinal(ck_session_handle_t handle)
{
    ck_rv_t rv = CKR_OK;
    struct session *session = NULL;
    (void)module_enter_session(&rv, &session, handle);
    if (rv != CKR_OK) return rv;
    if (!session->finding) return module_leave(CKR_OPERATION_NOT_INITIALIZED);
    session->finding = false;
    return module_leave(CKR_OK);
}

ck_rv_t C_SignInit(ck_session_handle_t handle, struct ck_mechanism *mechanism, ck_object_handle_t key)
{
    ck_rv_t rv = CKR_OK;
    struct session *session = NULL;
    struct module *module = module_enter_session(&rv, &session, handle);
    if (rv != CKR_OK) return rv;
    if (mechanism == NULL) return module_leave(CKR_ARGUMENTS_BAD);
    if (session->signing.scheme != 0) return module_leave(CKR_OPERATION_ACTIVE);
    struct key_use use;
    rv = key_use_init(&use, &module->objects.key, mechanism);
    if (rv != CKR_OK) return module_leave(rv);
    if (!objects_exist(&module->objects, key)) return module_leave(CKR_KEY_HANDLE_INVALID);
    if (key != module->objects.private_key) return module_leave(CKR_KEY_FUNCTION_NOT_PERMITTED);
    session->signing = use;
    return module_leave(CKR_OK);
}

static ck_rv_t sign_result(enum err err, enum refusal refusal)
{
    switch (err) {
    case ERR_OK: return CKR_OK;
    case ERR_CLOSED: return CKR_DEVICE_REMOVED;
    case ERR_DENIED: return refusal_result(refusal);
    case ERR_MEMORY: return CKR_DEVICE_MEMORY;
    case ERR_SYSTEM:
    case ERR_INPUT:
    case ERR_MALFORMED:
    case ERR_TOO_LARGE:
    case ERR_AGAIN:
    case ERR_NOT_FOUND:
    case ERR_CRYPTO:
    case ERR_TIMEOUT: return CKR_DEVICE_ERROR;
    }
    return CKR_DEVICE_ERROR;
}

/* One signature under way. */
struct signing {
    struct token *token; /* held and to be asked; NULL: there is nothing to be signed */
    ck_object_handle_t key;
    uint16_t scheme;
    size_t len; /* of the signature */
};

/* Ends the session's signing, unless only the length was asked for or the buffer is too small (5.2). There is no lock
 * afterwards. */
static ck_rv_t begin_sign(struct signing *out, ck_session_handle_t handle, const unsigned char *data,
                          unsigned long data_len, const unsigned char *signature, unsigned long *signature_len)
{
    ck_rv_t rv = CKR_OK;
    struct session *session = NULL;
    *out = (struct signing){0};
    struct module *module = module_enter_session(&rv, &session, handle);
    if (rv != CKR_OK) return rv;
    const struct key_use use = session->signing;
    if (use.scheme == 0) return module_leave(CKR_OPERATION_NOT_INITIALIZED);
    size_t len = module->objects.key.signature_len;
    if (signature_len != NULL && (signature == NULL || *signature_len < len)) {
        *signature_len = len;
        return module_leave(signature == NULL ? CKR_OK : CKR_BUFFER_TOO_SMALL);
    }
    session->signing = (struct key_use){0};
    if (signature_len == NULL || data == NULL) return module_leave(CKR_ARGUMENTS_BAD);
    if (data_len != use.digest_len) return module_leave(CKR_DATA_LEN_RANGE);
    *out =
        (struct signing){.token = module->token, .key = module->objects.private_key, .scheme = use.scheme, .len = len};
    token_hold(out->token);
    return module_leave(CKR_OK);
}

/* The exchange with keyd is done without the module's lock, so that a slow answer holds up no other call. */
ck_rv_t C_Sign(ck_session_handle_t handle, unsigned char *data, unsigned long data_len, unsigned char *signature,
               unsigned long *signature_len)
{
    struct signing signing;
    ck_rv_t rv = begin_sign(&signing, handle, data, data_len, signature, signature_len);
    if (rv != CKR_OK || signing.token == NULL) return rv;
    const struct token_request request = {.scheme = signing.scheme, .digest = {data, data_len}};
    enum refusal refusal;
    enum err err;
    do {
        err = token_sign(signing.token, signature, signing.len, &refusal, &request);
    } while (err == ERR_CLOSED && module_renewed(&signing.token, signing.key));
    rv = sign_result(err, refusal);
    token_drop(signing.token);
    if (rv == CKR_OK) *signature_len = signing.len;
    return rv;
}
