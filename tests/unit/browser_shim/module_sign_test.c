/* Signing with the PKCS#11 module, and all that can come between. */
#include <criterion/criterion.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/limits.h"
#include "browser-shim/module/refusal.h"
#include "tests/unit/browser_shim/guest.h"

TestSuite(module_sign, .init = guest_make_identity);

static void body_sign(const struct fake_identity *who)
{
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t s = guest_session(p11);
    for (uint8_t i = 0; i < 20; i++) { /* so that numbers of all lengths come by */
        uint8_t digest[32] = {i};
        uint8_t signature[64];
        EXPECT(guest_sign(p11, s, digest, signature) == CKR_OK && guest_verifies(who, digest, signature));
        digest[31] ^= 1;
        EXPECT(!guest_verifies(who, digest, signature));
    }
}

Test(module_sign, signs)
{
    unsigned requests = 0;
    cr_assert_eq(fake_browser(&guest_identity, FAKE_SIGNS, body_sign, &requests), 0);
    cr_assert_eq(requests, 20);
    RUN(FAKE_ANSWERS_LATE, body_sign);
}

static void body_sign_buffers(const struct fake_identity *who)
{
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t s = guest_session(p11);
    ck_object_handle_t key = guest_key(p11, s);
    struct ck_mechanism ecdsa = {.mechanism = CKM_ECDSA};
    struct ck_mechanism sha = {.mechanism = CKM_ECDSA_SHA1};
    struct ck_mechanism parameter = {CKM_ECDSA, &ecdsa, 1};
    uint8_t digest[48] = {1}, signature[64];
    unsigned long len = 0;
    EXPECT(p11->C_Sign(s, digest, 32, signature, &len) == CKR_OPERATION_NOT_INITIALIZED);
    EXPECT(p11->C_SignInit(s, NULL, key) == CKR_ARGUMENTS_BAD);
    EXPECT(p11->C_SignInit(s, &sha, key) == CKR_MECHANISM_INVALID);
    EXPECT(p11->C_SignInit(s, &parameter, key) == CKR_MECHANISM_PARAM_INVALID);
    EXPECT(p11->C_SignInit(s, &ecdsa, 0) == CKR_KEY_HANDLE_INVALID);
    EXPECT(p11->C_SignInit(s, &ecdsa, 77) == CKR_KEY_HANDLE_INVALID);
    EXPECT(p11->C_SignInit(s, &ecdsa, 1) == CKR_KEY_FUNCTION_NOT_PERMITTED);
    EXPECT(p11->C_SignInit(s + 1, &ecdsa, key) == CKR_SESSION_HANDLE_INVALID);
    EXPECT(p11->C_SignInit(s, &ecdsa, key) == CKR_OK && p11->C_SignInit(s, &ecdsa, key) == CKR_OPERATION_ACTIVE);
    EXPECT(p11->C_Sign(s, digest, 32, NULL, &len) == CKR_OK && len == 64);
    len = 63;
    EXPECT(p11->C_Sign(s, digest, 32, signature, &len) == CKR_BUFFER_TOO_SMALL && len == 64);
    EXPECT(p11->C_Sign(s, digest, 32, signature, &len) == CKR_OK && len == 64 &&
           guest_verifies(who, digest, signature));
    EXPECT(p11->C_Sign(s, digest, 32, signature, &len) == CKR_OPERATION_NOT_INITIALIZED);
    EXPECT(p11->C_SignInit(s, &ecdsa, key) == CKR_OK);
    EXPECT(p11->C_Sign(s, digest, 48, signature, &len) == CKR_DATA_LEN_RANGE);
    EXPECT(p11->C_SignInit(s, &ecdsa, key) == CKR_OK); /* the failure has ended the last one */
    EXPECT(p11->C_Sign(s, NULL, 32, signature, &len) == CKR_ARGUMENTS_BAD);
    EXPECT(p11->C_SignInit(s, &ecdsa, key) == CKR_OK);
    EXPECT(p11->C_Sign(s, digest, 32, signature, NULL) == CKR_ARGUMENTS_BAD);
}

Test(module_sign, keeps_the_buffer_conventions)
{
    unsigned requests = 0;
    cr_assert_eq(fake_browser(&guest_identity, FAKE_SIGNS, body_sign_buffers, &requests), 0);
    cr_assert_eq(requests, 1, "only one call had everything that a signature needs");
}

struct signer {
    struct ck_function_list *p11;
    const struct fake_identity *who;
    uint8_t number;
};

static void *sign_many(void *context)
{
    const struct signer *signer = context;
    ck_session_handle_t s = guest_session(signer->p11);
    for (uint8_t i = 0; i < 25; i++) {
        uint8_t digest[32] = {signer->number, i};
        uint8_t signature[64];
        EXPECT(guest_sign(signer->p11, s, digest, signature) == CKR_OK &&
               guest_verifies(signer->who, digest, signature));
    }
    EXPECT(signer->p11->C_CloseSession(s) == CKR_OK);
    return NULL;
}

static void body_threads(const struct fake_identity *who)
{
    enum { THREADS = 8 };
    struct signer signers[THREADS];
    pthread_t threads[THREADS];
    struct ck_function_list *p11 = guest_start();
    for (uint8_t i = 0; i < THREADS; i++) {
        signers[i] = (struct signer){p11, who, i};
        EXPECT(pthread_create(&threads[i], NULL, sign_many, &signers[i]) == 0);
    }
    for (uint8_t i = 0; i < THREADS; i++) EXPECT(pthread_join(threads[i], NULL) == 0);
}

Test(module_sign, signs_for_many_threads)
{
    unsigned requests = 0;
    cr_assert_eq(fake_browser(&guest_identity, FAKE_SIGNS, body_threads, &requests), 0);
    cr_assert_eq(requests, 8 * 25);
}

static void body_refused(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_start();
    EXPECT(guest_sign_once(p11) == refusal_result(fake_refusal));
    EXPECT(guest_sign_once(p11) == refusal_result(fake_refusal)); /* the handle is still there */
}

Test(module_sign, passes_every_refusal_on)
{
    for (fake_refusal = REFUSAL_NONE + 1; fake_refusal < REFUSAL_NUM; fake_refusal++) RUN(FAKE_REFUSES, body_refused);
}

/* Each fails the authentication, and none makes a browser ask for a PIN, try again by itself or take the signature. */
Test(module_sign, has_an_error_for_every_refusal)
{
    static const ck_rv_t wrong[] = {CKR_OK,
                                    CKR_CANCEL,
                                    CKR_FUNCTION_CANCELED,
                                    CKR_FUNCTION_REJECTED,
                                    CKR_PIN_EXPIRED,
                                    CKR_PIN_INVALID,
                                    CKR_PIN_INCORRECT,
                                    CKR_PIN_LOCKED,
                                    CKR_PIN_LEN_RANGE,
                                    CKR_BUFFER_TOO_SMALL,
                                    CKR_USER_NOT_LOGGED_IN};
    for (enum refusal refusal = REFUSAL_NONE + 1; refusal < REFUSAL_NUM; refusal++) {
        const ck_rv_t result = refusal_result(refusal);
        cr_assert_neq(result, CKR_GENERAL_ERROR, "%s: no row", refusal_text(refusal));
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
            cr_assert_neq(result, wrong[i], "%s: %#lx", refusal_text(refusal), result);
    }
    cr_assert_eq(refusal_result(REFUSAL_NONE), CKR_GENERAL_ERROR);
    cr_assert_eq(refusal_result(REFUSAL_NUM), CKR_GENERAL_ERROR);
    cr_assert_eq(refusal_result((enum refusal)0x7fffffff), CKR_GENERAL_ERROR);
}

static void *sign_late(void *context)
{
    EXPECT(guest_sign_once(context) == CKR_DEVICE_ERROR);
    return NULL;
}

static void body_silent(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_start();
    uint64_t begin = clock_monotonic_ms();
    pthread_t others[3];
    for (size_t i = 0; i < 3; i++) EXPECT(pthread_create(&others[i], NULL, sign_late, p11) == 0);
    EXPECT(guest_sign_once(p11) == CKR_DEVICE_ERROR);
    struct ck_slot_info info;
    EXPECT(p11->C_GetSlotInfo(GUEST_SLOT, &info) == CKR_OK && (info.flags & CKF_TOKEN_PRESENT) != 0);
    for (size_t i = 0; i < 3; i++) EXPECT(pthread_join(others[i], NULL) == 0);
    uint64_t took = clock_monotonic_ms() - begin;
    EXPECT(took + 50 >= DEADLINE_MODULE_MS && took < DEADLINE_MODULE_MS + 1500);
}

Test(module_sign, does_not_wait_for_ever)
{
    RUN(FAKE_IS_SILENT, body_silent);
}

static void body_hung_up(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t s = guest_session(p11);
    uint8_t digest[32] = {1}, signature[64];
    uint64_t begin = clock_monotonic_ms();
    EXPECT(guest_sign(p11, s, digest, signature) == CKR_DEVICE_REMOVED);
    EXPECT(guest_sign(p11, s, digest, signature) == CKR_DEVICE_REMOVED);
    EXPECT(clock_monotonic_ms() - begin < 1000);
    struct ck_slot_info info;
    EXPECT(p11->C_GetSlotInfo(GUEST_SLOT, &info) == CKR_OK && (info.flags & CKF_TOKEN_PRESENT) == 0);
    unsigned long count = 9;
    EXPECT(p11->C_GetSlotList(CK_TRUE, NULL, &count) == CKR_OK && count == 0);
    struct ck_session_info session;
    EXPECT(p11->C_GetSessionInfo(s, &session) == CKR_DEVICE_REMOVED);
    EXPECT(p11->C_OpenSession(GUEST_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &s) == CKR_TOKEN_NOT_PRESENT);
}

Test(module_sign, notices_that_the_handle_is_gone)
{
    RUN(FAKE_HANGS_UP, body_hung_up);
}

static void body_nonsense(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_start();
    EXPECT(guest_sign_once(p11) == CKR_DEVICE_ERROR);
}

Test(module_sign, takes_no_nonsense_for_a_signature)
{
    RUN(FAKE_TALKS_NONSENSE, body_nonsense);
    RUN(FAKE_SIGNS_NONSENSE, body_nonsense);
    RUN(FAKE_SAYS_WRONG_KIND, body_nonsense);
}

static void body_bad_certificate(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_start();
    unsigned long count = 9;
    EXPECT(p11->C_GetSlotList(CK_TRUE, NULL, &count) == CKR_OK && count == 0);
}

Test(module_sign, shows_no_certificate_that_it_cannot_read)
{
    struct fake_identity cut = guest_identity;
    cut.leaf_len--;
    cr_assert_eq(fake_browser(&cut, FAKE_SIGNS, body_bad_certificate, NULL), 0);
    cut = guest_identity;
    cut.issuer_len--;
    cr_assert_eq(fake_browser(&cut, FAKE_SIGNS, body_bad_certificate, NULL), 0);
}
