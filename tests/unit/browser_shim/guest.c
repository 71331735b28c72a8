#include "tests/unit/browser_shim/guest.h"

#include <dlfcn.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <string.h>

struct fake_identity guest_identity;

void guest_make_identity(void)
{
    fake_identity_make(&guest_identity);
}

struct ck_function_list *guest_load(void)
{
    void *library = dlopen(GUEST_MODULE, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) fake_expect_failed(GUEST_MODULE, 0, dlerror());
    union {
        void *symbol;
        CK_C_GetFunctionList function;
    } get = {.symbol = dlsym(library, "C_GetFunctionList")};
    struct ck_function_list *p11 = NULL;
    EXPECT(get.symbol != NULL && get.function(&p11) == CKR_OK && p11 != NULL);
    EXPECT(get.function(NULL) == CKR_ARGUMENTS_BAD);
    return p11;
}

struct ck_function_list *guest_start(void)
{
    struct ck_function_list *p11 = guest_load();
    struct ck_c_initialize_args args = {.flags = CKF_OS_LOCKING_OK};
    EXPECT(p11->C_Initialize(&args) == CKR_OK);
    return p11;
}

ck_session_handle_t guest_session(struct ck_function_list *p11)
{
    ck_session_handle_t session = 0;
    EXPECT(p11->C_OpenSession(GUEST_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &session) == CKR_OK && session != 0);
    return session;
}

unsigned long guest_find(struct ck_function_list *p11, ck_session_handle_t session, ck_object_class_t class,
                         ck_object_handle_t *out)
{
    struct ck_attribute template = {CKA_CLASS, &class, sizeof class};
    ck_object_handle_t found[8] = {0};
    unsigned long count = 0;
    EXPECT(p11->C_FindObjectsInit(session, &template, 1) == CKR_OK);
    EXPECT(p11->C_FindObjects(session, found, 8, &count) == CKR_OK);
    EXPECT(p11->C_FindObjectsFinal(session) == CKR_OK);
    *out = found[0];
    return count;
}

ck_object_handle_t guest_key(struct ck_function_list *p11, ck_session_handle_t session)
{
    ck_object_handle_t key = 0;
    EXPECT(guest_find(p11, session, CKO_PRIVATE_KEY, &key) == 1);
    return key;
}

ck_rv_t guest_sign(struct ck_function_list *p11, ck_session_handle_t session, const uint8_t digest[32],
                   uint8_t signature[64])
{
    struct ck_mechanism ecdsa = {.mechanism = CKM_ECDSA};
    uint8_t input[32];
    unsigned long len = 64;
    memcpy(input, digest, sizeof input);
    EXPECT(p11->C_SignInit(session, &ecdsa, guest_key(p11, session)) == CKR_OK);
    ck_rv_t rv = p11->C_Sign(session, input, sizeof input, signature, &len);
    EXPECT(rv != CKR_OK || len == 64);
    return rv;
}

bool guest_verifies(const struct fake_identity *identity, const uint8_t digest[32], const uint8_t signature[64])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, 32, NULL);
    BIGNUM *s = BN_bin2bn(signature + 32, 32, NULL);
    EXPECT(sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1);
    bool good = ECDSA_do_verify(digest, 32, sig, EVP_PKEY_get0_EC_KEY(identity->key)) == 1;
    ECDSA_SIG_free(sig);
    return good;
}

ck_rv_t guest_sign_once(struct ck_function_list *p11)
{
    uint8_t digest[32] = {1};
    uint8_t signature[64];
    return guest_sign(p11, guest_session(p11), digest, signature);
}
