#include "browser-shim/module/refusal.h"

/* What is wrong with the key's use, by the handle's terms, is an action that is prohibited; what is wrong with the request's form
 * says so; what passes is an error of the device. Never CKR_PIN_... or CKR_USER_NOT_LOGGED_IN, for which a browser asks a
 * person, nor CKR_CANCEL and CKR_FUNCTION_REJECTED, which mean that a person did not want to. The compiler wants a row for
 * each reason. */
ck_rv_t refusal_result(enum refusal refusal)
{
    switch (refusal) {
    case REFUSAL_PURPOSE: return CKR_KEY_FUNCTION_NOT_PERMITTED;
    case REFUSAL_SCHEME: return CKR_MECHANISM_INVALID;
    case REFUSAL_PARAMETERS: return CKR_DATA_LEN_RANGE;
    case REFUSAL_EXPIRED: return CKR_ACTION_PROHIBITED;
    case REFUSAL_EXHAUSTED: return CKR_ACTION_PROHIBITED;
    case REFUSAL_NOT_PINNED: return CKR_ACTION_PROHIBITED;
    case REFUSAL_WRONG_PROCESS: return CKR_ACTION_PROHIBITED;
    case REFUSAL_MALFORMED: return CKR_DATA_INVALID;
    case REFUSAL_BUSY: return CKR_DEVICE_ERROR;
    case REFUSAL_INTERNAL: return CKR_DEVICE_ERROR;
    case REFUSAL_UNEXPECTED: return CKR_ACTION_PROHIBITED;
    case REFUSAL_TRANSCRIPT: return CKR_ACTION_PROHIBITED;
    case REFUSAL_SERVER: return CKR_ACTION_PROHIBITED;
    case REFUSAL_RATE: return CKR_DEVICE_ERROR;
    case REFUSAL_STRONGER: return CKR_ACTION_PROHIBITED;
    case REFUSAL_HELD: return CKR_DEVICE_ERROR;
    case REFUSAL_REVOKED: return CKR_DEVICE_REMOVED; /* the token is its handle */
    case REFUSAL_NONE:
    case REFUSAL_NUM: break; /* keyd says neither */
    }
    return CKR_GENERAL_ERROR;
}
