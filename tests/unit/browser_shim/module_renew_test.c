/* A new handle while the browser runs. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "browser-shim/module/supply.h"
#include "proto/link.h"
#include "tests/unit/browser_shim/guest.h"

static struct fake_identity other;

static void make_identities(void)
{
    guest_make_identity();
    fake_identity_make(&other);
}

TestSuite(module_renew, .init = make_identities);

/* The browser's end of the supply where it looks for it; the other one is fake_supply. */
static void make_supply(void)
{
    enum { ABOVE = 16 };
    int ends[2];
    EXPECT(channel_pair(ends) == ERR_OK);
    fake_supply = fcntl(ends[0], F_DUPFD_CLOEXEC, ABOVE);
    int mine = fcntl(ends[1], F_DUPFD, ABOVE);
    EXPECT(fake_supply >= ABOVE && mine >= ABOVE && dup2(mine, SUPPLY_FD) == SUPPLY_FD);
    for (int fd = SUPPLY_FD + 1; fd < ABOVE; fd++) close(fd);
    close(mine);
}

static bool signs(struct ck_function_list *p11, ck_session_handle_t session, const struct fake_identity *who)
{
    const uint8_t digest[32] = {9};
    uint8_t signature[64];
    return guest_sign(p11, session, digest, signature) == CKR_OK && guest_verifies(who, digest, signature);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void body_same_key(const struct fake_identity *who)
{
    make_supply();
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t session = guest_session(p11);
    ck_object_handle_t key = guest_key(p11, session);
    EXPECT(signs(p11, session, who));
    fake_renew(who, FAKE_SIGNS);
    ck_slot_id_t slot;
    EXPECT(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL) == CKR_NO_EVENT);
    EXPECT(!is_open(3) && "the old handle is given back");
    EXPECT(signs(p11, session, who) && guest_key(p11, session) == key);
    /* What was started before has not ended. */
    struct ck_mechanism ecdsa = {.mechanism = CKM_ECDSA};
    uint8_t digest[32] = {1}, signature[64];
    unsigned long len = sizeof signature;
    EXPECT(p11->C_SignInit(session, &ecdsa, key) == CKR_OK);
    fake_renew(who, FAKE_SIGNS);
    EXPECT(p11->C_Sign(session, digest, sizeof digest, signature, &len) == CKR_OK);
    EXPECT(guest_verifies(who, digest, signature));
}

Test(module_renew, a_new_handle_to_the_same_key_is_not_noticed)
{
    unsigned requests = 0;
    cr_assert_eq(fake_browser(&guest_identity, FAKE_SIGNS, body_same_key, &requests), 0);
    cr_assert_eq(requests, 1, "the first handle signed once");
}

static void body_other_key(const struct fake_identity *who)
{
    make_supply();
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t session = guest_session(p11), again;
    ck_object_handle_t key = guest_key(p11, session);
    EXPECT(signs(p11, session, who));
    fake_renew(&other, FAKE_SIGNS);
    struct ck_session_info info;
    ck_object_handle_t found;
    EXPECT(guest_find(p11, session, CKO_PRIVATE_KEY, &found) == 1 && found != key);
    EXPECT(p11->C_GetSessionInfo(session, &info) == CKR_DEVICE_REMOVED);
    ck_slot_id_t slot = 0;
    EXPECT(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL) == CKR_OK && slot == GUEST_SLOT);
    EXPECT(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL) == CKR_NO_EVENT);
    again = guest_session(p11);
    EXPECT(p11->C_GetSessionInfo(again, &info) == CKR_OK && guest_key(p11, again) == found);
    struct ck_mechanism ecdsa = {.mechanism = CKM_ECDSA};
    EXPECT(p11->C_SignInit(again, &ecdsa, key) == CKR_KEY_HANDLE_INVALID);
    EXPECT(signs(p11, again, &other));
    ck_object_handle_t certificate;
    EXPECT(guest_find(p11, again, CKO_CERTIFICATE, &certificate) == 2);
    uint8_t der[4096];
    struct ck_attribute value = {CKA_VALUE, der, sizeof der};
    EXPECT(p11->C_GetAttributeValue(again, certificate, &value, 1) == CKR_OK);
    EXPECT(value.value_len == other.leaf_len && memcmp(der, other.leaf, other.leaf_len) == 0);
}

Test(module_renew, another_key_is_another_token)
{
    RUN(FAKE_SIGNS, body_other_key);
}

static void body_in_the_middle(const struct fake_identity *who)
{
    (void)who;
    make_supply();
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t session = guest_session(p11);
    struct ck_mechanism ecdsa = {.mechanism = CKM_ECDSA};
    uint8_t digest[32] = {1}, signature[64];
    unsigned long len = sizeof signature, count;
    ck_object_handle_t found;
    EXPECT(p11->C_SignInit(session, &ecdsa, guest_key(p11, session)) == CKR_OK);
    EXPECT(p11->C_FindObjectsInit(session, NULL, 0) == CKR_OK);
    fake_renew(&other, FAKE_SIGNS);
    EXPECT(p11->C_Sign(session, digest, sizeof digest, signature, &len) == CKR_OPERATION_NOT_INITIALIZED);
    EXPECT(p11->C_FindObjects(session, &found, 1, &count) == CKR_OPERATION_NOT_INITIALIZED);
}

Test(module_renew, what_was_begun_with_one_key_does_not_end_with_another)
{
    RUN(FAKE_SIGNS, body_in_the_middle);
}

static void body_after_the_end(const struct fake_identity *who)
{
    make_supply();
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t session;
    struct ck_slot_info info;
    ck_slot_id_t slot;
    EXPECT(guest_sign_once(p11) == CKR_DEVICE_REMOVED);
    EXPECT(p11->C_GetSlotInfo(GUEST_SLOT, &info) == CKR_OK && (info.flags & CKF_TOKEN_PRESENT) == 0);
    EXPECT(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL) == CKR_OK);
    fake_renew(who, FAKE_SIGNS);
    EXPECT(p11->C_GetSlotInfo(GUEST_SLOT, &info) == CKR_OK && (info.flags & CKF_TOKEN_PRESENT) != 0);
    EXPECT(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL) == CKR_OK);
    session = guest_session(p11);
    EXPECT(signs(p11, session, who));
}

Test(module_renew, a_token_that_was_gone_comes_back)
{
    RUN(FAKE_HANGS_UP, body_after_the_end);
}

static void body_without_a_first(const struct fake_identity *who)
{
    make_supply();
    struct ck_function_list *p11 = guest_start();
    unsigned long count = 9;
    EXPECT(p11->C_GetSlotList(CK_TRUE, NULL, &count) == CKR_OK && count == 0);
    fake_renew(who, FAKE_SIGNS);
    EXPECT(p11->C_GetSlotList(CK_TRUE, NULL, &count) == CKR_OK && count == 1);
    EXPECT(signs(p11, guest_session(p11), who));
}

Test(module_renew, a_token_comes_where_there_was_none)
{
    RUN(FAKE_IS_DEAD, body_without_a_first);
}

static void body_under_way(const struct fake_identity *who)
{
    make_supply();
    struct ck_function_list *p11 = guest_start();
    fake_renew(who, FAKE_IS_REPLACED);
    EXPECT(signs(p11, guest_session(p11), who));
}

Test(module_renew, a_signature_that_lost_its_handle_is_asked_of_the_next)
{
    RUN(FAKE_SIGNS, body_under_way);
}

static void body_newest(const struct fake_identity *who)
{
    make_supply();
    struct ck_function_list *p11 = guest_start();
    int first = fake_handle(who, FAKE_REFUSES);
    const struct link supply = {.fd = fake_supply, .role = LINK_BROKER_SHIM, .end = LINK_UPPER};
    EXPECT(link_send(&supply, &(struct msg){.kind = MSG_SHIM_RENEW, .shim_renew = 1}, &first, 1) == ERR_OK);
    fake_renew(who, FAKE_SIGNS);
    EXPECT(signs(p11, guest_session(p11), who));
    close(first);
}

Test(module_renew, the_newest_counts)
{
    RUN(FAKE_SIGNS, body_newest);
}

static void body_again(const struct fake_identity *who)
{
    make_supply();
    struct ck_function_list *p11 = guest_start();
    fake_renew(&other, FAKE_SIGNS);
    EXPECT(signs(p11, guest_session(p11), &other));
    EXPECT(p11->C_Finalize(NULL) == CKR_OK && p11->C_Initialize(NULL) == CKR_OK);
    EXPECT(signs(p11, guest_session(p11), &other));
    (void)who;
}

Test(module_renew, initializing_again_finds_the_newest_handle)
{
    RUN(FAKE_SIGNS, body_again);
}

static void body_nonsense(const struct fake_identity *who)
{
    make_supply();
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t session = guest_session(p11);
    EXPECT(channel_send(fake_supply, (const uint8_t *)"nonsense", 8, NULL, 0) == ERR_OK);
    EXPECT(signs(p11, session, who));
    fake_renew(&other, FAKE_SIGNS); /* too late */
    EXPECT(signs(p11, session, who));
}

Test(module_renew, a_supply_that_talks_nonsense_is_not_listened_to)
{
    RUN(FAKE_SIGNS, body_nonsense);
}

static void body_children(const struct fake_identity *who)
{
    (void)who;
    make_supply();
    (void)guest_load();
    EXPECT((fcntl(SUPPLY_FD, F_GETFD) & FD_CLOEXEC) != 0);
}

Test(module_renew, loading_keeps_the_supply_from_other_programs)
{
    RUN(FAKE_SIGNS, body_children);
}
