#include "browser-shim/module/objects.h"

#include <string.h>

#include "base/check.h"

static const unsigned char yes = CK_TRUE;
static const unsigned char no = CK_FALSE;
static const ck_object_class_t class_certificate = CKO_CERTIFICATE;
static const ck_object_class_t class_private_key = CKO_PRIVATE_KEY;
static const ck_object_class_t class_trust = CKO_NSS_TRUST;
static const ck_certificate_type_t type_x509 = CKC_X_509;
static const ck_key_type_t type_ec = CKK_EC;
static const ck_key_type_t type_rsa = CKK_RSA;
static const unsigned long trust_delegator = CKT_NSS_TRUSTED_DELEGATOR;
static const unsigned long trust_unknown = CKT_NSS_TRUST_UNKNOWN;

static const char issuer_label[] = "Keyward client CA";
static const char server_ca_label[] = "Keyward CA";
static const char trust_label[] = "Keyward CA trust";

static struct object *add_object(struct objects *objects)
{
    CHECK(objects->num_items < OBJECTS_MAX);
    return &objects->items[objects->num_items++];
}

static void add(struct object *object, ck_attribute_type_t type, const void *value, size_t value_len)
{
    CHECK(object->num_attributes < OBJECTS_MAX_ATTRIBUTES);
    object->attributes[object->num_attributes++] = (struct object_attribute){type, value, value_len};
}

static void add_span(struct object *object, ck_attribute_type_t type, struct bytes span)
{
    add(object, type, span.data, span.len);
}

static void add_text(struct object *object, ck_attribute_type_t type, const char *text)
{
    add(object, type, text, strlen(text));
}

static void add_flag(struct object *object, ck_attribute_type_t type, const unsigned char *flag)
{
    add(object, type, flag, sizeof *flag);
}

static void add_number(struct object *object, ck_attribute_type_t type, const unsigned long *number)
{
    add(object, type, number, sizeof *number);
}

/* What every object here has: it is on the token and stays as it is. */
static void add_common(struct object *object, const ck_object_class_t *class, const char *label)
{
    add_number(object, CKA_CLASS, class);
    add_flag(object, CKA_TOKEN, &yes);
    add_flag(object, CKA_MODIFIABLE, &no);
    add_text(object, CKA_LABEL, label);
}

static void add_certificate(struct objects *objects, const char *label, const uint8_t id[SHA1_DIGEST],
                            const struct der_certificate *fields, struct bytes der)
{
    struct object *object = add_object(objects);
    add_common(object, &class_certificate, label);
    add_flag(object, CKA_PRIVATE, &no);
    add_number(object, CKA_CERTIFICATE_TYPE, &type_x509);
    add(object, CKA_ID, id, SHA1_DIGEST);
    add_span(object, CKA_SUBJECT, fields->subject);
    add_span(object, CKA_ISSUER, fields->issuer);
    add_span(object, CKA_SERIAL_NUMBER, fields->serial);
    add_span(object, CKA_VALUE, der);
}

static void add_private_key(struct objects *objects, const char *label)
{
    struct object *object = add_object(objects);
    objects->private_key = objects->first + objects->num_items - 1;
    add_common(object, &class_private_key, label);
    add_flag(object, CKA_PRIVATE, &yes);
    add_number(object, CKA_KEY_TYPE, objects->key.kind == DER_KEY_RSA ? &type_rsa : &type_ec);
    add(object, CKA_ID, objects->leaf_hash, SHA1_DIGEST);
    add_span(object, CKA_SUBJECT, objects->leaf.subject);
    if (objects->key.kind == DER_KEY_RSA) {
        add_span(object, CKA_MODULUS, objects->leaf.modulus);
        add_span(object, CKA_PUBLIC_EXPONENT, objects->leaf.exponent);
    } else {
        add_span(object, CKA_EC_PARAMS, objects->leaf.curve);
    }
    add_flag(object, CKA_SIGN, &yes);
    add_flag(object, CKA_DECRYPT, &no);
    add_flag(object, CKA_SIGN_RECOVER, &no);
    add_flag(object, CKA_UNWRAP, &no);
    add_flag(object, CKA_DERIVE, &no);
    add_flag(object, CKA_SENSITIVE, &yes);
    add_flag(object, CKA_ALWAYS_SENSITIVE, &yes);
    add_flag(object, CKA_EXTRACTABLE, &no);
    add_flag(object, CKA_NEVER_EXTRACTABLE, &yes);
    add_flag(object, CKA_LOCAL, &yes);
    add_flag(object, CKA_ALWAYS_AUTHENTICATE, &no);
    add_number(object, CKA_ALLOWED_MECHANISMS, &objects->key.mechanism);
}

/* NSS takes the CA for servers only: no word on mail, code or other clients. */
static void add_trust(struct objects *objects)
{
    struct object *object = add_object(objects);
    add_common(object, &class_trust, trust_label);
    add_flag(object, CKA_PRIVATE, &no);
    add_span(object, CKA_ISSUER, objects->server_ca.issuer);
    add_span(object, CKA_SERIAL_NUMBER, objects->server_ca.serial);
    add(object, CKA_NSS_CERT_SHA1_HASH, objects->server_ca_hash, SHA1_DIGEST);
    add_number(object, CKA_NSS_TRUST_SERVER_AUTH, &trust_delegator);
    add_number(object, CKA_NSS_TRUST_CLIENT_AUTH, &trust_unknown);
    add_number(object, CKA_NSS_TRUST_CODE_SIGNING, &trust_unknown);
    add_number(object, CKA_NSS_TRUST_EMAIL_PROTECTION, &trust_unknown);
    add_flag(object, CKA_NSS_TRUST_STEP_UP_APPROVED, &no);
}

enum err objects_init(struct objects *out, const struct token_description *description, ck_object_handle_t first)
{
    *out = (struct objects){.first = first};
    if (der_read_certificate(&out->leaf, description->leaf) != ERR_OK ||
        der_read_certificate(&out->issuer, description->issuer) != ERR_OK ||
        der_read_certificate(&out->server_ca, description->server_ca) != ERR_OK ||
        key_init(&out->key, &out->leaf) != ERR_OK) {
        *out = (struct objects){0};
        return ERR_MALFORMED;
    }
    sha1_digest(out->leaf_hash, description->leaf);
    sha1_digest(out->issuer_hash, description->issuer);
    sha1_digest(out->server_ca_hash, description->server_ca);
    add_certificate(out, description->label, out->leaf_hash, &out->leaf, description->leaf);
    add_private_key(out, description->label);
    bool is_own_issuer = bytes_equal(description->issuer, description->leaf);
    if (!is_own_issuer && !bytes_equal(description->issuer, description->server_ca)) {
        add_certificate(out, issuer_label, out->issuer_hash, &out->issuer, description->issuer);
    }
    if (!bytes_equal(description->server_ca, description->leaf)) {
        add_certificate(out, server_ca_label, out->server_ca_hash, &out->server_ca, description->server_ca);
    }
    add_trust(out);
    return ERR_OK;
}

bool objects_exist(const struct objects *objects, ck_object_handle_t handle)
{
    return handle >= objects->first && handle - objects->first < objects->num_items;
}

static const struct object_attribute *find(const struct objects *objects, ck_object_handle_t handle,
                                           ck_attribute_type_t type)
{
    const struct object *object = &objects->items[handle - objects->first];
    for (size_t i = 0; i < object->num_attributes; i++) {
        if (object->attributes[i].type == type) return &object->attributes[i];
    }
    return NULL;
}

bool objects_match(const struct objects *objects, ck_object_handle_t handle, const struct ck_attribute *attributes,
                   unsigned long num_attributes)
{
    for (unsigned long i = 0; i < num_attributes; i++) {
        const struct object_attribute *have = find(objects, handle, attributes[i].type);
        if (have == NULL || have->value_len != attributes[i].value_len) return false;
        if (have->value_len == 0) continue;
        if (attributes[i].value == NULL || memcmp(have->value, attributes[i].value, have->value_len) != 0) return false;
    }
    return true;
}

static ck_rv_t get_one(const struct objects *objects, ck_object_handle_t handle, struct ck_attribute *attribute)
{
    const struct object_attribute *have = find(objects, handle, attribute->type);
    ck_rv_t rv = CKR_OK;
    if (have == NULL) {
        bool secret = handle == objects->private_key && attribute->type == CKA_VALUE;
        rv = secret ? CKR_ATTRIBUTE_SENSITIVE : CKR_ATTRIBUTE_TYPE_INVALID;
    } else if (attribute->value != NULL && attribute->value_len < have->value_len) {
        rv = CKR_BUFFER_TOO_SMALL;
    }
    if (rv != CKR_OK) {
        attribute->value_len = CK_UNAVAILABLE_INFORMATION;
        return rv;
    }
    if (attribute->value != NULL && have->value_len > 0) memcpy(attribute->value, have->value, have->value_len);
    attribute->value_len = have->value_len;
    return CKR_OK;
}

ck_rv_t objects_get(const struct objects *objects, ck_object_handle_t handle, struct ck_attribute *attributes,
                    unsigned long num_attributes)
{
    ck_rv_t result = CKR_OK;
    for (unsigned long i = 0; i < num_attributes; i++) {
        ck_rv_t rv = get_one(objects, handle, &attributes[i]);
        if (rv != CKR_OK) result = rv;
    }
    return result;
}
