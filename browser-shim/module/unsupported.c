/* Everything in PKCS #11 that a token with one signing key does not do. The table must have no empty entry: NSS and
 * others call without looking. */
#include "browser-shim/module/cryptoki.h"

/* The signatures are the standard's; nothing here looks at an argument. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#define UNSUPPORTED(name, arguments, result) \
    ck_rv_t name arguments                   \
    {                                        \
        return result;                       \
    }

#define SESSION ck_session_handle_t session
#define BYTES_IN(name) unsigned char *name, unsigned long name##_len
#define BYTES_OUT(name) unsigned char *name, unsigned long *name##_len
#define ATTRIBUTES(name) struct ck_attribute *name, unsigned long num_##name
#define NONE CKR_FUNCTION_NOT_SUPPORTED

/* Managing the token: it is what keyd says it is. */
UNSUPPORTED(C_InitToken, (ck_slot_id_t slot, BYTES_IN(pin), unsigned char *label), NONE)
UNSUPPORTED(C_InitPIN, (SESSION, BYTES_IN(pin)), NONE)
UNSUPPORTED(C_SetPIN, (SESSION, BYTES_IN(old_pin), BYTES_IN(new_pin)), NONE)
UNSUPPORTED(C_GetOperationState, (SESSION, BYTES_OUT(state)), NONE)
UNSUPPORTED(C_SetOperationState,
            (SESSION, BYTES_IN(state), ck_object_handle_t encryption_key, ck_object_handle_t authentication_key), NONE)

/* Nothing can be made or changed on it. */
UNSUPPORTED(C_CreateObject, (SESSION, ATTRIBUTES(attributes), ck_object_handle_t *object), NONE)
UNSUPPORTED(C_CopyObject, (SESSION, ck_object_handle_t object, ATTRIBUTES(attributes), ck_object_handle_t *copy), NONE)
UNSUPPORTED(C_DestroyObject, (SESSION, ck_object_handle_t object), NONE)
UNSUPPORTED(C_SetAttributeValue, (SESSION, ck_object_handle_t object, ATTRIBUTES(attributes)), NONE)

/* No encryption, no digests. */
UNSUPPORTED(C_EncryptInit, (SESSION, struct ck_mechanism *mechanism, ck_object_handle_t key), NONE)
UNSUPPORTED(C_Encrypt, (SESSION, BYTES_IN(data), BYTES_OUT(out)), NONE)
UNSUPPORTED(C_EncryptUpdate, (SESSION, BYTES_IN(data), BYTES_OUT(out)), NONE)
UNSUPPORTED(C_EncryptFinal, (SESSION, BYTES_OUT(out)), NONE)
UNSUPPORTED(C_DecryptInit, (SESSION, struct ck_mechanism *mechanism, ck_object_handle_t key), NONE)
UNSUPPORTED(C_Decrypt, (SESSION, BYTES_IN(data), BYTES_OUT(out)), NONE)
UNSUPPORTED(C_DecryptUpdate, (SESSION, BYTES_IN(data), BYTES_OUT(out)), NONE)
UNSUPPORTED(C_DecryptFinal, (SESSION, BYTES_OUT(out)), NONE)
UNSUPPORTED(C_DigestInit, (SESSION, struct ck_mechanism *mechanism), NONE)
UNSUPPORTED(C_Digest, (SESSION, BYTES_IN(data), BYTES_OUT(out)), NONE)
UNSUPPORTED(C_DigestUpdate, (SESSION, BYTES_IN(data)), NONE)
UNSUPPORTED(C_DigestKey, (SESSION, ck_object_handle_t key), NONE)
UNSUPPORTED(C_DigestFinal, (SESSION, BYTES_OUT(out)), NONE)

/* A digest is signed in one piece (2.3.6: CKM_ECDSA is single-part), and verifying needs no key of ours. */
UNSUPPORTED(C_SignUpdate, (SESSION, BYTES_IN(data)), NONE)
UNSUPPORTED(C_SignFinal, (SESSION, BYTES_OUT(signature)), NONE)
UNSUPPORTED(C_SignRecoverInit, (SESSION, struct ck_mechanism *mechanism, ck_object_handle_t key), NONE)
UNSUPPORTED(C_SignRecover, (SESSION, BYTES_IN(data), BYTES_OUT(signature)), NONE)
UNSUPPORTED(C_VerifyInit, (SESSION, struct ck_mechanism *mechanism, ck_object_handle_t key), NONE)
UNSUPPORTED(C_Verify, (SESSION, BYTES_IN(data), BYTES_IN(signature)), NONE)
UNSUPPORTED(C_VerifyUpdate, (SESSION, BYTES_IN(data)), NONE)
UNSUPPORTED(C_VerifyFinal, (SESSION, BYTES_IN(signature)), NONE)
UNSUPPORTED(C_VerifyRecoverInit, (SESSION, struct ck_mechanism *mechanism, ck_object_handle_t key), NONE)
UNSUPPORTED(C_VerifyRecover, (SESSION, BYTES_IN(signature), BYTES_OUT(data)), NONE)
UNSUPPORTED(C_DigestEncryptUpdate, (SESSION, BYTES_IN(data), BYTES_OUT(out)), NONE)
UNSUPPORTED(C_DecryptDigestUpdate, (SESSION, BYTES_IN(data), BYTES_OUT(out)), NONE)
UNSUPPORTED(C_SignEncryptUpdate, (SESSION, BYTES_IN(data), BYTES_OUT(out)), NONE)
UNSUPPORTED(C_DecryptVerifyUpdate, (SESSION, BYTES_IN(data), BYTES_OUT(out)), NONE)

/* Keys come from keyd alone. */
UNSUPPORTED(C_GenerateKey, (SESSION, struct ck_mechanism *mechanism, ATTRIBUTES(attributes), ck_object_handle_t *key),
            NONE)
UNSUPPORTED(C_GenerateKeyPair,
            (SESSION, struct ck_mechanism *mechanism, ATTRIBUTES(public_attributes), ATTRIBUTES(private_attributes),
             ck_object_handle_t *public_key, ck_object_handle_t *private_key),
            NONE)
UNSUPPORTED(C_WrapKey,
            (SESSION, struct ck_mechanism *mechanism, ck_object_handle_t wrapping_key, ck_object_handle_t key,
             BYTES_OUT(wrapped)),
            NONE)
UNSUPPORTED(C_UnwrapKey,
            (SESSION, struct ck_mechanism *mechanism, ck_object_handle_t unwrapping_key, BYTES_IN(wrapped),
             ATTRIBUTES(attributes), ck_object_handle_t *key),
            NONE)
UNSUPPORTED(C_DeriveKey,
            (SESSION, struct ck_mechanism *mechanism, ck_object_handle_t base_key, ATTRIBUTES(attributes),
             ck_object_handle_t *key),
            NONE)

/* It is no source of randomness (CKF_RNG is not set). */
UNSUPPORTED(C_SeedRandom, (SESSION, BYTES_IN(seed)), CKR_RANDOM_NO_RNG)
UNSUPPORTED(C_GenerateRandom, (SESSION, BYTES_IN(out)), CKR_RANDOM_NO_RNG)

/* Left over from a parallel mode that was never used (11.17). */
UNSUPPORTED(C_GetFunctionStatus, (SESSION), CKR_FUNCTION_NOT_PARALLEL)
UNSUPPORTED(C_CancelFunction, (SESSION), CKR_FUNCTION_NOT_PARALLEL)
