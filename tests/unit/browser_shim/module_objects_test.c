/* What the PKCS#11 module shows. */
#include <criterion/criterion.h>
#include <openssl/sha.h>
#include <string.h>

#include "tests/unit/browser_shim/guest.h"

TestSuite(module_objects, .init = guest_make_identity);

static bool has_value(struct ck_function_list *p11, ck_session_handle_t session, ck_object_handle_t object,
                      ck_attribute_type_t type, const void *value, size_t len)
{
    uint8_t room[4096];
    struct ck_attribute attribute = {type, room, sizeof room};
    return p11->C_GetAttributeValue(session, object, &attribute, 1) == CKR_OK && attribute.value_len == len &&
           memcmp(room, value, len) == 0;
}

static bool has_span(struct ck_function_list *p11, ck_session_handle_t session, ck_object_handle_t object,
                     ck_attribute_type_t type, struct bytes value)
{
    return has_value(p11, session, object, type, value.data, value.len);
}

static bool has_number(struct ck_function_list *p11, ck_session_handle_t session, ck_object_handle_t object,
                       ck_attribute_type_t type, unsigned long value)
{
    return has_value(p11, session, object, type, &value, sizeof value);
}

static bool has_flag(struct ck_function_list *p11, ck_session_handle_t session, ck_object_handle_t object,
                     ck_attribute_type_t type, unsigned char value)
{
    return has_value(p11, session, object, type, &value, sizeof value);
}

static void body_objects(const struct fake_identity *who)
{
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t s = guest_session(p11);
    ck_object_handle_t leaf = 0, key = 0, trust = 0, none = 0;
    uint8_t leaf_hash[20], issuer_hash[20];
    SHA1(who->leaf, who->leaf_len, leaf_hash);
    SHA1(who->issuer, who->issuer_len, issuer_hash);
    EXPECT(guest_find(p11, s, CKO_CERTIFICATE, &leaf) == 2);
    EXPECT(guest_find(p11, s, CKO_PRIVATE_KEY, &key) == 1);
    EXPECT(guest_find(p11, s, CKO_NSS_TRUST, &trust) == 1);
    EXPECT(guest_find(p11, s, CKO_PUBLIC_KEY, &none) == 0);

    EXPECT(has_number(p11, s, leaf, CKA_CERTIFICATE_TYPE, CKC_X_509) && has_flag(p11, s, leaf, CKA_TOKEN, 1));
    EXPECT(has_value(p11, s, leaf, CKA_VALUE, who->leaf, who->leaf_len));
    EXPECT(has_span(p11, s, leaf, CKA_SUBJECT, who->subject) && has_span(p11, s, leaf, CKA_ISSUER, who->issuer_name));
    EXPECT(has_span(p11, s, leaf, CKA_SERIAL_NUMBER, who->serial) && has_value(p11, s, leaf, CKA_LABEL, "kiosk", 5));
    EXPECT(has_value(p11, s, leaf, CKA_ID, leaf_hash, 20));

    EXPECT(has_value(p11, s, key, CKA_ID, leaf_hash, 20) && has_value(p11, s, key, CKA_LABEL, "kiosk", 5));
    EXPECT(has_number(p11, s, key, CKA_KEY_TYPE, CKK_EC) && has_flag(p11, s, key, CKA_SIGN, 1));
    EXPECT(has_value(p11, s, key, CKA_EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10));
    EXPECT(has_flag(p11, s, key, CKA_PRIVATE, 1) && has_flag(p11, s, key, CKA_ALWAYS_AUTHENTICATE, 0));
    EXPECT(has_flag(p11, s, key, CKA_EXTRACTABLE, 0) && has_flag(p11, s, key, CKA_SENSITIVE, 1));

    EXPECT(has_span(p11, s, trust, CKA_ISSUER, who->issuer_name));
    EXPECT(has_value(p11, s, trust, CKA_SERIAL_NUMBER, "\x02\x01\x07", 3));
    EXPECT(has_value(p11, s, trust, CKA_NSS_CERT_SHA1_HASH, issuer_hash, 20));
    EXPECT(has_number(p11, s, trust, CKA_NSS_TRUST_SERVER_AUTH, CKT_NSS_TRUSTED_DELEGATOR));
    EXPECT(has_number(p11, s, trust, CKA_NSS_TRUST_CLIENT_AUTH, CKT_NSS_TRUST_UNKNOWN));
    EXPECT(has_number(p11, s, trust, CKA_NSS_TRUST_CODE_SIGNING, CKT_NSS_TRUST_UNKNOWN));
    EXPECT(has_number(p11, s, trust, CKA_NSS_TRUST_EMAIL_PROTECTION, CKT_NSS_TRUST_UNKNOWN));
    EXPECT(has_flag(p11, s, trust, CKA_NSS_TRUST_STEP_UP_APPROVED, 0));

    unsigned long size = 0;
    EXPECT(p11->C_GetObjectSize(s, key, &size) == CKR_OK && size == CK_UNAVAILABLE_INFORMATION);
    EXPECT(p11->C_GetObjectSize(s, 99, &size) == CKR_OBJECT_HANDLE_INVALID);
    EXPECT(p11->C_GetObjectSize(s, key, NULL) == CKR_ARGUMENTS_BAD);
}

Test(module_objects, shows_what_a_browser_needs)
{
    RUN(FAKE_SIGNS, body_objects);
}

static void body_attribute_buffers(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t s = guest_session(p11);
    uint8_t id[20], label[2];
    struct ck_attribute attributes[] = {
        {CKA_VALUE, NULL, 0},   {CKA_ID, id, sizeof id}, {CKA_LABEL, label, sizeof label},
        {CKA_MODULUS, NULL, 0}, {CKA_CLASS, NULL, 0},
    };
    ck_object_handle_t key = guest_key(p11, s);
    ck_rv_t rv = p11->C_GetAttributeValue(s, key, attributes, 5);
    EXPECT(rv == CKR_ATTRIBUTE_TYPE_INVALID);
    EXPECT(attributes[0].value_len == CK_UNAVAILABLE_INFORMATION);
    EXPECT(attributes[1].value_len == 20);
    EXPECT(attributes[2].value_len == CK_UNAVAILABLE_INFORMATION);
    EXPECT(attributes[3].value_len == CK_UNAVAILABLE_INFORMATION);
    EXPECT(attributes[4].value_len == sizeof(unsigned long));
    EXPECT(p11->C_GetAttributeValue(s, key, attributes, 1) == CKR_ATTRIBUTE_SENSITIVE);
    attributes[2].value_len = sizeof label;
    EXPECT(p11->C_GetAttributeValue(s, key, attributes + 2, 1) == CKR_BUFFER_TOO_SMALL);
    EXPECT(p11->C_GetAttributeValue(s, key, NULL, 1) == CKR_ARGUMENTS_BAD);
    EXPECT(p11->C_GetAttributeValue(s, 0, attributes, 1) == CKR_OBJECT_HANDLE_INVALID);
    EXPECT(p11->C_GetAttributeValue(s, 5, attributes, 1) == CKR_OBJECT_HANDLE_INVALID);
    EXPECT(p11->C_GetAttributeValue(s + 1, key, attributes, 1) == CKR_SESSION_HANDLE_INVALID);
}

Test(module_objects, handles_every_attribute_of_a_template)
{
    RUN(FAKE_SIGNS, body_attribute_buffers);
}

static void body_search(const struct fake_identity *who)
{
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t s = guest_session(p11);
    ck_object_handle_t found[2] = {0};
    unsigned long count = 9;
    EXPECT(p11->C_FindObjects(s, found, 2, &count) == CKR_OPERATION_NOT_INITIALIZED);
    EXPECT(p11->C_FindObjectsFinal(s) == CKR_OPERATION_NOT_INITIALIZED);
    EXPECT(p11->C_FindObjectsInit(s, NULL, 1) == CKR_ARGUMENTS_BAD);
    EXPECT(p11->C_FindObjectsInit(s, NULL, 0) == CKR_OK);
    EXPECT(p11->C_FindObjectsInit(s, NULL, 0) == CKR_OPERATION_ACTIVE);
    EXPECT(p11->C_FindObjects(s, found, 2, NULL) == CKR_ARGUMENTS_BAD);
    EXPECT(p11->C_FindObjects(s, NULL, 2, &count) == CKR_ARGUMENTS_BAD);
    unsigned long total = 0;
    do {
        EXPECT(p11->C_FindObjects(s, found, 1, &count) == CKR_OK);
        total += count;
    } while (count > 0);
    EXPECT(total == 4 && p11->C_FindObjectsFinal(s) == CKR_OK);

    uint8_t value[4096];
    memcpy(value, who->leaf, who->leaf_len);
    ck_object_class_t class = CKO_CERTIFICATE;
    struct ck_attribute both[] = {{CKA_VALUE, value, who->leaf_len}, {CKA_CLASS, &class, sizeof class}};
    EXPECT(p11->C_FindObjectsInit(s, both, 2) == CKR_OK);
    EXPECT(p11->C_FindObjects(s, found, 2, &count) == CKR_OK && count == 1);
    EXPECT(p11->C_FindObjectsFinal(s) == CKR_OK);
    value[who->leaf_len - 1] ^= 1;
    EXPECT(p11->C_FindObjectsInit(s, both, 2) == CKR_OK);
    EXPECT(p11->C_FindObjects(s, found, 2, &count) == CKR_OK && count == 0);
    EXPECT(p11->C_FindObjectsFinal(s) == CKR_OK);
    both[1].value_len = 1;
    EXPECT(p11->C_FindObjectsInit(s, both + 1, 1) == CKR_OK);
    EXPECT(p11->C_FindObjects(s, found, 2, &count) == CKR_OK && count == 0);
}

Test(module_objects, searches_by_template)
{
    RUN(FAKE_SIGNS, body_search);
}
