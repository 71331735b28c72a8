/* The PKCS#11 module as a browser has it: loaded from its file, the handle at descriptor 3, keyd behind it. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/browser_shim/guest.h"

TestSuite(module, .init = guest_make_identity);

/* ---- The table ---------------------------------------------------------------------------------------------------- */

static void body_table(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_load();
    EXPECT(p11->version.major == 2 && p11->version.minor == 40);
    const unsigned char *entry = (const unsigned char *)&p11->C_Initialize;
    size_t num = (sizeof *p11 - (size_t)(entry - (const unsigned char *)p11)) / sizeof(void *);
    EXPECT(num == 68);
    for (size_t i = 0; i < num; i++) {
        void *function = NULL;
        memcpy(&function, entry + i * sizeof function, sizeof function);
        EXPECT(function != NULL);
        Dl_info info = {0};
        EXPECT(dladdr(function, &info) != 0 && strstr(info.dli_fname, "module.so") != NULL);
    }
}

Test(module, every_entry_of_the_table_is_ours)
{
    RUN(FAKE_SIGNS, body_table);
}

static void body_unsupported(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p = guest_start();
    ck_session_handle_t s = guest_session(p);
    const ck_rv_t none = CKR_FUNCTION_NOT_SUPPORTED;
    EXPECT(p->C_InitToken(GUEST_SLOT, NULL, 0, NULL) == none && p->C_InitPIN(s, NULL, 0) == none);
    EXPECT(p->C_SetPIN(s, NULL, 0, NULL, 0) == none && p->C_GetOperationState(s, NULL, NULL) == none);
    EXPECT(p->C_SetOperationState(s, NULL, 0, 0, 0) == none && p->C_CreateObject(s, NULL, 0, NULL) == none);
    EXPECT(p->C_CopyObject(s, 1, NULL, 0, NULL) == none && p->C_DestroyObject(s, 1) == none);
    EXPECT(p->C_SetAttributeValue(s, 1, NULL, 0) == none && p->C_EncryptInit(s, NULL, 0) == none);
    EXPECT(p->C_Encrypt(s, NULL, 0, NULL, NULL) == none && p->C_EncryptUpdate(s, NULL, 0, NULL, NULL) == none);
    EXPECT(p->C_EncryptFinal(s, NULL, NULL) == none && p->C_DecryptInit(s, NULL, 2) == none);
    EXPECT(p->C_Decrypt(s, NULL, 0, NULL, NULL) == none && p->C_DecryptUpdate(s, NULL, 0, NULL, NULL) == none);
    EXPECT(p->C_DecryptFinal(s, NULL, NULL) == none && p->C_DigestInit(s, NULL) == none);
    EXPECT(p->C_Digest(s, NULL, 0, NULL, NULL) == none && p->C_DigestUpdate(s, NULL, 0) == none);
    EXPECT(p->C_DigestKey(s, 2) == none && p->C_DigestFinal(s, NULL, NULL) == none);
    EXPECT(p->C_SignUpdate(s, NULL, 0) == none && p->C_SignFinal(s, NULL, NULL) == none);
    EXPECT(p->C_SignRecoverInit(s, NULL, 2) == none && p->C_SignRecover(s, NULL, 0, NULL, NULL) == none);
    EXPECT(p->C_VerifyInit(s, NULL, 2) == none && p->C_Verify(s, NULL, 0, NULL, 0) == none);
    EXPECT(p->C_VerifyUpdate(s, NULL, 0) == none && p->C_VerifyFinal(s, NULL, 0) == none);
    EXPECT(p->C_VerifyRecoverInit(s, NULL, 2) == none && p->C_VerifyRecover(s, NULL, 0, NULL, NULL) == none);
    EXPECT(p->C_DigestEncryptUpdate(s, NULL, 0, NULL, NULL) == none);
    EXPECT(p->C_DecryptDigestUpdate(s, NULL, 0, NULL, NULL) == none);
    EXPECT(p->C_SignEncryptUpdate(s, NULL, 0, NULL, NULL) == none);
    EXPECT(p->C_DecryptVerifyUpdate(s, NULL, 0, NULL, NULL) == none);
    EXPECT(p->C_GenerateKey(s, NULL, NULL, 0, NULL) == none);
    EXPECT(p->C_GenerateKeyPair(s, NULL, NULL, 0, NULL, 0, NULL, NULL) == none);
    EXPECT(p->C_WrapKey(s, NULL, 2, 2, NULL, NULL) == none);
    EXPECT(p->C_UnwrapKey(s, NULL, 2, NULL, 0, NULL, 0, NULL) == none);
    EXPECT(p->C_DeriveKey(s, NULL, 2, NULL, 0, NULL) == none);
    EXPECT(p->C_SeedRandom(s, NULL, 0) == CKR_RANDOM_NO_RNG && p->C_GenerateRandom(s, NULL, 0) == CKR_RANDOM_NO_RNG);
    EXPECT(p->C_GetFunctionStatus(s) == CKR_FUNCTION_NOT_PARALLEL);
    EXPECT(p->C_CancelFunction(s) == CKR_FUNCTION_NOT_PARALLEL);
}

Test(module, what_it_does_not_do_it_says)
{
    RUN(FAKE_SIGNS, body_unsupported);
}

static void body_exports(const struct fake_identity *who)
{
    (void)who;
    void *library = dlopen(GUEST_MODULE, RTLD_NOW | RTLD_LOCAL);
    EXPECT(library != NULL);
    EXPECT(dlsym(library, "C_GetFunctionList") != NULL);
    EXPECT(dlsym(library, "C_Sign") == NULL);
    EXPECT(dlsym(library, "link_send") == NULL);
    EXPECT(dlsym(library, "protobuf_c_message_unpack") == NULL);
}

Test(module, exports_one_symbol)
{
    RUN(FAKE_SIGNS, body_exports);
}

/* ---- Starting and ending ------------------------------------------------------------------------------------------ */

static ck_rv_t no_mutex(void *mutex)
{
    (void)mutex;
    return CKR_OK;
}

static ck_rv_t no_new_mutex(void **mutex)
{
    *mutex = NULL;
    return CKR_OK;
}

static void body_initialize(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_load();
    struct ck_info info;
    EXPECT(p11->C_GetInfo(&info) == CKR_CRYPTOKI_NOT_INITIALIZED);
    EXPECT(p11->C_Finalize(NULL) == CKR_CRYPTOKI_NOT_INITIALIZED);
    struct ck_c_initialize_args args = {.reserved = &args};
    EXPECT(p11->C_Initialize(&args) == CKR_ARGUMENTS_BAD);
    args = (struct ck_c_initialize_args){.create_mutex = no_new_mutex};
    EXPECT(p11->C_Initialize(&args) == CKR_ARGUMENTS_BAD);
    args = (struct ck_c_initialize_args){no_new_mutex, no_mutex, no_mutex, no_mutex, 0, NULL};
    EXPECT(p11->C_Initialize(&args) == CKR_CANT_LOCK);
    args.flags = CKF_OS_LOCKING_OK;
    EXPECT(p11->C_Initialize(&args) == CKR_OK);
    EXPECT(p11->C_Initialize(NULL) == CKR_CRYPTOKI_ALREADY_INITIALIZED);
    EXPECT(p11->C_GetInfo(NULL) == CKR_ARGUMENTS_BAD && p11->C_GetInfo(&info) == CKR_OK);
    EXPECT(info.cryptoki_version.major == 2 && info.cryptoki_version.minor == 40);
    EXPECT(memcmp(info.manufacturer_id, "Keyward                         ", 32) == 0);
    ck_session_handle_t session = guest_session(p11);
    EXPECT(p11->C_Finalize(p11) == CKR_ARGUMENTS_BAD && p11->C_Finalize(NULL) == CKR_OK);
    EXPECT(p11->C_Initialize(NULL) == CKR_OK);
    EXPECT(p11->C_CloseSession(session) == CKR_SESSION_HANDLE_INVALID);
    uint8_t digest[32] = {1};
    uint8_t signature[64];
    EXPECT(guest_sign(p11, guest_session(p11), digest, signature) == CKR_OK);
}

Test(module, initializes_once_at_a_time)
{
    RUN(FAKE_SIGNS, body_initialize);
}

static void body_cloexec(const struct fake_identity *who)
{
    (void)who;
    EXPECT(fcntl(3, F_SETFD, 0) == 0);
    guest_load();
    EXPECT(fcntl(3, F_GETFD) == FD_CLOEXEC);
}

Test(module, loading_keeps_the_handle_from_other_programs)
{
    RUN(FAKE_SIGNS, body_cloexec);
}

static void body_other_file(const struct fake_identity *who)
{
    (void)who;
    EXPECT(fcntl(3, F_SETFD, 0) == 0);
    struct ck_function_list *p11 = guest_start();
    EXPECT(fcntl(3, F_GETFD) == 0); /* not ours to touch */
    unsigned long count = 9;
    EXPECT(p11->C_GetSlotList(CK_TRUE, NULL, &count) == CKR_OK && count == 0);
    EXPECT(p11->C_GetSlotList(CK_FALSE, NULL, &count) == CKR_OK && count == 1);
    struct ck_slot_info info;
    EXPECT(p11->C_GetSlotInfo(GUEST_SLOT, &info) == CKR_OK && (info.flags & CKF_TOKEN_PRESENT) == 0);
    struct ck_token_info token;
    EXPECT(p11->C_GetTokenInfo(GUEST_SLOT, &token) == CKR_TOKEN_NOT_PRESENT);
    ck_session_handle_t session = 0;
    EXPECT(p11->C_OpenSession(GUEST_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &session) == CKR_TOKEN_NOT_PRESENT);
}

Test(module, without_a_handle_the_slot_is_empty)
{
    RUN(FAKE_IS_NO_HANDLE, body_other_file);
}

static void body_dead(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_start();
    unsigned long count = 9;
    EXPECT(p11->C_GetSlotList(CK_TRUE, NULL, &count) == CKR_OK && count == 0);
}

Test(module, with_a_dead_handle_the_slot_is_empty)
{
    RUN(FAKE_IS_DEAD, body_dead);
}

/* keyd says WRONG_PROCESS; the fake one dies of an attempt to pin it all the same. */
Test(module, with_the_handle_of_another_process_the_slot_is_empty)
{
    RUN(FAKE_IS_ANOTHERS, body_dead);
}

static void body_nobodys(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_start();
    unsigned long count = 0;
    EXPECT(p11->C_GetSlotList(CK_TRUE, NULL, &count) == CKR_OK && count == 1);
    EXPECT(p11->C_Finalize(NULL) == CKR_OK && p11->C_Initialize(NULL) == CKR_OK);
    EXPECT(p11->C_GetSlotList(CK_TRUE, NULL, &count) == CKR_OK && count == 1);
}

Test(module, takes_a_handle_that_is_nobodys)
{
    RUN(FAKE_IS_NOBODYS, body_nobodys);
}

static void body_fork(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t session = guest_session(p11);
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        struct ck_info info;
        struct ck_mechanism ecdsa = {.mechanism = CKM_ECDSA};
        EXPECT(p11->C_GetInfo(&info) == CKR_CRYPTOKI_NOT_INITIALIZED);
        EXPECT(p11->C_SignInit(session, &ecdsa, 2) == CKR_CRYPTOKI_NOT_INITIALIZED);
        EXPECT(p11->C_Initialize(NULL) == CKR_GENERAL_ERROR);
        _exit(0);
    }
    int status = 0;
    EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
    uint8_t digest[32] = {1};
    uint8_t signature[64];
    EXPECT(guest_sign(p11, session, digest, signature) == CKR_OK);
}

Test(module, a_fork_cannot_use_the_handle)
{
    RUN(FAKE_SIGNS, body_fork);
}

static void *call_all_the_time(void *context)
{
    struct ck_function_list *p11 = context;
    struct ck_info info;
    for (;;) EXPECT(p11->C_GetInfo(&info) == CKR_OK);
    return NULL;
}

/* Sooner or later a fork falls into a moment when the thread has the module's lock, which stays locked in the child. */
static void body_fork_in_call(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_start();
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, call_all_the_time, p11) == 0);
    for (int i = 0; i < 300; i++) {
        pid_t pid = fork();
        EXPECT(pid >= 0);
        if (pid == 0) {
            struct ck_info info;
            alarm(5);
            EXPECT(p11->C_GetInfo(&info) == CKR_CRYPTOKI_NOT_INITIALIZED);
            EXPECT(p11->C_Initialize(NULL) == CKR_GENERAL_ERROR);
            _exit(0);
        }
        int status = 0;
        EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
    }
    _exit(0);
}

Test(module, a_fork_does_not_wait_for_a_thread_that_it_does_not_have)
{
    RUN(FAKE_SIGNS, body_fork_in_call);
}

/* ---- Slot and sessions -------------------------------------------------------------------------------------------- */

static void body_slot(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_start();
    ck_slot_id_t slots[2] = {0};
    unsigned long count = 0;
    EXPECT(p11->C_GetSlotList(CK_TRUE, NULL, NULL) == CKR_ARGUMENTS_BAD);
    EXPECT(p11->C_GetSlotList(CK_TRUE, slots, &count) == CKR_BUFFER_TOO_SMALL && count == 1);
    count = 2;
    EXPECT(p11->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK && count == 1 && slots[0] == GUEST_SLOT);
    struct ck_slot_info slot;
    EXPECT(p11->C_GetSlotInfo(GUEST_SLOT + 1, &slot) == CKR_SLOT_ID_INVALID);
    EXPECT(p11->C_GetSlotInfo(GUEST_SLOT, NULL) == CKR_ARGUMENTS_BAD);
    EXPECT(p11->C_GetSlotInfo(GUEST_SLOT, &slot) == CKR_OK && (slot.flags & CKF_TOKEN_PRESENT) != 0);
    struct ck_token_info token;
    EXPECT(p11->C_GetTokenInfo(GUEST_SLOT + 1, &token) == CKR_SLOT_ID_INVALID);
    EXPECT(p11->C_GetTokenInfo(GUEST_SLOT, NULL) == CKR_ARGUMENTS_BAD);
    EXPECT(p11->C_GetTokenInfo(GUEST_SLOT, &token) == CKR_OK && (token.flags & CKF_LOGIN_REQUIRED) == 0);
    EXPECT((token.flags & CKF_TOKEN_INITIALIZED) != 0);
    ck_mechanism_type_t mechanisms[2] = {0};
    count = 0;
    EXPECT(p11->C_GetMechanismList(GUEST_SLOT, NULL, &count) == CKR_OK && count == 1);
    count = 0;
    EXPECT(p11->C_GetMechanismList(GUEST_SLOT, mechanisms, &count) == CKR_BUFFER_TOO_SMALL && count == 1);
    EXPECT(p11->C_GetMechanismList(GUEST_SLOT, mechanisms, &count) == CKR_OK && mechanisms[0] == CKM_ECDSA);
    EXPECT(p11->C_GetMechanismList(GUEST_SLOT, mechanisms, NULL) == CKR_ARGUMENTS_BAD);
    struct ck_mechanism_info mechanism;
    EXPECT(p11->C_GetMechanismInfo(GUEST_SLOT, CKM_RSA_PKCS, &mechanism) == CKR_MECHANISM_INVALID);
    EXPECT(p11->C_GetMechanismInfo(GUEST_SLOT, CKM_ECDSA, &mechanism) == CKR_OK && (mechanism.flags & CKF_SIGN) != 0);
    EXPECT(p11->C_GetMechanismInfo(GUEST_SLOT, CKM_ECDSA, NULL) == CKR_ARGUMENTS_BAD);
    ck_slot_id_t event = 0;
    EXPECT(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &event, NULL) == CKR_NO_EVENT);
    EXPECT(p11->C_WaitForSlotEvent(0, &event, NULL) == CKR_FUNCTION_NOT_SUPPORTED);
}

Test(module, describes_its_slot)
{
    RUN(FAKE_SIGNS, body_slot);
}

static void body_sessions(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t first = 0;
    EXPECT(p11->C_OpenSession(GUEST_SLOT, 0, NULL, NULL, &first) == CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    EXPECT(p11->C_OpenSession(GUEST_SLOT + 1, CKF_SERIAL_SESSION, NULL, NULL, &first) == CKR_SLOT_ID_INVALID);
    EXPECT(p11->C_OpenSession(GUEST_SLOT, CKF_SERIAL_SESSION, NULL, NULL, NULL) == CKR_ARGUMENTS_BAD);
    EXPECT(p11->C_OpenSession(GUEST_SLOT, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &first) ==
           CKR_TOKEN_WRITE_PROTECTED);
    first = guest_session(p11);
    struct ck_session_info info;
    EXPECT(p11->C_GetSessionInfo(first, &info) == CKR_OK && info.state == CKS_RO_PUBLIC_SESSION);
    EXPECT(p11->C_GetSessionInfo(first, NULL) == CKR_ARGUMENTS_BAD);
    EXPECT(p11->C_Login(first, CKU_USER, NULL, 0) == CKR_USER_PIN_NOT_INITIALIZED);
    EXPECT(p11->C_Login(first, 9, NULL, 0) == CKR_USER_TYPE_INVALID);
    EXPECT(p11->C_Logout(first) == CKR_USER_NOT_LOGGED_IN);
    EXPECT(p11->C_CloseSession(first) == CKR_OK && p11->C_CloseSession(first) == CKR_SESSION_HANDLE_INVALID);
    ck_session_handle_t second = guest_session(p11);
    EXPECT(second != first && p11->C_GetSessionInfo(first, &info) == CKR_SESSION_HANDLE_INVALID);

    unsigned long opened = 1;
    ck_session_handle_t more = 0;
    while (p11->C_OpenSession(GUEST_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &more) == CKR_OK) opened++;
    EXPECT(opened == 64);
    EXPECT(p11->C_OpenSession(GUEST_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &more) == CKR_SESSION_COUNT);
    EXPECT(p11->C_CloseSession(second) == CKR_OK);
    EXPECT(p11->C_OpenSession(GUEST_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &more) == CKR_OK);
    EXPECT(p11->C_CloseAllSessions(GUEST_SLOT + 1) == CKR_SLOT_ID_INVALID &&
           p11->C_CloseAllSessions(GUEST_SLOT) == CKR_OK);
    EXPECT(p11->C_CloseSession(more) == CKR_SESSION_HANDLE_INVALID);
    guest_session(p11);
}

Test(module, keeps_a_limited_table_of_sessions)
{
    RUN(FAKE_SIGNS, body_sessions);
}
